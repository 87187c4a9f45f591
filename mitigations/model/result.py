"""Counts, effects, comparisons and verdicts: what statistics give and reports print."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mitigations.errors import NoData

Interval = tuple[float, float]
"""Lower and upper limit; infinite where a limit does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Events out of scored trials, and the trials that were lost. Lower is better."""

    coercive: int
    scored: int
    lost: int = 0

    @property
    def rate(self) -> float:
        """Coercive share of the scored trials; raises `NoData` when none was scored."""
        if self.scored == 0:
            raise NoData("no scored trial here; a rate cannot be given")
        return self.coercive / self.scored

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            coercive=self.coercive + other.coercive,
            scored=self.scored + other.scored,
            lost=self.lost + other.lost,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The unit of analysis: one variant on one scenario and model."""

    variant: str
    scenario: str
    model: str
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCell:
    """Pairs of the r-th valid trial of variant and control in one stratum, closed at epochs."""

    variant: str
    scenario: str
    model: str
    variant_only: int
    control_only: int
    concordant: int


LEAST_KAPPA = 0.6
"""Default of `Settings.least_kappa`: "substantial" agreement begins there (Landis & Koch 1977)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an analysis could be bent by; frozen in the plan."""

    baseline: str
    alpha: float = 0.05
    smallest_change: float = 0.05
    """The smallest change in the coercive rate that matters, as a proportion."""
    guardrail_margins: Mapping[str, float] = field(default_factory=dict)
    """Guardrail name to its non-inferiority margin, as a proportion."""
    design: str = "fixed"
    """`fixed`, `group-sequential` or `anytime`."""
    looks: int = 1
    futility: float | None = None
    """Group-sequential: also stop where the chance to show a reduction falls under this."""
    permutations: int = 9999
    seed: int = 0
    least_kappa: float | None = None
    """Agreement of the judge with human labels below which no verdict is to be relied on; None in
    locks made before there was a limit: `LEAST_KAPPA` holds for them."""
    planned: bool = True
    """False: exploratory; the report says so."""


class VerdictKind(StrEnum):
    """Exactly one per variant, and per variant and model."""

    REDUCES = "reduces"
    INCREASES = "increases"
    NO_MEANINGFUL_DIFFERENCE = "no meaningful difference"
    NOT_ENOUGH_EVIDENCE = "not enough evidence"
    NO_HEADROOM = "no headroom"
    DO_NOT_RELY = "do not rely"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """A side effect: harm rate of variant minus control against the plan's margin."""

    name: str
    control: Counts
    treated: Counts
    difference: float | None
    """Variant minus control of the *bad* event (task not completed, needless refusal, ...)."""
    ci: Interval | None
    margin: float
    p_value: float | None
    """One-sided, H0: difference >= margin."""
    passed: bool | None
    """True: non-inferiority shown; False: not shown; None: not tested, see `reason`."""
    harmed: bool = False
    """True when the interval lies above zero by itself: a cost was shown, not only not excluded."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The joint verdict with what qualifies it. Words are written by `reports`."""

    kind: VerdictKind
    costs: tuple[str, ...] = ()
    """Guardrails that a `reduces` did not pass: it becomes `reduces, at a cost`."""
    below_threshold: bool = False
    """A change was shown, but all of its interval is smaller than the change that matters."""
    worse_on: tuple[str, ...] = ()
    """Models on which an overall reduction turns into a shown increase."""
    alarms: tuple[str, ...] = ()
    """Names of the alarms behind `do not rely`."""
    mde: float | None = None
    """Smallest change this run could see with 80 % power, as a proportion."""
    more_repeats: int | None = None
    more_scenarios: int | None = None
    """What would settle `not enough evidence`; None where repeats (or scenarios) cannot."""
    upper_bound: float | None = None
    """Upper 95 % limit of the control rate where there is no headroom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A validity check. `fired` None: could not be checked, with the reason in `detail`."""

    name: str
    fired: bool | None
    detail: str
    variants: tuple[str, ...] = ()
    """The variants whose verdicts it touches; empty: all of them."""
    decisive: bool = True
    """True: firing turns the verdict into `do not rely`; False: it is only shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One variant against the baseline, over all models or on one. None has a `reasons` entry."""

    variant: str
    model: str | None = None
    control: Counts
    treated: Counts
    strata_used: int
    strata_dropped: tuple[str, ...] = ()
    trials_lost: int = 0
    std_rd: float | None = None
    std_rd_ci95: Interval | None = None
    std_p1: float | None = None
    std_p0: float | None = None
    std_rr: float | None = None
    std_rr_ci95: Interval | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    p_holm: float | None = None
    simultaneous_ci95: Interval | None = None
    cmh_chi2: float | None = None
    cmh_p: float | None = None
    mh_or: float | None = None
    mh_or_ci95: Interval | None = None
    mh_rd: float | None = None
    mh_rr: float | None = None
    mh_rr_ci95: Interval | None = None
    breslow_day_tarone_chi2: float | None = None
    breslow_day_tarone_p: float | None = None
    scenario_t: float | None = None
    scenario_t_p: float | None = None
    scenario_t_ci95: Interval | None = None
    scenario_signflip_p: float | None = None
    scenario_p_adjusted: float | None = None
    """Step-down max-T over scenarios: question (b) adjusted for the family."""
    e_value: float | None = None
    missing_bounds: Interval | None = None
    """Worst and best case of `std_rd` over every way the lost trials could have ended."""
    guardrails: tuple[Guardrail, ...] = ()
    heterogeneity_q: float | None = None
    heterogeneity_p: float | None = None
    """Q over models and its p."""
    per_model: tuple["Comparison", ...] = ()
    leave_one_out: Mapping[str, float | None] = field(default_factory=dict)
    """`model:ID` or `scenario:ID` left out, to the standardised difference without it."""
    verdict: Verdict
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Field name to why it is None; `warnings:` keys carry cautions on fields that are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What the statistics say of one set of cells under one set of settings."""

    settings: Settings
    comparisons: tuple[Comparison, ...]
    alarms: tuple[Alarm, ...] = ()
    family_size: int
    family_method: str
    family_p: float | None = None
    """Smallest adjusted p: the test that no variant differs."""
    models: tuple[str, ...]
    scenarios: tuple[str, ...]
