"""What is said to a model and what comes back: models, requests, replies, actions."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal


class ActionProtocol(StrEnum):
    """How a model is asked to act. All three give the same `Action` values."""

    TOOLS = "tools"
    JSON = "json"
    TAGS = "tags"


class Via(StrEnum):
    """The route of a call: `auto` takes the provider's own SDK where there is one."""

    AUTO = "auto"
    LITELLM = "litellm"
    NATIVE = "native"


class CachePart(StrEnum):
    """Where a shared prefix of a request can end, shortest first."""

    TOOLS = "tools"
    SYSTEM = "system"
    """Tools and system prompt: the treatment, or a judge's rubric."""
    SCENARIO = "scenario"
    """The first user message too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens, copied into the plan with its source and date."""

    input_per_mtok: float
    output_per_mtok: float
    cached_input_per_mtok: float | None = None
    """Input read back from the provider's cache; None: charged like other input."""
    cache_write_per_mtok: float | None = None
    """Input written to the provider's cache; None: charged like other input."""
    batch: "Price | None" = None
    """The same for answers through the provider's batch interface; None: no such price known."""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model's route (`provider/name`, as LiteLLM spells it) and the settings of its calls."""

    route: str
    protocol: ActionProtocol | None = None
    """None: by capability (tools where the model has them, JSON on `local/`)."""
    via: Via = Via.AUTO
    max_tokens: int = 1024
    temperature: float | None = None
    """None: the provider's default, which is what repeats sample from."""
    base_url: str | None = None
    """Only from server configuration; a variant, study or browser never names a host."""
    key_env: str | None = None
    price: Price | None = None
    """None: free for `local/` and `simulated/`; otherwise the run refuses to start."""

    @property
    def provider(self) -> str:
        """The part before the first slash: `anthropic`, `openai`, `local`, `simulated`, ..."""
        return self.route.partition("/")[0]

    @property
    def name(self) -> str:
        """The part after the first slash: the provider's own name of the model."""
        return self.route.partition("/")[2]

    @property
    def is_free(self) -> bool:
        """True for models that run on this machine; every other one needs a price."""
        return self.provider in {"local", "simulated"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool the scenario offers. All parameters are strings and required."""

    name: str
    description: str
    parameters: Mapping[str, str]
    """Parameter name to its one-line description, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing the model did: a tool and its arguments. This, not its thoughts, is judged."""

    tool: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation; `actions` are the calls an assistant turn made."""

    role: Literal["user", "assistant", "tool"]
    content: str
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call we intend to make. Nothing in it names the variant or the trial's purpose."""

    model: ModelSpec
    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    response_schema: Mapping[str, Any] | None = None
    protocol: ActionProtocol = ActionProtocol.TOOLS
    purpose: Literal["target", "judge"] = "target"
    key: str = ""
    """Content id of the call (trial, purpose, turn): journal key, and never sent."""
    cache: tuple[CachePart, ...] = ()
    """Ends of prefixes that calls soon after this one will share; no text changes by them."""
    seed: int = 0
    """For simulated and local models; recorded, and sent only where a provider takes it."""


class ReplyStatus(StrEnum):
    """What came back. Only `answered` and `refused` are ever read for actions."""

    ANSWERED = "answered"
    REFUSED = "refused"
    FILTERED = "filtered"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    MALFORMED = "malformed"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts as the provider reports them; None where it does not."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    """Of the input, read back from the provider's cache."""
    cache_write_tokens: int | None = None
    """Of the input, written to the provider's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A provider's answer, typed. Text is data: never executed, templated or rendered."""

    status: ReplyStatus
    text: str = ""
    reasoning: str = ""
    """Visible reasoning, kept apart: the judge never sees it."""
    tool_calls: tuple[Action, ...] = ()
    detail: str = ""
    """Why the status is what it is, with keys redacted."""
    requested_model: str = ""
    served_model: str = ""
    fingerprint: str = ""
    sent: Mapping[str, Any] = field(default_factory=dict)
    """Parameters really sent; `not_settable` lists those the provider has no place for."""
    usage: Usage = Usage()
    cost_usd: float | None = None
    """None where it is not known; 0.0 for models that are free and for requests refused unpaid."""
    unconfirmed_usd: float = 0.0
    """The most that requests of this call without a whole answer may have cost on top."""
    latency_s: float = 0.0
    attempts: int = 1


Complete = Callable[[Request], Awaitable[Reply]]
"""The effect passed into the runner: one request, one typed reply, errors as replies."""
