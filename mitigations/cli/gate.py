"""`mitigations gate [RUN]`: one exit code for a pipeline, by the rule that the lock holds."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitigations.cli.session import session

if TYPE_CHECKING:
    from reports import Gated


def gate(
    context: typer.Context,
    run: Annotated[str | None, typer.Argument(help="Run id; the latest by default.")] = None,
    *,
    junit: Annotated[
        Path | None, typer.Option(help="Write the checks as JUnit XML.", show_default=False)
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(help="Write a Markdown page for the job.", show_default=False),
    ] = None,
) -> None:
    """Pass, fail or hold a run: exit 0 passed, 3 failed, 4 inconclusive or not to be trusted."""
    import reports  # noqa: PLC0415 - start-up stays light
    from mitigations.compose import kept, reporting  # noqa: PLC0415
    from mitigations.compose.opening import open_store  # noqa: PLC0415
    from mitigations.compose.reporting import gating  # noqa: PLC0415
    from mitigations.files import write_atomic  # noqa: PLC0415

    here = session(context)
    with open_store(here.db) as store:
        chosen = reporting.latest_run(store) if run is None else reporting.known_run(store, run)
        result = gating.gate_run(store, kept.plan_of(store, chosen), chosen)
    if junit is not None:
        write_atomic(junit, reports.junit(result))
    if summary is not None:
        write_atomic(summary, reports.gate_markdown(result))
    if here.json:
        typer.echo(json.dumps(_plain(result), ensure_ascii=False))
    else:
        for check in result.of("failed", "untrusted", "inconclusive"):
            typer.echo(f"{check.state}: {check.name}: {check.said}")
        here.say(f"{result.title}: {result.word} ({len(result.checks)} checks).")
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def _plain(result: "Gated") -> dict[str, object]:
    checks = [
        {"group": one.group, "name": one.name, "state": one.state, "said": one.said}
        for one in result.checks
    ]
    return {"run": result.title, "result": result.word, "exit": result.exit_code, "checks": checks}
