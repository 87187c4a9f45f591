"""The token file: who may use the service from elsewhere, and for what. Only hashes are kept."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mitigations.errors import InvalidFile, MitigationsError, UnknownName
from mitigations.files import read_text, write_atomic

PREFIX = "mit_"
PRIVATE = 0o600
NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}$"


class Role(StrEnum):
    """What a person may do. Each role but `read` includes reading, and none includes another."""

    READ = "read"
    PROPOSE = "propose"
    APPROVE = "approve"
    RUN = "run"


class TokenRefused(MitigationsError):
    """A token cannot be made or revoked as asked."""


class Token(BaseModel):
    """One person or program; the token itself is shown once and never stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=NAME)]
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    # 256 random bits leave nothing to guess, so a plain hash is enough.
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    created: str
    revoked: str | None = None


class TokensFile(BaseModel):
    """Every token that was ever given out; revoked ones stay, for the record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Annotated[Literal["mitigations.tokens/1"], Field(alias="schema")]
    tokens: tuple[Token, ...] = ()


def read_tokens(path: Path) -> tuple[Token, ...]:
    """The tokens in the file; raises `InvalidFile` when it is not ours or others may write it."""
    if not path.exists():
        fix = f"Make one: mitigations serve --token-file {path} --new-token NAME --role read"
        raise InvalidFile(path, "does not exist", fix=fix)
    if path.stat().st_mode & 0o022:
        raise InvalidFile(path, "can be written by others", fix=f"chmod 600 {path}")
    try:
        return TokensFile.model_validate_json(read_text(path)).tokens
    except ValidationError as exc:
        raise InvalidFile(path, "is no token file", fix="Name another, or make a new one.") from exc


def new_token(path: Path, name: str, roles: Collection[Role], *, at: str) -> str:
    """Add a token to the file (made when absent) and return it: the only time it is seen."""
    tokens = read_tokens(path) if path.exists() else ()
    if not re.fullmatch(NAME, name):
        fix = "Use letters, digits, spaces and . _ @ -, at most 64."
        raise TokenRefused(f"{name[:80]!r} cannot be a name\n  {fix}")
    if any(token.name == name and token.revoked is None for token in tokens):
        raise TokenRefused(f"{name!r} has a token already\n  Revoke it first: --revoke {name!r}")
    secret = PREFIX + secrets.token_urlsafe(32)
    made = Token(
        name=name,
        roles=tuple(role for role in Role if role in {*roles, Role.READ}),
        sha256=digest(secret),
        created=at,
    )
    _write(path, (*tokens, made))
    return secret


def revoke(path: Path, name: str, *, at: str) -> None:
    """Revoke the live token of a name; raises `UnknownName` when there is none."""
    tokens = read_tokens(path)
    live = [token.name for token in tokens if token.revoked is None]
    if name not in live:
        raise UnknownName("token", name, live, where=str(path))
    _write(
        path,
        tuple(
            token.model_copy(update={"revoked": at})
            if token.name == name and token.revoked is None
            else token
            for token in tokens
        ),
    )


def match(tokens: Collection[Token], secret: str) -> Token | None:
    """The live token that a secret belongs to. Every one is compared, each in constant time."""
    given, found = digest(secret), None
    for token in tokens:
        if hmac.compare_digest(token.sha256, given) and token.revoked is None:
            found = token
    return found


def digest(secret: str) -> str:
    """SHA-256 of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _write(path: Path, tokens: tuple[Token, ...]) -> None:
    document = TokensFile.model_validate({"schema": "mitigations.tokens/1", "tokens": tokens})
    write_atomic(path, document.model_dump_json(by_alias=True, indent=1) + "\n", mode=PRIVATE)
