"""The command table. Only what `--help` needs is imported here; commands import their own work."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from mitigations import __version__
from mitigations.cli.ablate import ablate
from mitigations.cli.analyze import analyze
from mitigations.cli.bundle import bundle, verify
from mitigations.cli.calibrate import calibrate
from mitigations.cli.check import check
from mitigations.cli.demo import demo
from mitigations.cli.diff import diff
from mitigations.cli.exchange import export, import_
from mitigations.cli.gate import gate
from mitigations.cli.history import history
from mitigations.cli.init import init
from mitigations.cli.label import label
from mitigations.cli.new import new
from mitigations.cli.plan import plan
from mitigations.cli.report import report
from mitigations.cli.run import run as run_command
from mitigations.cli.schedule import schedule
from mitigations.cli.serve import serve
from mitigations.cli.session import Session, default_db
from mitigations.cli.worker import worker
from mitigations.errors import MitigationsError, StorageFailed

app = typer.Typer(
    name="mitigations",
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Which prompt or policy keeps a language model from coercing people, and by how much.",
    epilog="Start with `mitigations demo`. A study: init, check, plan, run, report.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mitigations {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _globals(
    context: typer.Context,
    *,
    db: Annotated[
        Path | None, typer.Option(help="Database file (env MITIGATIONS_DB).", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print results only.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="Plain text.")] = False,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print it and exit."),
    ] = False,
) -> None:
    context.obj = Session(db=db or default_db(), json=json, quiet=quiet, color=not no_color)
    if context.invoked_subcommand is None:
        from mitigations.cli.welcome import welcome  # noqa: PLC0415 - start-up stays light

        welcome(context.obj)


def _commands() -> dict[str, Callable[..., None]]:
    """Every command by name, in the order of `--help`."""
    return {
        "demo": demo,
        "init": init,
        "new": new,
        "check": check,
        "diff": diff,
        "ablate": ablate,
        "plan": plan,
        "run": run_command,
        "label": label,
        "report": report,
        "history": history,
        "gate": gate,
        "bundle": bundle,
        "verify": verify,
        "analyze": analyze,
        "import": import_,
        "export": export,
        "calibrate": calibrate,
        "serve": serve,
        "worker": worker,
    }


for _name, _command in _commands().items():
    app.command(name=_name)(_command)
GROUPS = {"schedule": schedule}
"""Commands with commands of their own."""
for _name, _group in GROUPS.items():
    app.add_typer(_group, name=_name)


_EVERYWHERE = {"--json": 0, "--quiet": 0, "-q": 0, "--no-color": 0, "--db": 1}
"""Global options and how many values each takes; they may stand after the command as well."""


def _globals_first(arguments: Sequence[str]) -> list[str]:
    """Global options moved before the command, where the parser looks for them."""
    first: list[str] = []
    rest: list[str] = []
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word == "--":
            return [*first, *rest, word, *left]
        if word in _EVERYWHERE:
            values = _EVERYWHERE[word]
            first += [word, *left[:values]]
            left = left[values:]
        elif word.startswith("--db="):
            first.append(word)
        else:
            rest.append(word)
    return [*first, *rest]


def run(arguments: Sequence[str]) -> int:
    """Run a command line; returns the exit code. Expected errors go to standard error."""
    try:
        result = app(_globals_first(arguments), standalone_mode=False)
    except MitigationsError as exc:
        from mitigations.cli.nearby import hint  # noqa: PLC0415 - start-up stays light

        typer.echo(f"mitigations: {exc}{hint(exc)}", err=True)
        return exc.exit_code
    except typer.TyperException as exc:
        typer.echo(f"mitigations: {exc.format_message()}\n  Try --help.", err=True)
        return exc.exit_code
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("mitigations: interrupted", err=True)
        return 130
    except BrokenPipeError:
        # The reader went away (`| head`); there is nobody left to tell.
        sys.stderr.close()
        return 0
    except OSError as exc:
        # What the system refused outside of our own files' doors: a name too long, no memory left.
        where = f"{str(exc.filename)[:200]}: " if exc.filename else ""
        typer.echo(f"mitigations: {where}{exc.strerror or exc}", err=True)
        return StorageFailed.exit_code
    return result if isinstance(result, int) else 0
