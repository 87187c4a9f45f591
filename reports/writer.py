"""`write(report, path)`: the format follows the extension, and a file is whole or not there."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from mitigations.errors import InvalidFile, StorageFailed
from reports.blocks import Document
from reports.comparing import RunComparison
from reports.report import Report
from reports.standing import Standing
from reports.textual import clean


def write(report: Report, path: Path | str) -> Path:
    """Write the report; gives the path back.

    Raises:
        InvalidFile: the extension names no format, or the folder does not exist.
        StorageFailed: the disk refused.
    """
    target = destination(path)
    write_whole(target, FORMATS[target.suffix.lower()](report))
    return target


def destination(path: Path | str) -> Path:
    """Where a report shall go; raises `InvalidFile` as `write` does, before any work is done."""
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        known = " ".join(sorted(FORMATS))
        raise InvalidFile(target, "no report format has this extension", fix=f"use one of {known}")
    if not target.parent.is_dir():
        raise InvalidFile(target, "its folder does not exist", fix=f"mkdir -p {target.parent}")
    return target


def write_whole(target: Path, content: bytes) -> None:
    """Into a neighbour first, then renamed: a reader never meets half a report."""
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise StorageFailed(f"{target}: cannot be written ({error.strerror})") from error
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes the file private; a report is made to be read, within the user's umask.
        umask = os.umask(0)
        os.umask(umask)
        draft.chmod(0o666 & ~umask)
        draft.replace(target)
    except OSError as error:
        raise StorageFailed(f"{target}: cannot be written ({error.strerror})") from error
    finally:
        draft.unlink(missing_ok=True)


def comparison_html(comparison: RunComparison) -> str:
    """Two runs beside each other as one page, under the same rules as a report."""
    from reports.html import page  # noqa: PLC0415 - jinja2 and figures only where they are used
    from reports.parts import comparison_document  # noqa: PLC0415 - the same

    return page(comparison_document(comparison))


PAGE_FORMATS = (".html", ".md")
"""What a page that is no whole report is written as."""


def write_summary(report: Report, path: Path | str) -> Path:
    """One page for publication, in one of `PAGE_FORMATS`, by the same rules as `write`."""
    return _write_page(Path(path), "a summary", lambda suffix: summary_bytes(report, suffix))


def summary_bytes(report: Report, suffix: str) -> bytes:
    """The summary in one of `PAGE_FORMATS`."""
    from reports.parts import summary_document  # noqa: PLC0415 - figures only where they are used

    return _page_bytes(summary_document(report), suffix)


def write_standing(standing: Standing, path: Path | str) -> Path:
    """A study over its runs, in one of `PAGE_FORMATS`, by the same rules as `write`."""
    return _write_page(Path(path), "a history", lambda suffix: standing_bytes(standing, suffix))


def standing_bytes(standing: Standing, suffix: str) -> bytes:
    """The same as bytes."""
    from reports.parts.standing import standing_document  # noqa: PLC0415 - the same

    return _page_bytes(standing_document(standing), suffix)


def _write_page(target: Path, what: str, written: Callable[[str], bytes]) -> Path:
    suffix = target.suffix.lower()
    if suffix not in PAGE_FORMATS:
        raise InvalidFile(target, f"{what} is not written in this format", fix="use .md or .html")
    write_whole(destination(target), written(suffix))
    return target


def _page_bytes(content: Document, suffix: str) -> bytes:
    from reports.html import page  # noqa: PLC0415 - jinja2 and figures only where they are used
    from reports.markdown import text_of  # noqa: PLC0415 - the same

    return (page(content) if suffix == ".html" else text_of(content)).encode()


def _html(report: Report) -> bytes:
    from reports.html import html  # noqa: PLC0415 - jinja2 and figures only where they are used

    return html(report).encode()


def _markdown(report: Report) -> bytes:
    from reports.markdown import markdown  # noqa: PLC0415 - the same

    return markdown(report).encode()


def _json(report: Report) -> bytes:
    from reports.report_json import report_json  # noqa: PLC0415 - the same

    text = json.dumps(
        _printable(report_json(report)), indent=1, ensure_ascii=False, allow_nan=False
    )
    return (text + "\n").encode()


def _printable(value: object) -> object:
    """JSON stays raw but for characters that no file can hold."""
    if isinstance(value, str):
        return value if value.isprintable() else clean(value)
    if isinstance(value, dict):
        return {_printable(key): _printable(one) for key, one in value.items()}
    return [_printable(one) for one in value] if isinstance(value, list) else value


def _csv(report: Report) -> bytes:
    from reports.tables import csv_bytes  # noqa: PLC0415 - the same

    return csv_bytes(report)


def _parquet(report: Report) -> bytes:
    from reports.tables import parquet_bytes  # noqa: PLC0415 - the same

    return parquet_bytes(report)


def _pdf(report: Report) -> bytes:
    from reports.pdf import pdf_bytes  # noqa: PLC0415 - the same

    return pdf_bytes(report)


FORMATS: Mapping[str, Callable[[Report], bytes]] = {
    ".html": _html,
    ".md": _markdown,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
    ".pdf": _pdf,
}
