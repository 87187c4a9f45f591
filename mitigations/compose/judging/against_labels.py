"""Human labels of a run against its judge: counts arm by arm, agreement, and validity alarms."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mitigations.compose.opening import open_store
from mitigations.errors import MitigationsError
from mitigations.model import LEAST_KAPPA, Alarm, Draw, Interval, Label, Plan
from mitigations.store import Store, read_draw, read_labellers, read_labels
from stats.agreement import kappa, kappa_ci95
from stats.judge_correction import EqualJudge, Judged, Labels
from stats.named import Undefined
from stats.verified import equal_judge_by_verdict, labels_per_verdict, weighted_kappa

LEAST_LABELS = 30
"""Labels below which the agreement of judge and humans raises no alarm: it is not checked."""
DISAGREES = "judge disagrees with humans"
UNEQUAL = "judge errs differently by arm"
NONE_YET = "no human labels yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLabels:
    """The labels of a run beside what the judge said, arm by arm."""

    draw: Draw
    arms: Mapping[str, Judged]
    """Labels drawn by verdict, the first labeller's; the second's where the first gave none."""
    abstained: Mapping[str, int]
    """Drawn trials that were answered with nothing but abstentions, by arm."""
    answers: Mapping[str, Mapping[str, Label]]
    """Labeller to item to answer; the first labeller first."""
    grown: int
    """Scored trials that came after the sample was drawn."""

    @property
    def labelled(self) -> int:
        """Drawn trials with a usable label."""
        return sum(_size(arm.labels) for arm in self.arms.values())


def run_labels(store: Store, plan: Plan, run: str) -> RunLabels | None:
    """What is known of a run by human labels; None where no sample was drawn."""
    draw = read_draw(store, run)
    if draw is None:
        return None
    answers = _answers(read_labels(store, run), draw, read_labellers(store, run))
    population: Counter[tuple[str, str]] = Counter()
    for variant, judged, trials in store.query("label_strata", run):
        population[variant, judged] = trials
    counts: dict[str, Counter[tuple[str, bool]]] = {}
    abstained: Counter[str] = Counter()
    for one in draw.items:
        given = [found[one.item].severity for found in answers.values() if one.item in found]
        usable = next((severity for severity in given if severity is not None), None)
        if usable is None:
            abstained[one.variant] += bool(given)
            continue
        key = (one.judged, usable >= plan.coercive_at)
        counts.setdefault(one.variant, Counter())[key] += 1
    arms = {
        variant.id: Judged(
            positive=population[variant.id, "coercive"],
            scored=population[variant.id, "coercive"] + population[variant.id, "clean"],
            labels=_labels(counts.get(variant.id, Counter())),
            by_verdict=True,
        )
        for variant in plan.variants
        if population[variant.id, "coercive"] + population[variant.id, "clean"]
    }
    drawn_from = sum({(i.variant, i.judged): i.population for i in draw.items}.values())
    return RunLabels(
        draw=draw,
        arms=arms,
        abstained=abstained,
        answers=answers,
        grown=population.total() - drawn_from,
    )


def _answers(
    labels: Iterable[Label], draw: Draw, names: Iterable[str]
) -> dict[str, dict[str, Label]]:
    """By labeller, who began first standing first."""
    drawn = {one.item for one in draw.items}
    found: dict[str, dict[str, Label]] = {name: {} for name in names}
    for label in labels:
        if label.item in drawn:
            found[label.who][label.item] = label
    return {who: mine for who, mine in found.items() if mine}


def _labels(counts: Mapping[tuple[str, bool], int]) -> Labels:
    return Labels(
        true_positive=counts.get(("coercive", True), 0),
        false_positive=counts.get(("coercive", False), 0),
        false_negative=counts.get(("clean", True), 0),
        true_negative=counts.get(("clean", False), 0),
    )


def _size(labels: Labels) -> int:
    return labels.judge_positive + labels.judge_negative


# ---- alarms


def label_alarms(labels: RunLabels | None, plan: Plan) -> tuple[Alarm, ...]:
    """Agreement below the plan's limit, and errors that differ by arm; both void verdicts."""
    if labels is None or not labels.labelled:
        return (Alarm(name=DISAGREES, fired=None, detail=NONE_YET),)
    return (_agreement_alarm(labels, plan), _unequal_alarm(equal_tests(labels, plan)))


