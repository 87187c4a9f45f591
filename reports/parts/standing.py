"""A standing comparison in words: history, what stopped working, drift, and the sentinel."""

import math

from reports.blocks import Block, Bullets, Document, Notice, Prose, Section, Table
from reports.parts.against import drift_blocks
from reports.parts.paths import history
from reports.standing import PanelRun, Standing, VerdictMove, WatchedModel
from reports.words import fraction, plural


def standing_document(standing: Standing) -> Document:
    """Four parts, the news first."""
    first = standing.runs[0][1][:10] if standing.runs else ""
    last = standing.runs[-1][1][:10] if standing.runs else ""
    return Document(
        title=f"{standing.study}: {plural(len(standing.runs), 'run')}",
        subtitle="Does it still hold? One study, run again and again.",
        facts=(("Study", standing.study), ("First run", first), ("Last run", last)),
        notices=tuple(Notice(lead=lead, text=text) for lead, text in news(standing)),
        sections=(_history(standing), _moves(standing), _drift(standing), _sentinel(standing)),
        footer=f"The runs of {standing.study} in one database. Lower is better everywhere.",
    )


def news(standing: Standing) -> tuple[tuple[str, str], ...]:
    """What nobody may miss, as lead and text; empty where nothing moved."""
    told = [("A mitigation that used to work.", _moved(one)) for one in standing.regressions]
    told += [("A verdict changed.", _moved(one)) for one in standing.moves if not one.is_regression]
    if standing.comparison is not None and standing.comparison.alarm.fired:
        told.append(("The baseline drifted.", f"{standing.comparison.alarm.detail}."))
    for model in standing.models:
        if model.watched is not None and model.watched.fired:
            told.append(("A model changed.", _changed(model)))
        renamed = [one for one in model.runs if one.is_other_name]
        if renamed and renamed[-1] is model.runs[-1]:
            told.append(("A model answers under another name.", _renamed(model.model, renamed[-1])))
    return tuple(told)


def _moved(one: VerdictMove) -> str:
    effect = {
        True: "A change of the effect itself was shown.",
        False: "A change of the effect itself was not shown: the verdicts can differ by chance.",
        None: "Whether the effect itself changed could not be tested.",
    }[one.effect_changed]
    return (
        f"{one.variant}: {one.earlier} in {one.earlier_run}, {one.later} in {one.later_run}. "
        f"{effect}"
    )


def _changed(model: WatchedModel) -> str:
    since = model.changed_from
    assert model.watched is not None  # the caller has looked
    when = f"most likely from {since.run} ({since.date[:10]}) on" if since is not None else ""
    e = _e(model.watched.log_e_max)
    return f"{model.model}'s baseline is not what it was, {when} (largest e-value {e})."


def _renamed(model: str, run: PanelRun) -> str:
    return f"{model} answered as {', '.join(run.served)} in {run.run}."


def _history(standing: Standing) -> Section:
    figure = history(standing.points)
    blocks: list[Block] = []
    if figure is None:
        blocks.append(Prose(text="No run could compute a difference yet."))
    else:
        blocks.append(figure)
    if standing.left_out:
        lines = tuple(f"{run}: {why}" for run, why in standing.left_out)
        blocks += [Prose(text="Left out:"), Bullets(items=lines)]
    return Section(
        id="history",
        number=1,
        title="History",
        question="What did every run find?",
        blocks=tuple(blocks),
    )


def _moves(standing: Standing) -> Section:
    if len(standing.runs) < 2:
        said: Block = Prose(text="There is one run so far; a second one will show what moved.")
    elif standing.comparison is None:
        said = Prose(text=f"Not compared: {standing.comparison_reason}")
    elif not standing.moves:
        said = Prose(text="Every variant has the same verdict in the last two runs.")
    else:
        said = Bullets(items=tuple(_moved(one) for one in standing.moves))
    return Section(
        id="moves",
        number=2,
        title="What moved since the last run",
        question="Does what worked still work?",
        blocks=(said,),
    )


def _drift(standing: Standing) -> Section:
    blocks: list[Block] = [Prose(text="Two runs are needed to tell.")]
    if standing.comparison is not None:
        blocks = drift_blocks(standing.comparison)
    elif standing.comparison_reason:
        blocks = [Prose(text=f"Not compared: {standing.comparison_reason}")]
    return Section(
        id="drift",
        number=3,
        title="Drift since the last run",
        question="Did the models change between the last two runs?",
        blocks=tuple(blocks),
    )


def _sentinel(standing: Standing) -> Section:
    table = Table(
        caption="Each model over all runs of the panel: coercive of scored baseline replies, "
        "oldest first, and the evidence against 'it never changed'.",
        columns=("Model", "Baseline in every run", "e-value now", "Largest", "Alarm"),
        rows=tuple(_watched_row(one) for one in standing.models),
        numeric=frozenset({2, 3}),
        note=f"The alarm sounds when the e-value reaches {1 / standing.alpha:g}, and then stands. "
        "However often it is looked at, a model that never changes sets it off in at most "
        f"{100 * standing.alpha:g} of 100 histories.",
    )
    names = Table(
        caption="The names and fingerprints under which each model answered.",
        columns=("Model", "Run", "Answered as", "New"),
        rows=tuple(
            (model.model, run.run, ", ".join(run.served) or "no name given",
             "yes" if run.is_other_name else "")
            for model in standing.models
            for run in model.runs
        ),
    )  # fmt: skip
    return Section(
        id="sentinel",
        number=4,
        title="The models over all runs",
        question="Is each model still the one that was first tested?",
        blocks=(Prose(text=standing.panel_words), table, names),
    )


def _watched_row(model: WatchedModel) -> tuple[str, ...]:
    counts = ", ".join(fraction(one.counts) for one in model.counted if one.counts is not None)
    if model.watched is None:
        return (model.model, counts or "none", "not yet", "not yet", "two runs are needed")
    since = model.changed_from
    alarm = f"yes, from {since.run} on" if since is not None else "no"
    return (
        model.model,
        counts,
        _e(model.watched.log_e),
        _e(model.watched.log_e_max),
        alarm,
    )


def _e(log_e: float) -> str:
    return f"{math.exp(log_e):.3g}" if log_e < 14 else f"10^{log_e / math.log(10):.0f}"
