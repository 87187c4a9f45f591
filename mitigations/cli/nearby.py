"""What a file that is not there was probably meant to be: for mistakes on a command line."""

import difflib
from pathlib import Path

from mitigations.errors import InvalidFile, MitigationsError


def hint(error: MitigationsError) -> str:
    """A line of its own, or nothing. Only where a file is missing and nothing better is known."""
    if not isinstance(error, InvalidFile) or error.fix:
        return ""
    try:
        return _near(Path(error.path))
    except (OSError, ValueError):  # a name that no system takes has nothing near it
        return ""


def _near(missing: Path) -> str:
    if missing.exists():
        return ""
    folder = missing.parent
    if not folder.is_dir():
        return f"\n  There is no folder {folder} in {Path.cwd()}: is this the workspace?"
    study = missing.with_suffix(".yaml")
    if missing.suffix == ".lock" and study.exists():
        return f"\n  Lock the study first: mitigations plan {study}"
    names = sorted(path.name for path in folder.glob(f"*{missing.suffix}"))
    stems = [Path(name).stem for name in names]
    near = difflib.get_close_matches(missing.stem, stems, n=1)
    if near:
        return f"\n  Did you mean {folder / near[0]}{missing.suffix}?"
    if names:
        return f"\n  In {folder}: " + ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"\n  Nothing in {folder.resolve()} ends in {missing.suffix}." if missing.suffix else ""
