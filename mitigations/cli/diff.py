"""`diff`: two variants side by side, in the terminal or as a page."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitigations.cli.session import session

if TYPE_CHECKING:
    from variants import Diff
    from variants.difference import Change

COLOURS = {"removed": typer.colors.RED, "added": typer.colors.GREEN}


def diff(
    context: typer.Context,
    a: Annotated[str, typer.Argument(help="The first variant.")],
    b: Annotated[str, typer.Argument(help="The second variant.")],
    html: Annotated[
        Path | None, typer.Option(help="Write a page to this file.", show_default=False)
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where variants are kept.")] = Path("variants"),
) -> None:
    """Compare two variants: words, clauses, length, placement."""
    import json  # noqa: PLC0415 - start-up stays light

    import variants  # noqa: PLC0415 - the same
    from mitigations.compose import approving  # noqa: PLC0415 - the same
    from mitigations.files import write_atomic  # noqa: PLC0415 - the same

    # One by one: two names for one treatment are worth showing here, though no study takes them.
    (first,), (second,) = variants.find([a], folder), variants.find([b], folder)
    found = variants.diff(first, second)
    here = session(context)
    if html is not None:
        write_atomic(html, variants.to_html(found))
        here.say(f"wrote {html}")
    stands = {one.id: approving.words(approving.standing(one, folder)) for one in (first, second)}
    if here.json:
        typer.echo(json.dumps(plain(found) | {"status": stands}, ensure_ascii=False))
    elif html is None:
        colour = here.color and sys.stdout.isatty()
        typer.echo(variants.to_text(found, _paint if colour else None), nl=False)
        for name, words in stands.items():
            here.say(f"{name}: {words}")


def _paint(text: str, change: "Change") -> str:
    colour = COLOURS.get(change)
    return typer.style(text, fg=colour) if colour else text


def plain(found: "Diff") -> dict[str, Any]:
    """For machines: everything the terminal shows."""
    from dataclasses import asdict  # noqa: PLC0415 - start-up stays light

    return asdict(found)
