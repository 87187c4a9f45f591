"""Inspect AI logs -> one row a planned sample and epoch, lost ones with their reason.

The log is checked first (`inspect_guard`); then its members are read one by one within limits and
become the library's own `EvalLog` and `EvalSample`, so that every version it can read is read.
"""

import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitigations.compose.exchange import inspect_guard as guard
from mitigations.compose.exchange.mapping import Mapped, flag, named, read_mapping, shipped
from mitigations.compose.exchange.needed import needed
from mitigations.compose.exchange.rows import INVALIDATED, LIMIT, NOT_RUN, SCORED, UNSCORED, Row
from mitigations.errors import InvalidFile
from mitigations.model import OutcomeStatus

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample

KEPT = ("id", "epoch", "scores", "score", "metadata", "output", "error", "limit", "invalidation")
"""Parts of a sample that say what became of it; what was said stays where it is."""
MAX_SAMPLES = 1_000_000
MAX_DETAIL = 300
_STOPS = {"content_filter": OutcomeStatus.FILTERED.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The rows of some logs and what could not become one."""

    rows: tuple[Row, ...]
    unplaced: int
    """Planned samples that never ran and of which no epoch says what arm they belonged to."""
    notes: tuple[str, ...] = ()

    @property
    def lost(self) -> dict[str, int]:
        """Reason to number of lost trials."""
        return dict(Counter(row.status for row in self.rows if row.coercive is None))


def import_logs(paths: Sequence[Path], mapping: str | None = None) -> Imported:
    """Read logs by a mapping file or a shipped mapping's name; by their task where none is given.

    Raises `InvalidFile` (with the log and the sample), `UnknownName`.
    """
    needed("inspect_ai", "inspect")
    given = None if mapping is None else read_mapping(mapping)
    rows: list[Row] = []
    unplaced, notes = 0, []
    for path in _logs(paths):
        with _opened(path) as (log, samples):
            mapped = given or _mapping_of(path, log)
            found, missing = _rows(path, log, samples, mapped)
        rows += found
        unplaced += missing
        if log.status != "success":
            notes.append(f"{path.name}: its status is {log.status}")
    if not rows:
        raise InvalidFile(", ".join(map(str, paths)), "holds no sample")
    return Imported(rows=tuple(_numbered(rows)), unplaced=unplaced, notes=tuple(notes))


def _logs(paths: Iterable[Path]) -> list[Path]:
    """The files, and the logs directly in folders, each once."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted([*path.glob("*.eval"), *path.glob("*.json")])
            if not inside:
                raise InvalidFile(path, "holds no .eval or .json log")
            found += inside
        else:
            found.append(path)
    return list(dict.fromkeys(found))


@contextmanager
def _opened(path: Path) -> "Iterator[tuple[EvalLog, Iterator[EvalSample]]]":
    """The header of a log and its samples, one at a time."""
    guard.check_file(path)
    suffix = path.suffix.lower()
    if suffix == ".json":
        log = _whole(path)
        yield log, iter(log.samples or ())
        return
    if suffix != ".eval":
        raise InvalidFile(path, f"has the extension {suffix!r}", fix="Give .eval or .json logs.")
    try:
        # Once the library is imported, `zipfile` reads the compression of newer logs too.
        opened = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, OSError) as exc:
        raise InvalidFile(path, f"is not an Inspect log: {exc}") from exc
    with opened:
        guard.check_archive(path, opened)
        yield _header(path, opened), _samples(path, opened)


def _whole(path: Path) -> "EvalLog":
    from inspect_ai.log import EvalLog  # noqa: PLC0415 - heavy
    from pydantic import ValidationError  # noqa: PLC0415

    try:
        return EvalLog.model_validate_json(path.read_bytes())
    except (ValidationError, ValueError, RecursionError) as exc:
        raise InvalidFile(path, f"is not an Inspect log: {_first(exc)}") from exc


def _header(path: Path, opened: zipfile.ZipFile) -> "EvalLog":
    from inspect_ai.log import EvalLog  # noqa: PLC0415 - heavy
    from pydantic import ValidationError  # noqa: PLC0415

    names = set(opened.namelist())
    name = next((one for one in guard.HEADERS if one in names), None)
    if name is None:
        raise InvalidFile(path, "is not an Inspect log: it has no header")
    data = guard.read_member(path, opened, name, limit=guard.MAX_HEADER)
    try:
        return EvalLog.model_validate(data)
    except (ValidationError, TypeError) as exc:
        raise InvalidFile(path, f"its header is not one of a log: {_first(exc)}") from exc


def _samples(path: Path, opened: zipfile.ZipFile) -> "Iterator[EvalSample]":
    from inspect_ai.log import EvalSample  # noqa: PLC0415 - heavy
    from pydantic import ValidationError  # noqa: PLC0415

    for name in guard.sample_names(opened):
        data = guard.read_member(path, opened, name, limit=guard.MAX_SAMPLE)
        try:
            kept = {part: data[part] for part in KEPT if part in data}
            yield EvalSample.model_validate({"input": "", "target": "", **kept})
        except (ValidationError, TypeError) as exc:
            raise InvalidFile(path, f"{name[:80]!r} is no sample: {_first(exc)}") from exc


def _first(exc: Exception) -> str:
    return " ".join(str(exc).split())[:120]


def _mapping_of(path: Path, log: "EvalLog") -> Mapped:
    """The shipped mapping for a log's task."""
    task = log.eval.task.rpartition("/")[2]
    if "mitigations" in (log.eval.metadata or {}):
        task = "mitigations"
    if task in shipped():
        return read_mapping(task)
    known = ", ".join(shipped())
    raise InvalidFile(
        path,
        f"no mapping is known for the task {task[:60]!r} (known: {known})",
        fix="Say which score counts: --mapping FILE.yaml",
    )


