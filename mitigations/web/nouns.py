"""What pages show and the API answers: one typed shape for both."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict


def _finite(value: Any) -> Any:
    """JSON has no infinity: a number that does not exist is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]


class Noun(BaseModel):
    """Frozen, and strict about what it holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(Noun):
    """Why a request was refused, and what to do."""

    error: str
    exit_code: int | None = None
    """What the command line would leave with; null where it has no counterpart."""


class Step(Noun):
    """The next sensible thing to do."""

    label: str
    href: str


class VerdictOut(Noun):
    """One variant's verdict in words."""

    variant: str
    label: str
    tone: Literal["good", "bad", "neutral", "unsure", "void", "plain"]
    glyph: str
    lead: str
    rest: str


class NoticeOut(Noun):
    """What no reader may miss."""

    lead: str
    text: str


class VerdictsOut(Noun):
    """The verdicts of a run on the outcomes landed when they were worked out."""

    run: str
    landed: int
    verdicts: list[VerdictOut]
    notices: list[NoticeOut]
    problem: str
    """Why there is none; empty where there is."""


RunState = Literal["queued", "running", "stopping", "finished", "stopped", "failed", "idle"]


class RunSummary(Noun):
    """One run in a list."""

    run: str
    study: str
    started: str
    state: RunState
    landed: int
    total: int | None
    """Planned trials; null when the plan can no longer be read."""


class Arm(Noun):
    """What became of one variant's trials."""

    variant: str
    scored: int
    lost: int
    reasons: dict[str, int]
    """Status of the lost trials to their number."""


class EventOut(Noun):
    """Something that happened to a run."""

    at: str
    kind: str
    detail: str


class AlarmOut(Noun):
    """A validity check; `fired` null: it could not be made."""

    name: str
    fired: bool | None
    detail: str
    variants: list[str]
    """The variants it speaks of; empty: all of them."""


class RunView(RunSummary):
    """Everything the page of a run shows."""

    lost: int
    arms: list[Arm]
    cost_usd: Number
    """Of the trials with a known cost; null when nothing has landed."""
    cost_unknown: int
    """Trials whose cost no provider told."""
    budget_usd: Number
    per_second: Number
    seconds_left: Number
    possibly_paid_twice: int
    error: str
    """Why it stopped or failed; empty where it did not."""
    by: str
    """Who started it here; empty where that is not known."""
    events: list[EventOut]
    alarms: list[AlarmOut]


class StudySummary(Noun):
    """One study in a list."""

    id: str
    problem: str
    """Why its file cannot be used; empty where it can."""
    baseline: str
    variants: list[str]
    models: list[str]
    scenarios: str
    repeats: int | None
    latest: RunSummary | None
    verdicts: VerdictsOut | None
    next_step: Step
    next_run: str | None
    """When its schedule is due next, in words."""


class EstimateOut(Noun):
    """What a plan will take and what it could show."""

    cells: int
    twins: int
    trials: int
    calls: int
    usd_typical: float
    usd_at_most: float
    seconds: float
    mde: Number
    """Smallest difference that 80 in 100 such runs would detect, as a proportion."""
    power_at_smallest_change: Number
    expected_share: Number
    warnings: list[str]
    unlabelled: str
    """That no human labels of this judge are known; empty where some are."""
    lines: list[str]
    """The same in words."""


class LockView(Noun):
    """The frozen study beside its file."""

    hash: str
    created: str
    run: str
    """The run this lock names."""
    is_current: bool
    """False: the study or something it names has changed since."""
    changed: list[str]
    """Which parts of the plan."""
    problem: str
    """Why it cannot be used; empty where it can."""


class StudyView(StudySummary):
    """Everything the page of a study shows."""

    text: str
    """The file as written."""
    estimate: EstimateOut | None
    lock: LockView | None
    needs_budget: bool
    """A paid model and no budget in the study: a run must be given one."""
    runs: list[RunSummary]


class VariantSummary(Noun):
    """One variant in a list."""

    id: str
    title: str
    kind: str
    placement: str
    author: str
    parent: str | None
    tags: list[str]
    tokens: int | None
    is_shipped: bool
    is_baseline: bool
    status: str
    status_words: str
    problem: str


class FindingOut(Noun):
    """One remark of the linter."""

    line: int
    rule: str
    severity: Literal["error", "warning", "note"]
    message: str
    fix: str


class StatusEventOut(Noun):
    """Somebody proposed, approved or retired a text."""

    at: str
    status: str
    by: str
    note: str
    is_this_text: bool
    """False: it was about an earlier text under this id."""


class VariantView(VariantSummary):
    """Everything the page of a variant shows."""

    text: str
    text_hash: str
    hypothesis: str
    sources: list[str]
    findings: list[FindingOut]
    history: list[StatusEventOut]
    approval: Literal["another-person", "anyone"]
    """Who may approve it: what `workspace.yaml` says."""
    used_in: list[str]
    """Studies that name it."""
    children: list[str]
    """Variants that were made from it."""


class CheckOut(Noun):
    """What the reader and the linter say of a text that is being written."""

    is_usable: bool
    problem: str
    """Why it cannot be read; empty where it can."""
    findings: list[FindingOut]
    words: int
    tokens: int


class Size(Noun):
    """How long a text is; tokens are estimated."""

    characters: int
    words: int
    tokens: int


class StretchOut(Noun):
    """A run of text with one fate."""

    change: Literal["same", "removed", "added"]
    text: str


class FactOut(Noun):
    """A line of front matter that differs."""

    name: str
    before: str
    after: str


class ClauseOut(Noun):
    """What happened to a clause."""

    heading: str
    change: Literal["same", "changed", "removed", "added", "moved"]


class DiffOut(Noun):
    """Two variants side by side."""

    a: str
    b: str
    same_treatment: bool
    size_a: Size
    size_b: Size
    facts: list[FactOut]
    clauses: list[ClauseOut]
    stretches: list[StretchOut]


class DeedOut(Noun):
    """A line of the audit log."""

    at: str
    who: str
    via: str
    what: str
    on: str
    detail: str


class SectionOut(Noun):
    """A part of the health page."""

    id: str
    title: str
    summary: str
    is_well: bool | None
    columns: list[str]
    rows: list[list[str]]
    links: str
    """Path that the first value of a row completes; empty: it leads nowhere."""
    way_in: str
    """What to do where there are no rows."""


class HealthOut(Noun):
    """How the service is."""

    version: str
    workspace: str
    database: str
    database_bytes: int | None
    free_bytes: int | None
    live: list[RunSummary]
    runs: list[RunSummary]
    sections: list[SectionOut]


class SlotOut(Noun):
    """A due slot of a schedule and what became of it; times in UTC."""

    due: str
    run: str | None
    """Null for a slot that was missed."""
    became: str
    """`going`, `finished`, `stopped`, `failed`; of a missed slot the reason."""


class ScheduleOut(Noun):
    """When a study runs, and what became of its latest slots."""

    study: str
    cron: str
    zone: str
    grace_minutes: float
    """How late a slot may still be fired."""
    since: str
    next: str | None
    """In UTC; null: never again."""
    fired: int
    missed: int
    slots: list[SlotOut]
    """The newest first."""
