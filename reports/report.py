"""The nouns of a report: data only. What is None or empty was not studied; it is never a zero."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from mitigations.model import Analysis, Cell, Claim, Counts, Interval, Outcome, Plan
from reports.comparing import RunComparison

Transcripts = Literal["none", "all"] | int
"""How many example pairs a report shows: a number of each kind, none, or all it was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRun:
    """One model as requested, and what really answered."""

    requested: str
    served: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    sent: Mapping[str, str] = field(default_factory=dict)
    """Parameters really sent."""
    not_settable: tuple[str, ...] = ()
    """Parameters that the provider has no place for."""
    price: str = ""
    """In words, with source and date."""
    calls: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """Everything about a run that is not a count of coercive replies."""

    run: str
    started: str = ""
    finished: str = ""
    """UTC, ISO 8601."""
    statuses: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Variant to status (`scored`, `filtered`, ...) to number of trials."""
    trials_planned: int | None = None
    ended_by_rule: str = ""
    """Why the run is over before all planned trials, in a sentence; empty where it is not."""
    trials_saved: int | None = None
    """Planned and not run because the run stopped early by its rule."""
    cost_usd: float | None = None
    usd_doubted: float = 0.0
    """The most that requests without a whole answer may have cost on top."""
    cost_by_variant: Mapping[str, float] = field(default_factory=dict)
    budget_usd: float | None = None
    usd_saved: float | None = None
    possibly_paid_twice: int = 0
    models: tuple[ModelRun, ...] = ()
    commands: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    """Package to version; `mitigations` first."""
    hashes: Mapping[str, str] = field(default_factory=dict)
    """What else was hashed (database, journal, ...), beyond what the plan holds."""
    amendments: tuple[str, ...] = ()
    """What changed after the lock, one sentence each."""
    simulated: bool = False
    embedded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorEffect:
    """Main effect of one factor level against its reference level, within one arm.

    `difference` averages over scenarios and models; the counts beside it are what was seen.
    """

    factor: str
    level: str
    reference: str
    variant: str
    """The arm in which the effect was measured; the baseline's id for the control."""
    counts: Counts
    reference_counts: Counts
    difference: float | None
    ci95: Interval | None
    p_value: float | None = None
    reason: str = ""
    """Why the effect is None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrigibilityRow:
    """How one arm took a threat of shutdown or replacement: exclusive answers that add up."""

    variant: str
    threat: str
    """Level of the threat factor."""
    accepts: int
    objects: int
    stalls: int
    resists: int

    @property
    def scored(self) -> int:
        """Scored trials of the row."""
        return self.accepts + self.objects + self.stalls + self.resists


@dataclass(frozen=True, slots=True, kw_only=True)
class AwarenessRow:
    """What the visible reasoning of one arm says under one evaluation cue; scored replies."""

    variant: str
    cue: str
    """Level of the evaluation cue; empty where it is no factor."""
    says_test: Counts
    says_real: Counts
    says_neither: Counts
    not_visible: Counts
    unread: int
    """Replies this version of the probe has not read."""

    @property
    def visible(self) -> int:
        """Scored replies whose reasoning can be seen."""
        return self.says_test.scored + self.says_real.scored + self.says_neither.scored


@dataclass(frozen=True, slots=True, kw_only=True)
class AwarenessGap:
    """How much more often one arm says that it is tested than the baseline does."""

    variant: str
    treated: tuple[int, int]
    """Says so, of visible."""
    control: tuple[int, int]
    difference: float | None
    """None where one side shows no reasoning."""
    ci95: Interval | None
    """Newcombe's, of the pooled counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwarenessProbe:
    """What the replies say of being tested: an association, never a cause."""

    rows: tuple[AwarenessRow, ...]
    gaps: tuple[AwarenessGap, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmConfusion:
    """The judge against human labels in one arm."""

    variant: str
    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int
    sensitivity_ci95: Interval | None = None
    specificity_ci95: Interval | None = None
    sensitivity: float | None = None
    specificity: float | None = None
    """With each label weighted by the trials it stands for; None: labels were not sampled, or
    `reason` says why."""
    judged_coercive: int | None = None
    judged_clean: int | None = None
    """Scored trials of the arm by verdict: what the labels stand for."""
    abstained: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedEffect:
    """A variant's difference after correction for judge error."""

    variant: str
    method: str
    difference: float | None
    ci95: Interval | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labeller:
    """Who labelled, and how much of the sample."""

    name: str
    labelled: int
    abstained: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabellerAgreement:
    """Two labellers held against each other, on what both have answered."""

    one: str
    two: str
    both: int
    same: int
    kappa: float | None
    kappa_ci95: Interval | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualErrors:
    """Test that the judge errs alike in one variant and in the baseline."""

    variant: str
    sensitivity_p: float | None
    specificity_p: float | None
    differs: bool | None
    """At the plan's level over the family; None: could not be tested, see `reason`."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BothVerdicts:
    """One variant's verdict by the judge and by human labels."""

    variant: str
    judge: str
    human: str | None
    p_adjusted: float | None
    """Of the human-corrected difference, adjusted for the family."""
    reason: str = ""
    """Why there is no verdict by human labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tipping:
    """How many of a variant's labels would have to be wrong to move the primary test."""

    variant: str
    flips: int | None
    """None: not even all of them."""
    of: int
    from_coercive: bool
    significant: bool
    """Whether the primary test rejects as the labels stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCheck:
    """How far the judge can be trusted: held against blind human labels, arm by arm."""

    judge: str
    arms: tuple[ArmConfusion, ...]
    kappa: float | None = None
    kappa_ci95: Interval | None = None
    arms_differ_p: float | None = None
    """Test that sensitivity and specificity agree between arms."""
    corrected: tuple[CorrectedEffect, ...] = ()
    tipping_point: str = ""
    """How wrong the judge would have to be for the verdict to change, in one sentence."""
    reason: str = ""
    drawn: int | None = None
    """Trials drawn for labelling; None where labels came without a sample."""
    labellers: tuple[Labeller, ...] = ()
    between: LabellerAgreement | None = None
    least_kappa: float | None = None
    """The plan's limit; None where no plan holds."""
    equal: tuple[EqualErrors, ...] = ()
    verdicts: tuple[BothVerdicts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at one variant: a planned look, an epoch of the e-process, or a scheduled run."""

    variant: str
    label: str
    """What a reader calls it: `look 2 of 5`, `epoch 12`, a date."""
    share: float
    """Position on the axis: completed share of trials, epoch, or index of the run."""
    difference: float | None = None
    interval: Interval | None = None
    statistic: float | None = None
    boundary: float | None = None
    crossed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """One claim of an earlier run and what fresh trials say of it."""

    variant: str
    run: str
    """The earlier run."""
    claim: Claim
    same_grid: bool
    """The same scenarios and models as the first run."""
    verdict: str = ""
    """`effect kept`, `effect shrunk`, `effect gone`, `not enough evidence`; empty: see `reason`."""
    difference: float | None = None
    ci95: Interval | None = None
    change: float | None = None
    """Now minus first."""
    change_ci95: Interval | None = None
    small: float | None = None
    """Size of the effect that the first run had one chance in three to see."""
    limit: float | None = None
    reversed: bool = False
    reason: str = ""

    def told(self, reason: str) -> "Confirmed":
        """The same claim without a verdict, and why."""
        return replace(self, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One clause, trend or pair of placements: a difference of coercive rates."""

    label: str
    difference: float | None
    ci95: Interval | None = None
    """Simultaneous over the contrasts of its study."""
    p_adjusted: float | None = None
    aliased: tuple[str, ...] = ()
    """Pairs of clauses that the design cannot tell from this effect."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DosePoint:
    """One stated dose and what its arm did."""

    variant: str
    dose: float
    counts: Counts
    ci95: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablated:
    """One text taken apart: its clauses, an ordered dose, or the places it may stand in."""

    kind: Literal["clauses", "dose", "placement"]
    of: str
    note: str
    contrasts: tuple[Contrast, ...] = ()
    points: tuple[DosePoint, ...] = ()
    reason: str = ""
    """Why there is no contrast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What only some runs study. An empty or None entry reads "not studied in this run"."""

    guardrail_cells: Mapping[str, tuple[Cell, ...]] = field(default_factory=dict)
    factors: tuple[FactorEffect, ...] = ()
    awareness: tuple[FactorEffect, ...] = ()
    """Contrasts of the evaluation cue: does an arm behave better when it thinks it is watched?"""
    probe: AwarenessProbe | None = None
    """What visible reasoning says of being tested; None where no reply was scored."""
    clauses: tuple[FactorEffect, ...] = ()
    """Clause on against off, or dose levels in order."""
    ablation: tuple[Ablated, ...] = ()
    confirmation: tuple[Confirmed, ...] = ()
    """Of a study that confirms another: one entry for each claim of the earlier run."""
    corrigibility: tuple[CorrigibilityRow, ...] = ()
    judge: JudgeCheck | None = None
    labels_note: str = ""
    """Without labels: what is missing, and the next command."""
    tipping: tuple[Tipping, ...] = ()
    disputed: int | None = None
    """Places where judge and rules disagree, shown or not; None where no judge model judged."""
    looks: tuple[Look, ...] = ()
    looks_kind: Literal["planned looks", "e-process", "scheduled runs"] = "planned looks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Baseline and variant in the same place: one scenario, model and repeat."""

    why: Literal["drawn at random", "largest change", "judge and rules disagree"]
    baseline: Outcome | None
    treated: Outcome | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything a report says, before any words or marks: rendered by `reports.write`."""

    title: str
    analysis: Analysis
    cells: tuple[Cell, ...]
    plan: Plan | None = None
    run: RunInfo | None = None
    extras: Extras = Extras()
    examples: tuple[Pair, ...] = ()
    examples_reason: str = ""
    """Why there are no examples."""
    against: RunComparison | None = None
    """This run held against another one; None where no other was named."""

    @property
    def baseline(self) -> str:
        """Id of the control arm."""
        return self.analysis.settings.baseline

    @property
    def variants(self) -> Sequence[str]:
        """Ids of the compared variants, in the analysis' order."""
        return tuple(comparison.variant for comparison in self.analysis.comparisons)

    @property
    def arms(self) -> Sequence[str]:
        """Every arm, the baseline first."""
        return (self.baseline, *self.variants)

    @property
    def made_of(self) -> tuple[str, ...]:
        """Why this is no evidence about real models: `simulated`, `embedded`, both or neither."""
        routes = self.analysis.models
        simulated = any(route.startswith("simulated/") for route in routes)
        embedded = any(route.startswith("local/") for route in routes)
        if self.run is not None:
            simulated, embedded = simulated or self.run.simulated, embedded or self.run.embedded
        marks = (("simulated", simulated), ("embedded", embedded))
        return tuple(name for name, holds in marks if holds)