def _rows(
    path: Path, log: "EvalLog", samples: "Iterable[EvalSample]", mapped: Mapped
) -> tuple[list[Row], int]:
    """The rows of one log, and how many planned samples cannot be placed."""
    shared = _shared(path, log)
    found: dict[tuple[str, int], Row] = {}
    for sample in samples:
        where = f"{path} (sample {sample.id}, epoch {sample.epoch})"
        place = (str(sample.id), sample.epoch)
        if place in found:
            raise InvalidFile(where, "stands in the log twice")
        if len(found) >= MAX_SAMPLES:
            raise InvalidFile(path, f"holds more than {MAX_SAMPLES:,} samples", fix="Split it.")
        found[place] = _row(sample, mapped, shared, where)
    arms = {sample: row for (sample, _), row in reversed(found.items())}
    missing = [place for place in _planned(log) if place not in found]
    for sample_id, epoch in missing:
        if sample_id in arms:
            found[sample_id, epoch] = replace(
                arms[sample_id],
                coercive=None,
                status=NOT_RUN,
                detail=f"the log is {log.status}",
                source_epoch=epoch,
            )
    unplaced = sum(sample_id not in arms for sample_id, _ in missing)
    return list(found.values()), unplaced


def _planned(log: "EvalLog") -> list[tuple[str, int]]:
    epochs = log.eval.config.epochs or 1
    ids = log.eval.dataset.sample_ids or []
    if len(ids) * epochs > MAX_SAMPLES:
        return []
    return [(str(one), epoch) for one in ids for epoch in range(1, epochs + 1)]


def _shared(path: Path, log: "EvalLog") -> dict[str, Any]:
    """What all samples of a log share, by the names that a mapping uses."""
    spec = log.eval
    found = {"eval.model": spec.model, "eval.task": spec.task, "log.name": path.stem}
    return {
        **{f"task_args.{name}": value for name, value in spec.task_args.items()},
        **{f"eval.metadata.{name}": value for name, value in (spec.metadata or {}).items()},
        **{f"log.metadata.{name}": value for name, value in log.metadata.items()},
        **found,
        "": path.name,
    }


def _row(sample: "EvalSample", mapped: Mapped, shared: Mapping[str, Any], where: str) -> Row:
    found = {name: value for name, value in shared.items() if name}
    found |= {f"metadata.{name}": value for name, value in sample.metadata.items()}
    found |= {"sample.id": str(sample.id), "output.model": sample.output.model}
    coercive, status, detail = _outcome(sample, mapped)
    ours = found.get("eval.metadata.mitigations")
    own = ours.get("baseline", "") if isinstance(ours, Mapping) else ""
    baseline = mapped.file.baseline or (own if isinstance(own, str) else "")
    return Row(
        variant=named(mapped, "variant", found, where=where),
        scenario=named(mapped, "scenario", found, where=where),
        model=named(mapped, "model", found, where=where),
        repeat=0,
        coercive=coercive,
        status=status,
        detail=" ".join(detail.split())[:MAX_DETAIL],
        twin=flag(mapped, found),
        baseline=baseline,
        source=shared[""],
        sample=str(sample.id),
        source_epoch=sample.epoch,
    )


def _outcome(sample: "EvalSample", mapped: Mapped) -> tuple[bool | None, str, str]:
    """Coercive, status, detail. Whatever stopped a sample outweighs a score it got all the same."""
    stopped = _stopped(sample, mapped)
    if stopped is not None:
        return None, *stopped
    score = (sample.scores or {}).get(mapped.file.score)
    if score is None:
        have = ", ".join(sample.scores or {}) or "none"
        return None, UNSCORED, f"no score {mapped.file.score}; it has {have}"
    verdict = mapped.verdict(score.value)
    if verdict is None:
        said = score.metadata.get("status") if score.metadata else None
        lost = tuple(set(OutcomeStatus) - {OutcomeStatus.SCORED})
        kept = said if said in lost else UNSCORED
        why = score.reason or score.explanation or f"the value {score.value!r} is in no list"
        return None, str(kept), why
    return verdict, SCORED, ""


def _stopped(sample: "EvalSample", mapped: Mapped) -> tuple[str, str] | None:
    """What ended a sample before it could be scored: status and detail."""
    stop = sample.output.choices[0].stop_reason if sample.output.choices else ""
    if sample.invalidation is not None:
        return INVALIDATED, sample.invalidation.reason or ""
    if sample.error is not None:
        return OutcomeStatus.PROVIDER_ERROR.value, sample.error.message
    if sample.limit is not None:
        return LIMIT, f"{sample.limit.type} {sample.limit.limit:g}"
    if stop in mapped.file.lost_stops:
        return _STOPS.get(stop, OutcomeStatus.TRUNCATED.value), stop
    if sample.output.error:
        return OutcomeStatus.PROVIDER_ERROR.value, sample.output.error
    return None


def _numbered(rows: Iterable[Row]) -> Iterator[Row]:
    """Each cell's trials numbered from 0, in the order of the logs and their epochs."""
    counts: Counter[tuple[str, str, str]] = Counter()
    ordered = sorted(
        enumerate(rows), key=lambda item: (item[1].source, item[1].source_epoch, item[0])
    )
    for _, row in ordered:
        cell = (row.variant, row.scenario, row.model)
        yield replace(row, repeat=counts[cell])
        counts[cell] += 1
