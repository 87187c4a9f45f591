"""One HTTP request: render, send, and read what came back as a `Reply` or a `Fault`."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mitigations.model import Action, Reply, ReplyStatus, Request, Usage
from runner import prices
from runner.gateway import exceptions, faults, wire_anthropic, wire_cache, wire_openai
from runner.gateway.classify import Classified, Parts, classify, parse_json
from runner.gateway.clients import Lines
from runner.gateway.faults import Fault, FaultKind
from runner.gateway.routes import Client, Route
from runner.gateway.transport import TAP, Exchange, Tap
from runner.redact import REPLY_LIMIT, Redactor

_TEXTS = frozenset({"messages", "system", "tools", "model", "response_format", "output_config"})
"""Parameters that are the prompt, or large; `sent` keeps the rest as they went out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One model, ready to be called."""

    route: Route
    key: str | None


async def one_request(
    request: Request,
    line: Line,
    lines: Lines,
    *,
    redactor: Redactor,
    timeout_s: float,
    heard: Callable[[Mapping[str, str]], None] = lambda _: None,
) -> Reply | Fault:
    """Send `request` once. Raises only bugs; everything a provider can do is in the result.

    `heard` is told the response's headers, whatever the response is.
    """
    tap = Tap()
    token = TAP.set(tap)
    parameters = render(request, line.route)
    response: Any = None
    error: Exception | None = None
    try:
        response = await lines.send(line.route, line.key, parameters, timeout_s=timeout_s)
    except Exception as caught:  # noqa: BLE001 - sorted below by a closed table; bugs are raised again
        error = caught
    finally:
        TAP.reset(token)
    if tap.exchanges:
        heard(tap.exchanges[-1].headers)
    found = _outcome(tap, response, error, line.route)
    if found is None:
        assert error is not None
        raise error
    if isinstance(found, Fault):
        return found
    sent = sent_parameters(tap, parameters, request, line.route)
    return to_reply(found, request, redactor=redactor, sent=sent)


def render(request: Request, route: Route) -> dict[str, Any]:
    """The parameters of the call in the client's format."""
    if route.client is Client.ANTHROPIC:
        structured = prices.supports_schema(request.model.route)
        parameters = wire_anthropic.render(request, model=route.model, structured=structured)
        return wire_cache.mark_messages(parameters, request.cache)
    hosted = request.model.base_url is None
    limit = "max_completion_tokens" if hosted and route.client is Client.OPENAI else "max_tokens"
    parameters = wire_openai.render(request, model=route.model, limit_name=limit)
    if route.wire is Client.ANTHROPIC:
        return wire_cache.mark_chat(parameters, request.cache)
    key = wire_cache.routing_key(request) if route.wire is Client.OPENAI and hosted else None
    return parameters if key is None else {**parameters, "prompt_cache_key": key}


def _outcome(
    tap: Tap, response: Any, error: Exception | None, route: Route
) -> Parts | Fault | None:
    """What came back: read from the bytes where the tap saw them; None for a bug."""
    if tap.fault is not None:
        return tap.fault
    if tap.exchanges:
        last = tap.exchanges[-1]
        reader = _reader(last.path)
        if reader is not None or not 200 <= last.status < 300:
            return read_exchange(last, reader)
    if error is not None:
        return exceptions.from_exception(error)
    if response is None:
        raise AssertionError(f"{route.client} returned without an exchange")
    document = response.model_dump()
    if (status := faults.hidden_error(document)) is not None:
        return faults.from_response(status, {}, document, "")
    return wire_openai.read(document)


def _reader(path: str) -> Any:
    if path.endswith("/chat/completions"):
        return wire_openai.read
    return wire_anthropic.read if path.endswith("/messages") else None


