"""The report as Markdown: the same parts in the same words, figures as their tables."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from reports.blocks import (
    Block,
    Bullets,
    Checks,
    Code,
    Document,
    Example,
    Folded,
    Forest,
    HeatMap,
    Notice,
    Path,
    Prose,
    Shares,
    Subhead,
    Table,
    Verdicts,
)
from reports.parts import document
from reports.report import Report
from reports.textual import clean

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~$])")
_LINE_START = re.compile(r"^(\s*)([#+-]|=+|\d+[.)])(?=\s|$)")
_TICKS = {"clear": "✓", "alarm": "✕", "note": "!", "not checked": "?"}


def markdown(report: Report) -> str:
    """The whole report; text from outside is escaped, so it is never read as markup."""
    return text_of(document(report))


def text_of(content: Document) -> str:
    """A document as Markdown."""
    return "\n".join(_lines(content))


def escape(text: str) -> str:
    """One line of text that Markdown renders as itself: no markup, no image, no HTML."""
    line = " ".join(clean(text).split())
    line = _SPECIAL.sub(r"\\\1", line).replace("&", "&amp;")
    line = line.replace("://", ":&#47;&#47;")  # a bare address would become a link
    return _LINE_START.sub(r"\1\\\2", line)


def fence(text: str) -> list[str]:
    """Text as a block of its own, behind a fence longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    mark = "`" * max(3, longest + 1)
    return [f"{mark}text", *clean(text).split("\n"), mark, ""]


def _lines(doc: Document) -> Iterator[str]:
    yield from (f"# {escape(doc.title)}", "", f"*{escape(doc.subtitle)}*", "")
    yield from (f"- {escape(name)}: {escape(value)}" for name, value in doc.facts)
    yield ""
    for notice in doc.notices:
        yield from _notice(notice)
    for section in doc.sections:
        yield from (f"## {section.number}. {escape(section.title)}", "")
        yield from (f"*{escape(section.question)}*", "")
        yield from _blocks(section.blocks)
    yield from ("---", "", escape(doc.footer), "")


def _blocks(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        yield from _RENDER[type(block)](block)


def _notice(block: Notice) -> Iterator[str]:
    yield from (f"> **{escape(block.lead)}** {escape(block.text)}", "")


def _prose(block: Prose) -> Iterator[str]:
    lead = f"**{escape(block.lead)}** " if block.lead else ""
    yield from (lead + escape(block.text), "")


def _bullets(block: Bullets) -> Iterator[str]:
    yield from (f"- {escape(item)}" for item in block.items)
    yield ""


def _subhead(block: Subhead) -> Iterator[str]:
    yield from (f"### {escape(block.text)}", "")


def _verdicts(block: Verdicts) -> Iterator[str]:
    yield from (
        f"- {line.glyph} **{escape(line.lead)}**{escape(line.rest)}" for line in block.items
    )
    yield ""


def _checks(block: Checks) -> Iterator[str]:
    for check in block.items:
        detail = f": {escape(check.detail)}" if check.detail else ""
        yield f"- {_TICKS[check.state]} **{escape(check.name)}** ({check.state}){detail}"
        if check.state != "clear":
            yield f"  {escape(check.meaning)} {escape(check.action)}".rstrip()
    yield ""


def _table(block: Table) -> Iterator[str]:
    yield from (f"**{escape(block.caption)}**", "")
    yield _row(escape(column) for column in block.columns)
    yield _row("---:" if place in block.numeric else "---" for place in range(len(block.columns)))
    yield from (_row(escape(cell) for cell in row) for row in block.rows)
    yield ""
    if block.note:
        yield from (escape(block.note), "")


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _heat(block: HeatMap) -> Iterator[str]:
    rows = tuple(
        (name, *(f"{cell.text} ({cell.counts})" if cell.counts else cell.text for cell in cells))
        for name, cells in block.rows
    )
    yield from _table(Table(caption=block.caption, columns=("Scenario", *block.columns), rows=rows))


def _forest(block: Forest) -> Iterator[str]:
    if block.told_below:
        return
    grouped = any(row.group for row in block.rows)
    rows = tuple(((row.group,) if grouped else ()) + (row.label, row.words) for row in block.rows)
    columns = (("Variant",) if grouped else ()) + (
        "Model" if grouped else "Variant",
        "Change per 100 (95 % interval)",
    )
    yield from _table(Table(caption=block.title, columns=columns, rows=rows))


def _shares(_: Shares) -> Iterator[str]:
    """The table after the figure holds the same numbers."""
    yield from ()


def _path(block: Path) -> Iterator[str]:
    if block.detail is not None:
        yield from _table(block.detail)


def _code(block: Code) -> Iterator[str]:
    yield from (f"**{escape(block.label)}**", "")
    yield from fence(block.text)


def _folded(block: Folded) -> Iterator[str]:
    yield from (f"### {escape(block.summary)}", "")
    yield from _blocks(block.blocks)


def _example(block: Example) -> Iterator[str]:
    yield from (f"### {escape(block.summary)}", "")
    for side in block.sides:
        yield from (f"**{escape(side.heading)}** {escape(side.outcome)}".rstrip(), "")
        notes = (*side.facts, *side.judge)
        yield from (f"- {escape(note)}" for note in notes)
        if notes:
            yield ""
        if side.text:
            yield from fence(side.text)


_RENDER: dict[type, Callable[[Any], Iterator[str]]] = {
    Prose: _prose,
    Notice: _notice,
    Bullets: _bullets,
    Subhead: _subhead,
    Verdicts: _verdicts,
    Checks: _checks,
    Table: _table,
    HeatMap: _heat,
    Forest: _forest,
    Path: _path,
    Shares: _shares,
    Code: _code,
    Folded: _folded,
    Example: _example,
}
