"""From a model's spec to the line its calls take: which client, which host, which key."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mitigations.errors import MissingKey, MitigationsError
from mitigations.model import ModelSpec, Via
from runner.gateway.hosts import Hosts, KeyBinding, is_loopback

NO_KEY = "no-key"
"""Sent where an endpoint needs none: an empty key would make the SDKs read the environment."""

DEFAULT_URLS: Mapping[str, str] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
}
KEY_VARIABLES: Mapping[str, str] = {
    "anthropic": "ANTHROPIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "cerebras": "CEREBRAS_API_KEY",
    "cohere": "COHERE_API_KEY",
    "cohere_chat": "COHERE_API_KEY",
    "deepinfra": "DEEPINFRA_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "fireworks_ai": "FIREWORKS_AI_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "groq": "GROQ_API_KEY",
    "mistral": "MISTRAL_API_KEY",
    "moonshot": "MOONSHOT_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "perplexity": "PERPLEXITYAI_API_KEY",
    "together_ai": "TOGETHERAI_API_KEY",
    "xai": "XAI_API_KEY",
}
"""Providers that take one key, under LiteLLM's name for it. Others (clouds with credentials of
their own) find theirs as LiteLLM documents; a refusal is then the provider's."""
_HOMES: Mapping[str, str] = {
    "OPENAI_API_KEY": "api.openai.com",
    "ANTHROPIC_API_KEY": "api.anthropic.com",
}


class Client(StrEnum):
    """Who carries the call."""

    OPENAI = "native-openai"
    ANTHROPIC = "native-anthropic"
    LITELLM = "litellm"


class NoRoute(MitigationsError):
    """A spec that asks for a route its provider does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How one model is reached. Equal routes share a connection pool."""

    client: Client
    wire: Client
    """The format of the bytes on the line: OPENAI or ANTHROPIC, or LITELLM where unknown."""
    model: str
    """The name the client is given."""
    base_url: str | None
    """None: LiteLLM knows where the provider lives."""
    host: str
    key_variable: str | None

    @property
    def is_local(self) -> bool:
        """True for an endpoint on this machine."""
        return is_loopback(self.host)


def route_of(spec: ModelSpec, hosts: Hosts) -> Route:
    """Decide the route; raises `UnsafeAddress` or `NoRoute`. Makes no connection."""
    if not spec.name or not spec.provider:
        raise NoRoute(f"{spec.route!r} is no model; write provider/name as LiteLLM spells it")
    if spec.provider == "local" and spec.base_url is None:
        raise NoRoute(f"{spec.route} has no base URL; start its server first")
    url = DEFAULT_URLS.get(spec.provider) if spec.base_url is None else spec.base_url
    wire = _wire(spec)
    if spec.via is Via.NATIVE and wire is Client.LITELLM:
        raise NoRoute(f"{spec.route}: no SDK of its own for {spec.provider}; use via: auto")
    client = Client.LITELLM if spec.via is Via.LITELLM else wire
    variable = _key_variable(spec)
    host = f"{spec.provider} (as LiteLLM knows it)"
    if url is not None:
        host = hosts.check(url, where=spec.route, with_key=variable is not None)
    return Route(
        client=client,
        wire=wire,
        model=_model_name(spec, client),
        base_url=None if url is None else url.rstrip("/"),
        host=host,
        key_variable=variable,
    )


def key_of(route: Route, environ: Mapping[str, str], *, where: str) -> str | None:
    """The key, from the environment only; raises `MissingKey`. None: the endpoint needs none."""
    if route.key_variable is None:
        return None
    value = environ.get(route.key_variable, "").strip()
    if not value:
        raise MissingKey(route.key_variable, where)
    return value


def bindings() -> KeyBinding:
    """A fresh record of which key belongs to which host; the well-known ones are in it."""
    return KeyBinding(_HOMES)


def _wire(spec: ModelSpec) -> Client:
    if spec.provider == "anthropic":
        return Client.ANTHROPIC
    if spec.provider == "openai" or spec.base_url is not None:
        return Client.OPENAI
    return Client.LITELLM


def _key_variable(spec: ModelSpec) -> str | None:
    if spec.key_env is not None:
        return spec.key_env
    if spec.base_url is not None:
        return None  # a well-known key never follows a base URL; such an endpoint names its own
    return KEY_VARIABLES.get(spec.provider)


def _model_name(spec: ModelSpec, client: Client) -> str:
    if client is not Client.LITELLM:
        return spec.name
    if spec.base_url is not None and spec.provider != "anthropic":
        return f"openai/{spec.name}"  # what LiteLLM calls any OpenAI-compatible endpoint
    return spec.route
