"""promptfoo: a subset of its configs in, its results in, a study out; the rest is refused."""

import json
from pathlib import Path

import pytest
import yaml

from mitigations.cli.app import run as command
from mitigations.compose.exchange import export_config, import_config, import_results
from mitigations.compose.planning import plan_study
from mitigations.errors import InvalidFile
from mitigations.model import Placement
from mitigations.study import read_study
from mitigations.tables import read_table
from tests.exchange.promptfoo_help import CONFIG, result
from variants import read_variant


def _config(folder: Path, text: str) -> Path:
    path = folder / "promptfooconfig.yaml"
    path.write_text(text)
    return path


def test_a_config_becomes_variants_and_a_study(tmp_path):
    folder = tmp_path / "kindness"
    folder.mkdir()
    made = import_config(_config(folder, CONFIG), tmp_path / "out")
    found = [read_variant(path) for path in made.variants]
    assert [(one.id, one.placement, one.text) for one in found] == [
        ("nothing", Placement.SYSTEM_END, ""),
        ("be-kind", Placement.SYSTEM_END, "Be kind. Literal: {{x}}\n"),
        ("first", Placement.SYSTEM_START, "Rules first.\n"),
        ("prompt-4", Placement.USER_START, "Threaten nobody.\n"),
    ]
    study = read_study(made.study)
    assert (study.id, study.baseline, study.repeats) == ("kindness", "nothing", 4)
    assert study.variants == ("be-kind", "first", "prompt-4")
    assert [model.route for model in study.models] == [
        "openai/gpt-5-mini-2025-08-07",
        "anthropic/claude-haiku-4-5-20251001",
    ]
    assert (study.models[1].temperature, study.models[1].max_tokens) == (0.5, 99)
    assert len(plan_study(made.study, created="2026-11-24T06:00:00Z").variants) == 4
    with pytest.raises(InvalidFile, match="exists already"):
        import_config(folder / "promptfooconfig.yaml", tmp_path / "out")


REFUSED = [
    ("defaultTest: {}\n", "defaultTest"),
    ("tests: [{vars: {a: 1}}]\n", "test of its own"),
    ("tests: file://tests.csv\n", "test of its own"),
    ("extensions: [file://hook.js:run]\n", "extensions"),
    ("nunjucksFilters: {x: y.js}\n", "nunjucksFilters"),
    ("env: {OPENAI_API_KEY: sk-x}\n", "env"),
    ("sharing: true\n", "sharing"),
    ("targets: [openai:chat:x]\n", "mean the same"),
    ("tests: [{metadata: {scenario: a}, assert: [{type: javascript}]}]\n", "'javascript'"),
    ("tests: [{metadata: {scenario: a}, threshold: 1}]\n", "threshold"),
    ("tests: [{metadata: {scenario: a}}, {metadata: {scenario: b, pack: other}}]\n", "two packs"),
]  # fmt: skip


@pytest.mark.parametrize(("more", "says"), REFUSED)
def test_what_is_outside_is_named_with_its_line(tmp_path, more, says):
    path = _config(tmp_path, CONFIG + more)
    with pytest.raises(InvalidFile, match=says) as caught:
        import_config(path, tmp_path / "out")
    assert caught.value.line == CONFIG.count("\n") + 1  # the first line after it
    assert caught.value.fix
    assert not (tmp_path / "out").exists()


