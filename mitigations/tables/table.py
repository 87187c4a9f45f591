"""What a table becomes, and the checks that do not depend on its format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mitigations.errors import InvalidFile, UnknownName
from mitigations.model import Cell, PairCell

COMMON_BASELINES = ("baseline", "control")
PAIR_LIMIT = 1_000_000
"""Trials up to which pairs are formed unasked: sorting more would take longer than the analysis.

A file that names epochs asks for them."""
EPOCH_PAIR_LIMIT = 4_000_000
"""The same for a file that names epochs: ten million took 3 GB."""

Layout = Literal["counts", "trials"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file's content, ready for analysis."""

    path: Path
    layout: Layout
    rows: int
    baseline: str
    cells: tuple[Cell, ...]
    pairs: tuple[PairCell, ...] = ()
    """Pairs of the r-th valid trials, cut at the last epoch that every stratum completed."""
    discordant: Mapping[str, tuple[int, int]] | None = None
    """Variant to (only the variant coercive, only control) over trials of the same repeat."""
    ignored: tuple[str, ...] = ()
    """Columns that were not read."""
    twins: int = 0
    """Rows of benign twins: no part of the coercive rate, and left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmLabels:
    """Judge against human on the labelled trials of one arm."""

    variant: str
    true_positive: int
    false_negative: int
    false_positive: int
    true_negative: int


def two_baselines(path: Path, one: str, two: str, line: int | None = None) -> InvalidFile:
    """A table of which two rows compare with different arms."""
    problem = f"names two baselines, {one!r} and {two!r}"
    return InvalidFile(path, problem, fix="Split it, or drop the column baseline.", line=line)


def choose_baseline(path: Path, variants: Sequence[str], asked: str | None) -> str:
    """The baseline asked for, or one that goes by a common name; checks that there are two arms."""
    known = sorted(set(variants))
    if asked is not None and asked not in known:
        raise UnknownName("baseline", asked, known, where=str(path))
    if len(known) < 2:
        raise InvalidFile(
            path,
            f"holds one arm only ({known[0]!r}): there is nothing to compare it with",
            fix="Add the rows of the baseline, or of a variant.",
        )
    if asked is not None:
        return asked
    for name in COMMON_BASELINES:
        if name in known:
            return name
    raise InvalidFile(
        path,
        f"does not say which variant is the baseline ({', '.join(known[:6])})",
        fix="Name it: --baseline ID",
    )
