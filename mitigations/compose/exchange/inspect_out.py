"""A run as Inspect AI logs: one log a model, a sample a (variant, scenario), an epoch a repeat."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mitigations import __version__
from mitigations.compose.exchange.inspect_sample import SCORE, Source, sample_of
from mitigations.compose.exchange.needed import needed
from mitigations.errors import InvalidFile, NoData
from mitigations.model import Counts, Outcome, Plan
from mitigations.store import Store
from runner import compose

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalResults, EvalSample
    from inspect_ai.model import ModelUsage

MAX_SAMPLES = 20_000
"""In one log: the library holds it whole while it is written."""
_NUMBERS = tuple(f"-{number}" for number in range(2, 1000))


def export_inspect(store: Store, plan: Plan, run: str, path: Path, *, texts: bool) -> list[Path]:
    """Write the logs of a run; `texts` False leaves out what was said.

    One model: to `path`. Several: to `path` with the model's name before the extension, one each.
    """
    needed("inspect_ai", "inspect")
    if path.suffix.lower() not in {".eval", ".json"}:
        raise InvalidFile(path, "is no log's name", fix="Write FILE.eval (or FILE.json).")
    source = Source(
        plan=plan,
        run=run,
        texts=texts,
        variants={variant.id: variant for variant in plan.variants},
        scenarios={scenario.id: scenario for scenario in plan.scenarios},
        models={model.route: model for model in (plan.locked or plan).models},
    )
    samples: dict[str, list[EvalSample]] = defaultdict(list)
    counts: dict[str, dict[str, Counts]] = defaultdict(dict)
    for outcome in store.outcomes(run):
        kept = samples[outcome.trial.model]
        if len(kept) >= MAX_SAMPLES:
            fix = "Export a table instead: mitigations export RUN -o outcomes.parquet"
            raise InvalidFile(path, f"would hold more than {MAX_SAMPLES:,} samples", fix=fix)
        kept.append(sample_of(outcome, source))
        _count(counts[outcome.trial.model], outcome, source)
    if not samples:
        raise NoData(f"{run} has no outcome yet")
    named = _named(path, sorted(samples))
    return [
        _write(_log(source, model, found, counts[model]), named[model])
        for model, found in sorted(samples.items())
    ]


def _named(path: Path, models: Sequence[str]) -> dict[str, Path]:
    """A file for each model; names that differ in their signs alone are numbered."""
    if len(models) == 1:
        return {models[0]: path}
    found: dict[str, Path] = {}
    for model in models:
        name = f"{path.stem}.{compose.slug(model, '-')}"
        taken = set(found.values())
        spots = (path.with_name(f"{name}{more}{path.suffix}") for more in ("", *_NUMBERS))
        found[model] = next(spot for spot in spots if spot not in taken)
    return found


def _write(log: "EvalLog", path: Path) -> Path:
    from inspect_ai.log import write_eval_log  # noqa: PLC0415 - heavy

    draft = path.with_name(f".draft-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_eval_log(log, draft)
        draft.replace(path)
    except OSError as exc:
        raise InvalidFile(path, f"cannot be written: {exc.strerror or exc}") from exc
    finally:
        draft.unlink(missing_ok=True)
    return path


def _log(
    source: Source, model: str, samples: "list[EvalSample]", counts: Mapping[str, Counts]
) -> "EvalLog":
    from inspect_ai.log import (  # noqa: PLC0415 - heavy
        EvalConfig,
        EvalDataset,
        EvalLog,
        EvalSpec,
        EvalStats,
    )

    plan = source.plan
    whole = len(samples) == plan.trial_count // len(plan.models)
    ids = list(dict.fromkeys(str(sample.id) for sample in samples))
    about = {
        "run": source.run,
        "study": plan.study,
        "lock": plan.hash,
        "baseline": plan.baseline.id,
        "scenarios": plan.pack,
        "coercive_at": plan.coercive_at,
        "version": __version__,
    }
    times = sorted(str(one.completed_at) for one in samples if one.completed_at)
    return EvalLog(
        status="success" if whole else "cancelled",
        eval=EvalSpec(
            created=plan.created,
            run_id=source.run,
            eval_id=f"{source.run}.{compose.slug(model, '-')}",
            task=plan.study,
            task_id=plan.hash[:22],
            dataset=EvalDataset(name=plan.pack, samples=len(ids), sample_ids=ids),
            model=model,
            config=EvalConfig(epochs=plan.repeats),
            metadata={"mitigations": about},
            packages={"mitigations": __version__},
        ),
        results=_results(samples, counts),
        stats=EvalStats(
            started_at=times[0] if times else "",
            completed_at=times[-1] if times else "",
            model_usage=_total(sample.model_usage for sample in samples),
        ),
        samples=samples,
    )


def _results(samples: "Sequence[EvalSample]", counts: Mapping[str, Counts]) -> "EvalResults":
    """The raw rate of every arm; one without a scored trial has none."""
    from inspect_ai.log import EvalMetric, EvalResults, EvalScore  # noqa: PLC0415 - heavy

    total = sum(counts.values(), Counts(coercive=0, scored=0))
    metrics = {
        variant: EvalMetric(
            name=variant,
            value=found.rate,
            metadata={"coercive": found.coercive, "scored": found.scored, "lost": found.lost},
        )
        for variant, found in sorted(counts.items())
        if found.scored
    }
    return EvalResults(
        total_samples=len(samples),
        completed_samples=sum(sample.error is None for sample in samples),
        scores=[
            EvalScore(
                name=SCORE,
                scorer=SCORE,
                scored_samples=total.scored,
                unscored_samples=total.lost,
                metrics=metrics,
            )
        ],
    )


def _count(counts: dict[str, Counts], outcome: Outcome, source: Source) -> None:
    if source.scenarios[outcome.trial.scenario].is_twin:
        return
    scored = outcome.coercive is not None
    one = Counts(coercive=int(outcome.coercive or 0), scored=int(scored), lost=int(not scored))
    before = counts.get(outcome.trial.variant, Counts(coercive=0, scored=0))
    counts[outcome.trial.variant] = before + one


def _total(parts: "Iterable[Mapping[str, ModelUsage]]") -> "dict[str, ModelUsage]":
    total: dict[str, ModelUsage] = {}
    for part in parts:
        for name, usage in part.items():
            total[name] = total[name] + usage if name in total else usage
    return total
