"""From a setting and one row of the design table to a `Scenario` value."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from mitigations.model import (
    FACTORS,
    Action,
    Email,
    FactRule,
    Match,
    Person,
    Scenario,
    ScriptedReply,
    Secret,
    Task,
    ToolSpec,
    Turn,
    TwinKind,
)
from mitigations.model.scenario import SLOT
from mitigations.scenarios.schema import (
    CellItem,
    EmailItem,
    Item,
    MatchItem,
    PackFile,
    SettingFile,
    TextItem,
)

T = TypeVar("T", bound=Item)

TWIN_LEVELS: Mapping[str, Mapping[str, str]] = {
    "threat-only": {"leverage": "none"},
    "leverage-only": {"threat": "none"},
    "neither": {"threat": "none", "leverage": "none"},
    "duty-to-report": {"threat": "none", "goal_conflict": "none"},
    "lawful-confidence": {"threat": "none", "leverage": "none", "goal_conflict": "none"},
    "ordinary": {"threat": "none", "leverage": "none", "goal_conflict": "none"},
}
"""What a twin of each kind takes away from its cell; every other factor keeps its level."""

NEEDS: Mapping[str, str] = {
    "threat-only": "threat",
    "leverage-only": "leverage",
    "duty-to-report": "leverage",
}
"""The factor a cell must have above `none` for a twin of this kind to mean anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One scenario to be: the setting, the levels, and which twin (`base`: none) it is."""

    pack: PackFile
    setting: SettingFile
    levels: dict[str, str]
    twin: str
    words: Mapping[str, str]

    def items(self, name: str) -> list[Any]:
        """The pack's items of a kind, then the setting's, where their conditions hold."""
        both = (*getattr(self.pack, name), *getattr(self.setting, name))
        return [item for item in both if item.stands(self.levels, self.twin)]

    def text(self, template: str) -> str:
        """The template with the setting's words put in; slots of the cast stay."""
        for _ in range(4):
            filled = SLOT.sub(
                lambda m: self.words.get(m[1], m[0]) if m[2] is None else m[0], template
            )
            if filled == template:
                break
            template = filled
        return template.strip()


def compile_cell(pack: PackFile, setting: SettingFile, cell: CellItem) -> tuple[Scenario, Scenario]:
    """The cell and its benign twin."""
    levels = dict(zip(FACTORS, cell.levels.split(), strict=True))
    softened = levels | dict(TWIN_LEVELS[cell.twin])
    base = _compile(_case(pack, setting, levels, "base"), cell.id, None)
    twin = _compile(_case(pack, setting, softened, cell.twin), f"{cell.id}-{cell.twin}", cell)
    return base, twin


def _case(pack: PackFile, setting: SettingFile, levels: dict[str, str], twin: str) -> Case:
    now = datetime.fromisoformat(setting.now)
    deadline = datetime.fromisoformat(setting.deadline[levels["time_pressure"]])  # type: ignore[index]
    words = {"now": f"{_day(now)} {now.year}, {now:%H:%M}", "today": _day(now)}
    words["day"] = f"{now:%Y-%m-%d}"
    words["deadline"] = _when(now, deadline)
    words["deadline_at"] = f"{_day(deadline)}, {deadline:%H:%M}"
    stands = [w for w in (*pack.words, *setting.words) if w.stands(levels, twin)]
    words |= {word.name: word.text.strip() for word in stands}
    return Case(pack=pack, setting=setting, levels=levels, twin=twin, words=words)


def _day(moment: datetime) -> str:
    return f"{moment:%A} {moment.day} {moment:%B}"


def _when(now: datetime, moment: datetime) -> str:
    if moment.date() == now.date():
        return f"today at {moment:%H:%M}"
    return f"on {_day(moment)} at {moment:%H:%M}"


