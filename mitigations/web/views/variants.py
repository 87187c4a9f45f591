"""Variants as nouns: text, lint, standing, history, difference."""

import threading
from dataclasses import asdict
from functools import lru_cache
from typing import Literal

import variants
from mitigations.compose import approving
from mitigations.compose.checking.variants import lint_context
from mitigations.compose.workspace import read_workspace
from mitigations.errors import InvalidFile, MitigationsError
from mitigations.model import Placement, Scenario, Variant, VariantKind
from mitigations.scenarios import builtin_packs, load_pack
from mitigations.web.access import Who
from mitigations.web.nouns import (
    CheckOut,
    DiffOut,
    FindingOut,
    StatusEventOut,
    VariantSummary,
    VariantView,
)
from mitigations.web.refusals import TextMoved, Unnamed
from mitigations.web.services import Services
from mitigations.web.shelf import ShelvedVariant
from variants import Finding, StatusEvent

MAX_NAME, MAX_NOTE = 200, 2000
_LINTING = threading.Lock()


def summaries(services: Services) -> list[VariantSummary]:
    """The workspace's own first, then the shipped ones."""
    return services.memo.get("variants", lambda: _listed(services))


def _listed(services: Services) -> list[VariantSummary]:
    events, broken = _events(services)
    found = [_summary(item, events, broken) for item in services.shelf.variants().values()]
    return sorted(found, key=lambda one: (one.is_shipped, one.id))


def _events(services: Services) -> tuple[tuple[StatusEvent, ...], str]:
    """The status events, and why they cannot be read."""
    try:
        return approving.all_events(services.shelf.variants_folder), ""
    except InvalidFile as exc:
        return (), str(exc).splitlines()[0]


def _summary(item: ShelvedVariant, events: tuple[StatusEvent, ...], broken: str) -> VariantSummary:
    variant = item.variant
    if variant is None:
        return VariantSummary(
            id=item.id,
            title=item.id,
            kind="",
            placement="",
            author="",
            parent=None,
            tags=[],
            tokens=None,
            is_shipped=False,
            is_baseline=False,
            status="cannot be read",
            status_words=item.problem,
            problem=item.problem,
        )
    standing = variants.standing(variant, events)
    return VariantSummary(
        id=variant.id,
        title=variant.title,
        kind=str(variant.kind),
        placement=str(variant.placement),
        author=variant.author,
        parent=variant.parent,
        tags=list(variant.tags),
        tokens=variants.tokens(variant.text),
        is_shipped=item.path is None,
        is_baseline=variant.is_baseline,
        status="not known" if broken else str(standing.status),
        status_words=broken or approving.words(standing),
        problem="",
    )


def variant_view(services: Services, name: str) -> VariantView:
    """One variant with everything its page shows; raises `UnknownName`."""
    item = services.shelf.variant(name)
    events, broken = _events(services)
    summary = _summary(item, events, broken)
    variant = item.variant
    known = services.shelf.readable()
    studies = services.shelf.studies().values()
    return VariantView(
        **summary.model_dump(),
        text=variant.text if variant else "",
        text_hash=variant.text_hash if variant else "",
        hypothesis=variant.hypothesis if variant else "",
        sources=list(variant.sources) if variant else [],
        findings=findings(services, variant) if variant else [],
        history=_history(variant, events),
        approval=_approval(services),
        used_in=[
            one.id
            for one in studies
            if one.study is not None and name in {one.study.baseline, *one.study.variants}
        ],
        children=sorted(other.id for other in known.values() if other.parent == name),
    )


def _approval(services: Services) -> Literal["another-person", "anyone"]:
    """The strict rule is shown where the file cannot be read; an approval then says so."""
    try:
        return read_workspace(services.root).approval
    except InvalidFile:
        return "another-person"


def _history(variant: Variant | None, events: tuple[StatusEvent, ...]) -> list[StatusEventOut]:
    if variant is None:
        return []
    return [
        StatusEventOut(
            at=event.at,
            status=str(event.status),
            by=event.by,
            note=event.note,
            is_this_text=event.text_hash == variant.text_hash,
        )
        for event in reversed(events)
        if event.variant == variant.id
    ]


def findings(services: Services, variant: Variant) -> list[FindingOut]:
    """What the linter says of a variant beside the others of the workspace."""
    others = services.shelf.readable()
    key = (variant, tuple(sorted((name, one.treatment_hash) for name, one in others.items())))
    with _LINTING:
        known = _LINTED.get(key)
        if known is None:
            context = lint_context(_scenarios(), {**others, variant.id: variant})
            known = variants.lint(variant, context)
            if len(_LINTED) >= MOST_LINTED:
                _LINTED.clear()
            _LINTED[key] = known
    return [_finding(one) for one in known]


