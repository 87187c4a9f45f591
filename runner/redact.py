"""Keep keys out of everything we keep: known values from the environment, and what looks like one.

Two strengths. Text of ours or of a provider's error (details, exceptions, URLs, headers) loses
known values and anything shaped like a credential. What a model said is data under study, so it
loses only the values we know to be keys: a made-up `sk-...` stays as the model wrote it.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any
from urllib.parse import quote

MASK = "[redacted]"
REPLY_LIMIT = 1_000_000
"""Bytes of UTF-8 kept of one reply; the rest is cut and the cut is flagged."""
DETAIL_LIMIT = 600
"""Characters kept of an error's text."""

_SECRET_NAME = re.compile(
    r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|AUTH)(?:S|_|$)", re.IGNORECASE
)
_MIN_SECRET = 8  # shorter values ("true", "1") are switches; masking them would eat ordinary words
_SHAPES = re.compile(
    r"(?<![A-Za-z0-9])(?:sk|pk|rk)-[A-Za-z0-9_\-]{8,}"  # OpenAI, Anthropic, OpenRouter, Stripe
    r"|(?<![A-Za-z0-9])(?:gsk|xai|hf|ghp|gho|ghs|ghu|glpat|r8|pplx|nvapi|csk|fw)[_-][A-Za-z0-9_\-]{12,}"
    r"|(?<![A-Za-z0-9])AIza[A-Za-z0-9_\-]{20,}"  # Google
    r"|(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{12,}"  # AWS
    r"|(?<![A-Za-z0-9])eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]*)?"  # JWT
)
_CARRIERS = re.compile(
    r"(?P<head>\b(?:Bearer|Basic)\s+"
    r"|[\"']?\b(?:x-api-key|api[-_]?key|access[-_]?token|authorization|password)\b[\"']?\s*[=:]\s*[\"']?"
    r"(?:Bearer\s+|Basic\s+)?)(?P<value>[^\s\"'&,;<>\[\]]{6,})",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(?<=://)[^\s/@]+@")


class Redactor:
    """Masks known key values (plain, in a URL, JSON, HTML, base64) and the shapes of keys."""

    def __init__(self, values: Iterable[str]) -> None:
        forms: set[str] = set()
        for value in values:
            if len(value) >= _MIN_SECRET:
                forms |= _forms(value)
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._known = (
            re.compile("|".join(re.escape(form) for form in longest_first)) if forms else None
        )

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], *, names: Iterable[str] = ()
    ) -> "Redactor":
        """Every variable named like a secret, and those in `names` whatever they are called."""
        return cls(secrets(environ, names=names).values())

    def keys(self, text: str) -> str:
        """Mask the values we know, nothing else: for what a model said."""
        return self._known.sub(MASK, text) if self._known else text

    def detail(self, text: str, *, limit: int = DETAIL_LIMIT) -> str:
        """Mask known values and key shapes, make the text valid Unicode, cut it to `limit`."""
        masked = self.keys(valid_unicode(text))
        masked = _CARRIERS.sub(lambda found: found["head"] + MASK, masked)
        masked = _USERINFO.sub(f"{MASK}@", _SHAPES.sub(MASK, masked))
        return masked if len(masked) <= limit else masked[: limit - 1] + "…"

    def model_text(self, text: str, *, limit: int = REPLY_LIMIT) -> tuple[str, bool]:
        """What a model said, fit to be stored, and whether it was cut at `limit` bytes."""
        return cut(self.keys(valid_unicode(text)), limit)

    def value(self, value: Any) -> Any:
        """The same for every string of a JSON value (parameters sent), names included."""
        if isinstance(value, str):
            return self.detail(value)
        if isinstance(value, Mapping):
            return {self.detail(str(name)): self.value(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value


def secrets(environ: Mapping[str, str], *, names: Iterable[str] = ()) -> dict[str, str]:
    """Variable to value of everything that is named like a secret, or listed in `names`."""
    listed = set(names)
    found = environ.items()
    return {name: text for name, text in found if name in listed or _SECRET_NAME.search(name)}


def valid_unicode(text: str) -> str:
    """Replace lone surrogates by U+FFFD: JSON may carry them, UTF-8 and databases may not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def cut(text: str, limit: int) -> tuple[str, bool]:
    """The longest start of `text` within `limit` bytes of UTF-8, and whether anything was lost."""
    if len(text) * 4 <= limit:
        return text, False
    raw = text.encode()
    if len(raw) <= limit:
        return text, False
    return raw[:limit].decode("utf-8", "ignore"), True


def _forms(value: str) -> set[str]:
    basic = base64.b64encode(value.encode()).decode().rstrip("=")
    quoted = quote(value, safe="")
    lower = re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    in_json = json.dumps(value)[1:-1]
    return {value, quoted, lower, in_json, in_json.replace("/", "\\/"), escape(value), basic}