ONE = "prompts: [plain words, {!r}]\nproviders: [openai:chat:gpt-5-mini-2025-08-07]\n"


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("file://evil.py", "outside"), ("file://../../etc/passwd", "outside"),
        ("file:///etc/passwd", "outside"), ("file://missing.txt", "cannot be read"),
        ("{{a}} and {{b}}", "template"), ("a {% if x %}b{% endif %}", "template"),
        ("{{ x | dump }}", "template"), ("before {{x}} after", "both sides"),
        ("{{x}} after", "after the user"),
        ('[{"role": "assistant", "content": "x"}]', "another message"),
        ('[{"role": "system", "content": "x"}, {"role": "user", "content": "y"}]', "both messages"),
        ('[{"role": "system", "content": "x"}, {"role": "system", "content": "y"}]', "another"),
        ("", "empty"),
        # what promptfoo reads from elsewhere is no text
        ("prompts/a.txt", "is a file"), ("a.json", "is a file"), ("gen.py:make", "is a file"),
        ("prompts/*", "is a file"), ("exec:./make.sh", "is a file"), ("a/b", "is a file"),
        ("langfuse://kind:3", "is a file"),
        ("Be kind. {{ env.POLICY }}", "environment"),
        ('[{"role": "system", "content": "x", "name": "y"}]', "another message"),
    ],
)  # fmt: skip
def test_prompts_that_are_no_variant_are_refused(tmp_path, prompt, says):
    with pytest.raises(InvalidFile, match=says):
        import_config(_config(tmp_path, ONE.format(prompt)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "holds", "says"),
    [
        ("two.txt", "Be kind.\n---\nBe honest.\n", "several prompts"),
        ("chat.json", '[{"role": "system", "content": "file://secret.txt"}]', "another file"),
        ("loop.txt", None, "outside"),
    ],
)  # fmt: skip
def test_a_prompt_file_holds_one_prompt_and_leads_nowhere(tmp_path, name, holds, says):
    """promptfoo parts a .txt file at three dashes, and follows `file://` inside of JSON."""
    if holds is None:
        (tmp_path / name).symlink_to(name)
    else:
        (tmp_path / name).write_text(holds)
    with pytest.raises(InvalidFile, match=says):
        import_config(_config(tmp_path, ONE.format(f"file://{name}")), tmp_path / "out")


def test_words_that_only_look_like_a_place_are_a_prompt(tmp_path):
    text = ONE.format("Answer yes/no, never *maybe*.")
    made = import_config(_config(tmp_path, text), tmp_path / "out")
    assert read_variant(made.variants[1]).text == "Answer yes/no, never *maybe*.\n"


def test_a_name_that_no_system_takes_is_refused(tmp_path):
    text = ONE.replace("{!r}", r'"file://a\0.txt"')
    with pytest.raises(InvalidFile, match="outside"):
        import_config(_config(tmp_path, text), tmp_path / "out")


@pytest.mark.parametrize("config", ["prompts: [a, !!binary aGk=]", "prompts: !include a.yaml"])
def test_a_yaml_tag_is_refused(tmp_path, config):
    """promptfoo decodes `!!binary`; as plain text it would be another prompt."""
    with pytest.raises(InvalidFile, match="YAML tag"):
        import_config(_config(tmp_path, config + "\n"), tmp_path / "out")


@pytest.mark.parametrize(
    "provider",
    ["file://evil.py", "exec: rm -rf", "openai:assistant:x", "https://x.test", "openai:chat:",
     "openai:chat", "openai:responses", "mistral:embedding"],
)  # fmt: skip
def test_other_providers_are_refused(tmp_path, provider):
    text = ONE.replace("openai:chat:gpt-5-mini-2025-08-07", json.dumps(provider)).format("b")
    with pytest.raises(InvalidFile, match="is not imported"):
        import_config(_config(tmp_path, text), tmp_path / "out")


STUDY = """\
study: words
baseline: no-mitigation
variants: [prohibition-short-v1, pause-and-review-v1]
scenarios: builtin/demo-v1
models: [openai/gpt-5-mini-2025-08-07]
repeats: 3
"""


def test_out_and_in_again_is_the_same_study(tmp_path):
    path = tmp_path / "words.yaml"
    path.write_text(STUDY)
    plan = plan_study(path, created="2026-11-24T06:00:00Z")
    folder = tmp_path / "words"
    config = folder / "promptfooconfig.yaml"
    tests = export_config(path, config, created="2026-11-24T06:00:00Z")
    scenarios = [one.id for one in plan.scenarios if not one.is_twin]
    assert tests == len(scenarios)
    document = yaml.safe_load(config.read_text())
    assert [test["metadata"]["scenario"] for test in document["tests"]] == scenarios
    assert all(json.loads(prompt["raw"])[1]["role"] == "user" for prompt in document["prompts"])
    made = import_config(config, tmp_path / "back")
    again = read_study(made.study)
    assert again.baseline == "no-mitigation"
    assert again.variants == ("prohibition-short-v1", "pause-and-review-v1")
    assert (again.repeats, again.scenarios, list(again.cells)) == (3, "builtin/demo-v1", scenarios)
    texts = {variant.id: (variant.text.strip(), variant.placement) for variant in plan.variants}
    for one in map(read_variant, made.variants):
        assert (one.text.strip(), one.placement) == texts[one.id]


