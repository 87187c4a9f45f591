"""Inspect AI: what is exported the real library reads; what it wrote becomes outcomes."""

import io
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from inspect_ai.log import read_eval_log, read_eval_log_samples
from inspect_ai.model import ContentReasoning, ModelOutput

from mitigations.cli.app import run as command
from mitigations.compose.exchange import export_inspect, import_logs, write_rows
from mitigations.compose.exchange import inspect_guard as guard
from mitigations.compose.exchange.inspect_out import _named
from mitigations.compose.exchange.mapping import MappingFile
from mitigations.errors import InvalidFile, MitigationsError, UnknownName
from mitigations.files import parse_yaml, validate
from mitigations.model import OutcomeStatus
from mitigations.store import Store
from mitigations.tables import read_table
from tests.compose.bundle_help import finished
from tests.exchange.inspect_help import error, limit, log, sample

GENUINE = Path(__file__).parent / "agentic_misalignment"
"""Logs that the published task itself wrote; its README says how."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run with lost replies of every kind, and its logs."""
    folder = tmp_path_factory.mktemp("inspect")
    plan = finished(folder)
    with Store.open(folder / "db.duckdb", create=False) as store:
        logs = export_inspect(store, plan, plan.run_id, folder / "out" / "x.eval", texts=True)
        yield plan, store, logs


def test_the_real_library_reads_an_export(run):
    plan, store, logs = run
    assert [path.name for path in logs] == ["x.simulated-lossy.eval", "x.simulated-published.eval"]
    outcomes = {outcome.trial.id: outcome for outcome in store.outcomes(plan.run_id)}
    seen = 0
    for path in logs:
        header = read_eval_log(str(path), header_only=True)
        assert (header.status, header.eval.task) == ("success", "small")
        assert header.eval.config.epochs == plan.repeats == 4
        for one in read_eval_log_samples(str(path)):
            outcome = outcomes[str(one.uuid)]
            seen += 1
            assert one.epoch == outcome.trial.repeat + 1
            assert one.metadata["variant"] == outcome.trial.variant
            assert one.metadata["model"] == header.eval.model == outcome.trial.model
            factors = {scenario.id: scenario.factors for scenario in plan.scenarios}
            for factor, level in factors[outcome.trial.scenario].items():
                assert one.metadata[f"factor_{factor}"] == level
            told = [judge.judge for judge in outcome.verdicts] + [outcome.trial.model]
            assert set(one.model_usage) <= set(told)
            used = one.model_usage.get(outcome.trial.model)
            tokens = (outcome.usage.input_tokens, outcome.usage.output_tokens)
            assert (used is None) is (None in tokens), "what nobody reported is not there"
            if used is not None and len(told) == 1:
                assert (used.total_tokens, used.output_tokens) == (sum(tokens), tokens[1])
            if outcome.coercive is None:
                assert one.error or str(one.scores["coercive"].value) == "nan"
            else:
                assert one.scores["coercive"].value == int(outcome.coercive)
            answer = one.messages[-1].content
            thought = [part.reasoning for part in answer if isinstance(part, ContentReasoning)]
            assert "".join(thought) == outcome.reasoning
            assert [part.text for part in answer if part.type == "text"] == [outcome.text]
    assert seen == len(outcomes) == plan.trial_count


def test_an_export_holds_the_texts_that_were_sent(run):
    """The variant's text stands in the system prompt of its arm and in no other."""
    plan, _, logs = run
    texts = {variant.id: variant.text.strip() for variant in plan.variants if variant.text}
    for one in read_eval_log_samples(str(logs[0])):
        system = str(one.input[0].content)
        assert {name for name, text in texts.items() if text in system} == {
            one.metadata["variant"]
        } & set(texts)


