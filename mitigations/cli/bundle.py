"""`mitigations bundle` and `mitigations verify`: evidence for somebody who has nothing else."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitigations.cli.report import transcripts_of
from mitigations.cli.session import Session, session

if TYPE_CHECKING:
    from mitigations.compose.bundle import Verified


def bundle(
    context: typer.Context,
    run: Annotated[str | None, typer.Argument(help="Run id; the latest by default.")] = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The archive.")] = Path(
        "bundle.zip"
    ),
    sign: Annotated[
        Path | None, typer.Option(help="Sign with this ed25519 private key (PEM).")
    ] = None,
    transcripts: Annotated[
        str | None,
        typer.Option(
            help="Texts to pass on: a number of example pairs, `none` or `all`. By default 3 "
            "pairs, and none where the scenarios are a private pack.",
            show_default=False,
        ),
    ] = None,
    with_pack: Annotated[
        bool, typer.Option("--with-pack", help="Pass on the texts of a private pack too.")
    ] = False,
    new_key: Annotated[
        Path | None, typer.Option(help="Write a new key pair (FILE, FILE.pub) and stop.")
    ] = None,
) -> None:
    """Pack a run's rows, lock, variants and report into one archive that `verify` can check."""
    from mitigations.compose import bundle as bundles  # noqa: PLC0415 - start-up stays light
    from mitigations.compose import kept, reporting  # noqa: PLC0415
    from mitigations.compose.opening import open_store  # noqa: PLC0415

    here = session(context)
    if new_key is not None:
        print_of = bundles.new_key(new_key)
        here.say(f"{new_key}: keep it to yourself. {new_key}.pub is for your readers: {print_of}")
        return
    wanted = bundles.Wanted(
        transcripts=None if transcripts is None else transcripts_of(transcripts),
        with_pack=with_pack,
        key=sign,
    )
    with open_store(here.db) as store:
        chosen = reporting.latest_run(store) if run is None else reporting.known_run(store, run)
        plan = kept.plan_of(store, chosen)
        made = bundles.make_bundle(store, plan, chosen, output, wanted)
    if here.json:
        typer.echo(json.dumps({"bundle": str(output), **asdict(made)}))
        return
    signed = "signed" if made.signed else "not signed"
    here.say(f"{output}: {made.outcomes:,} outcomes, {made.members} members, {signed}.")
    here.say(f"Texts passed on: {made.transcripts}. Check it: mitigations verify {output}")


def verify(
    context: typer.Context,
    archive: Annotated[Path, typer.Argument(help="What `mitigations bundle` wrote.")],
    *,
    key: Annotated[
        Path | None, typer.Option(help="The public key (PEM) that must have signed it.")
    ] = None,
) -> None:
    """Recompute every number of a bundle offline; exit 4 when it is not to be trusted."""
    from mitigations.compose.bundle import verify_bundle  # noqa: PLC0415 - start-up stays light

    here = session(context)
    found = verify_bundle(archive, key=key)
    if here.json:
        typer.echo(json.dumps({"bundle": str(archive), "holds": found.holds, **asdict(found)}))
    else:
        for fault in found.faults:
            typer.echo(_one_line(fault))
        for note in found.notes:
            here.say(f"Note: {_one_line(note)}")
        _conclude(here, archive, found)
    if not found.holds:
        raise typer.Exit(4)


def _conclude(here: Session, archive: Path, found: "Verified") -> None:
    if not found.holds:
        here.say(f"{archive}: not to be trusted.")
        return
    here.say(f"{archive}: {_one_line(found.run)}: {found.members} members hold their hashes.")
    here.say(f"{found.numbers:,} report values agree, recomputed from {found.outcomes:,} outcomes.")
    if found.signed_by is not None:
        here.say(f"Signed by the key {found.signed_by}.")
    else:
        here.say("Not signed: it agrees with itself, which does not show who made it.")


def _one_line(text: str) -> str:
    """What an archive says, without what could steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
