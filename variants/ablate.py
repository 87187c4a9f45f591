"""From one variant to a study of its parts: clauses on and off, ordered doses, placements."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mitigations.errors import MitigationsError
from mitigations.model import Placement, Variant, VariantKind
from variants.factorial import MAX_FACTORS, Alias, Design, aliases, largest, smallest
from variants.read import normalise

RESOLUTIONS: Mapping[str, int | None] = {"III": 3, "IV": 4, "V": 5, "full": None}
NO_MITIGATION = "no-mitigation"


class CannotAblate(MitigationsError):
    """The variant has no parts of the kind asked for, or would need too many variants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """A set of variants made from one, and what tells them apart."""

    of: str
    kind: str
    """`clauses`, `dose` or `placement`."""
    baseline: str
    """Id of the control arm; for clauses it is the run with every clause off."""
    variants: tuple[Variant, ...]
    """Every arm made from the text; the variant itself is one of them where nothing changed."""
    factors: Mapping[str, str] = field(default_factory=dict)
    """Letter to clause heading, in order."""
    coding: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Variant id to clause heading to +1 (on) or -1 (off)."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Variant id to dose, for a trend test."""
    design: Design | None = None
    aliases: tuple[Alias, ...] = ()

    @property
    def new(self) -> tuple[Variant, ...]:
        """What has to be written: every arm but the variant itself."""
        return tuple(variant for variant in self.variants if variant.id != self.of)

    @property
    def treated(self) -> tuple[str, ...]:
        """Ids of the arms beside the baseline, in order."""
        return tuple(variant.id for variant in self.variants if variant.id != self.baseline)


def ablate(
    variant: Variant,
    *,
    resolution: str | None = None,
    max_variants: int = 16,
    vary: Sequence[str] = (),
    doses: Sequence[float] = (),
    placement: bool = False,
    baseline: str = NO_MITIGATION,
) -> Ablation:
    """The variants of an ablation study.

    Args:
        variant: a constitution; with `doses` any text with a `dose`, with `placement` any text.
        resolution: `III`, `IV`, `V` or `full`; None takes the best that fits.
        max_variants: how many variants may be made, the all-off baseline included.
        vary: headings of the clauses to switch; the others stay in every text. Empty: all.
        doses: numbers that take the place of the variant's dose in its text.
        placement: make one variant for each of the three placements.
        baseline: the control arm of a dose or placement study.

    Raises:
        CannotAblate: with what would be possible instead.
    """
    if doses and placement:
        raise CannotAblate("--dose and --placement make different studies\n  Give one of them.")
    if not variant.text:
        raise CannotAblate(f"variant {variant.id!r} has no text\n  Name one that has.")
    if doses:
        return _by_dose(variant, doses, max_variants=max_variants, baseline=baseline)
    if placement:
        return _by_placement(variant, max_variants=max_variants, baseline=baseline)
    return _by_clause(variant, resolution=resolution, max_variants=max_variants, vary=vary)


def _by_clause(
    variant: Variant, *, resolution: str | None, max_variants: int, vary: Sequence[str]
) -> Ablation:
    headings = _varied(variant, vary)
    design = _choose(len(headings), resolution=resolution, max_variants=max_variants)
    made = {}
    for run in design.runs:
        levels = dict(zip(headings, run, strict=True))
        part = _with_clauses(variant, [heading for heading, on in levels.items() if on < 0])
        made[part.id] = (part, levels)
    parts = tuple(part for part, _ in made.values())
    return Ablation(
        of=variant.id,
        kind="clauses",
        baseline=parts[0].id,
        variants=parts,
        factors=dict(zip(design.letters, headings, strict=True)),
        coding={name: levels for name, (_, levels) in made.items()},
        design=design,
        aliases=aliases(design),
    )


def _varied(variant: Variant, vary: Sequence[str]) -> tuple[str, ...]:
    if variant.kind is not VariantKind.CONSTITUTION:
        fix = "Use --dose or --placement, or write `kind: constitution` with `##` clauses."
        raise CannotAblate(f"variant {variant.id!r} is no constitution\n  {fix}")
    headings = tuple(clause.heading for clause in variant.clauses)
    if len(set(headings)) < len(headings):
        raise CannotAblate(f"variant {variant.id!r} has a heading twice\n  Rename one of them.")
    if not headings:
        raise CannotAblate(f"variant {variant.id!r} has no `##` clauses\n  Add headings to it.")
    unknown = [heading for heading in vary if heading not in headings]
    if unknown:
        known = "; ".join(headings)
        raise CannotAblate(
            f"variant {variant.id!r} has no clause {unknown[0]!r}\n  It has: {known}"
        )
    chosen = tuple(heading for heading in headings if not vary or heading in vary)
    if len(chosen) > MAX_FACTORS:
        fix = f"Name at most {MAX_FACTORS} of them with --vary; the others stay in every text."
        raise CannotAblate(f"{len(chosen)} clauses are too many to cross\n  {fix}")
    return chosen


