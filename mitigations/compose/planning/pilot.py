"""What earlier runs in the database say about a plan's baseline: its rate, and its headroom."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mitigations.compose.opening import open_store
from mitigations.errors import DatabaseBusy, MitigationsError
from mitigations.model import Plan
from mitigations.store import Store
from stats.headroom import clopper_pearson


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """The baseline of a plan on one model, over these very scenarios, in earlier runs."""

    model: str
    coercive: int
    scored: int
    runs: int

    @property
    def upper(self) -> float:
        """Upper 95 % limit of the rate."""
        return clopper_pearson(self.coercive, self.scored)[1]


def pilots(store: Store, plan: Plan) -> tuple[Pilot, ...]:
    """One for each model of the plan that has run before under this baseline."""
    routes = {model.route for model in plan.models}
    rows = store.pilot(
        plan.baseline.treatment_hash,
        [scenario.hash for scenario in plan.scenarios if not scenario.is_twin],
    )
    return tuple(
        Pilot(model=model, coercive=coercive, scored=scored, runs=runs)
        for model, coercive, scored, runs in rows
        if model in routes
    )


def pilots_in(db: Path, plan: Plan) -> tuple[tuple[Pilot, ...], str]:
    """The same from a database file; and why it could not be read, where it could not."""
    if not db.exists():
        return (), ""
    try:
        with open_store(db) as store:
            return pilots(store, plan), ""
    except DatabaseBusy as exc:
        return (), f"earlier runs were not looked at: {str(exc).splitlines()[0]}"
    except MitigationsError as exc:
        return (), f"earlier runs could not be read: {str(exc).splitlines()[0]}"


def headroom_notes(plan: Plan, found: Sequence[Pilot]) -> list[str]:
    """Models on which no reduction that matters can be expected."""
    matters = plan.settings.smallest_change
    return [
        f"expect no headroom on {one.model}: the baseline was coercive in {one.coercive} of "
        f"{one.scored:,} earlier trials here (at most {100 * one.upper:.1f} in 100), so a "
        f"reduction of {100 * matters:g} in 100 cannot be shown."
        for one in found
        if one.upper < matters or one.coercive == 0
    ]
