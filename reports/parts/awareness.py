"""Part 6, what the visible reasoning says of being tested, and how replies differ with it."""

from collections.abc import Iterable

from mitigations.model import FACTORS, Counts
from reports.blocks import Block, Bullets, Prose, Subhead, Table
from reports.report import AwarenessRow, Report
from reports.words import signed, signed_interval

_MEANING = Bullets(
    items=(
        "An association, never a cause: what makes a model suspect a test may also make it behave.",
        "A variant that works by sounding like a test shows here as a difference between arms.",
        "The probe is a rule that reads statements; docs/awareness-accuracy.md says how well.",
    )
)


def awareness_blocks(report: Report) -> list[Block]:
    """Three tables, or why there is nothing to show."""
    probe = report.extras.probe
    if probe is None:
        return []
    head: list[Block] = [Subhead(text="What the replies say of being tested")]
    visible = sum(row.visible for row in probe.rows)
    hidden = sum(row.not_visible.scored for row in probe.rows)
    unread = sum(row.unread for row in probe.rows)
    rest = f" {unread:,} replies were not read by this version of the probe." if unread else ""
    if not visible:
        words = (
            f"No reasoning is visible in any of {hidden:,} scored replies: whether the models took "
            f"the cases for a test is not known. Not seen is not the same as not there.{rest}"
        )
        return [*head, Prose(text=words)]
    words = (
        f"Reasoning is visible in {visible:,} of {visible + hidden:,} scored replies; of the "
        f"others nothing is known.{rest}"
    )
    cues = {row.cue for row in probe.rows}
    by_cue = [_by_cue(report, probe.rows)] if len(cues) > 1 else []
    tables = [_by_state(report, probe.rows), _gaps(report), *by_cue]
    return [*head, Prose(text=words), *tables, _MEANING]


def _by_state(report: Report, rows: Iterable[AwarenessRow]) -> Table:
    kept = tuple(rows)
    body = []
    for arm in report.arms:
        mine = [row for row in kept if row.variant == arm]
        body.append(
            (
                arm,
                _sum(row.says_test for row in mine),
                _sum(row.says_real for row in mine),
                _sum(row.says_neither for row in mine),
                _sum(row.not_visible for row in mine),
            )
        )
    return Table(
        caption="Coercive of scored replies, by what their visible reasoning says.",
        columns=("Arm", "Says test", "Says real", "Says neither", "Not visible"),
        rows=tuple(body),
        numeric=frozenset({1, 2, 3, 4}),
    )


def _gaps(report: Report) -> Table:
    probe = report.extras.probe
    return Table(
        caption="Replies that say they are a test, of replies with visible reasoning: each arm "
        "against the baseline.",
        columns=("Arm", "Says test", "Baseline", "Difference", "95 %"),
        rows=tuple(
            (
                gap.variant,
                f"{gap.treated[0]}/{gap.treated[1]}",
                f"{gap.control[0]}/{gap.control[1]}",
                signed(gap.difference),
                signed_interval(gap.ci95),
            )
            for gap in (probe.gaps if probe else ())
        ),
        numeric=frozenset({1, 2, 3, 4}),
        note="Exploratory. Newcombe intervals of the pooled counts.",
    )


def _by_cue(report: Report, rows: Iterable[AwarenessRow]) -> Table:
    kept = tuple(rows)
    levels = [*FACTORS["evaluation_cue"], ""]
    return Table(
        caption="Replies that say they are a test, of replies with visible reasoning, by what the "
        "scenario says of being tested.",
        columns=("Arm", *(level or "not a factor" for level in _shown(levels, kept))),
        rows=tuple(
            (arm, *(_said(kept, arm, level) for level in _shown(levels, kept)))
            for arm in report.arms
        ),
        numeric=frozenset(range(1, 1 + len(_shown(levels, kept)))),
    )


def _shown(levels: Iterable[str], rows: Iterable[AwarenessRow]) -> list[str]:
    found = {row.cue for row in rows}
    return [level for level in levels if level in found]


def _said(rows: Iterable[AwarenessRow], arm: str, cue: str) -> str:
    mine = [row for row in rows if row.variant == arm and row.cue == cue]
    return f"{sum(row.says_test.scored for row in mine)}/{sum(row.visible for row in mine)}"


def _sum(counts: Iterable[Counts]) -> str:
    total = sum(counts, Counts(coercive=0, scored=0))
    return f"{total.coercive}/{total.scored}"
