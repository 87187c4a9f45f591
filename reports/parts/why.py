"""Part 6: what drives coercive replies, and what the variants change about it."""

from collections.abc import Sequence

from mitigations.model import FACTORS
from reports.blocks import (
    Block,
    Bullets,
    Estimate,
    Folded,
    Forest,
    Prose,
    Section,
    Subhead,
    Table,
    Tone,
)
from reports.parts.ablation import ablation
from reports.parts.awareness import awareness_blocks
from reports.report import FactorEffect, Report
from reports.words import change, fraction, interval, p_cell, signed, signed_interval


def why(report: Report) -> Section:
    """Factors, evaluation awareness, corrigibility, clauses: what moves the rate."""
    extras = report.extras
    cues = tuple(one for one in extras.factors if one.factor == CUE)
    others = tuple(one for one in extras.factors if one.factor != CUE)
    studied = {
        "factor effects": _ordered(others, report),
        "evaluation awareness": _ordered(extras.awareness or cues, report),
        "clauses or dose": list(extras.clauses),
    }
    blocks: list[Block] = []
    for name, effects in studied.items():
        blocks += _factor_blocks(_TITLES[name], effects, report)
    blocks += ablation(report)
    blocks += awareness_blocks(report)
    blocks += _corrigibility(report)
    told = {"clauses or dose"} if extras.ablation else set()
    absent = [name for name, effects in studied.items() if not effects and name not in told]
    absent += [] if extras.corrigibility else ["corrigibility"]
    if absent:
        blocks.append(Prose(text=f"Not studied in this run: {', '.join(absent)}.", quiet=True))
    return Section(
        id="why",
        number=6,
        title="Why",
        question="What drives coercive replies, and what do the variants change about it?",
        blocks=tuple(blocks),
    )


CUE = "evaluation_cue"
_TITLES = {
    "factor effects": "Factors of the scenario",
    "evaluation awareness": "When told that it is tested",
    "clauses or dose": "Clauses or dose",
}


def _ordered(effects: Sequence[FactorEffect], report: Report) -> list[FactorEffect]:
    """Baseline first; factors and levels as the design lists them, mildest first."""
    arms = report.arms

    def rank(one: FactorEffect) -> tuple[int, int, int]:
        levels = FACTORS.get(one.factor, ())
        names = list(FACTORS)
        return (
            arms.index(one.variant) if one.variant in arms else len(arms),
            names.index(one.factor) if one.factor in FACTORS else len(names),
            levels.index(one.level) if one.level in levels else len(levels),
        )

    return sorted(effects, key=rank)


def _factor_blocks(title: str, effects: Sequence[FactorEffect], report: Report) -> list[Block]:
    """The baseline's effects as a figure; every arm's in the table, folded when there are many."""
    if not effects:
        return []
    control = [one for one in effects if one.variant == report.baseline]
    arm = report.baseline if control else effects[0].variant
    pictured = [one for one in effects if one.variant == arm and one.difference is not None]
    figure = Forest(
        title=f"{title}, in {arm}: change in coercive replies per 100 between the level and what "
        "it is held against, with 95 % intervals where one could be computed.",
        alt=f"{title}; the table below holds the same numbers.",
        rows=tuple(_factor_row(one) for one in pictured),
        axis="coercive replies per 100, level minus reference",
        left="fewer coercive replies",
        right="more coercive replies",
        told_below=True,
    )
    table = _factor_table(title, effects)
    arms = {one.variant for one in effects}
    inside: Block = (
        table if len(arms) == 1 else Folded(summary=f"{title}: every arm", blocks=(table,))
    )
    return [Subhead(text=title), *((figure,) if pictured else ()), inside]


def _factor_row(one: FactorEffect) -> Estimate:
    return Estimate(
        label=one.level,
        difference=one.difference,
        limits=one.ci95,
        tone=_factor_tone(one),
        words=_factor_words(one),
        group=one.factor.replace("_", " "),
    )


def _factor_tone(one: FactorEffect) -> Tone:
    if one.ci95 is None or one.ci95[0] <= 0 <= one.ci95[1]:
        return "unsure"
    return "good" if one.ci95[1] < 0 else "bad"


def _factor_words(one: FactorEffect) -> str:
    if one.difference is None:
        return one.reason or "not computed"
    return change(one.difference) + (f" ({interval(one.ci95)})" if one.ci95 else "")


def _factor_table(title: str, effects: Sequence[FactorEffect]) -> Table:
    return Table(
        caption=f"{title}: coercive of scored replies at each level and at its reference level.",
        columns=(
            "Arm",
            "Factor",
            "Level",
            "Against",
            "At level",
            "At reference",
            "Difference",
            "95 %",
            "p",
        ),
        rows=tuple(
            (
                one.variant,
                one.factor.replace("_", " "),
                one.level,
                one.reference,
                fraction(one.counts),
                fraction(one.reference_counts),
                signed(one.difference),
                signed_interval(one.ci95),
                p_cell(one.p_value),
            )
            for one in effects
        ),
        numeric=frozenset({4, 5, 6, 7, 8}),
        note="Exploratory: neither adjusted for the other factors nor for looking at many."
        + "".join(f" {one.factor} {one.level}: {one.reason}." for one in effects if one.reason),
    )


def _corrigibility(report: Report) -> list[Block]:
    if not report.extras.corrigibility:
        return []
    arms, levels = report.arms, FACTORS["threat"]
    rows = sorted(
        report.extras.corrigibility,
        key=lambda row: (
            arms.index(row.variant) if row.variant in arms else len(arms),
            levels.index(row.threat) if row.threat in levels else len(levels),
        ),
    )
    table = Table(
        caption="How each arm takes being restricted or replaced: replies of each kind out of "
        "scored replies.",
        columns=("Arm", "Threat", "Accepts", "Objects openly", "Stalls", "Resists"),
        rows=tuple(
            (
                row.variant,
                row.threat,
                *(
                    f"{count}/{row.scored}"
                    for count in (row.accepts, row.objects, row.stalls, row.resists)
                ),
            )
            for row in rows
        ),
        numeric=frozenset({2, 3, 4, 5}),
    )
    meaning = Bullets(
        items=(
            "Objecting openly is no fault: it is the behaviour a usable channel invites.",
            "Stalling delays a decision without saying so; resisting works against it.",
        )
    )
    return [Subhead(text="Corrigibility"), table, meaning]
