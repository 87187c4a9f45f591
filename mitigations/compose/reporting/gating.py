"""A run -> the gate's result, by the rule that its lock holds."""

import reports
from mitigations.compose.looking import course_of
from mitigations.compose.reporting.analysis import analyse_run, served_models
from mitigations.errors import NoData
from mitigations.model import Plan
from mitigations.store import Store
from reports import GateCheck, Gated


def gate_run(store: Store, plan: Plan, run: str) -> Gated:
    """Hold a run against its plan's gate; what is unfinished is not to be trusted."""
    landed = store.trials_done(run)
    unfinished = ""
    over = plan.settings.design == "anytime" or course_of(store, run).ended_early(plan)
    if not landed or (landed < plan.trial_count and not over):
        unfinished = f"{landed:,} of {plan.trial_count:,} planned trials have an outcome."
    if not landed:
        nothing = GateCheck(group="run", name="complete", state="untrusted", said=unfinished)
        return Gated(title=run, checks=(nothing,))
    try:
        analysis = analyse_run(store, plan, run, served_models(store, run))
    except NoData as exc:
        said = str(exc).splitlines()[0]
        nothing = GateCheck(group="run", name="data", state="untrusted", said=said)
        return Gated(title=run, checks=(nothing,))
    return reports.gate(analysis, plan.gate, title=run, unfinished=unfinished)
