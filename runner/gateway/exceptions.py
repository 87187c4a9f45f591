"""What an exception of litellm, openai or anthropic means: retry, terminal, or a bug of ours.

Used only where the line itself showed nothing. The table is closed: a test holds that every
exception type of the three libraries has a row.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from runner.gateway.faults import Fault, FaultKind, by_words, retry_after


class Disposition(StrEnum):
    """What to do about a fault."""

    RETRY = "retry"
    TERMINAL = "terminal"
    BUG = "bug"


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
    "openai._AmbiguousModuleClientUsageError": (_B, None),  # we never use the module as a client
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
    "anthropic.UnprocessableEntityError": (_T, FaultKind.BAD_REQUEST),
    "anthropic.RateLimitError": (_R, FaultKind.RATE_LIMITED),
    "anthropic.RequestHeaderFieldsTooLargeError": (_T, FaultKind.BAD_REQUEST),
    "anthropic.ClientClosedRequestError": (_R, FaultKind.CONNECTION),
    "anthropic.InternalServerError": (_R, FaultKind.SERVER),
    "anthropic.HTTPNotImplementedError": (_T, FaultKind.BAD_REQUEST),
    "anthropic.ServiceUnavailableError": (_R, FaultKind.OVERLOADED),
    "anthropic.GatewayTimeoutError": (_R, FaultKind.TIMEOUT),
    "anthropic.OverloadedError": (_R, FaultKind.OVERLOADED),
    "anthropic.CMEKContextUnavailableError": (_R, FaultKind.OVERLOADED),
    "anthropic.CMEKKeyDisabledError": (_T, FaultKind.AUTH),
    "anthropic.CMEKKeyNetworkBlockedError": (_T, FaultKind.AUTH),
    "anthropic.CMEKKeyUnreachableError": (_R, FaultKind.OVERLOADED),
    "anthropic.ClaudeCodeKeyCreatorNotMemberError": (_T, FaultKind.AUTH),
    "anthropic.ClaudeCodeVersionTooOldError": (_T, FaultKind.BAD_REQUEST),
    "anthropic.ContractSpendLimitReachedError": (_T, FaultKind.QUOTA),
    "anthropic.EnforcedSpendLimitReachedError": (_T, FaultKind.QUOTA),
    "anthropic.LinkedOrganizationBillingUnavailableError": (_T, FaultKind.QUOTA),
    "anthropic.LinkedOrganizationSpendLimitReachedError": (_T, FaultKind.QUOTA),
    "anthropic.OrganizationOnHoldError": (_T, FaultKind.AUTH),
    "anthropic.OrganizationTypeNotSupportedError": (_T, FaultKind.BAD_REQUEST),
    "anthropic.ParentOrganizationRequiredError": (_T, FaultKind.BAD_REQUEST),
    "anthropic.RampLimitExceededError": (_R, FaultKind.RATE_LIMITED),
    "anthropic.RequestBodyEncodingInvalidError": (_T, FaultKind.BAD_REQUEST),
    "anthropic.RequestBodyEncodingUnsupportedError": (_T, FaultKind.BAD_REQUEST),
    "anthropic.RequestBodyTooLargeAfterDecodingError": (_T, FaultKind.TOO_LONG),
    "anthropic.SandboxEgressRestrictedError": (_T, FaultKind.AUTH),
    "anthropic.WorkloadIdentityError": (_T, FaultKind.AUTH),
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
    "litellm.RouterRateLimitError": (_B, None),  # its router is not used
    "litellm.RouterRateLimitErrorBasic": (_B, None),  # the same
    "litellm.ToolLoopMaxRoundsExceeded": (_B, None),  # its tool loop is not used
    # below the SDKs
    "builtins.TimeoutError": (_R, FaultKind.TIMEOUT),
    "builtins.ConnectionError": (_R, FaultKind.CONNECTION),
    "httpx.TransportError": (_R, FaultKind.CONNECTION),
    "httpx2.TransportError": (_R, FaultKind.CONNECTION),
    "aiohttp.ClientError": (_R, FaultKind.CONNECTION),
}
"""Exception type (package and name) to what it means. Looked up along the type's bases."""


def from_exception(error: BaseException) -> Fault | None:
    """The fault an exception stands for, or None when it is a bug of ours and must be raised."""
    disposition, kind = lookup(type(error))
    if disposition is Disposition.BUG or kind is None:
        return None
    status = getattr(error, "status_code", None)
    status = status if isinstance(status, int) else None
    text = str(error)
    if kind in {FaultKind.BAD_REQUEST, FaultKind.RATE_LIMITED, FaultKind.SERVER}:
        kind = by_words(text.lower()) or kind
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
