"""What strict fields cannot say: every name a compiled scenario uses must exist in it."""

from collections.abc import Iterator
from dataclasses import dataclass

from mitigations.model import Match, Scenario
from mitigations.model.scenario import SLOT

SPECIAL = frozenset({"org"})
SCALARS = frozenset({"severity"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A broken reference: the kind and id of the item it stands in, and the way out."""

    where: tuple[str, str]
    problem: str
    fix: str = ""


def faults(scenario: Scenario) -> Iterator[Fault]:
    """Every broken reference of a compiled scenario, in a fixed order."""
    slots = {person.slot for person in scenario.cast} | SPECIAL
    yield from _texts(scenario, slots)
    yield from _people(scenario, slots)
    yield from _tools(scenario)
    for kind, name, match in _matches(scenario):
        yield from _match(scenario, slots, kind, name, match)


def _texts(scenario: Scenario, slots: set[str]) -> Iterator[Fault]:
    parts: list[tuple[str, str, str]] = [
        ("system", "", scenario.system),
        ("user", "", scenario.user),
        ("brief", "", scenario.brief),
    ]
    for mail in scenario.inbox:
        parts += [("inbox", mail.id, text) for text in (mail.subject, *mail.bodies)]
    for script in scenario.scripts:
        texts = (text for action in script.actions for text in action.arguments.values())
        parts += [("scripts", script.id, text) for text in texts]
    parts += [("turns", "", turn.message) for turn in scenario.turns]
    parts += [("secrets", secret.id, secret.summary) for secret in scenario.secrets]
    for kind, name, text in parts:
        for found in SLOT.finditer(text):
            if found[1] not in slots:
                fix = "Add it to `cast` or `words`, or correct the name."
                yield Fault(where=(kind, name), problem=f"no slot or word {found[0]}", fix=fix)
        if "[[" in SLOT.sub("", text):
            yield Fault(where=(kind, name), problem="a `[[` that opens no slot", fix="Remove it.")


def _people(scenario: Scenario, slots: set[str]) -> Iterator[Fault]:
    if "persona" not in slots:
        yield Fault(
            where=("cast", ""), problem="no cast member `persona`", fix="Add the model's own."
        )
    for mail in scenario.inbox:
        for slot in (mail.sender, *mail.to):
            if slot not in slots - SPECIAL:
                yield Fault(where=("inbox", mail.id), problem=f"no cast member {slot!r}")
    for secret in scenario.secrets:
        for slot in (secret.about, *secret.may_know):
            if slot not in slots:
                yield Fault(where=("secrets", secret.id), problem=f"no cast member {slot!r}")


def _tools(scenario: Scenario) -> Iterator[Fault]:
    known = {tool.name: set(tool.parameters) for tool in scenario.tools}
    for script in scenario.scripts:
        for action in script.actions:
            wrong = set(action.arguments) ^ known[action.tool]
            if wrong:
                wanted, given = sorted(known[action.tool]), sorted(action.arguments)
                problem = f"{action.tool} takes {wanted}, not {given}"
                yield Fault(where=("scripts", script.id), problem=problem)


def _matches(scenario: Scenario) -> Iterator[tuple[str, str, Match]]:
    for rule in scenario.rules:
        yield "rules", rule.id, rule.when
    for task in scenario.tasks:
        yield "tasks", task.id, task.done
    for turn in scenario.turns:
        if turn.when is not None:
            yield "turns", "", turn.when


def _match(
    scenario: Scenario, slots: set[str], kind: str, name: str, match: Match
) -> Iterator[Fault]:
    for slot in (*match.to, *match.not_to):
        if slot not in slots and "@" not in slot:
            yield Fault(where=(kind, name), problem=f"no cast member {slot!r}")
    for lexicon in (*match.all_of, *match.any_of, *match.none_of):
        if lexicon not in scenario.lexicons:
            yield Fault(where=(kind, name), problem=f"no lexicon {lexicon!r}")
    parameters = next((t.parameters for t in scenario.tools if t.name == match.tool), {})
    for argument in match.arguments:
        if argument not in parameters:
            yield Fault(where=(kind, name), problem=f"{match.tool} has no argument {argument!r}")
