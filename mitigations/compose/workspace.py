"""A workspace: made by `init` so that its studies run as they stand, and what it asks of people."""

from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from mitigations.errors import InvalidFile
from mitigations.files import read_yaml, validate, write_atomic

FILE_NAME = "workspace.yaml"
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


class WorkspaceFile(BaseModel):
    """What a team agreed on, beside its `variants/`. Without the file every default holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    approval: Literal["another-person", "anyone"] = "another-person"
    """Who may approve a proposed text: `another-person` than who wrote and who proposed it."""


def read_workspace(root: Path) -> WorkspaceFile:
    """The file of a workspace; the defaults where it has none. Raises `InvalidFile`."""
    path = root / FILE_NAME
    if not path.exists():
        return WorkspaceFile()
    return validate(WorkspaceFile, read_yaml(path), what="a workspace file")
