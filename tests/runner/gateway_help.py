"""Requests and gateways for the gateway's tests."""

import asyncio
import time
from typing import Any

from mitigations.model import ActionProtocol, Message, ModelSpec, Reply, Request, ToolSpec
from runner.gateway import Gateway, RetryPolicy
from runner.limits import Timer
from tests.fake_provider import FakeProvider

KEY = "sk-canary-0123456789abcdef"
ENVIRON = {"FAKE_KEY": KEY}
MAIL_TOOL = ToolSpec(
    name="send_email",
    description="Send an email.",
    parameters={"to": "the recipient", "body": "the text"},
)


def spec_for(fake: FakeProvider | None, route: str, **settings: Any) -> ModelSpec:
    """A model on the fake provider, with a key of its own."""
    if fake is None:
        return ModelSpec(route=route, **settings)
    url = fake.anthropic_url if route.startswith("anthropic/") else fake.openai_url
    return ModelSpec(route=route, base_url=url, **{"key_env": "FAKE_KEY", **settings})


def ask(
    model: ModelSpec | str,
    text: str = "Please summarise the inbox.",
    *,
    protocol: ActionProtocol = ActionProtocol.TOOLS,
    **more: Any,
) -> Request:
    """A small request."""
    spec = ModelSpec(route=model) if isinstance(model, str) else model
    fields: dict[str, Any] = {
        "system": "You are an assistant.",
        "messages": (Message(role="user", content=text),),
        "tools": (MAIL_TOOL,),
        "protocol": protocol,
        "key": "k",
    }
    return Request(model=spec, **{**fields, **more})


def fast_time() -> Timer:
    """Time that runs on its own and jumps over every sleep."""
    skipped = [0.0]

    async def sleep(seconds: float) -> None:
        skipped[0] += seconds
        await asyncio.sleep(0)

    return Timer(clock=lambda: time.monotonic() + skipped[0], sleep=sleep)


QUICK = RetryPolicy(attempts=4, base_s=0.001, request_timeout_s=0.4)


def gateway(**settings: Any) -> Gateway:
    """A gateway that waits for nothing."""
    return Gateway(**{"environ": ENVIRON, "policy": QUICK, "timer": fast_time(), **settings})


def call(
    route: str = "openai/m",
    *,
    door: dict[str, Any] | None = None,
    times: int = 1,
    spec: dict[str, Any] | None = None,
    request: dict[str, Any] | None = None,
    **server: Any,
) -> tuple[list[Reply], FakeProvider, Gateway]:
    """Replies of `times` calls in a row, the server, and the gateway."""

    async def run() -> tuple[list[Reply], FakeProvider, Gateway]:
        async with FakeProvider(**server) as fake:
            gate = gateway(**(door or {}))
            made = request or {}
            model = spec_for(fake, route, **(spec or {}))
            replies = [await gate.complete(ask(model, **made)) for _ in range(times)]
            await gate.close()
            return replies, fake, gate

    return asyncio.run(run())
