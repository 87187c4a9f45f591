"""`ablate`: from one variant to the variants and the study that take it apart."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitigations.cli.session import session
from mitigations.errors import MitigationsError

if TYPE_CHECKING:
    from variants import Ablation


class WouldOverwrite(MitigationsError):
    """A file of the ablation exists and differs."""


def ablate(  # noqa: PLR0913 - one argument per flag of the command
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The variant to take apart.")],
    *,
    dose: Annotated[
        str, typer.Option(help="Ordered doses, such as 1,10,50,100.", show_default=False)
    ] = "",
    placement: Annotated[bool, typer.Option("--placement", help="Three placements.")] = False,
    resolution: Annotated[
        str | None,
        typer.Option(help="III, IV, V or full; default: the best that fits.", show_default=False),
    ] = None,
    max_variants: Annotated[int, typer.Option(min=2, help="How many may be made.")] = 16,
    vary: Annotated[
        list[str] | None,
        typer.Option(help="Clause to switch (repeatable); default: all.", show_default=False),
    ] = None,
    baseline: Annotated[
        str, typer.Option(help="Control arm of a dose or placement study.")
    ] = "no-mitigation",
    scenarios: Annotated[str, typer.Option(help="Scenario set.")] = "builtin/coercion-v1",
    model: Annotated[list[str] | None, typer.Option(help="Model (repeatable).")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats per cell.")] = 10,
    folder: Annotated[Path, typer.Option(help="Where variants are kept.")] = Path("variants"),
    out: Annotated[
        Path | None, typer.Option(help="Study file; default: NAME-KIND.yaml.", show_default=False)
    ] = None,
) -> None:
    """Turn a constitution's clauses, an ordered dose or three placements into a study."""
    import variants  # noqa: PLC0415 - start-up stays light

    (variant,) = variants.find([name], folder)
    ablation = variants.ablate(
        variant,
        resolution=resolution,
        max_variants=max_variants,
        vary=tuple(vary or ()),
        doses=doses(dose),
        placement=placement,
        baseline=baseline,
    )
    # The control arm must exist before anything is written.
    variants.find([baseline], folder)
    text = variants.study_text(
        ablation, scenarios=scenarios, models=model or ["local/smollm2"], repeats=repeats
    )
    study = out or Path(f"{variants.study_id(ablation)}.yaml")
    files = {folder / f"{part.id}.md": variants.to_markdown(part) for part in ablation.new}
    write_all({**files, study: text})
    here = session(context)
    here.say(variants.describe(ablation))
    here.say(f"wrote {len(files)} variants to {folder}/ and {study}")
    here.say(f"next: mitigations plan {study}")
    if here.json:
        typer.echo(_json(ablation, study))


def doses(listed: str) -> tuple[float, ...]:
    """The numbers of `1,10,50,100`. Raises `CannotAblate` for anything else."""
    if not listed.strip():
        return ()
    from variants import CannotAblate  # noqa: PLC0415 - start-up stays light

    try:
        found = tuple(float(part) for part in listed.split(","))
    except ValueError:
        found = (float("nan"),)
    if not all(0 <= number < 1e9 for number in found):
        raise CannotAblate(f"{listed[:60]!r} is no list of doses\n  --dose 1,10,50,100")
    return found


def write_all(files: dict[Path, str]) -> None:
    """Write every file, or none where one of them exists with another content."""
    from mitigations.files import read_text, write_atomic  # noqa: PLC0415 - start-up stays light

    for path, text in files.items():
        if path.exists() and read_text(path) != text:
            fix = "Move it away, or give another --folder or --out."
            raise WouldOverwrite(f"{path} exists and differs\n  {fix}")
    for path, text in files.items():
        write_atomic(path, text)


def _json(ablation: "Ablation", study: Path) -> str:
    import json  # noqa: PLC0415 - start-up stays light

    design = ablation.design
    return json.dumps(
        {
            "study": str(study),
            "kind": ablation.kind,
            "baseline": ablation.baseline,
            "variants": [variant.id for variant in ablation.variants],
            "factors": dict(ablation.factors),
            "coding": {name: dict(levels) for name, levels in ablation.coding.items()},
            "scores": dict(ablation.scores),
            "resolution": design.resolution_name if design else None,
            "aliases": {alias.effect: list(alias.others) for alias in ablation.aliases},
        },
        ensure_ascii=False,
    )
