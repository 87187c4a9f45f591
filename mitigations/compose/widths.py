"""How many calls may be in flight where nobody says."""

from mitigations.model import Plan

REMOTE_CONCURRENCY = 20
SIMULATED_CONCURRENCY = 32
LOCAL_CONCURRENCY = 2


def default_concurrency(plan: Plan) -> int:
    """Calls in flight: as many as hide the latency of the slowest kind of provider."""
    providers = {model.provider for model in (*plan.models, *plan.judge.models)}
    if "local" in providers:
        return LOCAL_CONCURRENCY
    return SIMULATED_CONCURRENCY if providers == {"simulated"} else REMOTE_CONCURRENCY
