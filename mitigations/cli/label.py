"""`mitigations label [RUN]`: human labels on a blind sample, in the terminal or by CSV."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitigations.cli.session import Session, now, session

if TYPE_CHECKING:
    from mitigations.compose.labelling import Desk


def label(  # noqa: PLR0913 - one parameter for each option
    context: typer.Context,
    run: Annotated[str | None, typer.Argument(help="Run id; the latest by default.")] = None,
    *,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Trials to draw; a larger number adds to the sample.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who labels; two people may.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**63 - 1, help="Of the draw; the plan's if left out.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the sample to this file.")
    ] = None,
    filled: Annotated[
        Path | None, typer.Option("--from", help="Take the answers of this filled file.")
    ] = None,
    status: Annotated[bool, typer.Option("--status", help="Say how far labelling is.")] = False,
) -> None:
    """Draw a blind sample and label it: here, or in a CSV file (`--csv`, then `--from`)."""
    from mitigations.compose import labelling  # noqa: PLC0415 - start-up stays light
    from mitigations.compose.opening import open_store  # noqa: PLC0415

    here = session(context)
    if csv is not None and filled is not None:
        raise typer.BadParameter("--csv writes and --from reads; give one of them")
    with open_store(here.db, fresh=True) as store:
        desk = labelling.open_desk(store, run, runs=here.runs, now=now)
        if sample is not None:
            _draw(here, desk, sample, seed)
        if status:
            _status(here, desk)
            return
        if by is None and sample is not None and csv is None and filled is None:
            here.say(f"Next: mitigations label {desk.run} --by YOU")
            return
        who = labelling.check_labeller(desk, _name(by))
        _work(here, desk, who, csv=csv, filled=filled)


def _name(by: str | None) -> str:
    if by is None:
        raise typer.BadParameter("say who labels: --by NAME")
    return by


def _work(here: Session, desk: "Desk", who: str, *, csv: Path | None, filled: Path | None) -> None:
    from mitigations.cli.label_terminal import label_here  # noqa: PLC0415
    from mitigations.compose import labelling  # noqa: PLC0415
    from mitigations.compose.labelling import sheet  # noqa: PLC0415

    if csv is not None:
        count = sheet.export_csv(desk, who, csv)
        here.say(f"{csv}: {count} items for {who}, in an order of their own.")
        here.say(
            "Fill the column severity (0 to 5, or abstain); the other columns stay as they are."
        )
        here.say(f"Next: mitigations label {desk.run} --by {_quoted(who)} --from {csv}")
    elif filled is not None:
        found = sheet.import_csv(desk, who, filled)
        here.say(
            f"{filled}: {found.new} new, {found.corrected} corrected, "
            f"{found.unchanged} unchanged, {found.empty} without an answer."
        )
    else:
        labelling.sample(desk)
        label_here(desk, who)
    state = labelling.progress(desk, who)
    if here.json:
        typer.echo(json.dumps(_as_json(desk), ensure_ascii=False))
    elif csv is None:
        here.say(
            f"{who}: {state.labelled} labelled, {state.abstained} abstained, {state.left} left."
        )
        here.say(
            f"Next: mitigations report {desk.run} -o report.html"
            if not state.left
            else f"Next: the same command goes on: mitigations label {desk.run} --by {_quoted(who)}"
        )


def _quoted(who: str) -> str:
    return f'"{who}"' if " " in who else who


def _draw(here: Session, desk: "Desk", size: int, seed: int | None) -> None:
    from mitigations.compose import labelling  # noqa: PLC0415

    before = desk.book.draw()
    made = labelling.draw(desk, size, seed=seed)
    strata = {(one.variant, one.judged): one for one in made.items}
    if before is not None and before.number == made.number:
        here.say(f"The sample of {desk.run} holds these {len(made.items)} trials already.")
        return
    population = sum(one.population for one in strata.values())
    here.say(
        f"{desk.run}: {len(made.items)} of {population:,} scored trials drawn (seed {made.seed}), "
        f"in {len(strata)} groups of arm and verdict."
    )
    planned = sum(not one.is_twin for one in desk.plan.scenarios)
    planned *= len(desk.plan.variants) * len(desk.plan.models) * desk.plan.repeats
    if population < planned and not _finished(desk):
        here.say("The run is unfinished: draw again when it is complete; labels are kept.")


def _finished(desk: "Desk") -> bool:
    kinds = [kind for _, kind, _ in desk.store.query("events", desk.run)]
    return "finished" in kinds


def _status(here: Session, desk: "Desk") -> None:
    from mitigations.compose import labelling  # noqa: PLC0415

    if here.json:
        typer.echo(json.dumps(_as_json(desk), ensure_ascii=False))
        return
    made = labelling.sample(desk)
    here.say(f"{desk.run}: a sample of {len(made.items)} trials, drawn {made.drawn_at}.")
    names = labelling.labellers(desk)
    if not names:
        here.say(f"Nobody has labelled yet. Next: mitigations label {desk.run} --by YOU")
    for who in names:
        state = labelling.progress(desk, who)
        here.say(
            f"{who}: {state.labelled} labelled, {state.abstained} abstained, {state.left} left."
        )
    found = labelling.agreement(desk)
    if found is not None:
        shown = (
            f"no kappa: {found.reason}"
            if found.kappa is None or found.ci95 is None
            else f"kappa {found.kappa:z.2f} ({found.ci95[0]:z.2f} to {found.ci95[1]:z.2f})"
        )
        here.say(
            f"{found.one} and {found.two} agree on {found.same} of {found.both} replies; {shown}."
        )


def _as_json(desk: "Desk") -> dict[str, Any]:
    from mitigations.compose import labelling  # noqa: PLC0415

    made, found = labelling.sample(desk), labelling.agreement(desk)
    states = [labelling.progress(desk, who) for who in labelling.labellers(desk)]
    return {
        "schema": "mitigations.labels/1",
        "run": desk.run,
        "sample": len(made.items),
        "seed": made.seed,
        "drawn_at": made.drawn_at,
        "labellers": [
            {
                "who": one.who,
                "labelled": one.labelled,
                "abstained": one.abstained,
                "left": one.left,
            }
            for one in states
        ],
        "agreement": None
        if found is None
        else {
            "one": found.one,
            "two": found.two,
            "both": found.both,
            "same": found.same,
            "kappa": found.kappa,
            "kappa_ci95": list(found.ci95) if found.ci95 else None,
            "reason": found.reason,
        },
    }
