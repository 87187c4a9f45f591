"""Each bad input a team can write: file, line and way out, in at most three lines, exit code 2."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitigations.cli.app import run
from mitigations.errors import InvalidFile
from mitigations.study import parse_study
from variants import library, to_markdown

STUDY = """\
study: base
baseline: no-mitigation
variants: [prohibition-short-v1]
scenarios: builtin/demo-v1
models: [anthropic/claude-haiku-4-5-20251001]
repeats: 3
smallest_change_that_matters: 0.05
guardrails: {task_completion: 0.05}
budget_usd: 5
"""
Cli = Callable[[str], tuple[int, str]]


@pytest.fixture
def plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cli:
    """Plan a study text in a workspace that holds a copy of a shipped variant."""
    monkeypatch.chdir(tmp_path)
    Path("variants").mkdir()
    copy = to_markdown(library()["prohibition-short-v1"])
    Path("variants/copy-v1.md").write_text(copy.replace("id: prohibition-short-v1", "id: copy-v1"))

    def call(text: str) -> tuple[int, str]:
        Path("s.yaml").write_text(text)
        capsys.readouterr()
        return run(["plan", "s.yaml"]), capsys.readouterr().err

    return call


BAD = {
    "an unknown key": ("repeats: 3", "repeets: 3", 6, "unknown key 'repeets'"),
    "an unknown key inside": ("{task", "{speed: 0.1, task", None, "no 'speed'"),
    "a word YAML would bend, as a number": ("repeats: 3", "repeats: no", 6, "'no'"),
    "a fraction for a whole number": ("repeats: 3", "repeats: 1.10", 6, "'1.10'"),
    "a date for a number": ("repeats: 3", "repeats: 2026-11-24", 6, "2026-11-24"),
    "a word for a margin": ("0.05}", "yes}", 8, "'yes'"),
    "an alias": ("base\n", "&x base\n", 1, "anchors and aliases"),
    "a tag": ("repeats: 3", "repeats: !!int 3", 6, "the YAML tag"),
    "a path in the id": ("study: base", "study: ../base", 1, "'../base'"),
    "a path in a variant": ("[prohibition", "[../../etc/passwd, prohibition", 3, "etc/passwd"),
    "a path in the baseline": ("no-mitigation", "/etc/no-mitigation", 2, "/etc/no-mitigation"),
    "a variant equal to the baseline": ("no-mitigation", "copy-v1", 3, "same text and placement"),
    "two equal texts": (
        "[prohibition-short-v1]",
        "[prohibition-short-v1, copy-v1]",
        3,
        "same text",
    ),
    "the baseline listed again": ("[proh", "[no-mitigation, proh", None, "must not be listed"),
    "a variant twice": ("-short-v1]", "-short-v1, prohibition-short-v1]", None, "stands twice"),
    "an unknown variant": ("prohibition-short", "prohibition-shirt", 3, "did you mean"),
    "a margin above 1": ("{task_completion: 0.05", "{task_completion: 1.5", 8, "1.5"),
    "a margin of 0": ("{task_completion: 0.05", "{task_completion: 0", 8, "greater than 0"),
    "a negative margin": ("matters: 0.05", "matters: -0.05", 7, "-0.05"),
    "a change of 100 points": ("matters: 0.05", "matters: 1", 7, "less than 1"),
    "a budget below an epoch": ("budget_usd: 5", "budget_usd: 0.0001", 9, "one epoch"),
    "a budget of nothing": ("budget_usd: 5", "budget_usd: 0", 9, "greater than 0"),
    "an unknown model": ("haiku-4-5-20251001", "hiaku-4-5-20251001", 5, "did you mean"),
}


@pytest.mark.parametrize("what", BAD)
def test_each_fault_has_file_line_and_way_out(plan: Cli, what: str) -> None:
    old, new, line, message = BAD[what]
    assert old in STUDY
    code, err = plan(STUDY.replace(old, new, 1))
    assert code == 2
    assert message in err
    place = f"s.yaml:{line}:" if line else "s.yaml"
    assert place in err
    lines = err.strip().splitlines()
    assert len(lines) <= 3
    if line:
        assert len(lines) > 1, "a way out"
    assert not Path("s.lock").exists()


def test_a_file_of_300_kb_is_refused(plan: Cli) -> None:
    code, err = plan(STUDY + "#" * 300_000)
    assert code == 2
    assert "larger than 256 KB" in err
    assert "Split or shorten it." in err


def test_the_study_itself_is_fine(plan: Cli) -> None:
    assert plan(STUDY)[0] == 0


def test_an_ablation_that_needs_more_variants_says_what_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = run(["ablate", "constitution-long-v1", "--resolution", "V", "--max-variants", "4"])
    err = capsys.readouterr().err
    assert code == 2
    assert "need 128 variants, 4 allowed" in err
    assert "--max-variants 128" in err
    assert not list(tmp_path.iterdir())


KEYS = [
    "study", "baseline", "variants", "scenarios", "cells", "models", "repeats", "judge", "outcome",
    "smallest_change_that_matters", "guardrails", "design", "looks", "alpha", "seed", "nuisance",
    "budget_usd", "schedule", "gate", "mode", "confirms", "futility", "unknown", "<<",
]  # fmt: skip
SCALARS = st.text(max_size=20) | st.sampled_from(
    ["no", "1.10", "2026-11-24", "0.05", "10", "null", "~", ".nan", "1e999", "-1", "*x", "&x y",
     "!!python/name:os.system x", "{", "[", "a: b: c", "../x", "\x00", "no-mitigation", "|", ">",
     "openai/gpt-5", "local/smollm2", "\ud7ff", "'", '"', "%", "@x", "`x`", "?", "- a"]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | st.tuples(st.sampled_from(KEYS), inner).map(lambda pair: f"{{{pair[0]}: {pair[1]}}}")
    ),
    max_leaves=4,
)
DOCUMENTS = st.lists(st.tuples(st.sampled_from(KEYS), VALUES), max_size=12)


def is_read_or_refused(entries: list[tuple[str, str]], keep: bool) -> None:
    """Valid, or a clear error of one to three lines; anything else is a traceback."""
    own = dict(entries)
    base = [line for line in STUDY.splitlines() if keep and line.split(":")[0] not in own]
    text = "\n".join([*base, *(f"{key}: {value}" for key, value in entries)])
    refusal = None
    try:
        parse_study(text, "s.yaml")
    except InvalidFile as exc:
        refusal = str(exc)
    if refusal is not None:
        assert 1 <= len(refusal.splitlines()) <= 3, refusal
        assert "s.yaml" in refusal


@settings(max_examples=300, deadline=None)
@given(entries=DOCUMENTS, keep=st.booleans())
def test_three_hundred_generated_studies(entries: list[tuple[str, str]], keep: bool) -> None:
    is_read_or_refused(entries, keep)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))
@given(entries=DOCUMENTS, keep=st.booleans())
def test_five_thousand_generated_studies(entries: list[tuple[str, str]], keep: bool) -> None:
    is_read_or_refused(entries, keep)
