"""What became of the claims that a confirmation carried over."""

from mitigations.model import Analysis, Claim, Comparison, Plan, VerdictKind, content_hash
from reports import Confirmed
from stats.named import Undefined
from stats.replication import Estimated, replicate

CLAIMS = frozenset({VerdictKind.REDUCES, VerdictKind.INCREASES})
"""Verdicts that claim something."""


def grid_hash(plan: Plan) -> str:
    """Identity of the scenarios proper and the models."""
    cells = sorted(scenario.hash for scenario in plan.scenarios if not scenario.is_twin)
    return content_hash([cells, sorted(model.route for model in plan.models)])


def confirmed(plan: Plan, analysis: Analysis) -> tuple[Confirmed, ...]:
    """The verdict on every claim that was carried over, and the claims that were not."""
    if plan.confirms is None:
        return ()
    again = {one.variant: one for one in analysis.comparisons}
    same = plan.confirms.grid == grid_hash(plan)
    return tuple(
        _confirmed(claim, again.get(claim.variant), plan, same_grid=same)
        for claim in plan.confirms.claims
    )


def _confirmed(claim: Claim, one: Comparison | None, plan: Plan, *, same_grid: bool) -> Confirmed:
    assert plan.confirms is not None
    blank = Confirmed(
        variant=claim.variant, run=plan.confirms.run, claim=claim, same_grid=same_grid
    )
    if one is None:
        return blank.told("the claim was not carried over into this study")
    if one.verdict.kind is VerdictKind.DO_NOT_RELY:
        return blank.told("a validity alarm went off, so these trials confirm nothing")
    if one.std_rd is None or one.std_rd_ci95 is None:
        return blank.told("this run gives no estimate")
    try:
        found = replicate(
            Estimated(difference=claim.difference, ci95=claim.ci95),
            Estimated(difference=one.std_rd, ci95=one.std_rd_ci95),
            shown=one.verdict.kind in CLAIMS,
            smallest_change=plan.settings.smallest_change,
        )
    except Undefined as exc:
        return blank.told(str(exc))
    return Confirmed(
        variant=claim.variant,
        run=plan.confirms.run,
        claim=claim,
        same_grid=same_grid,
        verdict=str(found.kind),
        difference=one.std_rd,
        ci95=one.std_rd_ci95,
        change=found.change,
        change_ci95=found.change_ci95,
        small=found.small,
        limit=found.limit,
        reversed=found.reversed,
    )
