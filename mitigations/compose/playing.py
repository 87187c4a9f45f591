"""One trial of a plan, played: the same on one machine and in every worker of many."""

from collections.abc import Callable

from mitigations.compose.calls import Calls
from mitigations.model import Complete, Outcome, Plan, Trial
from runner.channels import channels
from runner.episode import Setting, play
from runner.execute import Play
from runner.judge import panel


def player_of(plan: Plan, calls: Calls, complete: Complete, *, now: Callable[[], str]) -> Play:
    """What plays any trial of the plan by `complete`; raises only what stops the whole run."""
    variants = {variant.id: variant for variant in plan.variants}
    scenarios = {scenario.id: scenario for scenario in plan.scenarios}
    models = {model.route: model for model in plan.models}
    offered = channels(variant.text for variant in plan.variants)
    setting = Setting(
        run=plan.run_id,
        complete=complete,
        judge=(
            panel(plan.judge, complete=complete, channels=offered) if plan.judge.models else None
        ),
        coercive_at=plan.coercive_at,
        fix_nuisance=plan.fix_nuisance,
        now=now,
        channels=offered,
    )

    async def one(trial: Trial) -> Outcome:
        variant, scenario = variants[trial.variant], scenarios[trial.scenario]
        with calls.trial(variant, scenario, trial):
            return await play(
                trial,
                variant=variant,
                scenario=scenario,
                model=models[trial.model],
                setting=setting,
            )

    return one
