"""`init`: a workspace whose studies run as they stand, without a key."""

from importlib.resources import files
from pathlib import Path

from mitigations.errors import InvalidFile
from mitigations.files import write_atomic

TEMPLATE = files("mitigations") / "workspace"


def create_workspace(folder: Path) -> list[Path]:
    """Write the template's files under `folder`; raises `InvalidFile` when it is not empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidFile(folder, "is not an empty folder", fix="Name a new one.")
    made = []
    source = Path(str(TEMPLATE))
    for path in sorted(source.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            target = folder / path.relative_to(source)
            write_atomic(target, path.read_text(encoding="utf-8"))
            made.append(target)
    return made
