"""What an error response says: its kind, the wait it asks for, and no half of a key."""

import json
from datetime import UTC, datetime

import pytest

from runner.gateway import wire_openai
from runner.gateway.attempt import fault_reply, read_exchange, to_reply
from runner.gateway.faults import (
    Fault,
    FaultKind,
    by_words,
    from_response,
    hidden_error,
    retry_after,
)
from runner.gateway.transport import Exchange
from runner.redact import Redactor
from runner.throttle import Allowance, Told
from tests.fake_provider import openai_body
from tests.runner.gateway_help import ask

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def kind_of(status: int, document: object = None, text: str = "") -> FaultKind:
    return from_response(status, {}, document, text).kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, "address-refused"), (308, "address-refused"), (400, "bad-request"),
        (401, "key-refused"), (402, "quota-exhausted"), (403, "key-refused"), (404, "not-found"),
        (408, "timeout"), (409, "server-error"), (413, "prompt-too-long"), (418, "bad-request"),
        (422, "bad-request"), (425, "server-error"), (429, "rate-limited"), (499, "connection"),
        (500, "server-error"), (501, "bad-request"), (502, "server-error"), (503, "overloaded"),
        (504, "timeout"), (520, "server-error"), (529, "overloaded"),
    ],
)  # fmt: skip
def test_each_status_has_its_kind(status, kind):
    assert kind_of(status) == kind


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (429, "insufficient_quota", "", "quota-exhausted"),
        (429, "", "You exceeded your current quota, please check your plan", "quota-exhausted"),
        (429, "rate_limit_exceeded", "Rate limit reached for requests per min", "rate-limited"),
        (400, "invalid_request_error", "Your credit balance is too low", "quota-exhausted"),
        (403, "", "spend_limit_reached", "quota-exhausted"),
        (403, "organization_on_hold", "", "key-refused"),
        (400, "content_policy_violation", "", "content-policy"),
        (400, "", "Output blocked by content filtering policy", "content-policy"),
        (400, "context_length_exceeded", "", "prompt-too-long"),
        (400, "", "prompt is too long: 9 tokens", "prompt-too-long"),
        (401, "", "key_creator_not_member", "key-refused"),
        # a server's own words are no account's
        (500, "", "insufficient_quota", "server-error"),
        (503, "", "context_length_exceeded", "overloaded"),
        (404, "insufficient_quota", "", "not-found"),
    ],
)
def test_words_decide_where_a_status_has_several_meanings(status, code, message, kind):
    assert kind_of(status, {"error": {"code": code, "message": message}}) == kind


def google(*details: object) -> dict[str, object]:
    """The body Google sends for both: the same status and the same message."""
    said = "You exceeded your current quota, please check your plan and billing details."
    return {
        "error": {
            "code": 429,
            "message": said,
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.Help"}, *details],
        }
    }


def violation(*names: str) -> dict[str, object]:
    return {"violations": [{"quotaId": name, "quotaValue": "10"} for name in names]}


PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
PER_DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"


def test_a_minutes_rate_at_google_is_told_from_a_used_up_day():
    """One message stands for both; its details say which, and how long to wait."""
    for details, kind, wait in (
        ((violation(PER_MINUTE), {"retryDelay": "26.5s"}), "rate-limited", 26.5),
        ((violation(PER_MINUTE),), "rate-limited", None),
        (({"retryDelay": "3s"},), "rate-limited", 3.0),
        ((violation(PER_MINUTE, PER_DAY), {"retryDelay": "3s"}), "quota-exhausted", 3.0),
        ((violation(PER_DAY),), "quota-exhausted", None),
        ((), "quota-exhausted", None),
    ):
        fault = from_response(429, {}, google(*details), "")
        assert (fault.kind, fault.retry_after_s) == (kind, wait)
        assert fault.retryable is (kind == "rate-limited")
    header = {"retry-after": "9"}
    assert from_response(429, header, google({"retryDelay": "3s"}), "").retry_after_s == 9
    assert kind_of(503, google(violation(PER_DAY))) == "overloaded"


