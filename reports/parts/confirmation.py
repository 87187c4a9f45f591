"""A confirmation beside its discovery: a sentence in part 1, numbers in 3, the rule in 10."""

from reports.blocks import Block, Bullets, Prose, Subhead, Table
from reports.report import Confirmed, Report
from reports.words import NONE_TEXT, change, interval, points, signed, signed_interval


def confirmation_sentences(report: Report) -> list[Block]:
    """For part 1: what became of each claim."""
    found = report.extras.confirmation
    if not found:
        return []
    return [
        Subhead(text=f"Confirmation of {found[0].run}"),
        *(Prose(lead=f"{one.variant}: {_label(one)}. ", text=_sentence(one)) for one in found),
    ]


def _label(one: Confirmed) -> str:
    return one.verdict or "no verdict"


def _sentence(one: Confirmed) -> str:
    first = f"The first run found {change(one.claim.difference)} ({interval(one.claim.ci95)})"
    if one.difference is None or one.ci95 is None:
        return f"{first}; {one.reason}."
    again = f"fresh trials find {change(one.difference)} ({interval(one.ci95)})"
    grid = "" if one.same_grid else " The scenarios or models differ from the first run's."
    return f"{first}; {again}.{_meaning(one)}{grid}"


def _meaning(one: Confirmed) -> str:
    if one.reversed:
        return " The effect now goes the other way."
    return {
        "effect kept": " It is shown again, and not shown to be smaller.",
        "effect shrunk": " It is shown again, and shown to be smaller than it first seemed.",
        "effect gone": " What is left is smaller than the first run could have seen, or than "
        "matters.",
        "not enough evidence": " It is not shown again, and an effect like the first is not ruled "
        "out.",
    }.get(one.verdict, "")


def confirmation_table(report: Report) -> list[Block]:
    """For part 3: both runs side by side."""
    found = report.extras.confirmation
    if not found:
        return []
    return [
        Table(
            caption=f"The claims of {found[0].run} and what fresh trials say; differences per 100, "
            "95 % intervals of each comparison by itself.",
            columns=(
                "Variant",
                "First: baseline",
                "First: variant",
                "First: change",
                "95 %",
                "Now: change",
                "95 %",
                "Now minus first",
                "95 %",
                "Replication",
            ),
            rows=tuple(_row(one) for one in found),
            numeric=frozenset(range(1, 9)),
            note="First effects were chosen for being shown, so they tend to be too large.",
        )
    ]


def _row(one: Confirmed) -> tuple[str, ...]:
    claim = one.claim
    return (
        one.variant,
        f"{claim.control[0]}/{claim.control[1]}",
        f"{claim.treated[0]}/{claim.treated[1]}",
        signed(claim.difference),
        signed_interval(claim.ci95),
        signed(one.difference),
        signed_interval(one.ci95),
        signed(one.change),
        signed_interval(one.change_ci95),
        one.verdict or one.reason or NONE_TEXT,
    )


def confirmation_method(report: Report) -> list[Block]:
    """For part 10: the rule, and what the lock holds of the first run."""
    found = report.extras.confirmation
    plan = report.plan
    if not found or plan is None or plan.confirms is None:
        return []
    smalls = "; ".join(
        f"{one.variant} {points(one.small)} in 100" for one in found if one.small is not None
    )
    return [
        Subhead(text="Confirmation"),
        Bullets(
            items=(
                (
                    f"This study confirms {plan.confirms.run} (lock {plan.confirms.plan[:16]}). "
                    "Its claims were copied into this lock before the new trials; seeds differ."
                ),
                "Only claims that the first run showed are tested; they alone are the family.",
                (
                    "Kept: shown again, and the difference of the two effects does not exclude "
                    "that they are equal. Shrunk: shown again, and smaller by that difference "
                    "(MOVER, Zou and Donner 2008)."
                ),
                (
                    "Gone: not shown, and the one-sided 95 % limit lies below the effect that the "
                    "first run had one chance in three to see (small telescopes, Simonsohn 2015), "
                    "or the interval lies inside what is too small to matter; or shown reversed."
                ),
                f"One chance in three to see: {smalls or 'not computed'}.",
            )
        ),
    ]
