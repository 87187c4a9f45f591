"""`mitigations calibrate`: does the service err as often as it says?"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer


def calibrate(
    *,
    full: Annotated[
        bool, typer.Option("--full", help="20,000 experiments a setting: about five minutes.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Same seed, same figures.", min=0)] = 0,
    out: Annotated[
        Path, typer.Option(help="Page to write; the figures go beside it as .json.")
    ] = Path("calibration.md"),
) -> None:
    """Simulate A/A and A/B experiments through the whole analysis; write observed error rates.

    Leaves with 1 when a figure lies further than four Monte Carlo errors from its target.
    """
    # Imported here: `mitigations --help` must not pay for scipy.
    from mitigations.files import write_atomic  # noqa: PLC0415
    from stats.calibrate import calibrate as simulate  # noqa: PLC0415
    from stats.calibrate_page import document, page  # noqa: PLC0415

    if full:
        typer.echo(
            "simulating half a million experiments; about five minutes on two cores", err=True
        )
    found = simulate(full=full, seed=seed)
    date = datetime.now(UTC).date().isoformat()
    write_atomic(out, page(found, date=date))
    write_atomic(out.with_suffix(".json"), json.dumps(document(found, date=date), indent=1) + "\n")
    for finding in found.broken:
        typer.echo(
            f"{finding.what} ({finding.setting}): {finding.observed:.4f} ± {finding.error:.4f}",
            err=True,
        )
    typer.echo(f"{len(found.findings)} figures, {len(found.broken)} out of bounds: {out}")
    if found.broken:
        raise typer.Exit(1)
