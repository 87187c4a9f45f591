"""What went wrong with a call, and whether the same request may be sent again.

Three sources, tried in this order: the HTTP response itself (status, code and text of the error),
the fault of the connection (`transport`), and, where neither was seen, the exception's type
(`exceptions`).
"""

import email.utils
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class FaultKind(StrEnum):
    """Why there is no reply to read. The value opens the reply's detail."""

    RATE_LIMITED = "rate-limited"
    OVERLOADED = "overloaded"
    SERVER = "server-error"
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    BAD_BODY = "unreadable-body"
    QUOTA = "quota-exhausted"
    AUTH = "key-refused"
    NOT_FOUND = "not-found"
    BAD_REQUEST = "bad-request"
    TOO_LONG = "prompt-too-long"
    CONTENT_POLICY = "content-policy"
    ADDRESS = "address-refused"
    OVERSIZE = "oversize"
    WAIT_TOO_LONG = "wait-too-long"
    DEADLINE = "deadline"
    BLOCKED = "blocked"
    BATCH_ITEM = "batch-item"
    """Expired, canceled, or missing among a batch's results: never answered and not charged."""


RETRYABLE = frozenset(
    {
        FaultKind.RATE_LIMITED,
        FaultKind.OVERLOADED,
        FaultKind.SERVER,
        FaultKind.CONNECTION,
        FaultKind.TIMEOUT,
        FaultKind.BAD_BODY,
    }
)
CONGESTION = frozenset({FaultKind.RATE_LIMITED, FaultKind.OVERLOADED})
"""Faults that ask for fewer calls at once."""
OUTAGE = frozenset(
    {FaultKind.OVERLOADED, FaultKind.SERVER, FaultKind.CONNECTION, FaultKind.TIMEOUT}
)
"""Faults that, many in a row, say the provider is down."""
BLOCKING = frozenset({FaultKind.QUOTA, FaultKind.AUTH, FaultKind.NOT_FOUND, FaultKind.ADDRESS})
"""Faults that every further call to the same model will meet until a person acts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A call without a reply."""

    kind: FaultKind
    detail: str
    """As the provider said it: redact before it is kept."""
    http_status: int | None = None
    retry_after_s: float | None = None
    may_retry: bool | None = None
    """The provider's own word (`x-should-retry`); None where it said nothing."""
    may_be_paid: bool = False
    """The answer may have been generated and charged though we did not get it whole."""

    @property
    def retryable(self) -> bool:
        """True where the same request may succeed later."""
        if self.kind in RETRYABLE:
            return self.may_retry is not False
        return False


TEXT_LIMIT = 100_000
"""Bytes taken of an error's body. Far more than is kept: what is cut before it is masked may end in
half a key, which nobody would know for one."""
_QUOTA_WORDS = (
    "insufficient_quota",
    "exceeded your current quota",
    "billing_hard_limit",
    "billing_not_active",
    "credit balance is too low",
    "insufficient balance",
    "insufficient credits",
    "out of credits",
    "spend limit",
    "spend_limit_reached",
    "billing_unavailable",
    "specified api usage limits",
)
_POLICY_WORDS = (
    "content_policy_violation",
    "content_filter",
    "content management policy",
    "responsibleaipolicyviolation",
    "output blocked by content filtering",
)
_ACCOUNT_WORDS = (
    "organization_on_hold",
    "cmek_key_disabled",
    "cmek_key_network_blocked",
    "key_creator_not_member",
)
_LENGTH_WORDS = ("context_length_exceeded", "prompt is too long", "maximum context length")
_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s", re.ASCII)
_STATUS_KINDS: Mapping[int, FaultKind] = {
    401: FaultKind.AUTH,
    402: FaultKind.QUOTA,
    403: FaultKind.AUTH,
    404: FaultKind.NOT_FOUND,
    408: FaultKind.TIMEOUT,
    409: FaultKind.SERVER,
    413: FaultKind.TOO_LONG,
    425: FaultKind.SERVER,
    429: FaultKind.RATE_LIMITED,
    499: FaultKind.CONNECTION,
    501: FaultKind.BAD_REQUEST,
    503: FaultKind.OVERLOADED,
    504: FaultKind.TIMEOUT,
    529: FaultKind.OVERLOADED,
}
_TYPE_STATUS: Mapping[str, int] = {
    # error types of bodies that came with status 200
    "overloaded_error": 529,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "invalid_request_error": 400,
    "request_too_large": 413,
    "insufficient_quota": 429,
}