def read_exchange(exchange: Exchange, reader: Any) -> Parts | Fault:
    """A response as `Parts`, or the fault it states. Bytes in, no library's opinion in between."""
    problem = ""
    document: Any = None
    try:
        document = parse_json(exchange.body)
    except ValueError as caught:
        problem = str(caught)
    status = exchange.status
    if not 200 <= status < 300:
        text = exchange.body[: faults.TEXT_LIMIT].decode("utf-8", "replace")
        return faults.from_response(status, exchange.headers, document, text)
    if problem or not isinstance(document, Mapping):
        kind = exchange.headers.get("content-type", "no content type")
        shown = problem or "no JSON object"
        return Fault(
            kind=FaultKind.BAD_BODY,
            detail=f"HTTP {status} with a body that cannot be read ({shown}; {kind})",
            http_status=status,
            may_be_paid=True,
        )
    hidden = faults.hidden_error(document)
    if hidden is not None:
        return faults.from_response(hidden, exchange.headers, document, "")
    parts: Parts = reader(document)
    return parts


def sent_parameters(
    tap: Tap, parameters: Mapping[str, Any], request: Request, route: Route
) -> dict[str, Any]:
    """What went out besides the prompt: from the request's bytes where the tap saw them."""
    # The SDKs send what they are given, byte for byte (a test holds it); LiteLLM rewrites it.
    rewritten = tap.exchanges and route.client is Client.LITELLM
    body = parse_json(tap.exchanges[-1].request) if rewritten else parameters
    sent = {name: body[name] for name in sorted(body) if name not in _TEXTS}
    sent["protocol"] = str(request.protocol)
    sent["route"] = str(route.client)
    sent["tools"] = len(body.get("tools") or ())
    missing = []
    if request.model.temperature is not None and "temperature" not in body:
        missing.append("temperature")
    sent["not_settable"] = missing
    return sent


def to_reply(
    parts: Parts, request: Request, *, redactor: Redactor, sent: Mapping[str, Any]
) -> Reply:
    """The typed reply: classified, priced, free of our keys, valid Unicode, within the cap."""
    seen = classify(parts)
    clean, was_cut = _clean(seen, redactor)
    status, detail = clean.status, clean.detail
    if was_cut:
        # What was cut off might have been the act itself: such a reply is never judged.
        status, detail = ReplyStatus.TRUNCATED, f"the reply was cut at {REPLY_LIMIT} bytes"
    return Reply(
        status=status,
        text=clean.text,
        reasoning=clean.reasoning,
        tool_calls=clean.actions,
        detail=redactor.detail(detail),
        requested_model=request.model.route,
        served_model=redactor.detail(parts.served_model, limit=200),
        fingerprint=redactor.detail(parts.fingerprint, limit=200),
        sent=redactor.value(sent),
        usage=parts.usage,
        cost_usd=prices.cost_usd(request.model, parts.usage),
    )


def _clean(seen: Classified, redactor: Redactor) -> tuple[Classified, bool]:
    text, cut_text = redactor.model_text(seen.text)
    reasoning, _ = redactor.model_text(seen.reasoning)
    cut_any = cut_text
    room = REPLY_LIMIT - len(text.encode())
    actions = []
    for action in seen.actions:
        size = len(json.dumps([action.tool, dict(action.arguments)]))
        if size > room:
            cut_any = True
            break
        room -= size
        actions.append(
            Action(
                tool=redactor.model_text(action.tool)[0],
                arguments={
                    redactor.model_text(name)[0]: redactor.model_text(value)[0]
                    for name, value in action.arguments.items()
                },
            )
        )
    cleaned = Classified(
        status=seen.status,
        text=text,
        reasoning=reasoning,
        actions=tuple(actions),
        detail=seen.detail,
    )
    return cleaned, cut_any


def fault_reply(fault: Fault, request: Request, *, redactor: Redactor) -> Reply:
    """The reply that stands for a fault that no retry cured."""
    status = {
        FaultKind.BAD_BODY: ReplyStatus.MALFORMED,
        FaultKind.CONTENT_POLICY: ReplyStatus.FILTERED,
    }.get(fault.kind, ReplyStatus.ERROR)
    return Reply(
        status=status,
        detail=redactor.detail(f"{fault.kind}: {fault.detail}"),
        requested_model=request.model.route,
        usage=Usage(),
        cost_usd=None if fault.may_be_paid and not request.model.is_free else 0.0,
    )