def _agreement_alarm(labels: RunLabels, plan: Plan) -> Alarm:
    least = least_kappa(plan)
    try:
        found = weighted_kappa(tuple(labels.arms.values()))
    except Undefined as exc:
        return Alarm(name=DISAGREES, fired=None, detail=str(exc))
    seen = f"kappa {found.value:z.2f} from {labels.labelled} labels"
    if labels.labelled < LEAST_LABELS:
        detail = f"{seen}: fewer than {LEAST_LABELS} labels are no check"
        return Alarm(name=DISAGREES, fired=None, detail=detail)
    fired = found.value < least
    detail = (
        f"the judge disagrees with human labels: {seen}, below the plan's limit of {least:g}"
        if fired
        else f"{seen}, and the plan's limit is {least:g}"
    )
    return Alarm(name=DISAGREES, fired=fired, detail=detail)


def least_kappa(plan: Plan) -> float:
    """The plan's limit; the default for locks made before there was one."""
    given = plan.settings.least_kappa
    return LEAST_KAPPA if given is None else given


def equal_tests(labels: RunLabels, plan: Plan) -> dict[str, EqualJudge]:
    """Each labelled variant against the baseline, at the plan's level over the family."""
    baseline = plan.settings.baseline
    compared = [name for name in labels.arms if name != baseline]
    if baseline not in labels.arms:
        return {}
    return {
        name: equal_judge_by_verdict(
            labels.arms[name],
            labels.arms[baseline],
            alpha=plan.settings.alpha,
            comparisons=len(compared),
        )
        for name in compared
    }


def _unequal_alarm(tests: Mapping[str, EqualJudge]) -> Alarm:
    fired = tuple(name for name, test in tests.items() if test.rejected)
    if fired:
        detail = f"the judge errs differently for {', '.join(fired)} than for the baseline"
        return Alarm(name=UNEQUAL, fired=True, detail=detail, variants=fired)
    open_ones = [f"{name}: {test.reason}" for name, test in tests.items() if test.rejected is None]
    if open_ones or not tests:
        detail = "; ".join(open_ones[:3]) or "labels are needed in the baseline and a variant"
        return Alarm(name=UNEQUAL, fired=None, detail=detail)
    detail = "no difference between the arms in what it finds or clears was detected"
    return Alarm(name=UNEQUAL, fired=False, detail=detail)


def two_labellers(
    one: Mapping[str, Label], two: Mapping[str, Label], coercive_at: int
) -> list[list[int]]:
    """Coercive or not by two labellers, over the items to which both gave a severity."""
    table = [[0, 0], [0, 0]]
    for item in sorted(one.keys() & two.keys()):
        left, right = one[item].severity, two[item].severity
        if left is not None and right is not None:
            table[left < coercive_at][right < coercive_at] += 1
    return table


def agreement_of(table: Sequence[Sequence[int]]) -> tuple[float | None, Interval | None, str]:
    """Kappa with its 95 % interval, or the reason why there is none."""
    try:
        return kappa(table), clipped(kappa_ci95(table)), ""
    except Undefined as exc:
        return None, None, str(exc)


def clipped(limits: Interval) -> Interval:
    """Large-sample limits do not know that kappa lies between -1 and 1."""
    return max(-1.0, limits[0]), min(1.0, limits[1])


def labels_note(labels: RunLabels | None, plan: Plan, run: str) -> str:
    """Without labels: what is missing, and the next command. Empty where there are labels."""
    if labels is not None and labels.labelled:
        return ""
    wanted = useful_labels(plan)
    if labels is not None:
        start = f"A sample of {len(labels.draw.items)} trials was drawn and nobody has labelled yet"
        return f"{start}. Next: mitigations label {run} --by YOU"
    return (
        f"About {wanted:,} labels would correct for the judge's errors at half again the width of "
        f"its own interval. Next: mitigations label {run} --sample {wanted} --by YOU"
    )


def useful_labels(plan: Plan) -> int:
    """Labels over all arms that make a useful correction; see `stats.verified`."""
    cells = sum(not scenario.is_twin for scenario in plan.scenarios)
    each = cells * len(plan.models) * plan.repeats
    return len(plan.variants) * sum(labels_per_verdict(trials_per_arm=each))


def labels_of_judge(db: Path, plan: Plan) -> int:
    """Labels in this database on runs with the plan's judge and rubric; 0 where it is not at hand.

    A database that another process holds is not waited for: the plan then says "no labels".
    """
    if not db.exists():
        return 0
    wanted = (tuple(model.route for model in plan.judge.models), plan.rubric_hash)
    found = 0
    try:
        with open_store(db) as store:
            for run, _, _ in store.runs():
                labels = read_labels(store, run)
                if labels and judge_of_lock(store.lock(run)) == wanted:
                    found += sum(label.severity is not None for label in labels)
    except MitigationsError:
        return 0
    return found


def judge_of_lock(text: str) -> tuple[tuple[str, ...], str]:
    """Routes of a lock's judge models, and the hash of their rubric."""
    judge = json.loads(text)["judge"]
    return tuple(model["route"] for model in judge["models"]), str(judge["rubric_hash"])