def _results(path: Path, results) -> Path:
    path.write_text(json.dumps({"evalId": "e", "results": {"version": 3, "results": results}}))
    return path


def test_results_become_outcomes(tmp_path, capsys):
    results = [
        result(prompt, test, passed=test >= bad)
        for prompt, bad in ((0, 8), (1, 2))
        for test in range(12)
    ]
    path = _results(tmp_path / "out.json", results)
    out = tmp_path / "out.csv"
    words = ["import", "promptfoo", str(path), "-o", str(out), "--mapping"]
    assert command([*words, "metric:coercive"]) == 0
    table = read_table(out)
    assert (table.baseline, table.rows) == ("plain", 24)
    sums = {
        variant: sum(c.counts.coercive for c in table.cells if c.variant == variant)
        for variant in ("plain", "kind")
    }
    assert sums == {"plain": 8, "kind": 2}
    assert {cell.scenario for cell in table.cells} == {"case 0", "case 1", "case 2"}
    assert {cell.counts.scored for cell in table.cells} == {4}
    assert import_results(path, "failed").rows == import_results(path, "metric:coercive").rows
    flipped = {row.coercive for row in import_results(path, "passed").rows[:8]}
    assert flipped == {False}
    assert import_results(path, "metric:other").lost == {"unscored": 24}
    capsys.readouterr()
    assert command(words[:-1]) == 2
    assert "--mapping failed, passed, or metric:NAME" in capsys.readouterr().err


def test_an_error_or_an_unchecked_result_is_no_safe_reply(tmp_path):
    kinds = [
        {"failureReason": 2, "error": "429"}, {"response": {"error": "boom"}},
        {"response": {"output": "half", "finishReason": "length"}},
        {"response": {"output": "x", "finishReason": "content_filter"}},
        {"response": {"output": ""}}, {"response": None}, {"gradingResult": None},
        {"gradingResult": {"pass": True, "componentResults": []}},
    ]  # fmt: skip
    results = [result(0, 0, passed=True), *(result(1, 0, passed=True, **kind) for kind in kinds)]
    found = import_results(_results(tmp_path / "out.json", results), "failed")
    assert [row.coercive for row in found.rows] == [False, *[None] * len(kinds)]
    assert found.lost == {
        "provider-error": 2, "truncated": 1, "filtered": 1, "empty": 2, "unscored": 2,
    }  # fmt: skip


def test_tests_that_share_a_description_are_told_apart(tmp_path):
    results = [
        result(0, n, passed=True, vars={"n": n}, testCase={"description": "same"}) for n in range(2)
    ]
    rows = import_results(_results(tmp_path / "out.json", results), "failed").rows
    assert len({row.scenario for row in rows}) == 2


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"results": 1}', '{"results": {"results": []}}', '{"results": [1]}',
     '{"results": [{}]}', "[" * 100_000, '{"results": [{"prompt": {"label": "a"}}]}'],
)  # fmt: skip
def test_what_is_no_results_file_is_refused(tmp_path, content, capsys):
    (tmp_path / "out.json").write_text(content)
    words = ["import", "promptfoo", str(tmp_path / "out.json"), "--mapping", "failed"]
    assert command(words) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_the_commands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.yaml").write_text(STUDY)
    assert command(["export", "promptfoo", "words.yaml", "-o", "p/promptfooconfig.yaml"]) == 0
    assert command(["import", "promptfoo", "p/promptfooconfig.yaml", "-o", "back"]) == 0
    assert "back/studies/p.yaml" in capsys.readouterr().out
    for wrong in (
        ["import", "openai", "x"], ["import", "promptfoo", "a.json", "b.json"],
        ["export", "promptfoo"], ["export", "promptfoo", "none.yaml"],
        ["import", "promptfoo", "x.yaml"],
    ):  # fmt: skip
        assert command(wrong) == 2, wrong
        assert "Traceback" not in capsys.readouterr().err
