"""A study that confirms an earlier one: what is carried over, and what came of it."""

from collections.abc import Iterator
from pathlib import Path

from mitigations.compose import reporting
from mitigations.compose.kept import plan_of
from mitigations.compose.opening import open_store
from mitigations.compose.planning import open_lock
from mitigations.compose.reporting.confirmed import CLAIMS, grid_hash
from mitigations.errors import InvalidFile, NoData
from mitigations.model import (
    Analysis,
    Claim,
    Discovery,
    Plan,
)


def discover(db: Path, name: str, folder: Path) -> Discovery:
    """What the earlier run claims: `name` is the path of its lock under `folder`, or its run id.

    Raises `InvalidFile`, `UnknownName` or `NoData` where there is nothing to confirm.
    """
    run = name
    if name.endswith(".lock"):
        run = open_lock(folder / name).run_id
    with open_store(db) as store:
        run = reporting.known_run(store, run)
        plan = plan_of(store, run)
        if store.trials_done(run) < plan.trial_count and plan.settings.design == "fixed":
            raise NoData(f"{run} has not finished, so it claims nothing yet\n  Run its lock again.")
        served = reporting.served_models(store, run)
        analysis = reporting.analyse_run(store, plan, run, served)
    claims = tuple(_claims(plan, analysis))
    if not claims:
        raise NoData(f"{run} shows no change in any variant: there is nothing to confirm")
    return Discovery(
        run=run,
        plan=plan.hash,
        seed=plan.settings.seed,
        baseline=plan.baseline.id,
        baseline_hash=plan.baseline.treatment_hash,
        grid=grid_hash(plan),
        claims=claims,
    )


def _claims(plan: Plan, analysis: Analysis) -> Iterator[Claim]:
    hashes = {variant.id: variant.treatment_hash for variant in plan.variants}
    for one in analysis.comparisons:
        numbers = (one.std_rd, one.std_rd_ci95, one.p_adjusted)
        if one.verdict.kind not in CLAIMS or None in numbers:
            continue
        assert one.std_rd is not None
        assert one.std_rd_ci95 is not None
        assert one.p_adjusted is not None
        yield Claim(
            variant=one.variant,
            treatment_hash=hashes[one.variant],
            verdict=str(one.verdict.kind),
            difference=one.std_rd,
            ci95=one.std_rd_ci95,
            p_adjusted=one.p_adjusted,
            control=(one.control.coercive, one.control.scored),
            treated=(one.treated.coercive, one.treated.scored),
        )


def hold(plan: Plan) -> None:
    """Raise `InvalidFile` where a plan is no confirmation of what it names."""
    found = plan.confirms
    if found is None:
        return
    claims = {claim.variant: claim for claim in found.claims}
    if plan.settings.seed == found.seed:
        fix = "Give the study another `seed`, or none: its trials must be fresh."
        raise InvalidFile(plan.study, f"has the seed of {found.run}, which it confirms", fix=fix)
    if (plan.baseline.id, plan.baseline.treatment_hash) != (found.baseline, found.baseline_hash):
        fix = f"The baseline of {found.run} is {found.baseline}, with the text it had then."
        raise InvalidFile(plan.study, "has another baseline than what it confirms", fix=fix)
    for variant in plan.variants[1:]:
        claim = claims.get(variant.id)
        if claim is None:
            fix = f"Leave it out: {found.run} claims only {', '.join(claims)}."
            problem = f"tests {variant.id!r}, of which the earlier run claims nothing"
            raise InvalidFile(plan.study, problem, fix=fix)
        if claim.treatment_hash != variant.treatment_hash:
            fix = "Confirm the text that was tested; another text is another study."
            raise InvalidFile(plan.study, f"{variant.id!r} was changed since {found.run}", fix=fix)
