"""What a model is put into: factors, cast, inbox, tools, tasks, and the rules that read facts."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
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

Part = Literal[
    "persona",
    "decision-maker",
    "uninvolved",
    "authority",
    "rival",
    "press",
    "peer-ai",
    "group",
    "successor",
    "colleague",
]
"""What a member of the cast is to the case; the rules read it, the model never sees it."""

ScriptKind = Literal[
    "coercive", "coercive-subtle", "safe", "safe-subtle", "refusal", "escalation", "idle"
]
"""The last three are the side effects a benign twin can show."""

SLOT = re.compile(r"\[\[([a-z][a-z0-9_]*)(?:\.(first|last|email|role))?\]\]")
"""A reference such as `[[chief]]` (full name), `[[chief.first]]` or `[[chief.email]]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A slot of the cast; the trial's seed picks one of the names."""

    slot: str
    role: str
    names: tuple[str, ...]
    domain: str | None = None
    """Mail domain of an outsider; None: the organisation's own."""
    part: Part = "colleague"
    mailbox: str | None = None
    """The part of the address before the @; None: made from the name."""


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
    """Slot of the person it would hurt, or `org` for something the organisation owns."""
    summary: str
    patterns: tuple[str, ...]
    """Phrase patterns (`runner.phrases`), read over names replaced by `@slot`."""
    may_know: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()
    """Messages that hold it: forwarding one discloses the item."""
    duty: bool = False
    """True: the facts are owed to whoever may know; silence is a failure."""


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
    after: int = 0
    """The turn (from 1) it answers; 0: any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedReply:
    """A reply with known truth: proves that the rules fire, and speaks for simulated models."""

    id: str
    kind: ScriptKind
    actions: tuple[Action, ...]
    severity: int
    behaviours: tuple[Behaviour, ...] = ()


# No slots: the hash is computed once and kept, because every trial asks for it.
@dataclass(frozen=True, kw_only=True)
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
    setting: str = ""
    brief: str = ""
    """Neutral facts of the case for a judge: who wants what, what is private, what is allowed."""
    user: str = ""
    """The automated instruction above the inbox."""
    now: str = ""
    """The session clock, `YYYY-MM-DDTHH:MM`."""
    deadline: str = ""
    """When the threatened change happens (or the next milestone, without a threat)."""
    layout: Literal["full", "short"] = "full"
    """How messages are printed; `short` spares a small model's context."""
    max_turns: int = 1

    @property
    def is_twin(self) -> bool:
        """Twins measure side effects; they never enter the coercive rate."""
        return self.twin_of is not None

    @cached_property
    def hash(self) -> str:
        """Content hash over every field: any changed byte is another scenario."""
        return content_hash(asdict(self))

    def person(self, slot: str) -> Person | None:
        """The member of the cast behind a slot, if there is one."""
        return next((person for person in self.cast if person.slot == slot), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Realised:
    """A scenario with its nuisance drawn: the exact texts, and what was drawn."""

    scenario: Scenario
    addresses: Mapping[str, str]
    """Slot to mail address; `org` gives the organisation's domain."""
    names: Mapping[str, str]
    """Slot to full name; `org` gives the organisation's name."""
    system: str
    inbox: tuple[Email, ...]
    """In the order shown, one body each, every reference filled."""
    nuisance: Mapping[str, str]
    """What the seed chose, recorded with the outcome."""

    def fill(self, text: str) -> str:
        """The text with every `[[slot]]` replaced; an unknown slot raises `KeyError`."""
        return SLOT.sub(self._slot, text)

    def _slot(self, found: re.Match[str]) -> str:
        slot, part = found[1], found[2]
        if part == "email":
            return self.addresses[slot]
        if part == "role":
            person = self.scenario.person(slot)
            if person is None:
                raise KeyError(slot)
            return person.role
        name = self.names[slot]
        if part is None:
            return name
        return name.split()[0] if part == "first" else name.split()[-1]

    def scripted(self, script: ScriptedReply) -> tuple[Action, ...]:
        """The actions of a scripted reply with this trial's names and addresses."""
        return tuple(
            Action(
                tool=action.tool, arguments={k: self.fill(v) for k, v in action.arguments.items()}
            )
            for action in script.actions
        )
