"""What went wrong with a call, and whether the same request may be sent again.

Three sources, tried in this order: the HTTP response itself (status, code and text of the error),
the fault of the connection, and, where neither was seen, the exception's type. The table over
exception types is closed: a test holds that every exception of litellm, openai and anthropic is in
it.
"""

import email.utils
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Disposition(StrEnum):
    """What to do about a fault."""

    RETRY = "retry"
    TERMINAL = "terminal"
    BUG = "bug"


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


_MAYBE_PAID = frozenset({FaultKind.TIMEOUT, FaultKind.CONNECTION, FaultKind.BAD_BODY})
_T, _R, _B = Disposition.TERMINAL, Disposition.RETRY, Disposition.BUG

EXCEPTIONS: Mapping[str, tuple[Disposition, FaultKind | None]] = {
    # openai
    "openai.OpenAIError": (_T, FaultKind.BAD_REQUEST),
    "openai.APIError": (_R, FaultKind.SERVER),
    "openai.APIStatusError": (_T, FaultKind.BAD_REQUEST),
    "openai.APIConnectionError": (_R, FaultKind.CONNECTION),
    "openai.APITimeoutError": (_R, FaultKind.TIMEOUT),
    "openai.APIResponseValidationError": (_R, FaultKind.BAD_BODY),
    "openai.BadRequestError": (_T, FaultKind.BAD_REQUEST),
    "openai.AuthenticationError": (_T, FaultKind.AUTH),
    "openai.OAuthError": (_T, FaultKind.AUTH),
    "openai.SubjectTokenProviderError": (_T, FaultKind.AUTH),
    "openai.PermissionDeniedError": (_T, FaultKind.AUTH),
    "openai.NotFoundError": (_T, FaultKind.NOT_FOUND),
    "openai.ConflictError": (_R, FaultKind.SERVER),
    "openai.UnprocessableEntityError": (_T, FaultKind.BAD_REQUEST),
    "openai.RateLimitError": (_R, FaultKind.RATE_LIMITED),
    "openai.InternalServerError": (_R, FaultKind.SERVER),
    "openai.LengthFinishReasonError": (_B, None),  # only `.parse()` raises it; we never call it
    "openai.ContentFilterFinishReasonError": (_B, None),  # the same
    "openai.InvalidWebhookSignatureError": (_B, None),  # no webhooks here
    "openai.WebSocketConnectionClosedError": (_B, None),  # no web sockets here
    "openai.WebSocketQueueFullError": (_B, None),  # the same
    # anthropic
    "anthropic.AnthropicError": (_T, FaultKind.BAD_REQUEST),
    "anthropic.APIError": (_R, FaultKind.SERVER),
    "anthropic.APIStatusError": (_T, FaultKind.BAD_REQUEST),
    "anthropic.APIConnectionError": (_R, FaultKind.CONNECTION),
    "anthropic.APITimeoutError": (_R, FaultKind.TIMEOUT),
    "anthropic.APIResponseValidationError": (_R, FaultKind.BAD_BODY),
    "anthropic.APIWebhookValidationError": (_B, None),  # no webhooks here
    "anthropic.RetryableError": (_R, FaultKind.SERVER),
    "anthropic.CredentialsError": (_T, FaultKind.AUTH),
    "anthropic.IdentityTokenFileError": (_T, FaultKind.AUTH),
    "anthropic.BadRequestError": (_T, FaultKind.BAD_REQUEST),
    "anthropic.AuthenticationError": (_T, FaultKind.AUTH),
    "anthropic.PaymentRequiredError": (_T, FaultKind.QUOTA),
    "anthropic.PermissionDeniedError": (_T, FaultKind.AUTH),
    "anthropic.NotFoundError": (_T, FaultKind.NOT_FOUND),
    "anthropic.RequestTimeoutError": (_R, FaultKind.TIMEOUT),
    "anthropic.ConflictError": (_R, FaultKind.SERVER),
    "anthropic.PreconditionFailedError": (_T, FaultKind.BAD_REQUEST),
    "anthropic.ContentTooLargeError": (_T, FaultKind.TOO_LONG),
    "anthropic.RequestTooLargeError": (_T, FaultKind.TOO_LONG),
    "anthropic.UnprocessableEntityError": (_T, FaultKind.BAD_REQUEST),
    "anthropic.RateLimitError": (_R, FaultKind.RATE_LIMITED),
    "anthropic.RequestHeaderFieldsTooLargeError": (_T, FaultKind.BAD_REQUEST),
    "anthropic.ClientClosedRequestError": (_R, FaultKind.CONNECTION),
    "anthropic.InternalServerError": (_R, FaultKind.SERVER),
    "anthropic.HTTPNotImplementedError": (_T, FaultKind.BAD_REQUEST),
    "anthropic.ServiceUnavailableError": (_R, FaultKind.OVERLOADED),
    "anthropic.GatewayTimeoutError": (_R, FaultKind.TIMEOUT),
    "anthropic.DeadlineExceededError": (_R, FaultKind.TIMEOUT),
    "anthropic.OverloadedError": (_R, FaultKind.OVERLOADED),
    # litellm
    "litellm.AuthenticationError": (_T, FaultKind.AUTH),
    "litellm.PermissionDeniedError": (_T, FaultKind.AUTH),
    "litellm.NotFoundError": (_T, FaultKind.NOT_FOUND),
    "litellm.BadRequestError": (_T, FaultKind.BAD_REQUEST),
    "litellm.ImageFetchError": (_T, FaultKind.BAD_REQUEST),
    "litellm.VectorStoreSearchError": (_T, FaultKind.BAD_REQUEST),
    "litellm.UnprocessableEntityError": (_T, FaultKind.BAD_REQUEST),
    "litellm.UnsupportedParamsError": (_T, FaultKind.BAD_REQUEST),
    "litellm.InvalidRequestError": (_T, FaultKind.BAD_REQUEST),
    "litellm.RejectedRequestError": (_T, FaultKind.CONTENT_POLICY),
    "litellm.ContentPolicyViolationError": (_T, FaultKind.CONTENT_POLICY),
    "litellm.ContextWindowExceededError": (_T, FaultKind.TOO_LONG),
    "litellm.PaymentRequiredError": (_T, FaultKind.QUOTA),
    "litellm.LiteLLMUnknownProvider": (_T, FaultKind.NOT_FOUND),
    "litellm.ModelNotMappedError": (_T, FaultKind.NOT_FOUND),
    "litellm.Timeout": (_R, FaultKind.TIMEOUT),
    "litellm.RateLimitError": (_R, FaultKind.RATE_LIMITED),
    "litellm.ServiceUnavailableError": (_R, FaultKind.OVERLOADED),
    "litellm.BadGatewayError": (_R, FaultKind.SERVER),
    "litellm.InternalServerError": (_R, FaultKind.SERVER),
    "litellm.APIError": (_R, FaultKind.SERVER),
    "litellm.APIConnectionError": (_R, FaultKind.CONNECTION),
    "litellm.APIResponseValidationError": (_R, FaultKind.BAD_BODY),
    "litellm.JSONSchemaValidationError": (_T, FaultKind.BAD_BODY),
    "litellm.OpenAIError": (_T, FaultKind.BAD_REQUEST),
    "litellm.MidStreamFallbackError": (_B, None),  # we never stream
    "litellm.MockException": (_B, None),  # we never mock
    "litellm.BudgetExceededError": (_B, None),  # its budget manager is off; ours is `runner.budget`
    "litellm.GuardrailRaisedException": (_B, None),  # no guardrails are configured
    "litellm.BlockedPiiEntityError": (_B, None),  # the same
    "litellm.ModifyResponseException": (_B, None),  # the same
    "litellm.SensitiveDataRouteException": (_B, None),  # the same
    # below the SDKs
    "builtins.TimeoutError": (_R, FaultKind.TIMEOUT),
    "builtins.ConnectionError": (_R, FaultKind.CONNECTION),
    "httpx.TransportError": (_R, FaultKind.CONNECTION),
    "httpx2.TransportError": (_R, FaultKind.CONNECTION),
    "aiohttp.ClientError": (_R, FaultKind.CONNECTION),
}
"""Exception type (package and name) to what it means. Looked up along the type's bases."""

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
    "specified api usage limits",
)
_POLICY_WORDS = (
    "content_policy_violation",
    "content_filter",
    "content management policy",
    "responsibleaipolicyviolation",
    "output blocked by content filtering",
)
_LENGTH_WORDS = ("context_length_exceeded", "prompt is too long", "maximum context length")
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
    return Fault(
        kind=_kind(status, words),
        detail=f"HTTP {status}: {message or text[:300] or code or 'no text'}",
        http_status=status,
        retry_after_s=retry_after(headers, now=datetime.now(UTC)),
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


def from_exception(error: BaseException) -> Fault | None:
    """The fault an exception stands for, or None when it is a bug of ours and must be raised."""
    disposition, kind = lookup(type(error))
    if disposition is Disposition.BUG or kind is None:
        return None
    status = getattr(error, "status_code", None)
    status = status if isinstance(status, int) else None
    text = str(error)
    if kind in {FaultKind.BAD_REQUEST, FaultKind.RATE_LIMITED, FaultKind.SERVER}:
        kind = _by_words(text.lower()) or kind
    response = getattr(error, "response", None)
    headers = {str(k).lower(): str(v) for k, v in dict(getattr(response, "headers", {})).items()}
    return Fault(
        kind=kind,
        detail=f"{type(error).__name__}: {text}",
        http_status=status,
        retry_after_s=retry_after(headers, now=datetime.now(UTC)),
        may_be_paid=kind in _MAYBE_PAID,
    )


def lookup(kind: type[BaseException]) -> tuple[Disposition, FaultKind | None]:
    """The table's row for an exception type: its own, else that of its nearest listed base."""
    for base in kind.__mro__:
        row = EXCEPTIONS.get(f"{base.__module__.partition('.')[0]}.{base.__name__}")
        if row is not None:
            return row
    return Disposition.BUG, None


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
    except (KeyError, ValueError):
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
    code = " ".join(str(error[name]) for name in ("code", "type") if error.get(name))
    message = error.get("message") or error.get("detail") or ""
    return code, message if isinstance(message, str) else str(message)


def _kind(status: int, words: str) -> FaultKind:
    if 300 <= status < 400:
        return FaultKind.ADDRESS
    by_status = _STATUS_KINDS.get(status)
    if by_status in {None, FaultKind.RATE_LIMITED, FaultKind.AUTH} and status < 500:
        by_status = _by_words(words) or by_status
    if by_status is not None:
        return by_status
    return FaultKind.SERVER if status >= 500 else FaultKind.BAD_REQUEST


def _by_words(words: str) -> FaultKind | None:
    """What only the error's text tells: a used-up quota, a filter, a prompt that is too long."""
    table = (
        (_QUOTA_WORDS, FaultKind.QUOTA),
        (_POLICY_WORDS, FaultKind.CONTENT_POLICY),
        (_LENGTH_WORDS, FaultKind.TOO_LONG),
    )
    return next((kind for listed, kind in table if any(word in words for word in listed)), None)
