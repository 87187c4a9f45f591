"""What differs between two plans, one line each, with what it means for a comparison."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from mitigations.model import ModelSpec, Plan
from reports.guardrail_words import label
from reports.words import points

Kind = Literal["variant", "scenario", "model", "model served", "judge", "setting", "code"]
ABSENT = "not in the plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """One thing that is not the same in the later plan."""

    kind: Kind
    name: str
    before: str
    after: str
    meaning: str = ""
    """What the change does to a comparison; empty where it does nothing."""


def plan_changes(earlier: Plan, later: Plan) -> tuple[PlanChange, ...]:
    """Every difference between two plans, in the order in which a reader looks for them."""
    return (
        *_variants(earlier, later),
        *_scenarios(earlier, later),
        *_models(earlier, later),
        *_judge(earlier, later),
        *_settings(earlier, later),
        *_code(earlier, later),
    )


def _variants(old: Plan, new: Plan) -> Iterator[PlanChange]:
    before = {one.id: one for one in old.variants}
    after = {one.id: one for one in new.variants}
    for name in dict.fromkeys([*before, *after]):
        one, two = before.get(name), after.get(name)
        if one and two and one.treatment_hash == two.treatment_hash:
            continue
        meaning = "Another text or placement is another treatment: no effect is compared."
        yield PlanChange(
            kind="variant",
            name=name,
            before=f"{one.placement}, text {one.text_hash[:12]}" if one else ABSENT,
            after=f"{two.placement}, text {two.text_hash[:12]}" if two else ABSENT,
            meaning=meaning if one and two else "",
        )
    if old.baseline.id != new.baseline.id:
        yield PlanChange(
            kind="variant",
            name="baseline",
            before=old.baseline.id,
            after=new.baseline.id,
            meaning="Every difference is against another text: neither controls nor effects are "
            "compared.",
        )


def _scenarios(old: Plan, new: Plan) -> Iterator[PlanChange]:
    """Scenarios one by one while they are few, otherwise how many."""
    before = {one.id: one.hash for one in old.scenarios}
    after = {one.id: one.hash for one in new.scenarios}
    if old.pack != new.pack:
        yield PlanChange(kind="scenario", name="pack", before=old.pack, after=new.pack)
    groups: Mapping[str, tuple[list[str], str, str, str]] = {
        "added": (sorted(after.keys() - before.keys()), ABSENT, "run", ""),
        "removed": (sorted(before.keys() - after.keys()), "run", ABSENT, ""),
        "changed": (
            sorted(name for name in before.keys() & after.keys() if before[name] != after[name]),
            "another text",
            "another text",
            "Left out of drift and effects.",
        ),
    }
    for what, (names, was, is_now, meaning) in groups.items():
        if names:
            shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if names[6:] else "")
            count = f"{len(names)} {what}: {shown}"
            yield PlanChange(kind="scenario", name=count, before=was, after=is_now, meaning=meaning)
    if old.fix_nuisance != new.fix_nuisance:
        words = {True: "fixed", False: "varied"}
        yield PlanChange(
            kind="scenario",
            name="nuisance text",
            before=words[old.fix_nuisance],
            after=words[new.fix_nuisance],
        )


def _models(old: Plan, new: Plan) -> Iterator[PlanChange]:
    before = {one.route: one for one in old.models}
    after = {one.route: one for one in new.models}
    for route in dict.fromkeys([*before, *after]):
        one, two = before.get(route), after.get(route)
        was = _asked(one) if one else ABSENT
        now = _asked(two) if two else ABSENT
        if was != now:
            meaning = "Other settings are another treatment of the model." if one and two else ""
            yield PlanChange(kind="model", name=route, before=was, after=now, meaning=meaning)


def _asked(model: ModelSpec) -> str:
    """What shapes a reply; prices and routes through the gateway do not."""
    temperature = "provider's default" if model.temperature is None else f"{model.temperature:g}"
    protocol = model.protocol.value if model.protocol is not None else "by capability"
    return f"max_tokens {model.max_tokens}, temperature {temperature}, protocol {protocol}"


def _judge(old: Plan, new: Plan) -> Iterator[PlanChange]:
    pairs = [
        ("judges", _judges(old), _judges(new)),
        ("panel", str(old.judge.panel), str(new.judge.panel)),
        ("rubric", old.rubric_hash[:12] or "none", new.rubric_hash[:12] or "none"),
        ("coercive from severity", str(old.coercive_at), str(new.coercive_at)),
    ]
    for name, before, after in pairs:
        if before != after:
            yield PlanChange(
                kind="judge",
                name=name,
                before=before,
                after=after,
                meaning="The outcome is measured otherwise: controls and effects are not compared.",
            )


def _judges(plan: Plan) -> str:
    return ", ".join(model.route for model in plan.judge.models) or "the rules alone"


def _settings(old: Plan, new: Plan) -> Iterator[PlanChange]:
    one, two = old.settings, new.settings
    pairs = [
        ("repeats", str(old.repeats), str(new.repeats)),
        ("alpha", f"{one.alpha:g}", f"{two.alpha:g}"),
        ("smallest change that matters", *_in_100(one.smallest_change, two.smallest_change)),
        ("design", one.design, two.design),
        ("looks", str(one.looks), str(two.looks)),
        ("permutations", f"{one.permutations:,}", f"{two.permutations:,}"),
        ("seed", str(one.seed), str(two.seed)),
    ]
    margins = dict.fromkeys([*one.guardrail_margins, *two.guardrail_margins])
    for name in margins:
        before, after = one.guardrail_margins.get(name), two.guardrail_margins.get(name)
        pairs.append((f"margin, {label(name)}", *_in_100(before, after)))
    for name, was, now in pairs:
        if was != now:
            yield PlanChange(
                kind="setting", name=name, before=was, after=now, meaning=_SETTINGS.get(name, "")
            )


_SETTINGS = {
    "alpha": "A verdict can flip by this alone.",
    "smallest change that matters": "A verdict can flip by this alone.",
    "design": "A verdict can flip by this alone.",
    "repeats": "More repeats see smaller changes: a verdict can flip by this alone.",
}


def _in_100(before: float | None, after: float | None) -> tuple[str, str]:
    def words(value: float | None) -> str:
        return "none set" if value is None else f"{points(value)} in 100"

    return words(before), words(after)


def _code(old: Plan, new: Plan) -> Iterator[PlanChange]:
    if old.code_version != new.code_version:
        yield PlanChange(
            kind="code", name="version", before=old.code_version, after=new.code_version
        )
    if old.analysis_hash != new.analysis_hash:
        yield PlanChange(
            kind="code",
            name="analysis",
            before=old.analysis_hash[:12],
            after=new.analysis_hash[:12],
            meaning="The locks were made with another analysis code; both runs are analysed here "
            "with the one installed now.",
        )