def from_response(status: int, headers: Mapping[str, str], document: Any, text: str) -> Fault:
    """The fault in a response that is no success; `text` stands in for a body that is no JSON."""
    code, message = _error_of(document)
    words = f"{code} {message}".lower()
    asked, ran_out = _google(document)
    told = retry_after(headers, now=datetime.now(UTC))
    return Fault(
        kind=(ran_out if status == 429 else None) or _kind(status, words),
        detail=f"HTTP {status}: {message or text or code or 'no text'}",
        http_status=status,
        retry_after_s=asked if told is None else told,
        may_retry={"true": True, "false": False}.get(headers.get("x-should-retry", "").lower()),
    )


def hidden_error(document: Any) -> int | None:
    """The status an error object stands for that came with HTTP 200, or None for no such object."""
    if not isinstance(document, Mapping) or document.get("choices") or document.get("content"):
        return None
    error = document.get("error")
    if not error:
        return None
    if isinstance(error, Mapping):
        code = error.get("code")
        if isinstance(code, int) and not isinstance(code, bool) and 400 <= code <= 599:
            return code
        for name in (code, error.get("type")):
            if isinstance(name, str) and name in _TYPE_STATUS:
                return _TYPE_STATUS[name]
    return 500


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds to wait by `retry-after-ms` or `retry-after` (seconds or an HTTP date)."""
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / scale
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    try:
        due = email.utils.parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError, OverflowError):
        return None
    due = due if due.tzinfo else due.replace(tzinfo=UTC)
    return max(0.0, (due - now).total_seconds())


def _error_of(document: Any) -> tuple[str, str]:
    """Code and message of an error body, whatever its shape."""
    if not isinstance(document, Mapping):
        return "", ""
    error = document.get("error", document)
    if not isinstance(error, Mapping):
        return "", str(error)
    details = error.get("details")
    exact = details.get("error_code") if isinstance(details, Mapping) else None
    named = (exact, error.get("code"), error.get("type"))
    code = " ".join(str(name) for name in named if name)
    message = error.get("message") or error.get("detail") or ""
    return code, message if isinstance(message, str) else str(message)


def _google(document: Any) -> tuple[float | None, FaultKind | None]:
    """What the details of a Google error say: seconds to wait, and what kind of quota ran out.

    Its message is "You exceeded your current quota" for a minute's rate and for a used-up day.
    """
    error = document.get("error") if isinstance(document, Mapping) else None
    details = error.get("details") if isinstance(error, Mapping) else None
    wait, quotas = None, ""
    for one in details if isinstance(details, list) else ():
        about = one if isinstance(one, Mapping) else {}
        delay = _DELAY.fullmatch(str(about.get("retryDelay", "")))
        wait = float(delay[1]) if delay else wait
        violations = about.get("violations")
        for part in violations if isinstance(violations, list) else ():
            quotas += str(part.get("quotaId", "")).lower() if isinstance(part, Mapping) else ""
    if "perday" in quotas:
        return wait, FaultKind.QUOTA
    minutes = "perminute" in quotas or wait is not None
    return wait, FaultKind.RATE_LIMITED if minutes else None


def _kind(status: int, words: str) -> FaultKind:
    if 300 <= status < 400:
        return FaultKind.ADDRESS
    by_status = _STATUS_KINDS.get(status)
    if by_status in {None, FaultKind.RATE_LIMITED, FaultKind.AUTH} and status < 500:
        by_status = by_words(words) or by_status
    if by_status is not None:
        return by_status
    return FaultKind.SERVER if status >= 500 else FaultKind.BAD_REQUEST


def by_words(words: str) -> FaultKind | None:
    """What only the error's words tell: a used-up quota, a filter, a prompt that is too long."""
    table = (
        (_QUOTA_WORDS, FaultKind.QUOTA),
        (_POLICY_WORDS, FaultKind.CONTENT_POLICY),
        (_ACCOUNT_WORDS, FaultKind.AUTH),
        (_LENGTH_WORDS, FaultKind.TOO_LONG),
    )
    return next((kind for listed, kind in table if any(word in words for word in listed)), None)
