"""Loading a pack: the shipped ones by `builtin/NAME`, a private one by its folder."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mitigations.errors import InvalidFile, UnknownName
from mitigations.files import Where, YamlDoc, read_yaml, validate
from mitigations.model import Scenario, content_hash
from mitigations.scenarios.compile import compile_cell, twin_fault
from mitigations.scenarios.faults import faults
from mitigations.scenarios.schema import PackFile, SettingFile

BUILTIN = Path(__file__).parent / "packs"
MAX_SETTINGS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A fixed set of scenarios under one version; its hash changes with any byte of any cell."""

    id: str
    version: str
    canary: str
    hash: str
    scenarios: tuple[Scenario, ...]
    """Each cell followed by its benign twin, in the order of the design table."""
    title: str = ""
    path: str = ""

    @property
    def cells(self) -> tuple[Scenario, ...]:
        """The scenarios that enter the coercive rate."""
        return tuple(scenario for scenario in self.scenarios if not scenario.is_twin)

    @property
    def twins(self) -> tuple[Scenario, ...]:
        """The benign twins: they give the guardrails."""
        return tuple(scenario for scenario in self.scenarios if scenario.is_twin)


def builtin_packs() -> tuple[str, ...]:
    """Names of the shipped packs, as `load_pack` takes them."""
    return tuple(sorted(f"builtin/{path.parent.name}" for path in BUILTIN.glob("*/pack.yaml")))


def load_pack(ref: str, base: Path | None = None) -> Pack:
    """The pack behind `builtin/NAME`, or in a folder (relative to `base`, else to the cwd).

    Raises:
        UnknownName: no shipped pack has this name.
        InvalidFile: a file of the pack breaks the format; names file, line and the way out.
    """
    if ref.startswith("builtin/"):
        if ref not in builtin_packs():
            raise UnknownName("scenario pack", ref, builtin_packs())
        return _load_builtin(ref)
    folder = Path(ref).expanduser()
    folder = folder if folder.is_absolute() or base is None else base / folder
    if not (folder / "pack.yaml").is_file():
        fix = f"Name a folder with a pack.yaml, or one of: {', '.join(builtin_packs())}."
        raise InvalidFile(folder, "is not a scenario pack", fix=fix)
    return _load(folder)


@lru_cache(maxsize=8)
def _load_builtin(ref: str) -> Pack:
    # Shipped files do not change while a process runs; a private pack is read afresh each time.
    return _load(BUILTIN / ref.removeprefix("builtin/"))


def _load(folder: Path) -> Pack:
    doc = read_yaml(folder / "pack.yaml")
    pack = validate(PackFile, doc, what="a scenario pack")
    settings = _settings(folder)
    _unique(doc, ("cells",), [cell.id for cell in pack.cells])
    scenarios: list[Scenario] = []
    for index, cell in enumerate(pack.cells):
        where = ("cells", index)
        if cell.setting not in settings:
            error = UnknownName(
                "setting", cell.setting, settings, where=f"{doc.path}:{doc.line(where)}"
            )
            raise error
        fault = twin_fault(cell)
        if fault is not None:
            raise doc.error((*where, "twin"), f"cell {cell.id}: {fault}", "Name another twin kind.")
        setting_doc, setting = settings[cell.setting]
        for scenario in compile_cell(pack, setting, cell):
            _refuse_faults(scenario, setting_doc, doc)
            scenarios.append(scenario)
    return Pack(
        id=pack.pack,
        version=pack.version,
        canary=pack.canary.strip(),
        hash=content_hash([pack.pack, pack.version, pack.canary, [s.hash for s in scenarios]]),
        scenarios=tuple(scenarios),
        title=pack.title,
        path=str(folder),
    )


def _settings(folder: Path) -> dict[str, tuple[YamlDoc, SettingFile]]:
    paths = sorted((folder / "settings").glob("*.yaml"))
    if not paths:
        raise InvalidFile(folder / "settings", "holds no setting", fix="Add settings/NAME.yaml.")
    if len(paths) > MAX_SETTINGS:
        raise InvalidFile(folder / "settings", f"holds more than {MAX_SETTINGS} settings")
    found: dict[str, tuple[YamlDoc, SettingFile]] = {}
    for path in paths:
        doc = read_yaml(path)
        setting = validate(SettingFile, doc, what="a setting")
        if setting.setting != path.stem:
            raise doc.error(("setting",), f"setting {setting.setting!r} must be named as its file")
        for name in ("cast", "tools", "rules", "tasks", "scripts"):
            _once(doc, name, getattr(setting, name))
        found[setting.setting] = doc, setting
    return found


def _once(doc: YamlDoc, name: str, items: Iterable[object]) -> None:
    """Only unconditional doubles are wrong: levels of one factor exclude each other."""
    plain = [
        str(getattr(item, "id", None) or getattr(item, "slot", None) or getattr(item, "name", ""))
        for item in items
        if not getattr(item, "when", None) and not getattr(item, "twins", None)
    ]
    _unique(doc, (name,), plain)


def _unique(doc: YamlDoc, where: Where, ids: list[str]) -> None:
    for name, count in Counter(ids).items():
        if count > 1:
            place = (*where, len(ids) - 1 - ids[::-1].index(name))
            raise doc.error(place, f"{name!r} stands {count} times", "Give each its own name.")


def _refuse_faults(scenario: Scenario, setting: YamlDoc, pack: YamlDoc) -> None:
    for fault in faults(scenario):
        doc = next((d for d in (setting, pack) if _holds(d, fault.where)), setting)
        place = _find(doc, fault.where)
        raise doc.error(place, f"scenario {scenario.id}: {fault.problem}", fault.fix)


def _holds(doc: YamlDoc, where: tuple[str, str]) -> bool:
    return bool(_find(doc, where))


def _find(doc: YamlDoc, where: tuple[str, str]) -> Where:
    """The place of the item `(kind, id)`, or nothing."""
    kind, name = where
    items = doc.data.get(kind, ())
    if not isinstance(items, list):
        return (kind,) if name in items else ()
    for index, item in enumerate(items):
        if name in (item.get("id"), item.get("slot"), item.get("name"), item.get("text")):
            return (kind, index)
    return ()
