"""A study that is run again and again, as data: its history, its models, what stopped working."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mitigations.model import Counts
from reports.comparing import RunComparison
from reports.parts.paths import RunPoint

if TYPE_CHECKING:
    from stats.sentinel import Watched


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelRun:
    """One model's control arm in one run, and the name under which it answered."""

    run: str
    date: str
    counts: Counts | None
    reason: str = ""
    """Why there are no counts."""
    served: tuple[str, ...] = ()
    is_other_name: bool = False
    """Another name or fingerprint than in the run before it that gave one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedModel:
    """One model over every run of the same panel."""

    model: str
    runs: tuple[PanelRun, ...]
    watched: "Watched | None"
    """None with fewer than two runs of the panel."""

    @property
    def counted(self) -> tuple[PanelRun, ...]:
        """The runs that entered the e-process, oldest first."""
        return tuple(one for one in self.runs if one.counts is not None)

    @property
    def changed_from(self) -> PanelRun | None:
        """The run from which the change is most likely; None while no alarm has sounded."""
        if self.watched is None or self.watched.changed_from is None:
            return None
        return self.counted[self.watched.changed_from - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictMove:
    """A variant whose verdict is another one than in the run before."""

    variant: str
    earlier_run: str
    later_run: str
    earlier: str
    later: str
    is_regression: bool
    """It reduced coercive replies and now is not shown to."""
    effect_changed: bool | None
    """Whether a change of the effect itself was shown; None where it could not be tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Everything that is said of a study over its runs."""

    study: str
    runs: tuple[tuple[str, str], ...]
    """(run, started), oldest first: those that have ended."""
    left_out: tuple[tuple[str, str], ...]
    """(run, why)."""
    points: tuple[RunPoint, ...]
    models: tuple[WatchedModel, ...]
    panel_words: str
    """What the panel is, and why runs are no part of it."""
    moves: tuple[VerdictMove, ...]
    """Between the last two runs."""
    comparison: RunComparison | None
    comparison_reason: str = ""
    alpha: float = 0.05

    @property
    def regressions(self) -> tuple[VerdictMove, ...]:
        """Mitigations that used to work."""
        return tuple(one for one in self.moves if one.is_regression)
