"""Where variants are found: a workspace folder first, then the shipped library."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

from mitigations.errors import InvalidFile, MitigationsError, UnknownName
from mitigations.model import Variant
from variants.read import read_variant

LIBRARY = Path(__file__).parent / "library"
NOT_VARIANTS = {"readme"}


class SameTreatment(MitigationsError):
    """Two arms of one study that no model could tell apart."""


@cache
def library() -> Mapping[str, Variant]:
    """The shipped variants by id, in alphabetical order."""
    found = {path.stem: read_variant(path) for path in variant_files(LIBRARY)}
    return MappingProxyType(found)


def variant_files(folder: Path) -> tuple[Path, ...]:
    """The Markdown files of a folder in a fixed order; a README among them is no variant."""
    if not folder.is_dir():
        return ()
    paths = sorted(folder.glob("*.md"))
    return tuple(path for path in paths if path.stem.lower() not in NOT_VARIANTS)


def find(names: Sequence[str], folder: Path | None = None) -> tuple[Variant, ...]:
    """The named variants in the order asked: from `folder` where it has them, else the library.

    Raises:
        UnknownName: no file and no shipped variant has the name; suggests the nearest.
        InvalidFile: a file is malformed, or gives a shipped id to another treatment.
        SameTreatment: a name stands twice, or two names carry the same text in the same place.
    """
    files = {path.stem: path for path in variant_files(folder)} if folder else {}
    chosen = tuple(_one(name, files) for name in names)
    refuse_duplicates(chosen)
    return chosen


def refuse_duplicates(variants: Iterable[Variant]) -> None:
    """Raise `SameTreatment` when two variants share an id or a treatment."""
    seen: dict[str, Variant] = {}
    ids: set[str] = set()
    for variant in variants:
        if variant.id in ids:
            raise SameTreatment(f"variant {variant.id!r} is named twice\n  Name it once.")
        ids.add(variant.id)
        twin = seen.setdefault(variant.treatment_hash, variant)
        if twin is not variant:
            role = "the baseline" if twin.is_baseline else "variant"
            raise SameTreatment(
                f"variant {variant.id!r} has the same text and placement as {role} {twin.id!r}\n"
                "  Change one of the two, or leave it out: their true difference is zero."
            )


def _one(name: str, files: Mapping[str, Path]) -> Variant:
    shipped = library()
    if name not in files:
        if name not in shipped:
            raise UnknownName("variant", name, {*files, *shipped})
        return shipped[name]
    variant = read_variant(files[name])
    known = shipped.get(name)
    if known is not None and known.treatment_hash != variant.treatment_hash:
        problem = f"{name!r} is the id of a shipped variant with another text or placement"
        fix = f"Versions are immutable: give yours an id of its own, and `parent: {name}`."
        raise InvalidFile(files[name], problem, fix=fix)
    return variant
