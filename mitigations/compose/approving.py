"""Proposed, approved, retired: one journal beside the variants is the truth (ADR 0010).

The rules are `variants.status`; here are the file, and the functions that commands and pages call.
An event is bound to the hash of one exact text: edit the text and its approval is void.
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import variants
from mitigations.compose.workspace import read_workspace
from mitigations.errors import InvalidFile, MitigationsError, StorageFailed
from mitigations.files import read_text
from mitigations.model import Approval, Variant
from variants import Standing, Status, StatusEvent

FILE_NAME = "status.jsonl"
MAX_BYTES = 16 * 1024 * 1024


class NotApproved(MitigationsError):
    """A plan asked for approved texts only, and some are not."""


class _Line(BaseModel):
    """One line of the journal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    variant: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    text_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    status: Literal["proposed", "approved", "retired"]
    by: Annotated[str, Field(min_length=1, max_length=200)]
    at: Annotated[str, Field(pattern=r"^20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\dZ$")]
    note: Annotated[str, Field(max_length=2000)] = ""


def is_variant(name: str, folder: Path) -> bool:
    """Whether a file of the folder, or a shipped variant, has this name."""
    return name in variants.library() or (folder / f"{name}.md").is_file()


def all_events(folder: Path) -> tuple[StatusEvent, ...]:
    """Every event of a folder of variants, as written; `InvalidFile` with the line of a bad one."""
    path = folder / FILE_NAME
    if not path.exists():
        return ()
    found = []
    for number, line in enumerate(read_text(path, limit=MAX_BYTES).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = _Line.model_validate_json(line)
        except ValidationError as exc:
            first = exc.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            fix = "Restore the line from version control; lines are added and never edited."
            problem = f"holds no status event here: {place or 'the line'}: {first['msg']}"
            raise InvalidFile(path, problem[:200], fix=fix, line=number) from exc
        fields = entry.model_dump() | {"status": Status(entry.status)}
        found.append(StatusEvent(**fields))
    return tuple(found)


def history(name: str, folder: Path) -> tuple[StatusEvent, ...]:
    """Every event about one variant, whichever text it was about, oldest first."""
    return tuple(event for event in all_events(folder) if event.variant == name)


def standing(variant: Variant, folder: Path) -> Standing:
    """Where the variant's present text stands."""
    return variants.standing(variant, all_events(folder))


def propose(name: str, *, by: str, at: str, folder: Path, note: str = "") -> StatusEvent:
    """Ask for approval of the present text."""
    return _add(name, Status.PROPOSED, by=by, at=at, folder=folder, note=note)


def approve(name: str, *, by: str, at: str, folder: Path, note: str = "") -> StatusEvent:
    """Approve the present text; neither its author nor its proposer may, unless the workspace says.

    Raises `UnknownName`, `InvalidFile`, or `StatusRefused` with the rule that stands against it.
    """
    return _add(name, Status.APPROVED, by=by, at=at, folder=folder, note=note)


def retire(name: str, *, by: str, at: str, folder: Path, note: str = "") -> StatusEvent:
    """Take the present text out of use."""
    return _add(name, Status.RETIRED, by=by, at=at, folder=folder, note=note)


def _add(name: str, status: Status, *, by: str, at: str, folder: Path, note: str) -> StatusEvent:
    (variant,) = variants.find([name], folder)
    event = variants.next_event(
        variant,
        status,
        all_events(folder),
        by=by,
        at=at,
        note=note,
        by_another=read_workspace(folder.parent).approval == "another-person",
    )
    line = _Line(
        variant=event.variant,
        text_hash=event.text_hash,
        status=event.status.value,  # type: ignore[arg-type] # a draft is never an event
        by=event.by,
        at=event.at,
        note=event.note,
    )
    append_line(folder / FILE_NAME, line.model_dump_json())
    return event


def append_line(path: Path, line: str) -> None:
    """One more line, on disk when this returns; what stands before it is not touched."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as handle:
            end = handle.seek(0, os.SEEK_END)
            if end:
                handle.seek(end - 1)
                torn = handle.read(1) != b"\n"
                handle.write(b"\n" * torn)
            handle.write(line.encode() + b"\n")
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as exc:
        raise StorageFailed(f"{path}: cannot be written: {exc.strerror or exc}") from exc


def words(now: Standing) -> str:
    """The standing in one line, for every command that shows the variant."""
    if now.event is not None:
        note = f": {now.event.note}" if now.event.note else ""
        return f"{now.status} by {now.event.by} on {now.event.at[:10]}{note}"
    if now.voided is not None:
        return (
            f"edited since {now.voided.by} approved it on {now.voided.at[:10]}: "
            "that approval is void for this text"
        )
    return "a draft: nobody has proposed or approved this text"


def approvals(chosen: Iterable[Variant], folder: Path) -> tuple[Approval, ...]:
    """What a lock records: for each text that has one, the event that decides its status."""
    events = all_events(folder)
    found = []
    for variant in chosen:
        event = variants.standing(variant, events).event
        if event is not None:
            found.append(
                Approval(
                    variant=event.variant,
                    text_hash=event.text_hash,
                    status=str(event.status),
                    by=event.by,
                    at=event.at,
                )
            )
    return tuple(found)


def voided(chosen: Iterable[Variant], folder: Path) -> list[str]:
    """One line for each text whose approval was voided by an edit."""
    events = all_events(folder)
    found = [(variant.id, variants.standing(variant, events)) for variant in chosen]
    return [f"  Note: {name}: {words(now)}" for name, now in found if now.voided]


def require_approved(chosen: Sequence[Variant], folder: Path) -> None:
    """Raise `NotApproved` naming every text that is not; an arm without a text needs none."""
    events = all_events(folder)
    open_ones = [
        (variant.id, variants.standing(variant, events))
        for variant in chosen
        if variant.text and not variants.standing(variant, events).is_approved
    ]
    if not open_ones:
        return
    name, now = open_ones[0]
    step = "--approve" if now.status is Status.PROPOSED else "--propose"
    named = "; ".join(f"{one} is {words(where)}" for one, where in open_ones[:5])
    more = f"; and {len(open_ones) - 5} more" if len(open_ones) > 5 else ""
    raise NotApproved(f"not approved: {named}{more}\n  mitigations check {step} {name} --by WHO")


def lines(name: str, folder: Path) -> list[str]:
    """A variant's standing and its whole history, for a terminal."""
    (variant,) = variants.find([name], folder)
    events = history(name, folder)
    result = [
        f"{variant.id}: {variant.title}",
        f"  text {variant.text_hash[:12]}: {words(variants.standing(variant, events))}",
    ]
    for event in events:
        same = "this text" if event.text_hash == variant.text_hash else "an earlier text"
        note = f": {event.note}" if event.note else ""
        result.append(
            f"  {event.at}  {event.status} by {event.by} ({same}, {event.text_hash[:12]}){note}"
        )
    return result


def as_json(name: str, folder: Path) -> str:
    """The same for programs."""
    (variant,) = variants.find([name], folder)
    events = history(name, folder)
    now = variants.standing(variant, events)
    document = {
        "variant": variant.id,
        "text_hash": variant.text_hash,
        "status": str(now.status),
        "void": now.voided is not None,
        "history": [
            {
                "at": event.at,
                "status": str(event.status),
                "by": event.by,
                "note": event.note,
                "text_hash": event.text_hash,
                "this_text": event.text_hash == variant.text_hash,
            }
            for event in events
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)
