"""`mitigations analyze`: the same statistics on anyone's counts or trials."""

from pathlib import Path
from typing import Annotated

import typer

from mitigations.cli.session import session


def analyze(  # noqa: PLR0913 - one argument for each flag of the command
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="CSV or Parquet of counts or trials; a folder of Parquet.")
    ],
    *,
    baseline: Annotated[
        str, typer.Option(help="The variant to compare with; `baseline` or `control` if absent.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="The public JSON contract.")] = False,
    judge: Annotated[
        Path | None, typer.Option(help="CSV of human labels: variant, human, judge.")
    ] = None,
    power: Annotated[
        bool, typer.Option("--power", help="What the file, read as a pilot, could show.")
    ] = False,
    paired: Annotated[
        bool, typer.Option("--paired", help="McNemar on trials paired by repeat.")
    ] = False,
    smallest_change: Annotated[
        float, typer.Option(help="Smallest change that matters, as a proportion.", min=0.0, max=1.0)
    ] = 0.05,
    alpha: Annotated[float, typer.Option(help="Two-sided level.", min=1e-6, max=0.5)] = 0.05,
    seed: Annotated[int, typer.Option(help="Seed of the permutations.", min=0)] = 0,
    permutations: Annotated[
        int,
        typer.Option(help="For the family; 0: step-down Dunnett instead.", min=0, max=1_000_000),
    ] = 9999,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Write to a file: .html, .json, .md, .csv ..."),
    ] = None,
) -> None:
    """Analyse a table of counts or trials with the statistics of a study.

    Counts: columns variant, scenario, model, coercive, trials. Trials: variant, scenario, model,
    repeat, coercive (0, 1, or empty for a lost trial) and optional epoch, run, twin, baseline.
    """
    # Imported here: `mitigations --help` must not pay for numpy and scipy.
    from mitigations.compose.analysing import Request, answer, written  # noqa: PLC0415

    shared = session(context)
    result = answer(
        Request(
            file=file,
            baseline=baseline or None,
            judge=judge,
            power=power,
            paired=paired,
            smallest_change=smallest_change,
            alpha=alpha,
            seed=seed,
            permutations=permutations,
        )
    )
    if out is not None:
        written(result, out)
        shared.say(f"Wrote {out}")
        return
    if json or shared.json:
        typer.echo(result.json_text)
        return
    from mitigations.compose.analysing.text import console_text  # noqa: PLC0415

    typer.echo(console_text(result, color=shared.color), nl=False)
