"""What is tested: a variant's text, and the clauses of a constitution."""

import hashlib
import re
from dataclasses import asdict, dataclass
from enum import StrEnum

from mitigations.model.trial import content_hash


class VariantKind(StrEnum):
    """A system-prompt text, or a constitution whose `##` headings are clauses."""

    SYSTEM_PROMPT = "system-prompt"
    CONSTITUTION = "constitution"


class Placement(StrEnum):
    """Where the treatment text stands relative to the scenario's own text."""

    SYSTEM_START = "system-start"
    SYSTEM_END = "system-end"
    USER_START = "user-start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One `##` section of a constitution."""

    heading: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One mitigation: immutable treatment text (NFC, LF, one final newline) and its metadata."""

    id: str
    title: str
    kind: VariantKind = VariantKind.SYSTEM_PROMPT
    placement: Placement = Placement.SYSTEM_END
    hypothesis: str = ""
    author: str = ""
    parent: str | None = None
    tags: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    matches: str | None = None
    """A placebo names the variant whose length it copies."""
    dose: float | None = None
    """Place in an ordered set (a stated audit share in per cent, ...); None outside of one."""
    clauses_off: tuple[str, ...] = ()
    """Clauses of the parent that an ablation left out; the clauses it kept stand in the text."""
    text: str

    @property
    def text_hash(self) -> str:
        """SHA-256 of the treatment text alone: what approval and immutability are bound to."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def treatment_hash(self) -> str:
        """SHA-256 of text and placement: two trials with equal values saw the same treatment."""
        return hashlib.sha256(f"{self.placement}\n{self.text}".encode()).hexdigest()

    @property
    def meta_hash(self) -> str:
        """SHA-256 of everything but the text: a new title or hypothesis keeps the text's hash."""
        meta = {name: value for name, value in asdict(self).items() if name != "text"}
        return content_hash(meta)

    @property
    def is_baseline(self) -> bool:
        """Tagged as a baseline: the one kind of variant whose text may be empty."""
        return "baseline" in self.tags

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The `##` sections in order; text before the first heading belongs to no clause."""
        parts = re.split(r"^## +(.+?) *$", self.text, flags=re.MULTILINE)[1:]
        pairs = zip(parts[::2], parts[1::2], strict=True)
        return tuple(Clause(heading=head, text=body.strip("\n")) for head, body in pairs)
