"""The comparisons as a flat table: one row per comparison, then one per model. CSV and Parquet.

CSV cells that a spreadsheet would run as a formula are quoted the way OWASP advises; numbers stay
numbers. Parquet holds the texts as they are.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from mitigations.model import Analysis, Comparison
from reports.contract import INTERVALS, NUMBERS, verdict_text
from reports.report import Report
from reports.sentences import borne_out, sentence
from reports.textual import clean

_TEXTS = frozenset(
    {"variant", "baseline", "model", "verdict", "strata_dropped", "sentence", "reasons"}
    | {"other_run", "other_verdict", "other_sentence"}
)

_OTHER = (
    "other_verdict",
    "other_control_coercive",
    "other_control_scored",
    "other_treated_coercive",
    "other_treated_scored",
    "other_std_rd",
    "effect_change",
    "effect_change_low",
    "effect_change_high",
    "other_sentence",
)
"""What a second run adds; `effect_change` is later minus earlier, whichever is reported."""

Row = dict[str, str | int | float | None]

# A spreadsheet drops leading blanks, quotes and invisible characters before it looks for a sign.
_FORMULA = re.compile(
    "^[\\s\"'\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffd]*[=+\\-@\t\r\n|%\u2212\uff1d\uff0b\uff0d\uff20]"
)


def rows(report: Report) -> Iterator[Row]:
    """One row per comparison, overall first, then each model; None where undefined."""
    for comparison in report.analysis.comparisons:
        for one in (comparison, *comparison.per_model):
            row = _row(one, report.analysis)
            yield row | (_against(one, report) if report.against is not None else {})


def _row(one: Comparison, analysis: Analysis) -> Row:
    row: Row = {"variant": one.variant, "baseline": analysis.settings.baseline, "model": one.model}
    row["verdict"] = verdict_text(one.verdict, borne_out(one, analysis.settings))
    for arm, counts in (("control", one.control), ("treated", one.treated)):
        row[f"{arm}_coercive"] = counts.coercive
        row[f"{arm}_scored"] = counts.scored
        row[f"{arm}_lost"] = counts.lost
    row |= {name: getattr(one, name) for name in NUMBERS}
    for name in INTERVALS:
        low, high = getattr(one, name) or (None, None)
        row[f"{name}_low"], row[f"{name}_high"] = low, high
    row["strata_used"], row["strata_dropped"] = one.strata_used, " ".join(one.strata_dropped)
    row["sentence"] = sentence(one, analysis.settings, analysis.alarms)
    row["reasons"] = "; ".join(f"{name}: {why}" for name, why in one.reasons.items())
    return row


def _against(one: Comparison, report: Report) -> Row:
    """The same variant in the other run; per-model rows keep these cells empty."""
    assert report.against is not None  # the caller has looked
    earlier = report.against.earlier
    first = report.run is None or report.run.run != earlier.run
    changes = report.against.variants if one.model is None else ()
    found = next((change for change in changes if change.variant == one.variant), None)
    row: Row = {"other_run": earlier.run if first else report.against.later.run}
    row |= dict.fromkeys(_OTHER)
    if found is None:
        return row
    other = found.earlier if first else found.later
    row["other_verdict"] = found.earlier_verdict if first else found.later_verdict
    row["other_sentence"] = found.earlier_sentence if first else found.later_sentence
    if other is not None:
        row["other_control_coercive"] = other.control.coercive
        row["other_control_scored"] = other.control.scored
        row["other_treated_coercive"] = other.treated.coercive
        row["other_treated_scored"] = other.treated.scored
        row["other_std_rd"] = other.std_rd
    if found.effect is not None:
        row["effect_change"] = found.effect.change
        row["effect_change_low"], row["effect_change_high"] = found.effect.interval or (None, None)
    return row


def guard(text: str) -> str:
    """Text that no spreadsheet takes for a formula.

    >>> guard("=1+1"), guard(" +1"), guard("plain-channel")
    ("'=1+1", "' +1", 'plain-channel')
    """
    text = clean(text)
    return f"'{text}" if _FORMULA.match(text) else text


def _cell(value: str | float | None) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, str):
        return guard(value)
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "Inf" if value > 0 else "'-Inf"
    return value


def columns(report: Report) -> list[str]:
    """Names of the table's columns, in order."""
    first = next(rows(report), None)
    return list(first) if first is not None else ["variant", "baseline", "model", "verdict"]


def csv_bytes(report: Report) -> bytes:
    """UTF-8 with a header line; an undefined number is an empty cell, never a zero."""
    out = io.StringIO(newline="")
    sheet = csv.writer(out)
    sheet.writerow(columns(report))
    for row in rows(report):
        sheet.writerow([_cell(value) for value in row.values()])
    return out.getvalue().encode()


def parquet_bytes(report: Report) -> bytes:
    """The same columns, typed: counts as integers, the rest as doubles or text."""
    from pyarrow import parquet  # noqa: PLC0415 - heavy

    sink = io.BytesIO()
    parquet.write_table(arrow_table(report), sink)
    return sink.getvalue()


def arrow_table(report: Report) -> Any:
    """The rows as a typed `pyarrow.Table`; null where a number is undefined."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    names = columns(report)
    fields = [pa.field(name, getattr(pa, _type(name))()) for name in names]
    data: dict[str, list[Any]] = {name: [] for name in names}
    for row in rows(report):
        for name, value in row.items():
            data[name].append(clean(value) if isinstance(value, str) else value)
    return pa.table(data, schema=pa.schema(fields))


def _type(name: str) -> str:
    if name in _TEXTS:
        return "string"
    counts = ("_coercive", "_scored", "_lost")
    return "int64" if name.endswith(counts) or name == "strata_used" else "float64"