@pytest.mark.parametrize(
    "details", [None, 7, "x", {}, [None], ["x"], [{"violations": 3}], [{"violations": [None, {}]}],
                [{"retryDelay": "soon"}], [{"retryDelay": "-3s"}], [{"retryDelay": ["3s"]}]],
)  # fmt: skip
def test_odd_details_say_nothing(details):
    fault = from_response(429, {}, {"error": {"message": "slow down", "details": details}}, "")
    assert (fault.kind, fault.retry_after_s) == (FaultKind.RATE_LIMITED, None)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0), ({"retry-after": "0"}, 0.0), ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Tue, 24 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:30"}, 30.0),
        ({"retry-after": "-3"}, None), ({"retry-after": "nan"}, None),
        ({"retry-after": "1e999"}, None), ({"retry-after": ""}, None), ({}, None),
        # a date that no calendar has must not end the run
        ({"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, None),
        ({"retry-after": "Mon, 01 Jan 2030 99999999999999999999:00:00 GMT"}, None),
        ({"retry-after": "Mon, 01 Jan 2030 00:00:00 +9999"}, None),
    ],
)  # fmt: skip
def test_the_wait_a_response_asks_for(headers, seconds):
    assert retry_after(headers, now=NOON) == seconds


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"error": {"type": "overloaded_error"}}, 529), ({"error": {"code": 503}}, 503),
        ({"error": {"code": "rate_limit_error"}}, 429), ({"error": "down"}, 500),
        ({"error": {"code": 200}}, 500), ({"error": {"code": True}}, 500),
        ({"error": {"code": 600}}, 500), ({"error": {"code": 399}}, 500),
        ({"error": {"code": 400}}, 400), ({"error": {"code": 599}}, 599),
        ({"error": None}, None), ({"error": {}}, None), ({}, None), ([1], None), (None, None),
        ({"error": {"code": 500}, "choices": [{}]}, None),
        ({"error": {"code": 500}, "content": [{}]}, None),
    ],
)  # fmt: skip
def test_an_error_that_came_with_status_200(document, status):
    assert hidden_error(document) == status


@pytest.mark.parametrize(
    ("headers", "retryable"),
    [({}, True), ({"x-should-retry": "true"}, True), ({"x-should-retry": "False"}, False),
     ({"x-should-retry": "maybe"}, True)],
)  # fmt: skip
def test_a_provider_may_forbid_another_try(headers, retryable):
    assert from_response(500, headers, None, "").retryable is retryable
    assert not from_response(400, headers, None, "").retryable


def test_the_detail_has_the_message_else_the_text_else_the_code():
    said = from_response(500, {}, {"error": {"message": "m", "code": "c"}}, "t").detail
    assert said == "HTTP 500: m"
    assert from_response(500, {}, {"error": {"code": "c"}}, "t").detail == "HTTP 500: t"
    assert from_response(500, {}, {"error": {"code": "c", "type": "d"}}, "").detail.endswith("c d")
    assert from_response(500, {}, {"error": "words"}, "").detail == "HTTP 500: words"
    assert from_response(500, {}, {"detail": "words"}, "").detail == "HTTP 500: words"
    assert from_response(500, {}, {"message": {"a": 1}}, "").detail == "HTTP 500: {'a': 1}"
    assert from_response(500, {}, None, "").detail == "HTTP 500: no text"
    exact = {"error": {"type": "e", "details": {"error_code": "spend_limit_reached"}}}
    assert kind_of(400, exact) is FaultKind.QUOTA
    assert by_words("nothing in particular") is None


# --- a key is masked before anything is cut

KEY = "0123456789abcdef" * 4
"""Shaped like nothing in particular, as many keys are."""


def kept_of(status: int, body: bytes) -> str:
    """All that is kept of a response, as text."""
    redactor = Redactor([KEY])
    exchange = Exchange(path="", request=b"{}", status=status, headers={}, body=body)
    found = read_exchange(exchange, wire_openai.read)
    if isinstance(found, Fault):
        return repr(fault_reply(found, ask("openai/m"), redactor=redactor))
    return repr(to_reply(found, ask("openai/m"), redactor=redactor, sent={}))


@pytest.mark.parametrize("before", [0, 30, 250, 290, 299, 560, 590, 1_990, 2_040])
def test_no_cut_leaves_half_a_key(before):
    """Wherever an error, a finish reason or the name of a call is cut: no eight letters of it."""
    text = "." * before + KEY + " and more" * 400
    bodies = [
        (500, text.encode()),
        (400, json.dumps({"error": {"message": text, "code": text}}).encode()),
        (200, json.dumps(openai_body(text, finish=text)).encode()),
        (200, json.dumps(openai_body(None, calls=((text, "{"),))).encode()),
        (200, json.dumps(openai_body(None, calls=((text, "[]"),))).encode()),
        (200, json.dumps({**openai_body("x"), "model": text, "system_fingerprint": text}).encode()),
    ]
    for status, body in bodies:
        kept = kept_of(status, body)
        assert KEY[:8] not in kept
        assert "more" in kept or "…" in kept


@pytest.mark.parametrize(
    ("limit", "left", "reset"), [(1e308, 0.0, 0.06), (5e-324, 0.0, 1e308), (10.0, 9.0, 1e308)]
)
def test_limits_that_do_not_exist_are_no_crash(limit, left, reset):
    told = Told(lambda: 0.0)
    for _ in range(2):
        told.hear(Allowance(counted="requests", limit=limit, left=left, reset_s=reset), sent_at=0.0)
        told.take(1.0)
    assert told.rate is None or told.rate > 0
    assert told.wait(1.0) >= 0