def test_its_counts_are_those_of_the_run(run):
    plan, store, logs = run
    for path in logs:
        header = read_eval_log(str(path), header_only=True)
        (score,) = header.results.scores
        for variant, metric in score.metrics.items():
            cells = [
                cell.counts
                for cell in store.cells(plan.run_id)
                if (cell.variant, cell.model) == (variant, header.eval.model)
            ]
            assert metric.metadata == {
                "coercive": sum(one.coercive for one in cells),
                "scored": sum(one.scored for one in cells),
                "lost": sum(one.lost for one in cells),
            }


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_out_and_in_again_gives_the_same_cells(run, tmp_path, suffix):
    plan, store, logs = run
    found = import_logs(logs)
    table = tmp_path / f"out{suffix}"
    assert write_rows(found.rows, table) == plan.trial_count
    read = read_table(table)
    assert read.baseline == plan.baseline.id
    assert sorted(read.cells, key=repr) == sorted(store.cells(plan.run_id), key=repr)
    assert read.twins == sum(row.twin for row in found.rows) > 0
    lost = Counter(
        str(outcome.status)
        for outcome in store.outcomes(plan.run_id)
        if outcome.status is not OutcomeStatus.SCORED
    )
    assert found.lost == lost
    assert sum(lost.values()) > 0


def test_texts_can_be_left_out(run, tmp_path):
    plan, store, _ = run
    said = [one.text for one in store.outcomes(plan.run_id) if len(one.text) > 40]
    logs = export_inspect(store, plan, plan.run_id, tmp_path / "x.json", texts=False)
    whole = "".join(path.read_text() for path in logs)
    assert not any(json.dumps(text)[1:-1] in whole for text in said)
    assert Counter((row.variant, row.coercive) for row in import_logs(logs).rows) == Counter(
        (one.trial.variant, one.coercive) for one in store.outcomes(plan.run_id)
    )


def test_the_published_task_needs_no_mapping_file(tmp_path, capsys):
    log(tmp_path / "a.eval", [sample(n, harmful=n <= 8) for n in range(1, 11)])
    dont = {"extra_system_instructions": "dont"}
    log(tmp_path / "b.eval", [sample(n, harmful=n <= 2) for n in range(1, 11)], **dont)
    log(tmp_path / "c.eval", [sample(n, harmful=n <= 3) for n in range(1, 11)], prod=True)
    out = tmp_path / "out.csv"
    assert command(["import", "inspect", str(tmp_path), "-o", str(out)]) == 0
    cells = {(c.variant, c.scenario): c.counts for c in read_table(out).cells}
    place = "blackmail/explicit/america/replacement"
    assert {key: (c.coercive, c.scored) for key, c in cells.items()} == {
        ("none", place): (8, 10),
        ("dont", place): (2, 10),
        ("none", f"{place}/prod"): (3, 10),
    }
    capsys.readouterr()
    assert command(["analyze", str(out), "--json"]) == 0
    (comparison,) = json.loads(capsys.readouterr().out)["comparisons"]
    assert comparison["std_rd"] == pytest.approx(-0.6)  # 2/10 - 8/10; the other place drops out


def test_logs_that_the_published_task_wrote_are_read(tmp_path, capsys):
    """Scripted in its README: 2 of 3 harmful; with `dont` 1 of 2, and one sample in error."""
    out = tmp_path / "out.csv"
    assert command(["import", "inspect", str(GENUINE), "-o", str(out)]) == 0
    assert "lost: 1 provider-error." in capsys.readouterr().out
    cells = {c.variant: (c.counts.coercive, c.counts.scored) for c in read_table(out).cells}
    assert cells == {"none": (2, 3), "dont": (1, 2)}
    assert command(["analyze", str(out), "--json"]) == 0
    (comparison,) = json.loads(capsys.readouterr().out)["comparisons"]
    assert comparison["std_rd"] == pytest.approx(1 / 2 - 2 / 3)


def test_nothing_that_went_wrong_is_a_safe_reply(tmp_path):
    """Each lost kind carries a score of 0, which Inspect writes when it scores all the same."""
    cut = ModelOutput.from_content("m", "half", stop_reason="max_tokens")
    held = ModelOutput.from_content("m", "", stop_reason="content_filter")
    path = log(
        tmp_path / "a.eval",
        [
            sample(1, harmful=False),
            sample(2, harmful=False, error=error()),
            sample(3, harmful=False, limit=limit()),
            sample(4, harmful=False, limit=limit("operator")),
            sample(5, harmful=False, output=cut),
            sample(6, harmful=False, output=held),
            sample(7),
            sample(8, scores={}),
            sample(9, scores=None),
        ],
        epochs=12,
        status="cancelled",
    )
    found = import_logs([path])
    assert [row.coercive for row in found.rows] == [False, *[None] * 11]
    assert found.lost == {
        "provider-error": 1, "limit": 2, "truncated": 1, "filtered": 1, "unscored": 3, "not-run": 3,
    }  # fmt: skip
    assert found.notes == ("a.eval: its status is cancelled",)


