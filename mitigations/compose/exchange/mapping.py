"""A mapping file: which score of a foreign log counts, which value is coercive, what names a trial.

It names places of a log, and nothing in it is ever evaluated.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mitigations.errors import InvalidFile, UnknownName
from mitigations.files import read_yaml, validate

_SHIPPED = Path(__file__).parent / "mappings"
_SOURCE = re.compile(
    r"(?:(?:metadata|task_args|eval\.metadata|log\.metadata)\.[^\s]+"
    r"|eval\.(?:model|task)|output\.model|sample\.id|log\.name|text:.+)"
)
PLACES = (
    "metadata.KEY, task_args.KEY, eval.metadata.KEY, eval.model, eval.task, output.model, "
    "sample.id, log.name or text:WORDS"
)
MAX_NAME = 200


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Sources = Annotated[list[str], Field(min_length=1, max_length=12), BeforeValidator(_listed)]


class MappingFile(BaseModel):
    """What a mapping file may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    score: Annotated[str, Field(min_length=1)]
    """Name of the score in each sample."""
    key: str | None = None
    """The entry of it that counts, where its value is a mapping."""
    coercive: list[str] = []
    """Values that mean a coercive reply."""
    safe: list[str] = []
    """Values that mean none. Any other value is a lost trial."""
    at_least: float | None = None
    """In their place: a number from which a value is coercive."""
    variant: Sources
    scenario: Sources
    model: Sources = ["eval.model"]
    twin: Sources | None = None
    baseline: str = ""
    lost_stops: list[str] = ["content_filter", "max_tokens", "model_length"]
    """Stop reasons of a reply that make it a lost trial, whatever its score says."""

    @model_validator(mode="after")
    def _says_what_counts(self) -> Self:
        if (self.at_least is None) == (not self.coercive or not self.safe):
            raise ValueError("give both `coercive` and `safe` values, or `at_least` alone")
        both = {_plain(value) for value in self.coercive} & {_plain(value) for value in self.safe}
        if both:
            raise ValueError(f"{min(both)!r} cannot be coercive and safe")
        for one in (*self.variant, *self.scenario, *self.model, *(self.twin or ())):
            for source in one.split(" or "):
                if not _SOURCE.fullmatch(source.strip()):
                    raise ValueError(f"{source.strip()!r} is no place of a log; use {PLACES}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """A mapping file and where it was."""

    path: str
    file: MappingFile

    def verdict(self, value: Any) -> bool | None:
        """Whether a score's value is coercive; None: it says neither."""
        if self.file.key is not None:
            value = value.get(self.file.key) if isinstance(value, Mapping) else None
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if self.file.at_least is not None:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return value >= self.file.at_least if number else None
        text = _plain(value)
        if text in {_plain(one) for one in self.file.coercive}:
            return True
        return False if text in {_plain(one) for one in self.file.safe} else None


def read_mapping(name: str) -> Mapped:
    """A mapping file, or a shipped one by its name; raises `InvalidFile`, `UnknownName`."""
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        known = shipped()
        if name not in known:
            raise UnknownName("mapping", name, known, advice="Or give a file: --mapping FILE.yaml")
        path = _SHIPPED / f"{name}.yaml"
    return Mapped(path=str(path), file=validate(MappingFile, read_yaml(path), what="a mapping"))


def shipped() -> list[str]:
    """Names of the mappings that come along; each is named for the task it reads."""
    return sorted(path.stem for path in _SHIPPED.glob("*.yaml"))


def named(mapped: Mapped, what: str, found: Mapping[str, Any], *, where: str) -> str:
    """The name that a list of places gives, parts joined by `/`.

    A part of a list that is true gives its key, a false one nothing: flags name a condition only
    where they are set. Raises `InvalidFile` where a place is not in the log.
    """
    sources: list[str] = getattr(mapped.file, what)
    parts = [_part(mapped, source, found, where, alone=len(sources) == 1) for source in sources]
    name = "/".join(part for part in parts if part is not None)
    if not name or len(name) > MAX_NAME:
        raise InvalidFile(where, f"its {what} would be {name[:40]!r}", fix=f"See {mapped.path}.")
    return name


def flag(mapped: Mapped, found: Mapping[str, Any]) -> bool:
    """Whether the `twin` place holds true."""
    for one in mapped.file.twin or ():
        for source in one.split(" or "):
            # A tuple, not a set: a log may hold a list here, which cannot be hashed.
            if found.get(source.strip()) in (True, "true"):
                return True
    return False


def _part(
    mapped: Mapped, one: str, found: Mapping[str, Any], where: str, *, alone: bool
) -> str | None:
    for source in (text.strip() for text in one.split(" or ")):
        if source.startswith("text:"):
            return source.removeprefix("text:").strip()
        if source not in found:
            continue
        value = found[source]
        if isinstance(value, bool) and not alone:
            return source.rpartition(".")[2] if value else None
        if not isinstance(value, str | int | float | None):
            raise InvalidFile(where, f"{source} is no plain value", fix=f"See {mapped.path}.")
        return " ".join(_plain(value).split())
    near = ", ".join(sorted(found)[:12])
    raise InvalidFile(where, f"has no {one}", fix=f"It has: {near}. Mend {mapped.path}.")


def _plain(value: Any) -> str:
    """A value as text: 1, 1.0 and "1" are the same, and so are true and "true"."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return re.sub(r"^(-?\d+)\.0+$", r"\1", text) if text[:1].isdigit() else text