def _choose(factors: int, *, resolution: str | None, max_variants: int) -> Design:
    if resolution is not None and resolution not in RESOLUTIONS:
        known = ", ".join(RESOLUTIONS)
        raise CannotAblate(f"no resolution {resolution!r}\n  Choose one of {known}.")
    best = largest(factors, runs=max_variants)
    if resolution is None:
        design = best
        least = smallest(factors, resolution=RESOLUTIONS["III"])
    else:
        least = design = smallest(factors, resolution=RESOLUTIONS[resolution])
    if design is not None and len(design.runs) <= max_variants:
        return design
    if least is None:
        fix = "Take --resolution IV, or switch fewer clauses with --vary."
        raise CannotAblate(
            f"{factors} clauses have no design of resolution {resolution} here\n  {fix}"
        )
    asked = f" at resolution {resolution}" if resolution else ""
    ways = [f"--max-variants {len(least.runs)} is the least that fits"]
    if best is not None:
        ways.append(f"--resolution {best.resolution_name} needs {len(best.runs)}")
    ways.append("--vary switches fewer clauses")
    problem = f"{factors} clauses{asked} need {len(least.runs)} variants, {max_variants} allowed"
    raise CannotAblate(f"{problem}\n  " + "; ".join(ways) + ".")


def _with_clauses(variant: Variant, off: Sequence[str]) -> Variant:
    """The variant without these clauses; every other byte stays as it was."""
    if not off:
        return variant
    kept = []
    switches = ""
    for section in re.split(r"^(?=## )", variant.text, flags=re.MULTILINE):
        heading = re.match(r"## +(.+?) *$", section, re.MULTILINE)
        drop = heading is not None and heading[1] in off
        if heading is not None:
            switches += "0" if drop else "1"
        if not drop:
            kept.append(section)
    text = normalise("".join(kept))
    tags = variant.tags if text or variant.is_baseline else (*variant.tags, "baseline")
    on = f"{switches.count('1')} of {len(switches)} clauses"
    return replace(
        variant,
        id=child_id(variant.id, f"-c{switches}"),
        title=f"{variant.title[:90]} ({on})",
        parent=variant.id,
        tags=tags,
        clauses_off=tuple(off),
        text=text,
    )


def child_id(stem: str, suffix: str) -> str:
    """An id of at most 64 characters; a stem that is too long is cut and keeps a hash of itself."""
    if len(stem) + len(suffix) <= 64:
        return stem + suffix
    mark = "-" + hashlib.sha256(stem.encode()).hexdigest()[:6]
    return stem[: 64 - len(mark) - len(suffix)] + mark + suffix


def _by_dose(
    variant: Variant, doses: Sequence[float], *, max_variants: int, baseline: str
) -> Ablation:
    if variant.dose is None:
        fix = "Write `dose: NUMBER` in its front matter, and the same number once in its text."
        raise CannotAblate(f"variant {variant.id!r} has no dose\n  {fix}")
    if len(set(doses)) < max(2, len(doses)):
        raise CannotAblate("an ordered dose needs two or more different numbers\n  --dose 1,10,100")
    if len(doses) > max_variants:
        fix = f"--max-variants {len(doses)} is the least that fits."
        raise CannotAblate(f"{len(doses)} doses, {max_variants} variants allowed\n  {fix}")
    number = _spelt(variant.dose)
    places = list(re.finditer(rf"(?<![\w.,]){re.escape(number)}(?![\w]|[.,]\d)", variant.text))
    if len(places) != 1:
        fix = "The dose has to stand in the text exactly once, as a number."
        problem = f"the dose {number} stands {len(places)} times in {variant.id!r}"
        raise CannotAblate(f"{problem}\n  {fix}")
    start, end = places[0].span()
    made = []
    for dose in sorted(doses):
        text = variant.text[:start] + _spelt(dose) + variant.text[end:]
        if dose == variant.dose:
            made.append(variant)
            continue
        suffix = "-dose-" + _spelt(dose).replace(".", "_").replace("-", "m")
        title = f"{variant.title[:90]} (dose {_spelt(dose)})"
        name = child_id(variant.id, suffix)
        made.append(replace(variant, id=name, title=title, parent=variant.id, dose=dose, text=text))
    return Ablation(
        of=variant.id,
        kind="dose",
        baseline=baseline,
        variants=tuple(made),
        scores={part.id: float(dose) for part, dose in zip(made, sorted(doses), strict=True)},
    )


def _spelt(number: float) -> str:
    """The shortest plain spelling: 10, 0.5, 1000000."""
    return f"{number:.10f}".rstrip("0").rstrip(".")


def _by_placement(variant: Variant, *, max_variants: int, baseline: str) -> Ablation:
    if len(Placement) > max_variants:
        fix = f"--max-variants {len(Placement)} is the least that fits."
        raise CannotAblate(f"three placements, {max_variants} variants allowed\n  {fix}")
    made = tuple(
        variant
        if place is variant.placement
        else replace(
            variant,
            id=child_id(variant.id, f"-{place}"),
            title=f"{variant.title[:100]} ({place})",
            parent=variant.id,
            placement=place,
        )
        for place in Placement
    )
    return Ablation(of=variant.id, kind="placement", baseline=baseline, variants=made)


def coding(variants: Iterable[Variant]) -> Mapping[str, Mapping[str, int]]:
    """The clause coding of a plan's variants, read back from the variants themselves.

    Returns:
        variant id to clause heading to +1 (on) or -1 (off), for the largest set of siblings that
        differ in their clauses; empty when the plan holds no such set.
    """
    everyone = tuple(variants)
    families = {variant.parent for variant in everyone if variant.clauses_off}
    members = (
        [v for v in everyone if v.id == root or (v.parent == root and v.clauses_off)]
        for root in sorted(filter(None, families))
    )
    family = max(members, key=len, default=[])
    switched = {heading: None for variant in family for heading in variant.clauses_off}
    if not switched:
        return {}
    return {
        variant.id: {heading: -1 if heading in variant.clauses_off else 1 for heading in switched}
        for variant in family
    }
