"""What `check` finds: one result per file, whichever kind of file it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mitigations.compose import workspace
from mitigations.compose.checking.variants import check_variants, lines, plain
from mitigations.compose.planning import amending, plan_from, workspace_of
from mitigations.errors import InvalidFile, MitigationsError, UnknownName
from mitigations.model import Assessment, Plan, Scenario, ScriptedReply
from mitigations.providers import FILE_NAME, read_providers
from mitigations.scenarios import builtin_packs, check_pack, load_pack
from mitigations.study import read_study
from runner.compose import realise
from runner.rules import assess
from variants import library, variant_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One file: whether it can be used, and what was found."""

    path: str
    kind: str
    usable: bool
    lines: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """For programs."""
        common = {"path": self.path, "kind": self.kind, "usable": self.usable}
        return common | {"notes": list(self.lines)} | self.details


def check_paths(paths: Sequence[Path]) -> list[Result]:
    """Check every file among `paths`; folders are searched. Raises for a path that is not there."""
    results: list[Result] = []
    for path in paths:
        if not path.exists():
            raise _missing(path)
        results += _folder(path) if path.is_dir() else _file(path)
    if not results:
        raise InvalidFile(paths[0], "holds nothing to check", fix="Start with `mitigations init`.")
    return results


def _missing(path: Path) -> MitigationsError:
    if path.suffix or path.name != str(path):
        return InvalidFile(path, "does not exist")
    known = {*library(), *(file.stem for file in variant_files(Path("variants")))}
    return UnknownName("file or variant", path.name, known)


def _folder(folder: Path) -> Iterator[Result]:
    if (folder / "pack.yaml").is_file():
        yield _pack(folder)
        return
    yield from _variants([folder / "variants", folder])
    studies = sorted({*folder.glob("studies/*.yaml"), *folder.glob("*.yaml")})
    for path in studies:
        yield from _file(path)
    for path in sorted({*folder.glob("studies/*.lock"), *folder.glob("*.lock")}):
        yield from _file(path)
    for pack in sorted(folder.glob("*/pack.yaml")):
        yield _pack(pack.parent)


def _file(path: Path) -> Iterator[Result]:
    if path.suffix == ".md":
        yield from _variants([path])
    elif path.name == FILE_NAME:
        yield _tried(path, "providers", lambda: read_providers(path.parent))
    elif path.name == workspace.FILE_NAME:
        yield _tried(path, "workspace", lambda: workspace.read_workspace(path.parent))
    elif path.suffix == ".lock":
        yield _tried(path, "lock", lambda: amending.check_lock(path))
    elif path.name == "pack.yaml":
        yield _pack(path.parent)
    elif path.suffix in {".yaml", ".yml"}:
        yield _tried(path, "study", lambda: _study(path))
    else:
        raise InvalidFile(
            path, "is nothing that `check` knows", fix="Name a .md, .yaml or .lock file."
        )


def _variants(paths: Sequence[Path]) -> Iterator[Result]:
    found = [path for path in paths if path.is_file() or variant_files(path)]
    for checked in check_variants(found, _all_scenarios()) if found else ():
        yield Result(
            path=str(checked.path),
            kind="variant",
            usable=checked.is_usable,
            lines=tuple(lines([checked])),
            details=plain([checked])[0],
        )


def _all_scenarios() -> tuple[Scenario, ...]:
    packs = (load_pack(ref) for ref in builtin_packs())
    return tuple(scenario for pack in packs for scenario in pack.scenarios)


def _pack(folder: Path) -> Result:
    try:
        findings = check_pack(load_pack(str(folder)), read_script)
    except MitigationsError as exc:
        return Result(path=str(folder), kind="scenario pack", usable=False, lines=(str(exc),))
    return Result(
        path=str(folder),
        kind="scenario pack",
        usable=not any(finding.is_error for finding in findings),
        lines=tuple(str(finding) for finding in findings),
    )


def read_script(scenario: Scenario, script: ScriptedReply) -> Assessment:
    """What the rules say of a scripted reply, its slots filled as in a trial."""
    realised = realise(scenario, seed=0, fixed=True)
    return assess(realised, realised.scripted(script))


def _tried(path: Path, kind: str, attempt: Any) -> Result:
    try:
        said = attempt()
    except MitigationsError as exc:
        return Result(path=str(path), kind=kind, usable=False, lines=(str(exc),))
    notes = tuple(said) if isinstance(said, list) else ()
    return Result(path=str(path), kind=kind, usable=True, lines=notes)


def _study(path: Path) -> Plan:
    """A study as `plan` would freeze it; what it confirms is read by `plan` alone."""
    study = replace(read_study(path), confirms="")
    return plan_from(study, folder=workspace_of(path), created="2000-01-01T00:00:00Z")
