"""`new`: a variant file to fill in, from the template or from another variant."""

import re
from pathlib import Path
from typing import Annotated

import typer

from mitigations.cli.session import session
from mitigations.errors import MitigationsError

ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class CannotCreate(MitigationsError):
    """The file cannot be made under this name."""


def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Id of the new variant, such as plain-channel-v2.")],
    from_: Annotated[
        str | None, typer.Option("--from", help="Variant to copy and edit.", show_default=False)
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where variants are kept.")] = Path("variants"),
) -> None:
    """Write a variant file to fill in, from a template or from another variant."""
    path = create(name, from_=from_, folder=folder)
    session(context).say(f"Wrote {path}.\nNext: edit it, then mitigations check {path}")


def create(name: str, *, from_: str | None, folder: Path) -> Path:
    """The new file's path. Raises `CannotCreate` or `UnknownName`; nothing is overwritten."""
    import variants  # noqa: PLC0415 - start-up stays light
    from mitigations.files import write_atomic  # noqa: PLC0415 - the same

    if not ID.fullmatch(name):
        fix = "Use 1 to 64 of a-z, 0-9, `-`, `_`, starting with a letter or digit."
        raise CannotCreate(f"{name[:80]!r} cannot be an id\n  {fix}")
    path = folder / f"{name}.md"
    if path.exists() or name in variants.library():
        there = path.exists()
        what = f"{path} exists already" if there else f"{name!r} is a shipped variant"
        fix = "Edit it, or copy it" if there else "Copy it"
        raise CannotCreate(f"{what}\n  {fix} under another id: mitigations new ID --from {name}")
    if from_ is None:
        text = variants.template(name)
    else:
        (parent,) = variants.find([from_], folder)
        text = variants.to_markdown(variants.copied(parent, name))
    # The reader is stricter than this command; what it would refuse is never written.
    variants.parse_variant(text, path)
    write_atomic(path, text)
    return path