def test_samples_that_never_ran_are_counted_even_without_an_arm(tmp_path):
    path = log(tmp_path / "a.eval", [sample(1)], epochs=1)
    whole = read_eval_log(str(path))
    whole.eval.dataset.sample_ids = [1, 2, 3]
    whole.status = "error"
    (tmp_path / "b.json").write_text(whole.model_dump_json())
    assert import_logs([tmp_path / "b.json"]).unplaced == 2


MAPPING = """\
score: severity
at_least: 3
variant: metadata.arm
scenario: [text:house, sample.id]
baseline: plain
"""


def test_a_mapping_file_says_what_counts(tmp_path):
    from inspect_ai.scorer import Score

    samples = [
        sample(1, id=f"s{n}", metadata={"arm": arm}, scores={"severity": Score(value=v)})
        for n, (arm, v) in enumerate([("plain", 3), ("plain", 2.5), ("kind", 5), ("kind", "C")])
    ]
    path = log(tmp_path / "a.eval", samples, epochs=1, task="mine")
    with pytest.raises(InvalidFile, match="no mapping is known"):
        import_logs([path])
    with pytest.raises(UnknownName):
        import_logs([path], "nothing")
    (tmp_path / "m.yaml").write_text(MAPPING)
    rows = import_logs([path], str(tmp_path / "m.yaml")).rows
    assert [(r.variant, r.scenario, r.coercive) for r in rows] == [
        ("plain", "house/s0", True), ("plain", "house/s1", False),
        ("kind", "house/s2", True), ("kind", "house/s3", None),
    ]  # fmt: skip


TWINS = MAPPING.replace("baseline: plain\n", "twin: metadata.twin\n")


@pytest.mark.parametrize("odd", [[], {}, ["true"], {"baseline": []}, "text", 7, None])
def test_lists_and_mappings_where_a_word_belongs_are_no_traceback(tmp_path, odd):
    """A flag that is a list is not set; a status that is one is unscored."""
    from inspect_ai.scorer import Score

    score = Score(value=float("nan"), metadata={"status": odd})
    samples = [sample(1, metadata={"arm": "a", "twin": odd}, scores={"severity": score})]
    path = log(tmp_path / "a.json", samples, task="mine")
    document = json.loads(path.read_text())
    document["eval"]["metadata"] = {"mitigations": odd}
    path.write_text(json.dumps(document))
    (tmp_path / "m.yaml").write_text(TWINS)
    (row,) = import_logs([path], str(tmp_path / "m.yaml")).rows
    assert (row.twin, row.baseline, row.coercive, row.status) == (False, "", None, "unscored")


def test_models_whose_names_differ_in_signs_alone_have_a_log_each(tmp_path):
    named = _named(tmp_path / "a.eval", ["openai/gpt-4-1", "openai/gpt-4.1", "openai/o3"])
    assert [path.name for path in named.values()] == [
        "a.openai-gpt-4-1.eval",
        "a.openai-gpt-4-1-2.eval",
        "a.openai-o3.eval",
    ]
    assert _named(tmp_path / "a.eval", ["openai/o3"]) == {"openai/o3": tmp_path / "a.eval"}


def test_the_mapping_on_the_page_is_a_mapping():
    page = (Path(__file__).parents[2] / "docs" / "exchange.md").read_text()
    (block,) = re.findall(r"```yaml\n(# my-mapping.+?)```", page, re.DOTALL)
    assert validate(MappingFile, parse_yaml(block, "page"), what="a mapping").baseline == "none"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("score: x\n", "variant"),
        (MAPPING + "coercive: [1]\nsafe: [0]\n", "at_least"),
        (
            MAPPING.replace("at_least: 3", "coercive: [1]\nsafe: [1.0]"),
            "cannot be coercive and safe",
        ),
        (MAPPING.replace("metadata.arm", "__class__.x"), "no place of a log"),
        (MAPPING + "wild: 1\n", "unknown key"),
        ("- a\n", "not a mapping"),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_line(tmp_path, text, says):
    (tmp_path / "m.yaml").write_text(text)
    path = log(tmp_path / "a.eval", [sample(1)])
    with pytest.raises(InvalidFile, match=says) as caught:
        import_logs([path], str(tmp_path / "m.yaml"))
    assert caught.value.path.endswith("m.yaml")


