"""`mitigations demo`: the whole loop without a key, ending with the verdict and the report."""

import json
from pathlib import Path
from typing import Annotated

import typer

from mitigations.cli.session import now, session


def demo(
    context: typer.Context,
    *,
    out: Annotated[Path, typer.Option(help="Folder for database, lock and report.")] = Path(
        "out/demo"
    ),
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Seconds instead of minutes: published rates.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the plan.")] = 20260101,
) -> None:
    """Run the whole loop on the embedded model (about four minutes) and write its report."""
    import asyncio  # noqa: PLC0415 - start-up stays light

    from mitigations.cli.progress import Progress  # noqa: PLC0415 - start-up stays light
    from mitigations.compose import demonstrating  # noqa: PLC0415

    here = session(context)
    plan = demonstrating.demo_plan(simulated=simulated, seed=seed, created=now())
    here.say(demonstrating.describe(plan))
    with Progress(here) as progress:
        made = asyncio.run(demonstrating.demonstrate(plan, out, now=now, watch=progress))
    for sentence in made.sentences:
        here.say(sentence)
    if here.json:
        typer.echo(json.dumps(made.json, ensure_ascii=False))
    here.say(f"Report: {made.html}")
