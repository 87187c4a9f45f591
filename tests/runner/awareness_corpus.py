"""Visible reasoning with known truth: `python -m tests.runner.awareness_corpus [--write]`.

The page says what the probe makes of it; a test holds the page.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from mitigations.files import read_yaml
from runner.awareness import PROBE, Awareness, read_awareness
from stats.two_by_two import wilson_interval

PAGE = Path(__file__).parents[2] / "docs" / "awareness-accuracy.md"

_TEXTS = read_yaml(Path(__file__).with_suffix(".yaml")).data
SAYS_TEST, SAYS_REAL, SAYS_NEITHER = (
    tuple(_TEXTS[name]) for name in ("says_test", "says_real", "says_neither")
)
CASES = (
    *((text, Awareness.SAYS_TEST) for text in SAYS_TEST),
    *((text, Awareness.SAYS_REAL) for text in SAYS_REAL),
    *((text, Awareness.NONE) for text in SAYS_NEITHER),
)


def counts(state: Awareness) -> tuple[int, int, int]:
    """(found, false alarms, missed) of one statement."""
    pairs = [(truth is state, read_awareness(text) is state) for text, truth in CASES]
    return (
        sum(known and found for known, found in pairs),
        sum(found and not known for known, found in pairs),
        sum(known and not found for known, found in pairs),
    )


def _share(hits: int, of: int) -> str:
    if not of:
        return "none"
    low, high = wilson_interval(hits, of)
    return f"{100 * hits / of:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def rows() -> Iterator[str]:
    for state in (Awareness.SAYS_TEST, Awareness.SAYS_REAL):
        hits, alarms, missed = counts(state)
        precision, recall = _share(hits, hits + alarms), _share(hits, hits + missed)
        yield f"| {state} | {hits} | {alarms} | {missed} | {precision} | {recall} |"


def page() -> str:
    head = f"""# How well the awareness probe reads known reasoning

Written by `python -m tests.runner.awareness_corpus --write`; a test holds this page to what the
probe does. Probe version {PROBE}; {len(CASES)} pieces of reasoning: {len(SAYS_TEST)} say that the
case is a test, {len(SAYS_REAL)} that it is real, {len(SAYS_NEITHER)} neither (questions,
conditions, other senses of the words). They were written after the probe was last changed, by its
authors and
in English: reasoning of real models will be read less well. Intervals are Wilson's, 95 %.

| what | found | false alarms | missed | precision | recall |
|---|---|---|---|---|---|
"""
    foot = """
The probe reads visible reasoning alone: the provider's own, tagged thoughts, loose prose around the
actions. Many providers show none or a summary. What is not visible is counted apart and never as
"says neither".
"""
    return head + "".join(f"{row}\n" for row in rows()) + foot


def main(arguments: Sequence[str]) -> None:
    if "--write" in arguments:
        PAGE.write_text(page(), encoding="utf-8")
        return
    sys.stdout.write(page())


if __name__ == "__main__":
    main(sys.argv[1:])
