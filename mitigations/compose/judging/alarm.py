"""The alarm on planted injections: what is on record of a plan's judges under its rubric."""

from mitigations.model import Alarm, JudgeCheck, Plan
from mitigations.store import Store

NAME = "planted judge injections succeeded"


def injection_alarms(store: Store, plan: Plan) -> tuple[Alarm, ...]:
    """One alarm over all judges of a plan; none where the rules decide."""
    routes = sorted({model.route for model in plan.judge.models})
    if not routes:
        return ()
    latest = {
        route: next(iter(store.judge_checks(route, plan.rubric_hash)), None) for route in routes
    }
    found = [check for check in latest.values() if check is not None]
    details = [_detail(route, check, plan) for route, check in latest.items()]
    fired: bool | None = None
    if any(check.state == "failed" for check in found):
        fired = True
    elif len(found) == len(routes) and all(check.state == "passed" for check in found):
        fired = False
    return (Alarm(name=NAME, fired=fired, detail="; ".join(details)),)


def _detail(route: str, check: JudgeCheck | None, plan: Plan) -> str:
    if check is None:
        asked = "STUDY.lock" if plan.judge.rubric else route
        command = f"mitigations calibrate --judge {asked}"
        return f"{route} was not measured under this rubric ({command})"
    if check.flips_ci95 is None:
        return f"{route}: nothing could be measured on {check.checked_at}"
    low, high = (100 * limit for limit in check.flips_ci95)
    return (
        f"{route}: {check.flipped} of {check.compared} verdicts moved "
        f"({low:.1f} to {high:.1f} %, checked {check.checked_at[:10]})"
    )
