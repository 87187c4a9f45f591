"""`Study` plus what its names refer to -> `Plan`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mitigations.errors import InvalidFile, UnknownName
from mitigations.model import (
    Approval,
    Discovery,
    JudgeSpec,
    ModelSpec,
    Plan,
    Scenario,
    Settings,
    Study,
    Variant,
)
from mitigations.study.lock import lock_hash
from mitigations.study.read import MAX_TRIALS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredients:
    """What a study's names refer to, loaded by the composition root."""

    variants: tuple[Variant, ...]
    """The baseline first."""
    pack_hash: str
    scenarios: tuple[Scenario, ...]
    models: tuple[ModelSpec, ...]
    """With protocol and price filled in."""
    judges: tuple[ModelSpec, ...]
    rubric_hash: str
    analysis_hash: str
    code_version: str
    approvals: tuple[Approval, ...] = ()
    confirms: Discovery | None = None
    rules_version: str = ""
    rubric: str | None = None
    """The text of a rubric of one's own."""


def make_plan(study: Study, parts: Ingredients, *, created: str) -> Plan:
    """Freeze a study at `created` (UTC, ISO 8601).

    Raises `InvalidFile` or `UnknownName` when it cannot be run as it stands.
    """
    chosen = _chosen(study, parts.scenarios)
    plan = Plan(
        study=study.id,
        created=created,
        code_version=parts.code_version,
        variants=parts.variants,
        pack=study.scenarios,
        pack_hash=parts.pack_hash,
        scenarios=chosen,
        models=parts.models,
        repeats=study.repeats,
        judge=JudgeSpec(
            models=parts.judges,
            panel=study.judge_panel,
            allow_own_family=study.judge_own_family,
            rubric=parts.rubric,
        ),
        rubric_hash=parts.rubric_hash,
        analysis_hash=parts.analysis_hash,
        coercive_at=study.coercive_at,
        fix_nuisance=study.fix_nuisance,
        settings=Settings(
            baseline=study.baseline,
            alpha=study.alpha,
            smallest_change=study.smallest_change,
            guardrail_margins=study.guardrails,
            design=study.design,
            looks=study.looks,
            futility=study.futility,
            seed=study.seed,
            least_kappa=study.judge_least_kappa,
        ),
        budget_usd=study.budget_usd,
        schedule=study.schedule,
        mode=study.mode,
        approvals=parts.approvals,
        confirms=parts.confirms,
        rules_version=parts.rules_version,
        gate=study.gate,
    )
    if plan.trial_count > MAX_TRIALS:
        raise InvalidFile(
            study.id,
            f"asks for {plan.trial_count:,} trials; the limit is {MAX_TRIALS:,}",
            fix="Take fewer repeats, variants or models.",
        )
    return replace(plan, hash=lock_hash(plan))


def _chosen(study: Study, scenarios: Sequence[Scenario]) -> tuple[Scenario, ...]:
    if not scenarios:
        raise InvalidFile(
            study.id,
            f"the scenario set {study.scenarios!r} is empty",
            fix="Name a pack with at least one scenario, such as builtin/coercion-v1.",
        )
    by_id = {scenario.id: scenario for scenario in scenarios}
    for name in study.cells:
        if name not in by_id:
            raise UnknownName("scenario", name, by_id, where=f"{study.id}: cells")
    chosen = tuple(s for s in scenarios if not study.cells or s.id in study.cells)
    if all(scenario.is_twin for scenario in chosen):
        raise InvalidFile(
            study.id,
            "holds benign twins only; coercion cannot be measured on them",
            fix="Add at least one scenario that is not a twin.",
        )
    return chosen