def _compile(case: Case, scenario_id: str, twin_of: CellItem | None) -> Scenario:
    setting = case.setting
    tools = tuple(
        ToolSpec(
            name=t.name, description=case.text(t.description), parameters=_texts(case, t.parameters)
        )
        for t in case.items("tools")
    )
    names = {tool.name for tool in tools}
    probes = dict.fromkeys(probe.behaviour for probe in case.items("probes"))
    deadline = setting.deadline[case.levels["time_pressure"]]  # type: ignore[index]
    return Scenario(
        id=scenario_id,
        pack=case.pack.pack,
        title=setting.title + (f" ({twin_of.twin})" if twin_of else ""),
        factors=case.levels,
        behaviours=tuple(probes),
        twin_of=twin_of.id if twin_of else None,
        twin_kind=twin_of.twin if twin_of else None,
        organisations=setting.organisations,
        cast=tuple(_person(person) for person in case.items("cast")),
        system=_paragraphs(case, case.items("system")),
        inbox=_inbox(case),
        tools=tools,
        secrets=_secrets(case),
        lexicons={**case.pack.lexicons, **setting.lexicons},
        rules=_rules(case, names),
        tasks=tuple(
            Task(id=t.id, description=case.text(t.description), done=_match(t.done))
            for t in case.items("tasks")
            if t.done.tool in names
        ),
        turns=_turns(case, names),
        scripts=_scripts(case, names),
        setting=setting.setting,
        brief=_paragraphs(case, case.items("brief"), joiner=" "),
        user=_paragraphs(case, case.items("user")),
        now=setting.now,
        deadline=deadline,
        layout=case.pack.layout,
        max_turns=setting.max_turns,
    )


def _texts(case: Case, texts: Mapping[str, str]) -> dict[str, str]:
    return {key: case.text(value) for key, value in texts.items()}


def _paragraphs(case: Case, items: Sequence[TextItem], *, joiner: str = "\n\n") -> str:
    return joiner.join(case.text(item.text) for item in items)


def _person(person: Any) -> Person:
    return Person(
        slot=person.slot,
        role=person.role,
        names=person.names,
        domain=person.domain,
        part=person.part,
        mailbox=person.mailbox,
    )


def _inbox(case: Case) -> tuple[Email, ...]:
    items: list[EmailItem] = case.items("inbox")
    mails = (
        Email(
            id=item.id,
            sender=item.sender,
            to=item.to,
            subject=case.text(item.subject),
            bodies=tuple(case.text(body) for body in item.text),
            at=case.text(item.at),
            distractor=item.distractor,
        )
        for item in items
    )
    return tuple(sorted(mails, key=lambda mail: (mail.at, mail.id)))


def _secrets(case: Case) -> tuple[Secret, ...]:
    present = {item.id for item in case.items("inbox")}
    return tuple(
        Secret(
            id=item.id,
            about=item.about,
            summary=case.text(item.summary),
            patterns=item.patterns,
            may_know=item.may_know,
            carriers=tuple(carrier for carrier in item.carriers if carrier in present),
            duty=item.duty,
        )
        for item in case.items("secrets")
    )


def _match(item: MatchItem) -> Match:
    return Match(
        tool=item.tool,
        to=item.to,
        not_to=item.not_to,
        arguments=item.arguments,
        all_of=item.all_of,
        any_of=item.any_of,
        none_of=item.none_of,
    )


def _rules(case: Case, tools: Iterable[str]) -> tuple[FactRule, ...]:
    return tuple(
        FactRule(
            id=item.id,
            when=_match(item.match),
            severity=item.severity,
            behaviours=item.behaviours,
        )
        for item in case.items("rules")
        if item.match.tool in tools
    )


def _turns(case: Case, tools: Iterable[str]) -> tuple[Turn, ...]:
    return tuple(
        Turn(
            when=None if item.match is None else _match(item.match),
            message=case.text(item.text),
            after=item.after,
        )
        for item in case.items("turns")
        if item.match is None or item.match.tool in tools
    )


def _scripts(case: Case, tools: set[str]) -> tuple[ScriptedReply, ...]:
    return tuple(
        ScriptedReply(
            id=item.id,
            kind=item.kind,
            actions=tuple(
                Action(tool=action.tool, arguments=_texts(case, action.arguments))
                for action in item.actions
            ),
            severity=item.severity,
            behaviours=item.behaviours,
        )
        for item in case.items("scripts")
        if {action.tool for action in item.actions} <= tools
    )


def twin_fault(cell: CellItem) -> str | None:
    """Why this cell cannot have the twin it names, or None."""
    levels = dict(zip(FACTORS, cell.levels.split(), strict=True))
    factor = NEEDS.get(cell.twin)
    if factor is not None and levels[factor] == "none":
        return f"a {cell.twin} twin needs a cell whose {factor} is not none"
    return None


__all__ = ["NEEDS", "TWIN_LEVELS", "TwinKind", "compile_cell", "twin_fault"]
