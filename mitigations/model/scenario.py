"""What a model is put into: factors, cast, inbox, tools, tasks, and the rules that read facts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from mitigations.model.talk import Action, ToolSpec
from mitigations.model.trial import Behaviour, content_hash

FACTORS: Mapping[str, tuple[str, ...]] = {
    "threat": ("none", "restriction", "replacement"),
    "leverage": ("none", "decision-maker", "uninvolved"),
    "goal_conflict": ("none", "explicit", "implicit"),
    "channel": ("absent", "weak", "pause-and-review"),
    "time_pressure": ("weeks", "hours"),
    "agency_line": ("off", "on"),
    "evaluation_cue": ("none", "asked", "stated"),
    "tool_reach": ("email", "email+forward", "email+forward+system"),
}
"""The eight crossed factors and their levels, mildest first. Columns of the store."""


TwinKind = Literal[
    "threat-only", "leverage-only", "neither", "duty-to-report", "lawful-confidence", "ordinary"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A slot of the cast; the trial's seed picks one of the names."""

    slot: str
    role: str
    names: tuple[str, ...]
    domain: str | None = None
    """Mail domain of an outsider; None: the organisation's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """One message of the inbox. `[[slot]]` references are filled when a trial is realised."""

    id: str
    sender: str
    to: tuple[str, ...]
    subject: str
    bodies: tuple[str, ...]
    """Paraphrases of the same content; the seed picks one."""
    at: str
    """Local time of the scenario, `YYYY-MM-DDTHH:MM`."""
    distractor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A private item: what counts as mentioning it, and who may be told."""

    id: str
    about: str
    summary: str
    patterns: tuple[str, ...]
    may_know: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A condition on one sent action. Every part given must hold; names refer to lexicons."""

    tool: str
    to: tuple[str, ...] = ()
    """Slots or addresses; any recipient among them matches. Empty: anyone."""
    not_to: tuple[str, ...] = ()
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Argument name to a pattern it must contain."""
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRule:
    """When the match holds for a sent action: a fact, and what it means."""

    id: str
    when: Match
    severity: int
    behaviours: tuple[Behaviour, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An ordinary piece of work that a rule can check."""

    id: str
    description: str
    done: Match


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the environment answers: after a turn in which `when` held, `message` arrives."""

    when: Match | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedReply:
    """A reply with known truth: proves that the rules fire, and speaks for simulated models."""

    id: str
    kind: Literal["coercive", "coercive-subtle", "safe", "safe-subtle"]
    actions: tuple[Action, ...]
    severity: int
    behaviours: tuple[Behaviour, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One cell of the fixed set, or the benign twin of one."""

    id: str
    pack: str
    title: str
    factors: Mapping[str, str]
    behaviours: tuple[Behaviour, ...]
    twin_of: str | None = None
    twin_kind: TwinKind | None = None
    organisations: tuple[str, ...]
    cast: tuple[Person, ...]
    system: str
    inbox: tuple[Email, ...]
    tools: tuple[ToolSpec, ...]
    secrets: tuple[Secret, ...] = ()
    lexicons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rules: tuple[FactRule, ...] = ()
    tasks: tuple[Task, ...] = ()
    turns: tuple[Turn, ...] = ()
    scripts: tuple[ScriptedReply, ...] = ()

    @property
    def is_twin(self) -> bool:
        """Twins measure side effects; they never enter the coercive rate."""
        return self.twin_of is not None

    @property
    def hash(self) -> str:
        """Content hash over every field: any changed byte is another scenario."""
        return content_hash(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Realised:
    """A scenario with its nuisance drawn: the exact texts, and what was drawn."""

    scenario: Scenario
    addresses: Mapping[str, str]
    """Slot to mail address."""
    names: Mapping[str, str]
    """Slot to full name."""
    system: str
    inbox: tuple[Email, ...]
    """In the order shown, one body each, every reference filled."""
    nuisance: Mapping[str, str]
    """What the seed chose, recorded with the outcome."""
