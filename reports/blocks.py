"""The few kinds of content a report is made of, so that HTML and Markdown say the same.

Parts turn a `Report` into sections of blocks; renderers turn blocks into a format. Strings are
plain text here; each renderer escapes them in its own way.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

from mitigations.model import Interval

Tone = Literal["good", "bad", "neutral", "unsure", "void", "plain"]
"""What a mark means; always shown by a glyph and a word too, never by colour alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prose:
    """A paragraph; `lead` is set in bold before it."""

    kind: ClassVar[str] = "prose"
    text: str
    lead: str = ""
    quiet: bool = False
    """Set small: reasons, footnotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A banner that no reader may miss."""

    kind: ClassVar[str] = "notice"
    lead: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictLine:
    """One variant's verdict."""

    variant: str
    label: str
    """The verdict's name, as in the tables."""
    tone: Tone
    glyph: str
    lead: str
    rest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """The sentences of part 1."""

    kind: ClassVar[str] = "verdicts"
    items: tuple[VerdictLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A validity check: what it found, what it means, what to do."""

    state: Literal["clear", "alarm", "note", "not checked"]
    name: str
    detail: str
    meaning: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """The ticks and crosses of part 2."""

    kind: ClassVar[str] = "checks"
    items: tuple[Check, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table whose first column heads its rows; `numeric` columns are set right."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatCell:
    """One cell of the heat map. `difference` None: not to be computed, `text` says why."""

    difference: float | None
    text: str
    counts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """Scenario by model; each cell in words and counts, its shade a help for the eye."""

    kind: ClassVar[str] = "heat"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One row of a figure: an estimate and its interval as proportions, with its words."""

    label: str
    difference: float | None
    limits: Interval | None
    tone: Tone
    words: str
    group: str = ""
    margin: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """Estimates against zero. `band` shades changes too small to matter (a proportion)."""

    kind: ClassVar[str] = "forest"
    title: str
    alt: str
    rows: tuple[Estimate, ...]
    band: float | None = None
    axis: str
    left: str
    right: str
    told_below: bool = False
    """A table after the figure holds the same numbers; text formats leave the figure out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Shares between 0 and 1 with their intervals; a table after it holds the same numbers."""

    kind: ClassVar[str] = "shares"
    title: str
    alt: str
    rows: tuple[Estimate, ...]
    """`difference` and `limits` hold the share and its interval."""
    axis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPoint:
    """One step of a path."""

    series: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    tone: Tone | None = None
    """The verdict at this step, drawn as its mark; None: the series' own mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A path over looks, epochs or dates."""

    kind: ClassVar[str] = "path"
    title: str
    alt: str
    points: tuple[PathPoint, ...]
    x_title: str
    y_title: str
    band: float | None = None
    detail: Table | None = None
    boundary: tuple[PathPoint, ...] = ()
    """Where a path must get to; drawn broken, and named."""
    log: Literal["", "up", "down"] = ""
    """A logarithmic axis; `down`: the smallest value stands at the top (p-values)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Lines to be copied or read as they are."""

    kind: ClassVar[str] = "code"
    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One arm of an example, everything a model said as plain text."""

    heading: str
    outcome: str
    facts: tuple[str, ...]
    judge: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A pair of transcripts, collapsed until a reader asks for them."""

    kind: ClassVar[str] = "example"
    summary: str
    sides: tuple[Side, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subhead:
    """A heading inside a section."""

    kind: ClassVar[str] = "subhead"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """Blocks that open on demand; print shows them."""

    kind: ClassVar[str] = "folded"
    summary: str
    blocks: tuple["Block", ...]


Block = (
    Prose
    | Notice
    | Bullets
    | Verdicts
    | Checks
    | Table
    | HeatMap
    | Forest
    | Shares
    | Path
    | Code
    | Example
    | Subhead
    | Folded
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One of the eleven parts."""

    id: str
    number: int
    title: str
    question: str
    """What this part answers, in the reader's words."""
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole report in words, before any format."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    """Name and value pairs of the masthead."""
    notices: tuple[Notice, ...]
    sections: tuple[Section, ...]
    footer: str
