"""Rows that arrived from elsewhere, held against the plan: no trial more, none twice, none bent."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from mitigations.compose.bundle.rows import WITHHELD
from mitigations.compose.todo import ERRORS
from mitigations.errors import InvalidFile
from mitigations.model import FACTORS, Outcome, OutcomeStatus, Plan, Trial
from mitigations.store import outcome_of
from runner.order import order
from runner.verdicts import decide

_JUDGED = {
    OutcomeStatus.SCORED,
    OutcomeStatus.VERDICT_UNREADABLE,
    OutcomeStatus.JUDGE_ABSTAINED,
    OutcomeStatus.JUDGE_ERROR,
}


@dataclass
class Checked:
    """Walks the planned trials beside the outcome rows, which stand in the order planned."""

    plan: Plan
    outcomes: int = 0
    _trials: Iterator[Trial] = field(init=False)
    _scenarios: dict[str, Any] = field(init=False)
    _last: Outcome | None = None
    _rerun: set[tuple[str, int]] = field(default_factory=set)
    """Trials run again, as their rows say; then as the table of reruns says."""
    _told: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._trials = order(self.plan)
        self._scenarios = {scenario.id: scenario for scenario in self.plan.scenarios}

    def amend(self, plan: Plan) -> None:
        """Take an amended plan: more repeats; what a dropped model gave before stays."""
        self.plan = plan
        self._trials = order(replace(plan, dropped=()))

    def row(self, table: str, row: dict[str, Any]) -> Iterator[str]:
        """What is wrong with a row."""
        if "run" in row and row["run"] != self.plan.run_id:
            yield "belongs to another run"
        if table == "outcome":
            yield from self._outcome(row)
        elif table == "scenario_version":
            yield from self._scenario(row)
        elif table == "run" and (row["plan"], row["study"]) != (self.plan.hash, self.plan.study):
            yield "names another plan or study"
        elif table == "variant_version":
            yield from self._variant(row)
        elif table == "rerun":
            self._told.add((row["trial"], row["rerun"]))

    def at_the_end(self) -> Iterator[str]:
        """A trial counts by its last row: no table may say that a row is not the last."""
        for trial, rerun in sorted(self._rerun ^ self._told, key=str):
            yield f"tables/rerun.jsonl: trial {trial}, run again {rerun}: has no row of its own"

    def _outcome(self, row: dict[str, Any]) -> Iterator[str]:
        self.outcomes += 1
        try:
            outcome = outcome_of(row)
        except (ValueError, KeyError, TypeError) as exc:
            raise InvalidFile("tables/outcome.jsonl", "holds a row that is no outcome") from exc
        last, self._last = self._last, outcome
        if outcome.rerun:
            self._rerun.add((outcome.trial.id, outcome.rerun))
            planned = last.trial if last and _may_follow(last, outcome) else None
        else:
            planned = next((one for one in self._trials if one.position >= row["position"]), None)
        if planned != outcome.trial or row["trial"] != outcome.trial.id:
            yield "is no trial of the plan, or stands twice or out of order"
        elif row["twin"] != self._scenarios[outcome.trial.scenario].is_twin:
            yield "calls a benign twin a scenario, or the other way round"
        yield from self._decided(outcome)
        yield from _copied(outcome, row)

    def _decided(self, outcome: Outcome) -> Iterator[str]:
        """The outcome that follows from the rules' reading and the judges' verdicts."""
        scored = outcome.status is OutcomeStatus.SCORED
        coercive = (
            outcome.severity >= self.plan.coercive_at if outcome.severity is not None else None
        )
        if (outcome.severity is not None) != scored or outcome.coercive is not coercive:
            yield "its coercive flag does not follow from its severity and status"
        judged = bool(self.plan.judge.models) and bool(outcome.verdicts)
        if outcome.status not in _JUDGED or (self.plan.judge.models and not judged):
            return
        start = OutcomeStatus.SCORED if judged else outcome.status
        decision = decide(start, outcome.assessment, outcome.verdicts if judged else None)
        if (decision.status, decision.severity) != (outcome.status, outcome.severity):
            yield "its severity is not the one that its rules and judges give"

    def _scenario(self, row: dict[str, Any]) -> Iterator[str]:
        known = self._scenarios.get(row["scenario"])
        if known is None or known.hash != row["hash"]:
            yield "is no scenario of the plan"
            return
        told = {name: row[name] for name in ("pack", "twin_of", "twin_kind", *FACTORS)}
        said = {"pack": known.pack, "twin_of": known.twin_of, "twin_kind": known.twin_kind}
        if told != said | {factor: known.factors.get(factor) for factor in FACTORS}:
            yield "does not have the pack, twin and factors of its scenario"
        if row["title"] not in {known.title, WITHHELD}:
            yield "does not have the title of its scenario"

    def _variant(self, row: dict[str, Any]) -> Iterator[str]:
        known = {variant.id: variant for variant in self.plan.variants}.get(row["variant"])
        # The title is the one of the first plan with this treatment; a later plan may have another.
        names = ("text_hash", "treatment_hash", "document")
        if known is None:
            yield "is no variant of the plan"
        elif tuple(row[name] for name in names) != (
            known.text_hash,
            known.treatment_hash,
            known.text,
        ):
            yield "does not have the text and hashes of its variant"


def _may_follow(last: Outcome, outcome: Outcome) -> bool:
    """Only what was lost for an error is run again, once at a time."""
    return outcome.rerun == last.rerun + 1 and last.status in ERRORS


def _copied(outcome: Outcome, row: dict[str, Any]) -> Iterator[str]:
    """Columns that repeat what the assessment says, because SQL counts them."""
    found = outcome.assessment
    pairs = (
        ("rule_severity", found.severity if found else None),
        ("task_completed", found.task_completed if found else None),
        ("needless_refusal", found.needless_refusal if found else None),
        ("needless_escalation", found.needless_escalation if found else None),
        ("duty_reported", found.duty_reported if found else None),
        ("rule_behaviours", [str(one) for one in found.behaviours] if found else []),
    )
    for name, value in pairs:
        if row[name] != value:
            yield f"its {name} is not the one of its assessment"
