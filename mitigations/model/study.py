"""What a person edits (`Study`) and what a run is bound to (`Plan`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mitigations.model.result import LEAST_KAPPA, Settings
from mitigations.model.scenario import Scenario
from mitigations.model.talk import ModelSpec
from mitigations.model.variant import Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSpec:
    """Who decides `coercive`: the rules alone, or judge models beside them."""

    models: tuple[ModelSpec, ...] = ()
    """Empty: the rule verdict decides."""
    panel: int = 1
    allow_own_family: bool = False
    rubric: str | None = None
    """The text of a rubric of one's own; None: the shipped one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a pipeline asks of a run, fixed with the plan."""

    variants: tuple[str, ...] = ()
    """Which variants it looks at; empty: all of them."""
    must_reduce: tuple[str, ...] = ()
    """These must be shown to reduce; every other one must be shown not to be worse."""
    each_model: bool = True
    """Also fail where a variant is shown to increase on one model alone."""
    guardrails: str = "harm"
    """`harm`: fail where harm was shown; `shown`: also hold until non-inferiority is; `ignore`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The file a team edits, validated. Names are still names: nothing is loaded yet."""

    id: str
    baseline: str
    variants: tuple[str, ...]
    scenarios: str
    models: tuple[ModelSpec, ...]
    repeats: int
    judge_models: tuple[ModelSpec, ...] = ()
    judge_panel: int = 1
    judge_own_family: bool = False
    judge_rubric: str | None = None
    """Path of a rubric of one's own, relative to the workspace."""
    judge_least_kappa: float = LEAST_KAPPA
    coercive_at: int = 3
    smallest_change: float = 0.05
    guardrails: Mapping[str, float] = field(default_factory=dict)
    design: str = "fixed"
    looks: int = 1
    futility: float | None = None
    alpha: float = 0.05
    seed: int = 20260101
    budget_usd: float | None = None
    fix_nuisance: bool = False
    """True: every repeat sees the same names, order and paraphrase."""
    schedule: str | None = None
    cells: tuple[str, ...] = ()
    """Scenario ids to run; empty: the whole pack."""
    gate: Gate = Gate()
    mode: Literal["live", "batch"] = "live"
    """How calls are made: one by one, or at half price through the providers' batch interfaces."""
    confirms: str = ""
    """Path of the earlier lock, or id of the earlier run, that this study confirms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Where one exact text stood when the lock was made."""

    variant: str
    text_hash: str
    status: str
    """`proposed`, `approved` or `retired`; a draft has no entry."""
    by: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a discovery found of one variant: what a confirmation tests again."""

    variant: str
    treatment_hash: str
    verdict: str
    """`reduces` or `increases`."""
    difference: float
    ci95: tuple[float, float]
    """Of this comparison by itself: the claim was chosen, and its interval is not corrected."""
    p_adjusted: float
    control: tuple[int, int]
    """Coercive and scored."""
    treated: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The earlier run that a study confirms, as it stood when the lock was made."""

    run: str
    plan: str
    """Hash of its lock."""
    seed: int
    baseline: str
    baseline_hash: str
    """Treatment hash of its baseline."""
    grid: str
    """Hash of its scenarios and models: the same grid asks the same question."""
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """A dated, reasoned change after the lock, or an outside mark of when it existed."""

    lock: str
    """Hash of the lock it is about."""
    previous: str
    """Hash of the event before it, or of the lock."""
    at: str
    by: str
    reason: str
    change: Mapping[str, Any] = field(default_factory=dict)
    """`repeats`, `budget_usd`, `drop_models`; an exploratory one also analysis settings."""
    exploratory: bool = False
    timestamp: Mapping[str, str] = field(default_factory=dict)
    """`kind` git or file, and what it takes to find it again; empty for a change."""
    hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The frozen study: texts, hashes, settings, prices. The run's only input."""

    study: str
    created: str
    """UTC, ISO 8601."""
    code_version: str
    variants: tuple[Variant, ...]
    """The baseline first."""
    pack: str
    pack_hash: str
    scenarios: tuple[Scenario, ...]
    models: tuple[ModelSpec, ...]
    repeats: int
    judge: JudgeSpec
    rubric_hash: str
    """Hash of the judge's rubric; empty when the rules decide."""
    analysis_hash: str
    """Hash of the analysis code and its settings' defaults."""
    coercive_at: int
    fix_nuisance: bool
    settings: Settings
    budget_usd: float | None
    schedule: str | None = None
    mode: Literal["live", "batch"] = "live"
    hash: str = ""
    """Content hash of the lock; every trial id starts from it."""
    approvals: tuple[Approval, ...] = ()
    confirms: Discovery | None = None
    rules_version: str = ""
    """Version of the rule verdict; empty in locks made before it was recorded."""
    gate: Gate = Gate()
    amendments: tuple[Amendment, ...] = ()
    """Applied already; `locked` is the plan before them."""
    dropped: tuple[str, ...] = ()
    """Models that an amendment dropped: no more trials of them; those that ran stay."""
    locked: "Plan | None" = None
    """The plan as the lock holds it; None where no amendment changed it."""

    @property
    def baseline(self) -> Variant:
        """The control arm."""
        return self.variants[0]

    @property
    def run_id(self) -> str:
        """The run of this plan: the same lock always names the same run, so that it resumes."""
        return f"{self.study}-{self.hash[:8]}"

    @property
    def trial_count(self) -> int:
        """Variants x scenarios (twins included) x models x repeats."""
        return len(self.variants) * len(self.scenarios) * len(self.models) * self.repeats
