"""`mitigations init DIR`: a workspace that works as it stands."""

from pathlib import Path
from typing import Annotated

import typer

from mitigations.cli.session import session


def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="An empty or new folder.")],
) -> None:
    """Make a workspace: an example variant, two studies, a README."""
    from mitigations.compose.workspace import create_workspace  # noqa: PLC0415

    here = session(context)
    inside = Path("studies").is_dir() and Path("variants").is_dir()
    for path in create_workspace(folder):
        here.say(f"  {path}")
    if inside:
        here.say("Note: this folder is a workspace too, and the new one lies inside it.")
    here.say(f"Next: cd {folder} && mitigations check && mitigations plan studies/first.yaml")