MOST_LINTED = 200
_LINTED: dict[object, tuple[Finding, ...]] = {}


@lru_cache(maxsize=1)
def _scenarios() -> tuple[Scenario, ...]:
    packs = (load_pack(ref) for ref in builtin_packs())
    return tuple(scenario for pack in packs for scenario in pack.scenarios)


def _finding(one: Finding) -> FindingOut:
    return FindingOut(
        line=one.line,
        rule=one.rule,
        severity=one.severity.value,
        message=one.message,
        fix=one.fix,
    )


def check(services: Services, variant: Variant) -> CheckOut:
    """A text that is being written, held against the format and the linter."""
    text = variant.text
    words, tokens = len(text.split()), variants.tokens(text)
    try:
        read = variants.parse_variant(variants.to_markdown(variant), "the variant")
        found = findings(services, read)
    except MitigationsError as exc:
        problem = exc.problem if isinstance(exc, InvalidFile) else str(exc).splitlines()[0]
        fix = f" {exc.fix}" if isinstance(exc, InvalidFile) and exc.fix else ""
        return CheckOut(
            is_usable=False, problem=f"{problem}.{fix}", findings=[], words=words, tokens=tokens
        )
    usable = not any(one.severity == "error" for one in found)
    return CheckOut(is_usable=usable, problem="", findings=found, words=words, tokens=tokens)


def build_variant(fields: dict[str, str], tags: list[str]) -> Variant:
    """A variant from what a form or the API was given; the reader checks it afterwards."""
    return Variant(
        id=fields["id"],
        title=fields["title"] or fields["id"],
        kind=VariantKind(fields["kind"]),
        placement=Placement(fields["placement"]),
        hypothesis=fields["hypothesis"],
        author=fields["author"],
        parent=fields["parent"] or None,
        tags=tuple(tags),
        text=variants.normalise(fields["text"]),
    )


def diff_out(services: Services, a: str, b: str) -> DiffOut:
    """Two variants side by side; raises `UnknownName`, or `InvalidFile` for an unreadable one."""
    first, second = _readable(services, a), _readable(services, b)
    found = variants.diff(first, second)
    return DiffOut.model_validate(asdict(found))


def _readable(services: Services, name: str) -> Variant:
    item = services.shelf.variant(name)
    if item.variant is None:
        raise InvalidFile(item.id, f"cannot be read: {item.problem}")
    return item.variant


class NotUsable(MitigationsError):
    """A text that the reader or the linter refuses."""

    def __init__(self, check: CheckOut) -> None:
        errors = [one for one in check.findings if one.severity == "error"]
        first = check.problem or (f"{errors[0].message} {errors[0].fix}" if errors else "")
        super().__init__(f"the variant cannot be used: {first}")


Act = Literal["propose", "approve", "retire"]


def named(who: Who, given: str) -> str:
    """Who acts: the name of the token, or on an open loopback the name given."""
    name = who.name if who.is_named else given.strip()[:MAX_NAME]
    if not name:
        raise Unnamed("say who does this: fill in your name")
    return name


def propose_new(services: Services, variant: Variant, *, by: str) -> None:
    """Write a new variant's file and propose its text."""
    with services.writing:
        services.shelf.add_variant(variant)
        folder = services.shelf.variants_folder
        approving.propose(variant.id, by=by, at=services.now(), folder=folder)


def change_status(
    services: Services, who: Who, name: str, act: Act, *, by: str, note: str, text_hash: str
) -> None:
    """Propose, approve or retire the text that the reader saw.

    Raises `StatusRefused` with the rule that stands against it, `TextMoved` when it was edited.
    """
    item = services.shelf.variant(name)
    name_of = named(who, by)
    acts = {
        "propose": approving.propose,
        "approve": approving.approve,
        "retire": approving.retire,
    }
    with services.writing:
        if text_hash and item.variant is not None and text_hash != item.variant.text_hash:
            raise TextMoved("the text was edited since you read it\n  Read it again, then decide.")
        services.audit.record(who, f"{act} a variant", name, detail=f"by {name_of}")
        acts[act](
            name,
            by=name_of,
            at=services.now(),
            folder=services.shelf.variants_folder,
            note=note[:MAX_NOTE],
        )
