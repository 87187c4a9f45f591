"""Which columns a table needs, and what its cells may hold."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mitigations.errors import InvalidFile
from mitigations.tables.table import Layout

NAMES = ("variant", "scenario", "model")
COUNTS = (*NAMES, "coercive", "trials")
TRIALS = (*NAMES, "repeat", "coercive")
OPTIONAL = {"counts": ("lost",), "trials": ("epoch", "run", "twin", "baseline")}
"""`run` tells equal repeats apart, `twin` leaves a row out, `baseline` names that arm."""
RATE_WORDS = ("rate", "share", "percent", "proportion", "%")
TRUE, FALSE = frozenset({"1", "1.0", "true"}), frozenset({"0", "0.0", "false"})
MAX_COUNT = 10**9
FORMATS = (
    f"counts: {', '.join(COUNTS)}\n  trials: {', '.join(TRIALS)} (coercive empty for a lost trial)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The layout of a table and where its columns are."""

    layout: Layout
    places: dict[str, int]
    width: int
    ignored: tuple[str, ...]


def read_header(path: Path, names: Sequence[str]) -> Header:
    """Recognise the layout; says which column is missing, and what was probably meant."""
    found = [name.strip().lower() for name in names]
    twice = sorted({name for name in found if name and found.count(name) > 1})
    if twice:
        raise InvalidFile(path, f"has two columns named {twice[0]!r}", fix="Remove one.", line=1)
    layout: Layout
    if "trials" in found:
        layout, needed = "counts", COUNTS
    elif "repeat" in found:
        layout, needed = "trials", TRIALS
    else:
        raise _unknown_layout(path, found)
    missing = [name for name in needed if name not in found]
    if missing:
        raise _missing(path, missing[0], found, layout)
    known = (*needed, *OPTIONAL[layout])
    return Header(
        layout=layout,
        places={name: found.index(name) for name in known if name in found},
        width=len(found),
        ignored=tuple(name for name in found if name not in known),
    )


def name_of(path: Path, column: str, text: str, line: int) -> str:
    """A variant, scenario or model name; never empty."""
    name = text.strip()
    if not name:
        raise InvalidFile(path, f"{column} is empty", fix="Give every row its names.", line=line)
    return name


def count_of(path: Path, column: str, text: str, line: int) -> int:
    """A whole number of at least zero; says so when it looks like a rate or a percentage."""
    value = text.strip()
    if re.fullmatch(r"\d+(\.0*)?", value):
        number = int(value.split(".")[0])
        if number > MAX_COUNT:
            raise InvalidFile(path, f"{column} = {value} is impossibly large", line=line)
        return number
    if not value:
        raise InvalidFile(
            path, f"{column} is empty", fix="A count that is not known is no row.", line=line
        )
    if re.fullmatch(r"-\d+(\.\d*)?", value):
        raise InvalidFile(path, f"{column} = {value} is negative", line=line)
    if re.fullmatch(r"\d{1,3}(,\d{3})+", value):
        raise InvalidFile(
            path,
            f"{column} = {value!r} is not a whole number",
            fix="Write thousands without a separator.",
            line=line,
        )
    if value.endswith("%") or re.fullmatch(r"\d*[.,]\d+", value):
        raise InvalidFile(
            path,
            f"{column} = {value} is a rate, not a count",
            fix="Give the number of coercive replies and the number of trials.",
            line=line,
        )
    raise InvalidFile(path, f"{column} = {value!r} is not a whole number", line=line)


def outcome_of(path: Path, text: str, line: int, *, column: str = "coercive") -> bool | None:
    """1 or true, 0 or false; empty is a lost trial."""
    value = text.strip().lower()
    if not value:
        return None
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise InvalidFile(
        path,
        f"{column} = {text.strip()!r} is not an outcome of one trial",
        fix="Use 1 or 0 (or true, false), and leave it empty for a lost trial.",
        line=line,
    )


def check_counts(path: Path, coercive: int, trials: int, line: int) -> None:
    """Refuse more events than trials."""
    if coercive > trials:
        raise InvalidFile(
            path,
            f"coercive = {coercive} is more than trials = {trials}",
            fix="coercive counts among trials; lost trials belong to neither.",
            line=line,
        )


def _unknown_layout(path: Path, found: Sequence[str]) -> InvalidFile:
    rate = next((name for name in found if any(word in name for word in RATE_WORDS)), None)
    if rate is not None:
        return InvalidFile(
            path,
            f"column {rate!r} gives a rate without its denominator",
            fix="Add the columns coercive and trials: how many replies, out of how many.",
            line=1,
        )
    near = {
        name: close[0]
        for name in ("trials", "repeat")
        if (close := difflib.get_close_matches(name, found, n=1, cutoff=0.75))
    }
    if near:
        meant, typed = next(iter(near.items()))
        return InvalidFile(path, f"no column {meant!r}; is {typed!r} meant?", line=1)
    shown = ", ".join(name for name in found[:8] if name) or "none"
    return InvalidFile(
        path, f"has neither trials nor repeat among its columns ({shown})", fix=FORMATS, line=1
    )


def _missing(path: Path, name: str, found: Sequence[str], layout: Layout) -> InvalidFile:
    near = difflib.get_close_matches(name, found, n=1, cutoff=0.6)
    problem = f"no column {name!r} in this table of {layout}"
    if near:
        return InvalidFile(path, problem, fix=f"Is {near[0]!r} meant? Rename it.", line=1)
    fix = f"A table of {layout} has: {', '.join(COUNTS if layout == 'counts' else TRIALS)}"
    return InvalidFile(path, problem, fix=fix, line=1)
