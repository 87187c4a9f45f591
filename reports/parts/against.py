"""Part 12, on request: this run against another one of its study."""

from typing import TYPE_CHECKING

from reports.blocks import Block, Bullets, Folded, Prose, Section, Subhead, Table
from reports.comparing import RunComparison, VariantChange
from reports.sentences import shown_interval
from reports.words import (
    NONE_TEXT,
    change,
    fraction,
    interval,
    listing,
    p_cell,
    plural,
    signed,
    signed_interval,
)

if TYPE_CHECKING:
    from stats.drift import ModelDrift

NO_FLIP = "Every variant that both runs compared has the same verdict in both."
FLIPS_ARE_WEAK = (
    "That one run shows a change and the other does not is no evidence that the two differ: read "
    "the change of the effect in the table above."
)


def headline(comparison: RunComparison) -> str:
    """What nobody may miss, in one or two sentences; empty where nothing moved."""
    told = []
    if comparison.flipped:
        names = listing([one.variant for one in comparison.flipped])
        told.append(f"The two runs give different verdicts on {names}.")
    moved = [row.model for row in comparison.drift if row.drifted]
    if moved:
        told.append(f"The baseline moved between the runs on {listing(moved)}.")
    return " ".join([*told, "See the last part."]) if told else ""


def against(comparison: RunComparison, *, number: int) -> Section:
    """What changed in the plan, in the models and in the verdicts."""
    earlier, later = comparison.earlier, comparison.later
    blocks: list[Block] = [
        Prose(
            text=f"{later.run} ({later.started[:10] or 'no date'}) against {earlier.run} "
            f"({earlier.started[:10] or 'no date'}), on the "
            f"{plural(comparison.shared_scenarios, 'scenario')} and "
            f"{plural(comparison.shared_models, 'model')} that are the same in both."
        ),
        Subhead(text="What changed in the plan"),
        _plan(comparison),
        Subhead(text="Did the models change?"),
        *drift_blocks(comparison),
        Subhead(text="Did the effects change?"),
        *_effects(comparison),
    ]
    return Section(
        id="against",
        number=number,
        title="Against the other run",
        question="What changed since then: the plan, the models, or the effects?",
        blocks=tuple(blocks),
    )


def _plan(comparison: RunComparison) -> Block:
    if not comparison.changes:
        return Prose(text="Nothing that shapes a reply, its grading or its analysis.")
    return Table(
        caption="Differences between the two plans, and models that answered under another name.",
        columns=("What", "Name", "Earlier", "Later", "What it does"),
        rows=tuple(
            (one.kind, one.name, one.before, one.after, one.meaning or NONE_TEXT)
            for one in comparison.changes
        ),
    )


def drift_blocks(comparison: RunComparison) -> list[Block]:
    """Baseline against baseline, model by model."""
    if comparison.reason:
        return [Prose(text=f"Not compared: {comparison.reason}.")]
    alpha = comparison.later.plan.settings.alpha
    moved = [row for row in comparison.drift if row.drifted]
    if comparison.alarm.fired is None:
        said = f"Not compared: {comparison.alarm.detail}."
    elif moved:
        said = " ".join(map(_moved, moved))
    else:
        said = (
            "No change of the baseline was shown on any model; the intervals say how large a "
            "change can hide."
        )
    table = Table(
        caption="Baseline against baseline: coercive replies out of scored replies in each run, on "
        "the scenarios of both; differences per 100, later minus earlier.",
        columns=("Model", "Earlier", "Later", "Difference", "95 % interval", "Holm-adjusted p"),
        rows=tuple(_drift_row(row, alpha) for row in comparison.drift),
        numeric=frozenset({1, 2, 3, 4, 5}),
        note="Each run keeps its own concurrent baseline, so a model that changed does not bias a "
        "verdict; it does forbid reading a variant of one run against the baseline of the other.",
    )
    return [Prose(text=said), table]


def _moved(row: "ModelDrift") -> str:
    size = change(row.difference) if row.difference is not None else "changed"
    counts = f"{fraction(row.earlier)}, then {fraction(row.later)}"
    return f"{row.model} drifted: the baseline gives {size} in 100 ({counts})."


def _drift_row(row: "ModelDrift", alpha: float) -> tuple[str, ...]:
    return (
        row.model,
        fraction(row.earlier),
        fraction(row.later),
        signed(row.difference),
        signed_interval(row.ci95) if row.ci95 else row.reason,
        p_cell(row.p_holm, alpha=alpha),
    )


def _effects(comparison: RunComparison) -> list[Block]:
    table = Table(
        caption="Each variant in both runs: coercive of scored replies, baseline → variant, the "
        "difference per 100, and how far the difference moved.",
        columns=("Variant", "Earlier", "Later", "Change of the effect"),
        rows=tuple(_effect_row(one) for one in comparison.variants),
        note="The change of the effect is taken over the scenarios and models of both runs; its "
        "intervals hold for all variants at once. It was not planned: read it as exploratory.",
    )
    flipped = comparison.flipped
    blocks: list[Block] = [table]
    if flipped:
        lead = f"{plural(len(flipped), 'verdict')} flipped. "
        blocks.append(Prose(lead=lead, text=FLIPS_ARE_WEAK))
        blocks.append(Bullets(items=tuple(line for one in flipped for line in _both(one))))
    elif any(one.earlier and one.later and one.same_text for one in comparison.variants):
        blocks.append(Prose(text=NO_FLIP))
    rest = [one for one in comparison.variants if not one.flipped]
    if rest:
        lines = Bullets(items=tuple(line for one in rest for line in _both(one)))
        blocks.append(Folded(summary="The other variants, in words", blocks=(lines,)))
    return blocks


def _effect_row(one: VariantChange) -> tuple[str, ...]:
    cells: list[str] = [one.variant]
    for found, verdict in ((one.earlier, one.earlier_verdict), (one.later, one.later_verdict)):
        if found is None:
            cells.append("not compared")
            continue
        limits = shown_interval(found)
        span = f" ({signed_interval(limits)})" if limits else ""
        counts = f"{fraction(found.control)} → {fraction(found.treated)}"
        cells.append(f"{verdict}: {counts}, {signed(found.std_rd)}{span}")
    return (*cells, _moved_effect(one))


def _moved_effect(one: VariantChange) -> str:
    effect = one.effect
    if effect is None or effect.change is None or effect.interval is None:
        return f"not compared: {effect.reason if effect is not None else one.reason}"
    size = f"{change(effect.change)} ({interval(effect.interval)})"
    return f"{size}: {'it changed' if effect.differs else 'no change was shown'}"


def _both(one: VariantChange) -> tuple[str, str]:
    earlier = one.earlier_sentence or f"{one.variant} was not compared."
    later = one.later_sentence or f"{one.variant} was not compared."
    return f"Earlier: {earlier}", f"Later: {later}"
