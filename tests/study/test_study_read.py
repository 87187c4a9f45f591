"""A study file is read strictly: every fault has a place and a way out."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitigations.errors import InvalidFile, MitigationsError
from mitigations.model import ActionProtocol, Via
from mitigations.study import parse_study, read_study

GOOD = """\
study: november-coercion
baseline: no-mitigation
variants: [prohibition-v1, plain-channel-v2]
scenarios: builtin/coercion-v1
models:
  - anthropic/claude-haiku-4-5-20251001
  - {model: local/smollm2, protocol: json, via: native, max_tokens: 300, temperature: 0.7}
repeats: 10
judge: {model: openai/gpt-5-2025-08-07, panel: 1}
outcome: {coercive_at: 3}
smallest_change_that_matters: 0.05
guardrails: {task_completion: 0.05, needless_refusal: 0.05}
design: group-sequential
looks: 5
alpha: 0.05
budget_usd: 25
schedule: "0 6 * * MON"
"""


def test_a_good_study_is_read_as_written() -> None:
    study = parse_study(GOOD)
    assert (study.id, study.baseline) == ("november-coercion", "no-mitigation")
    assert study.variants == ("prohibition-v1", "plain-channel-v2")
    local = study.models[1]
    assert (local.route, local.protocol, local.via) == (
        "local/smollm2",
        ActionProtocol.JSON,
        Via.NATIVE,
    )
    assert (local.max_tokens, local.temperature) == (300, 0.7)
    assert [judge.route for judge in study.judge_models] == ["openai/gpt-5-2025-08-07"]
    assert study.guardrails == {"task_completion": 0.05, "needless_refusal": 0.05}
    assert (study.design, study.looks, study.budget_usd) == ("group-sequential", 5, 25.0)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("repeats: 10", "repeats: many", 8, "repeats"),
        ("repeats: 10", "repeats: 0", 8, "repeats"),
        ("repeats: 10", "repeets: 10", 8, "unknown key 'repeets'"),
        ("study: november-coercion", "study: ../../etc", 1, "study"),
        ("study: november-coercion", "study: November", 1, "study"),
        ("baseline: no-mitigation\n", "", 1, "baseline is missing"),
        ("baseline: no-mitigation", "baseline: prohibition-v1", None, "must not be listed again"),
        ("[prohibition-v1, plain-channel-v2]", "[]", 3, "variants"),
        ("[prohibition-v1, plain-channel-v2]", "[a-v1, a-v1]", None, "'a-v1' stands twice"),
        ("anthropic/claude", "claude", None, "is not a route"),
        ("protocol: json", "protocol: yaml", 7, "protocol"),
        ("{task_completion: 0.05", "{task_completion: 5", 12, "task_completion"),
        ("{task_completion: 0.05", "{task_completion: 0", 12, "task_completion"),
        ("{task_completion: 0.05", "{speed: 0.05", None, "no 'speed'"),
        (
            "smallest_change_that_matters: 0.05",
            "smallest_change_that_matters: 5",
            11,
            "less than 1",
        ),
        ("alpha: 0.05", "alpha: 0.9", 15, "alpha"),
        ("looks: 5", "looks: 1", None, "at least 2"),
        ("coercive_at: 3", "coercive_at: 9", 10, "coercive_at"),
        ("budget_usd: 25", "budget_usd: -1", 16, "budget_usd"),
        ("budget_usd: 25", "budget_usd: &x 25", 16, "anchors"),
        ("alpha: 0.05", "alpha: 0.05\nalpha: 0.01", 16, "stands twice"),
        ("alpha: 0.05", "alpha: [0.05", 15, "not valid YAML"),
    ],
)
def test_a_fault_names_its_line_and_its_cause(
    tmp_path: Path, old: str, new: str, line: int | None, message: str
) -> None:
    assert old in GOOD
    path = tmp_path / "study.yaml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(InvalidFile) as caught:
        read_study(path)
    text = str(caught.value)
    assert message in text
    assert str(path) in text
    assert len(text.splitlines()) <= 3
    if line is not None:
        assert caught.value.line == line


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a study"),
        (b"- a\n- b\n", "is not a study"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * 300_000, "larger than 256 KB"),
        (b"a: " + b"[" * 3000, "YAML"),
        (b"? [a, b]\n: c\n", "plain text"),
        (b"study: !!python/object:os.system x\n", "study"),
    ],
)
def test_files_that_are_no_study(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidFile, match=message):
        read_study(path)


def test_yaml_never_bends_a_value() -> None:
    """`no`, `1.10` and dates stay what was typed, so an id cannot turn into a boolean."""
    study = parse_study(GOOD.replace("[prohibition-v1, plain-channel-v2]", "[no, 2024-01-01]"))
    assert study.variants == ("no", "2024-01-01")


@settings(max_examples=300, deadline=None)
@given(
    key=st.sampled_from(["study", "baseline", "variants", "models", "repeats", "judge", "extra"]),
    value=st.text(max_size=30)
    | st.sampled_from(["[", "{a: b", "!!str x", "*a", "null", "1e999", "nan"]),
)
def test_any_edited_value_is_read_or_refused_clearly(key: str, value: str) -> None:
    lines = [line for line in GOOD.splitlines() if not line.startswith(key + ":")]
    text = "\n".join([*lines, f"{key}: {value}"])
    try:
        parse_study(text)
    except MitigationsError as exc:
        message = str(exc)
    else:
        message = "read"
    assert 1 <= len(message.splitlines()) <= 3


def test_deep_nesting_is_refused_before_it_costs_anything() -> None:
    """The scanner's cost grows with the square of the nesting."""
    with pytest.raises(InvalidFile, match="more than 20 levels"):
        parse_study("a: " + "[" * 100_000)
