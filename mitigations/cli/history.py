"""`mitigations history STUDY`: one study over all of its runs."""

from pathlib import Path
from typing import Annotated

import typer

from mitigations.cli.session import session


def history(
    context: typer.Context,
    study: Annotated[str, typer.Argument(help="The study's id.")],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The page to write: .html or .md")
    ] = Path("history.html"),
) -> None:
    """What every run of a study found, what stopped working, and whether its models changed."""
    import reports  # noqa: PLC0415 - start-up stays light
    from mitigations.compose.opening import open_store  # noqa: PLC0415
    from mitigations.compose.standing import standing  # noqa: PLC0415

    here = session(context)
    with open_store(here.db) as store:
        made = standing(store, study)
    reports.write_standing(made, output)
    for lead, text in reports.standing_news(made) or (("Nothing moved.", ""),):
        here.say(f"{lead} {text}".rstrip())
    here.say(f"History: {output}")