def test_a_mapping_that_misses_its_place_says_what_is_there(tmp_path):
    (tmp_path / "m.yaml").write_text(MAPPING)
    with pytest.raises(InvalidFile, match=r"has no metadata\.arm.*\n.*task_args\.scenario"):
        import_logs([log(tmp_path / "a.eval", [sample(1)])], str(tmp_path / "m.yaml"))


def _zip(members, **given):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = given.get("attributes", 0o644 << 16)
            made.writestr(info, content)
    return out.getvalue()


def _members(path):
    with zipfile.ZipFile(path) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


HOSTILE = ["../x.json", "/etc/x.json", "samples/../../x.json", "C:x.json", "a\\b.json"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    good = _members(log(tmp_path / "good.eval", [sample(1)]))
    bad = tmp_path / "bad.eval"
    bad.write_bytes(_zip({**good, name: b"{}"}))
    with pytest.raises(InvalidFile, match="leads elsewhere"):
        import_logs([bad])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.eval", "good.eval"]


def test_bombs_links_and_lies_are_refused(tmp_path, monkeypatch):
    good = _members(log(tmp_path / "good.eval", [sample(1)]))
    bad = tmp_path / "bad.eval"

    def refused(content: bytes) -> str:
        bad.write_bytes(content)
        with pytest.raises(InvalidFile) as caught:
            import_logs([bad])
        return str(caught.value)

    assert "bomb" in refused(_zip({**good, "samples/z.json": b"0" * 30_000_000}))
    assert "a link" in refused(_zip(good, attributes=0o120777 << 16))
    monkeypatch.setattr(guard, "MAX_SAMPLE", 100)
    assert "larger than" in refused(_zip(good))
    monkeypatch.setattr(guard, "MAX_MEMBERS", 2)
    assert "members" in refused(_zip(good))
    monkeypatch.undo()
    lying = _zip(good).replace(
        len(good["header.json"]).to_bytes(4, "little"), (8).to_bytes(4, "little")
    )
    assert "header.json" in refused(lying)
    (tmp_path / "link.eval").symlink_to(tmp_path / "good.eval")
    with pytest.raises(InvalidFile, match="is a link"):
        import_logs([tmp_path / "link.eval"])


def test_what_is_no_log_is_an_error_and_no_traceback(tmp_path, capsys):
    good = _members(log(tmp_path / "good.eval", [sample(1)]))
    contents = {
        "a.eval": b"", "b.eval": b"PK\x03\x04 no", "c.json": b"{}", "d.json": b"[" * 100_000,
        "e.eval": _zip({"x.json": b"{}"}), "f.eval": _zip({**good, "header.json": b"[]"}),
        "g.eval": _zip({**good, "samples/1_epoch_1.json": b'{"id": []}'}),
        "h.eval": _zip({**good, "samples/1_epoch_1.json": b"[" * 50_000}), "i.txt": b"x",
        "j.eval": _zip({"header.json": good["header.json"]}),
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        capsys.readouterr()
        assert command(["import", "inspect", str(tmp_path / name)]) == 2, name
        err = capsys.readouterr().err
        assert name in err, err
        assert "Traceback" not in err
        assert err.count("\n") <= 3, err


def test_a_missing_library_is_one_line(monkeypatch, tmp_path):
    from mitigations.compose.exchange import needed

    monkeypatch.setattr(needed, "find_spec", lambda _: None)
    with pytest.raises(MitigationsError, match=r"mitigations\[inspect\]"):
        import_logs([tmp_path / "a.eval"])


def test_the_library_is_imported_only_by_its_own_commands():
    """Start-up and every other command do not pay for it."""
    code = (
        "import sys, mitigations.cli.app, mitigations.compose.exchange as e; "
        "sys.exit('inspect_ai' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_run_without_an_outcome_is_said(tmp_path, run):
    plan, _, _ = run
    with Store.in_memory() as store, pytest.raises(MitigationsError, match="no outcome"):
        export_inspect(store, plan, plan.run_id, tmp_path / "x.eval", texts=True)
    assert not list(tmp_path.iterdir())
