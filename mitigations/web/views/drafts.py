"""Texts that nobody has been asked about yet: written, changed in place, and then proposed.

A draft has no history: no event names its id, no lock and no run holds its text. Only such a text
may change; of every other one a new version is written, and its proposer may take the old proposal
back in the same step.
"""

import hashlib
from dataclasses import asdict, dataclass, replace

import variants
from mitigations.compose import approving
from mitigations.errors import InvalidFile, MitigationsError
from mitigations.files import read_text
from mitigations.model import Variant
from mitigations.web.access import Who
from mitigations.web.nouns import DiffOut
from mitigations.web.refusals import FormRefused, NotADraft, TextMoved
from mitigations.web.services import Services
from mitigations.web.views.variants import named
from variants import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A draft as its file holds it."""

    variant: Variant
    seen: str
    """Hash of the file: a save says which state it began from."""


def is_draft(services: Services, name: str) -> bool:
    """Whether a page may offer to change the text in place."""
    try:
        draft(services, name)
    except MitigationsError:
        return False
    return True


def draft(services: Services, name: str) -> Draft:
    """The draft of this id; raises `UnknownName`, or `NotADraft` with what holds its text."""
    item = services.shelf.variant(name)
    held = ""
    if item.path is None:
        held = "it is shipped with the program"
    elif item.variant is None:
        raise InvalidFile(item.id, f"cannot be read: {item.problem}")
    elif approving.history(item.id, services.shelf.variants_folder):
        held = "it was proposed, and others may have read it"
    else:
        held = _held_by(services, item.id)
    if held or item.path is None or item.variant is None:
        raise NotADraft(f"{name[:80]} is no draft: {held}\n  Write a new version of it instead.")
    seen = hashlib.sha256(read_text(item.path).encode()).hexdigest()
    return Draft(variant=item.variant, seen=seen)


def _held_by(services: Services, name: str) -> str:
    for file in services.shelf.studies().values():
        uses = file.study is not None and name in {file.study.baseline, *file.study.variants}
        if uses and file.lock.exists():
            return f"the study {file.id} is locked with it"
    with services.reading() as store:
        runs = [run for run, _, _ in store.runs()]
    for run in runs:
        try:
            plan = services.results.plan(run)
        except MitigationsError:
            continue
        if any(one.id == name for one in plan.variants):
            return f"the run {run} has used it"
    return ""


def edited(before: Variant, after: Variant) -> Variant:
    """The draft with what the form holds; what the form has no field for stays as it was."""
    return replace(
        after,
        id=before.id,
        sources=before.sources,
        matches=before.matches,
        dose=before.dose,
        clauses_off=before.clauses_off,
    )


def difference(before: Variant, after: Variant) -> DiffOut:
    """What the writer has changed; the later side is named as what it will be."""
    found = variants.diff(before, after)
    return DiffOut.model_validate(asdict(found))


def proposer_of(services: Services, name: str) -> str:
    """Who proposed a text that still waits for approval; empty where none does."""
    item = services.shelf.variants().get(name)
    if item is None or item.variant is None:
        return ""
    now = approving.standing(item.variant, services.shelf.variants_folder)
    return now.event.by if now.event is not None and now.status is Status.PROPOSED else ""


def check_withdrawal(services: Services, who: Who, name: str, given: str) -> None:
    """Raise unless this person proposed the text and nobody has decided about it."""
    by, proposer = named(who, given), proposer_of(services, name)
    if not proposer:
        raise FormRefused(
            f"{name[:80] or 'the parent'} does not wait for approval: nothing can be taken back"
        )
    if proposer.casefold() != by.casefold():
        raise FormRefused(
            f"{name[:80]} was proposed by {proposer}, who alone can take it back\n"
            "  Leave the box unchecked: both texts then wait for approval."
        )


def save_new(
    services: Services, variant: Variant, *, by: str, propose: bool, in_place_of: str = ""
) -> None:
    """Write a new variant, as a draft or proposed; the proposal it takes the place of ends."""
    folder = services.shelf.variants_folder
    with services.writing:
        services.shelf.add_variant(variant)
        if not propose:
            return
        approving.propose(variant.id, by=by, at=services.now(), folder=folder)
        if in_place_of:
            note = f"taken back for {variant.id}"
            approving.retire(in_place_of, by=by, at=services.now(), folder=folder, note=note)


def save_draft(services: Services, variant: Variant, *, seen: str, by: str, propose: bool) -> None:
    """Change a draft in place, and propose it if asked; raises `TextMoved`, `NotADraft`."""
    with services.writing:
        if draft(services, variant.id).seen != seen:
            raise TextMoved(
                "somebody else saved this draft since you opened it\n"
                "  Keep a copy of your text, open the draft again, and put it in."
            )
        services.shelf.rewrite_variant(variant)
        if propose:
            folder = services.shelf.variants_folder
            approving.propose(variant.id, by=by, at=services.now(), folder=folder)
