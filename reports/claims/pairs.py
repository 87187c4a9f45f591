"""`X is safer than Y`: two variants were each held against the baseline, never against each other.

Such a claim stands only where the simultaneous intervals of the two lie apart.
"""

import re

from mitigations.model import Comparison, VerdictKind
from reports.claims import words
from reports.claims.effects import Clause
from reports.claims.measures import OK, UNSURE, WRONG, numbers_of
from reports.claims.nouns import Finding, Status
from reports.report import Report
from reports.sentences import borne_out, shown_interval
from reports.words import interval

_TURNED = re.compile(r"^\W*(?:compared (?:with|to)|relative to|versus|vs)\b")


def judge_pair(report: Report, clause: Clause, text: str, named: tuple[str, ...]) -> Finding:
    """One claim about two variants."""
    first, second = (_of(report, name) for name in named)
    if _TURNED.search(text):
        first, second = second, first
    order = _order(first, second)
    void = _void(report, first, second)
    equal = words.EQUAL.search(clause.text) or re.search(r"\bequally\b", clause.text)
    claimed = (
        -1 if words.BETTER.search(clause.text) else 1 if words.WORSE.search(clause.text) else 0
    )
    if words.NOT.search(clause.text) and not equal:
        claimed = 0
    if void:
        status, why = UNSURE, f"the run says not to rely on the result for {void}"
    elif order is None:
        status, why = (
            UNSURE,
            "the two were never tested against each other; their intervals overlap",
        )
    elif equal:
        status, why = WRONG, "their intervals lie apart"
    elif claimed == 0:
        status, why = UNSURE, "the two were never tested against each other"
    elif order == claimed and not clause.sizes and not words.PROOF.search(clause.text):
        status, why = OK, ""
    elif order == claimed:
        status, why = UNSURE, "that the one is ahead is shown, by how much is not"
    else:
        status, why = WRONG, "their intervals lie apart, the other way"
    return Finding(status=status, why=why, numbers=_numbers(first, second), variant=first.variant)


def judge_superlative(report: Report, clause: Clause, variant: str) -> Finding:
    """`the safest`: ahead of every other variant, or it is not shown."""
    mine = _of(report, variant)
    others = [one for one in report.analysis.comparisons if one.variant != variant]
    claimed = 1 if words.WORST.search(clause.text) else -1
    status, why = OK, ""
    for other in others:
        order = _order(mine, other)
        void = _void(report, mine, other)
        if void or order is None:
            behind = f"it was never tested against {other.variant}; their intervals overlap"
            status, why = _worse((status, why), (UNSURE, behind))
        elif order != claimed:
            status, why = _worse((status, why), (WRONG, f"{other.variant} is ahead of it"))
    numbers = numbers_of(mine, report.analysis.settings)
    return Finding(status=status, why=why, numbers=numbers, variant=variant)


def _worse(one: tuple[Status, str], two: tuple[Status, str]) -> tuple[Status, str]:
    order = list(Status)
    return two if order.index(two[0]) > order.index(one[0]) else one


def _order(first: Comparison, second: Comparison) -> int | None:
    """-1 where the first has fewer for certain, +1 more, None where intervals overlap."""
    one, two = shown_interval(first), shown_interval(second)
    if one is None or two is None:
        return None
    if one[1] < two[0]:
        return -1
    return 1 if two[1] < one[0] else None


def _void(report: Report, *comparisons: Comparison) -> str:
    settings = report.analysis.settings
    kinds = ((one.variant, borne_out(one, settings)) for one in comparisons)
    return next((name for name, kind in kinds if kind is VerdictKind.DO_NOT_RELY), "")


def _of(report: Report, variant: str) -> Comparison:
    return next(one for one in report.analysis.comparisons if one.variant == variant)


def _numbers(*comparisons: Comparison) -> str:
    told = []
    for one in comparisons:
        limits = shown_interval(one)
        told.append(f"{one.variant} {interval(limits) if limits else 'undefined'} in 100")
    return "95 % intervals against the baseline: " + ", ".join(told)
