"""The workspace's files: variants, studies and locks by name. Nothing here leaves its root.

A name from outside is looked up among the files that exist, or matched against the id pattern
before a new file is made of it. No path is ever put together from anything else.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import variants
from mitigations.errors import InvalidFile, UnknownName
from mitigations.files import MAX_BYTES, write_atomic
from mitigations.model import Study, Variant
from mitigations.scenarios import builtin_packs
from mitigations.study import parse_study, read_study
from mitigations.web.refusals import NameTaken

ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
MOST_FILES = 2000
NO_STUDIES = frozenset({"providers.yaml", "workspace.yaml"})


Reader = Callable[[Path], "ShelvedVariant | StudyFile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyFile:
    """One file under `studies/`."""

    path: Path
    study: Study | None
    problem: str = ""

    @property
    def id(self) -> str:
        """The study's own id; the file's name where it cannot be read."""
        return self.study.id if self.study else self.path.stem

    @property
    def lock(self) -> Path:
        """Where its lock is, or would be."""
        return self.path.with_suffix(".lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelvedVariant:
    """One variant, shipped or of this workspace, or a file that cannot be read."""

    id: str
    variant: Variant | None
    path: Path | None
    """None: shipped with the program."""
    problem: str = ""


class Shelf:
    """Reads and writes the workspace. Files are read again only when they have changed."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.variants_folder = self.root / "variants"
        self.studies_folder = self.root / "studies"
        self._read: dict[Path, tuple[tuple[int, int], ShelvedVariant | StudyFile]] = {}

    # ---- variants

    def variants(self) -> Mapping[str, ShelvedVariant]:
        """Every variant by id: those of the workspace first, then the shipped ones."""
        found: dict[str, ShelvedVariant] = {}
        for path in variants.variant_files(self.variants_folder)[:MOST_FILES]:
            if self._is_inside(path):
                item = self._cached(path, _read_shelved)
                assert isinstance(item, ShelvedVariant)
                found[item.id] = item
        for name, variant in variants.library().items():
            found.setdefault(name, ShelvedVariant(id=name, variant=variant, path=None))
        return found

    def readable(self) -> Mapping[str, Variant]:
        """The variants that can be read, by id."""
        return {name: item.variant for name, item in self.variants().items() if item.variant}

    def variant(self, name: str) -> ShelvedVariant:
        """One variant by its id; raises `UnknownName` with the nearest."""
        known = self.variants()
        if name not in known:
            raise UnknownName("variant", name[:80], known)
        return known[name]

    def add_variant(self, variant: Variant) -> Path:
        """Write a new variant file; raises `NameTaken`, or `InvalidFile` as the reader would."""
        path = self._new(self.variants_folder, variant.id, ".md")
        if variant.id in self.variants():
            raise NameTaken(
                f"a variant {variant.id!r} exists already\n  Versions are immutable: choose "
                "another id, such as one ending in -v2."
            )
        _write_variant(variant, path)
        return path

    def rewrite_variant(self, variant: Variant) -> Path:
        """Write a variant over its own file; the caller has seen to it that it is a draft."""
        path = self.variant(variant.id).path
        if path is None:
            raise NameTaken(f"{variant.id} is shipped with the program and stays as it is")
        _write_variant(variant, path)
        self._read.pop(path, None)
        return path

    # ---- studies

    def studies(self) -> Mapping[str, StudyFile]:
        """Every study file by the id of its study."""
        found: dict[str, StudyFile] = {}
        paths = sorted({*self.studies_folder.glob("*.yaml"), *self.root.glob("*.yaml")})
        for path in paths[:MOST_FILES]:
            if path.name not in NO_STUDIES and self._is_inside(path):
                item = self._cached(path, _read_study)
                assert isinstance(item, StudyFile)
                found.setdefault(item.id, item)
        return found

    def study(self, name: str) -> StudyFile:
        """One study by its id; raises `UnknownName` with the nearest."""
        known = self.studies()
        if name not in known:
            raise UnknownName("study", name[:80], known)
        return known[name]

    def add_study(self, text: str) -> StudyFile:
        """Write a new study file from its text; raises `NameTaken` or `InvalidFile`."""
        study = parse_study(text, "the study")
        path = self._new(self.studies_folder, study.id, ".yaml")
        if study.id in self.studies() or path.exists():
            raise NameTaken(f"a study {study.id!r} exists already\n  Choose another id.")
        write_atomic(path, text)
        return StudyFile(path=path, study=study)

    def packs(self) -> tuple[str, ...]:
        """The scenario sets a study here can name: shipped ones, and folders of the workspace."""
        own = [
            path.parent.name
            for path in sorted(self.root.glob("*/pack.yaml"))
            if self._is_inside(path)
        ]
        return (*builtin_packs(), *own)

    # ---- paths

    def _new(self, folder: Path, name: str, suffix: str) -> Path:
        if not ID.fullmatch(name):
            raise InvalidFile(
                f"{name[:80]!r}",
                "cannot be an id",
                fix="Use 1 to 64 of a-z, 0-9, - and _, starting with a letter or digit.",
            )
        path = folder / f"{name}{suffix}"
        if not self._is_inside(path):
            raise InvalidFile(folder.name, "leads out of the workspace", fix="Remove the link.")
        return path

    def _is_inside(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self.root)

    def _cached(self, path: Path, read: Reader) -> ShelvedVariant | StudyFile:
        try:
            stat = path.stat()
        except OSError:
            return read(path)
        stamp = (stat.st_mtime_ns, stat.st_size)
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, read(path))
            self._read[path] = known
        return known[1]


def _write_variant(variant: Variant, path: Path) -> None:
    text = variants.to_markdown(variant)
    # The reader is stricter than a form; what it would refuse is never written.
    variants.parse_variant(text, path.name)
    if len(text.encode()) > MAX_BYTES:
        fix = "A prompt of that size fits no model; shorten it."
        raise InvalidFile(path.name, f"is larger than {MAX_BYTES // 1024} KB", fix=fix)
    write_atomic(path, text)


def _read_shelved(path: Path) -> ShelvedVariant:
    try:
        variant = variants.read_variant(path)
    except InvalidFile as exc:
        return ShelvedVariant(id=path.stem, variant=None, path=path, problem=_said(exc, path))
    shipped = variants.library().get(variant.id)
    if shipped is not None and shipped.treatment_hash != variant.treatment_hash:
        problem = f"{path.name}: has the id of a shipped variant with another text"
        return ShelvedVariant(id=path.stem, variant=None, path=path, problem=problem)
    return ShelvedVariant(id=variant.id, variant=variant, path=path)


def _read_study(path: Path) -> StudyFile:
    try:
        return StudyFile(path=path, study=read_study(path))
    except InvalidFile as exc:
        return StudyFile(path=path, study=None, problem=_said(exc, path))


def _said(exc: InvalidFile, path: Path) -> str:
    place = path.name if exc.line is None else f"{path.name}:{exc.line}"
    return f"{place}: {exc.problem}" + (f". {exc.fix}" if exc.fix else "")
