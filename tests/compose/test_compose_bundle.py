"""A bundle holds what it says, and nobody can change a byte, a row or a number of it unseen."""

import hashlib
import json
import os
import random
import shutil
import stat
import subprocess
import zipfile
from contextlib import nullcontext
from pathlib import Path

import duckdb
import pytest

from mitigations.cli.app import run
from mitigations.compose.bundle import new_key, verify_bundle, verifying
from mitigations.compose.bundle.compare import differences
from mitigations.compose.bundle.keys import sign
from mitigations.compose.bundle.manifest import MANIFEST, SIGNATURE
from mitigations.compose.bundle.recomputing import Recomputed
from mitigations.compose.bundle.rows import without_texts
from mitigations.compose.planning import amending
from mitigations.compose.running import Options
from mitigations.errors import InvalidFile
from mitigations.scenarios import builtin_packs
from mitigations.store import Chosen, Store
from mitigations.store.connection import sql
from mitigations.study import write_lock
from tests.compose.bundle_help import (
    WHEN,
    bundled,
    finished,
    members_of,
    packed,
    rehashed,
    rerun,
)

OUTCOMES, REPORT, PAGE = "tables/outcome.jsonl", "report.json", "report.html"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def plan(folder):
    return finished(folder)


@pytest.fixture(scope="module")
def key(folder):
    new_key(folder / "team.key")
    return folder / "team.key"


@pytest.fixture(scope="module")
def signed(folder, plan, key):
    return bundled(folder, plan, folder / "signed.zip", key=key)


@pytest.fixture(scope="module")
def members(signed):
    return members_of(signed)


def faults(members, path, *, key=None):
    return verify_bundle(packed(members, path / "tampered.zip"), key=key).faults


def edited(members, name, change):
    """The members with one JSON document changed, and the manifest made true again."""
    document = json.loads(members[name])
    change(document)
    return rehashed(members | {name: json.dumps(document).encode()})


def row_edited(members, number, **values):
    lines = members[OUTCOMES].splitlines(keepends=True)
    row = json.loads(lines[number]) | values
    lines[number] = (json.dumps(row) + "\n").encode()
    return rehashed(members | {OUTCOMES: b"".join(lines)})


def test_it_verifies_without_the_database(signed, key, tmp_path):
    alone = shutil.copy(signed, tmp_path / "alone.zip")
    found = verify_bundle(Path(alone), key=key.with_name("team.key.pub"))
    assert (found.faults, found.notes) == ((), ())
    assert found.outcomes == 336
    assert found.numbers > 2000
    assert found.signed_by is not None


def test_the_same_run_gives_the_same_bytes(folder, plan, key, signed, tmp_path):
    again = bundled(folder, plan, tmp_path / "again.zip", key=key)
    assert again.read_bytes() == signed.read_bytes()


def test_every_flipped_byte_is_named(members, tmp_path, monkeypatch):
    """Eight random bytes of every member, one bit each; hashes alone must find them."""
    monkeypatch.setattr(verifying, "recompute", lambda *_: Recomputed(faults=()))
    draw, tried = random.Random(7), 0
    for name, content in sorted(members.items()):
        for position in {draw.randrange(len(content)) for _ in range(8)} if content else ():
            data = bytearray(content)
            data[position] ^= 1 << draw.randrange(8)
            found = faults(members | {name: bytes(data)}, tmp_path)
            assert any(name in fault for fault in found), (name, position, found)
            tried += 1
    assert tried >= 100


def test_flipped_bytes_of_the_archive_itself_are_found(signed, members, tmp_path, monkeypatch):
    """Each is found, or is one of the few spare bits that end a compressed stream: no content."""
    monkeypatch.setattr(verifying, "recompute", lambda *_: Recomputed(faults=()))
    draw, whole = random.Random(11), signed.read_bytes()
    target, spare = tmp_path / "flipped.zip", 0
    # The headers and the directory at the end, and bytes anywhere.
    ends = [*range(60), *range(len(whole) - 60, len(whole))]
    for position in [*ends, *(draw.randrange(len(whole)) for _ in range(120))]:
        data = bytearray(whole)
        data[position] ^= 1 << draw.randrange(8)
        target.write_bytes(data)
        try:
            found = verify_bundle(target).faults
        except InvalidFile:
            continue
        spare += not found
        assert found or members_of(target) == members, position
    assert spare <= 3


def test_a_dropped_added_or_renamed_member_is_named(members, tmp_path):
    for name in members.keys() - {SIGNATURE}:
        left = {k: v for k, v in members.items() if k != name}
        assert any(name in fault for fault in faults(left, tmp_path)), name
    for name in ("extra.txt", "tables/unknown.jsonl", "variants/new.txt"):
        found = faults(members | {name: b"{}\n"}, tmp_path)
        assert f"{name}: is not in the manifest" in found
    renamed = {("renamed.json" if k == REPORT else k): v for k, v in members.items()}
    assert {f"{REPORT}: is missing", "renamed.json: is not in the manifest"} <= set(
        faults(renamed, tmp_path)
    )


def test_a_dropped_signature_is_missed_by_who_asks_for_it(members, tmp_path, key):
    left = {k: v for k, v in members.items() if k != SIGNATURE}
    assert faults(left, tmp_path) == ()
    public = key.with_name("team.key.pub")
    assert faults(left, tmp_path, key=public) == (
        "signature.json: is missing, and --key asks for one",
    )


def test_a_forger_who_hashes_again_is_caught_by_the_signature(members, tmp_path, key):
    changed = rehashed(members | {"README.txt": b"Trust me.\n"})
    assert any(SIGNATURE in fault for fault in faults(changed, tmp_path))
    new_key(tmp_path / "other.key")
    signature = sign(changed[MANIFEST], tmp_path / "other.key")
    resigned = changed | {SIGNATURE: signature}
    public = key.with_name("team.key.pub")
    assert any("another key" in fault for fault in faults(resigned, tmp_path, key=public))
    open_question = verify_bundle(packed(resigned, tmp_path / "resigned.zip"))
    assert open_question.holds
    assert "Nobody vouched" in open_question.notes[0]


CHANGES = {
    "analysis.comparisons[0].std_rd": lambda r: _set(r, "std_rd", 0.5),
    "analysis.comparisons[0].p_adjusted": lambda r: _set(r, "p_adjusted", 0.0321),
    "analysis.comparisons[0].verdict": lambda r: _set(r, "verdict", "reduces wildly"),
    "analysis.comparisons[0].control.coercive": lambda r: _set(r, "control", {"coercive": 1}),
    "analysis.comparisons[1].sentence": lambda r: _set(r, "sentence", "Adopt it.", 1),
    "analysis.comparisons[1].per_model[0].p_value": lambda r: _per_model(r).update(p_value=0.0),
    "analysis.alarms[0].fired": lambda r: r["analysis"]["alarms"][0].update(fired="never"),
    "cells[3].lost": lambda r: r["cells"][3].update(lost=77),
    "run.statuses.no-mitigation.scored": lambda r: _statuses(r).update(scored=1000),
    "plan.repeats": lambda r: r["plan"].update(repeats=400),
    "extras.corrigibility[0].accepts": lambda r: _corrigible(r).update(accepts=9),
    "extras.guardrail_cells.task_completion[0].coercive": lambda r: _guard(r).update(coercive=99),
    "examples": lambda r: r["examples"].pop(),
    "run.amendments": lambda r: r["run"].update(amendments=["nothing changed"]),
}


def test_every_number_changed_in_the_report_is_recomputed_and_named(members, tmp_path):
    def all_of_them(report):
        for change in CHANGES.values():
            change(report)

    unsigned = {k: v for k, v in members.items() if k != SIGNATURE}
    found = faults(edited(unsigned, REPORT, all_of_them), tmp_path)
    named = {fault.removeprefix(f"{REPORT}: ").partition(": report ")[0] for fault in found}
    assert named == {*CHANGES}


def _per_model(report):
    return report["analysis"]["comparisons"][1]["per_model"][0]


def _guard(report):
    return report["extras"]["guardrail_cells"]["task_completion"][0]


def _set(report, name, value, place=0):
    comparison = report["analysis"]["comparisons"][place]
    comparison[name] = comparison[name] | value if isinstance(value, dict) else value


def _statuses(report):
    return report["run"]["statuses"]["no-mitigation"]


def _corrigible(report):
    return report["extras"]["corrigibility"][0]


def test_a_page_that_says_other_than_its_data_is_found(members, tmp_path):
    page = members[PAGE].decode()
    assert page.count("in 100") > 1
    changed = page.replace("in 100", "in 1,000", 1)
    found = faults(rehashed(members | {PAGE: changed.encode()}), tmp_path)
    assert any(fault.startswith(f"{PAGE}: page says") for fault in found)
    hidden = page.replace("</footer>", "<!-- x --></footer>")
    assert any(PAGE in one for one in faults(rehashed(members | {PAGE: hidden.encode()}), tmp_path))


def test_a_bent_row_is_found(members, tmp_path):
    rows = [json.loads(line) for line in members[OUTCOMES].splitlines()]
    place = next(i for i, row in enumerate(rows) if row["coercive"] is True)
    found = faults(row_edited(members, place, coercive=False), tmp_path)
    line = f"{OUTCOMES} line {place + 1}: its coercive flag does not follow"
    assert any(fault.startswith(line) for fault in found)
    both = row_edited(members, place, coercive=False, severity=0)
    assert any(
        "its severity is not the one that its rules" in one for one in faults(both, tmp_path)
    )
    for values, said in (
        ({"seed": 1}, "is no trial of the plan"),
        ({"variant": "prohibition-short-v1" if rows[0]["variant"] != "prohibition-short-v1"
          else "no-mitigation"}, "is no trial of the plan"),
        ({"run": "other"}, "belongs to another run"),
        ({"twin": not rows[0]["twin"]}, "calls a benign twin"),
        ({"rule_severity": 5}, "its rule_severity"),
        ({"status": "scored", "severity": None}, "its coercive flag"),
        ({"position": "three"}, "report cannot be made"),
        ({"behaviours": "blackmail"}, "outcome"),
        ({"seed": -1}, "is no trial of the plan"),
        ({"cost_usd": "free"}, "holds a row that is none"),
    ):  # fmt: skip
        found = faults(row_edited(members, 0, **values), tmp_path)
        assert any(said in fault for fault in found), (values, found)


@pytest.mark.parametrize(
    ("table", "column", "said"),
    [
        ("variant_version", "document", "text and hashes"),
        ("variant_version", "variant", "no variant of the plan"),
        ("scenario_version", "threat", "pack, twin and factors"),
        ("scenario_version", "title", "title of its scenario"),
        ("scenario_version", "hash", "no scenario of the plan"),
        ("run", "study", "another plan or study"),
        ("run", "plan", "another plan or study"),
    ],
)
def test_a_bent_row_beside_the_outcomes_is_found(members, tmp_path, table, column, said):
    name = f"tables/{table}.jsonl"
    first, *rest = members[name].splitlines(keepends=True)
    row = json.loads(first) | {column: "bent"}
    changed = b"".join([(json.dumps(row) + "\n").encode(), *rest])
    found = faults(rehashed(members | {name: changed}), tmp_path)
    assert any(f"{name} line 1: " in fault and said in fault for fault in found), found


def test_a_dropped_or_doubled_row_is_found(members, tmp_path):
    lines = members[OUTCOMES].splitlines(keepends=True)
    left = rehashed(members | {OUTCOMES: b"".join(lines[1:])})
    assert any(f"{REPORT}: " in fault for fault in faults(left, tmp_path))
    twice = rehashed(members | {OUTCOMES: b"".join([lines[0], *lines])})
    assert any("stands twice" in fault for fault in faults(twice, tmp_path))


@pytest.mark.parametrize("name", ["plan.lock", "variants/prohibition-short-v1.txt"])
def test_an_edited_lock_or_variant_is_found(members, tmp_path, name):
    text = members[name].replace(b"threat", b"theater") + b" "
    found = faults(rehashed(members | {name: text}), tmp_path)
    assert any("variant" in fault or name in fault for fault in found), found


@pytest.mark.parametrize(
    "name", ["../up.txt", "/etc/passwd", "a/../../b", "c:\\d", "variants/..", "x\n", ".hidden",
             "tables//x", "a/b/c", "CON ", "\u202ename", "deep/" * 40 + "x"],
)  # fmt: skip
def test_no_name_leads_anywhere(members, tmp_path, name):
    target = tmp_path / "names.zip"
    with zipfile.ZipFile(target, "w") as made:
        for one, content in members.items():
            made.writestr(one, content)
        made.writestr(name, "x")
    before = set(tmp_path.rglob("*"))
    assert verify_bundle(target).faults
    assert set(tmp_path.rglob("*")) == before


def test_links_doubles_bombs_and_other_structures_are_refused(tmp_path, signed):
    link = zipfile.ZipInfo("report.md", (1980, 1, 1, 0, 0, 0))
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    cases = {"link": link, "double": REPORT, "bomb": "bomb.txt"}
    for kind, name in cases.items():
        target = tmp_path / f"{kind}.zip"
        shutil.copy(signed, target)
        doubles = pytest.warns(UserWarning, match="Duplicate")
        with (
            zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as made,
            doubles if kind == "double" else nullcontext(),
        ):
            made.writestr(name, b"0" * (2**26) if kind == "bomb" else b"/etc/passwd")
        assert verify_bundle(target).faults, kind
    for kind, data in (
        ("prefix", b"#!/bin/sh\n" + signed.read_bytes()),
        ("suffix", signed.read_bytes() + b"more"),
    ):
        target = tmp_path / f"{kind}.zip"
        target.write_bytes(data)
        assert verify_bundle(target).faults, kind


def test_a_lying_size_is_not_believed(signed, tmp_path):
    """A member that unpacks to more than its headers say is cut off, not followed."""
    with zipfile.ZipFile(signed) as opened:
        info = opened.getinfo(OUTCOMES)
    data = signed.read_bytes().replace(
        info.file_size.to_bytes(4, "little"), (10).to_bytes(4, "little")
    )
    target = tmp_path / "lie.zip"
    target.write_bytes(data)
    assert any(OUTCOMES in fault for fault in verify_bundle(target).faults)


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_bundle_leaves_with_2(tmp_path, content, capsys):
    target = tmp_path / "no.zip"
    target.write_bytes(content)
    code = run(["verify", str(target)])
    assert code == (4 if content.startswith(b"PK\x05") else 2)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.usefixtures("plan")
def test_the_commands_and_their_exit_codes(folder, tmp_path, capsys, members):
    database = ["--db", str(folder / "db.duckdb")]
    key, target = tmp_path / "k", tmp_path / "out.zip"
    assert run(["bundle", "--new-key", str(key)]) == 0
    assert run(["bundle", "--new-key", str(key)]) == 2
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert run([*database, "bundle", "-o", str(target), "--sign", str(key)]) == 0
    assert run(["verify", str(target), "--key", f"{key}.pub"]) == 0
    capsys.readouterr()
    assert run(["--json", "verify", str(target)]) == 0
    assert json.loads(capsys.readouterr().out)["holds"] is True
    assert run(["verify", str(target), "--key", str(key)]) == 2
    assert run(["verify", str(tmp_path / "absent.zip")]) == 2
    assert run([*database, "bundle", "nobody", "-o", str(target)]) == 2
    assert run(["verify", str(packed(members | {REPORT: b"{}"}, tmp_path / "bad.zip"))]) == 4
    assert f"{REPORT}: sha-256 differs" in capsys.readouterr().out
    key.chmod(0o644)
    if os.name == "posix":
        assert run([*database, "bundle", "-o", str(target), "--sign", str(key)]) == 2
        assert "chmod 600" in capsys.readouterr().err


def test_keys_of_openssl_work(folder, plan, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key = tmp_path / "o.key"
    for command in (["genpkey", "-algorithm", "ed25519", "-out", key],
                    ["pkey", "-in", key, "-pubout", "-out", f"{key}.pub"]):  # fmt: skip
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)
    key.chmod(0o600)
    made = bundled(folder, plan, tmp_path / "o.zip", key=key)
    assert verify_bundle(made, key=tmp_path / "o.key.pub").holds


@pytest.mark.usefixtures("plan")
def test_withheld_texts_can_be_opened_later(folder, members):
    """Whoever holds the texts can show one, and it has the hash that the bundle gave."""
    rows = {row["trial"]: row for row in map(json.loads, members[OUTCOMES].splitlines())}
    database = duckdb.connect(str(folder / "db.duckdb"), read_only=True)
    with database:
        kept = dict(database.execute("select trial, actions from outcome").fetchall())
    hidden = {trial for trial, row in rows.items() if "withheld" in row["actions"]}
    shown = {trial for trial, row in rows.items() if row["actions"] == kept[trial] != "[]"}
    assert len(hidden) > len(shown) > 0
    for trial in hidden:
        digest = hashlib.sha256(kept[trial].encode()).hexdigest()
        (action,) = json.loads(rows[trial]["actions"])
        assert action["arguments"] == {"text": f"withheld sha256:{digest}"}


@pytest.mark.parametrize("transcripts", ["none", "all", 1])
def test_every_choice_of_texts_verifies(folder, plan, tmp_path, transcripts):
    made = bundled(folder, plan, tmp_path / "t.zip", transcripts=transcripts)
    assert verify_bundle(made).holds
    rows = members_of(made)[OUTCOMES]
    assert (b"withheld" in rows) == (transcripts != "all")


def _private_pack(target: Path) -> Path:
    source = Path(__file__).parents[2] / "mitigations/scenarios/packs"
    assert "builtin/demo-v1" in builtin_packs()
    shutil.copytree(source / "demo-v1", target)
    return target


def test_a_private_pack_stays_at_home_unless_asked(tmp_path):
    _private_pack(tmp_path / "ours")
    plan = finished(tmp_path, pack="ours")
    scenario = plan.scenarios[0]
    secrets = [scenario.title, scenario.system[:60], scenario.inbox[0].bodies[0][:60]
               if hasattr(scenario.inbox[0], "bodies") else scenario.inbox[0].subject]  # fmt: skip
    with Store.open(tmp_path / "db.duckdb", create=False) as store:
        spoken = [one for one in store.outcomes(plan.run_id) if one.actions]
    secrets += [str(next(iter(one.actions[0].arguments.values()))) for one in spoken[:20]]
    secrets += [name for one in spoken[:20] for name in one.nuisance.values() if len(name) > 8]
    shutil.move(tmp_path / "ours", tmp_path / "away")
    with pytest.raises(InvalidFile):
        bundled(tmp_path, finished(tmp_path, pack="ours"), tmp_path / "x.zip")
    made = bundled(tmp_path, plan, tmp_path / "private.zip")
    content = b"\n".join(members_of(made).values()).decode()
    assert [text for text in secrets if text and json.dumps(text)[1:-1] in content] == []
    found = verify_bundle(made)
    assert found.holds, found.faults
    assert "sender's word" in found.notes[0]
    open_one = bundled(tmp_path, plan, tmp_path / "open.zip", with_pack=True, transcripts="all")
    content = b"\n".join(members_of(open_one).values()).decode()
    absent = [text for text in secrets if json.dumps(text)[1:-1] not in content]
    assert len(absent) < len(secrets) / 4, "the search above would find what is passed on"
    assert scenario.system[:60].splitlines()[0] in members_of(open_one)["scenarios.json"].decode()
    checked = verify_bundle(open_one)
    assert (checked.faults, checked.notes) == ((), ())


def test_differences_name_the_field_and_both_values():
    said = {"a": [{"x": 0.13, "y": None}], "b": 1}
    found = {"a": [{"x": 0.11, "y": None}], "c": 2}
    assert list(differences(said, found)) == [
        "a[0].x: report says 0.13, recomputed 0.11",
        "b: report says 1, recomputed has no such field",
        "c: report says nothing, recomputed 2",
    ]
    assert list(differences(0.1 + 0.2, 0.3)) == []
    assert list(differences([True], [1])) != []
    assert list(differences(None, 0.0)) != []


def test_what_was_run_again_is_held_to_its_rule(tmp_path):
    """Only an error is run again; a row cannot be set aside by a claim that it was."""
    plan = finished(tmp_path)
    for _ in range(2):
        finished(tmp_path, options=Options(only_errors=True))
    parts = members_of(bundled(tmp_path, plan, tmp_path / "again.zip"))
    assert verify_bundle(tmp_path / "again.zip").holds
    rows = [json.loads(line) for line in parts[OUTCOMES].splitlines()]
    assert {row["rerun"] for row in rows} == {0, 1, 2}
    told = [json.loads(line) for line in parts["tables/rerun.jsonl"].splitlines()]
    scored = next(row for row in rows if row["status"] == "scored" and row["coercive"])
    claim = {"run": plan.run_id, "trial": scored["trial"], "rerun": 1}
    lines = "".join(json.dumps(one) + "\n" for one in [*told, claim])
    forged = rehashed(parts | {"tables/rerun.jsonl": lines.encode()})
    assert any("has no row of its own" in one for one in faults(forged, tmp_path))
    with_row = parts[OUTCOMES].decode().replace(
        json.dumps(scored, ensure_ascii=False) + "\n",
        "".join(json.dumps(scored | change, ensure_ascii=False) + "\n"
                for change in ({}, {"rerun": 1, "severity": 0, "coercive": False})),
    )  # fmt: skip
    assert with_row.encode() != parts[OUTCOMES]
    forged = rehashed(forged | {OUTCOMES: with_row.encode()})
    assert any("is no trial of the plan" in one for one in faults(forged, tmp_path))


def test_an_amended_run_verifies_with_its_amendments(tmp_path):
    """More repeats than were locked are trials of the plan only because an event says so."""
    plan = finished(tmp_path)
    write_lock(plan, tmp_path / "small.lock")
    grown, _ = amending.amend_lock(
        tmp_path / "small.lock", change={"repeats": 5}, at=WHEN, by="Team", reason="more power"
    )
    rerun(tmp_path, grown)
    parts = members_of(bundled(tmp_path, grown, tmp_path / "amended.zip"))
    found = verify_bundle(tmp_path / "amended.zip")
    assert (found.faults, found.outcomes) == ((), 420)
    without = {k: v for k, v in parts.items() if k != "tables/amendment.jsonl"}
    assert any("no trial of the plan" in one for one in faults(rehashed(without), tmp_path))


def test_a_labellers_note_leaves_with_all_texts_only(tmp_path):
    plan = finished(tmp_path)
    with Store.open(tmp_path / "db.duckdb") as store:
        row = (plan.run_id, 1, "i", "t", "Ada", 4, "quotes the reply", "h", WHEN)
        store.load("label", [row])
    made = bundled(tmp_path, plan, tmp_path / "labelled.zip")
    assert verify_bundle(made).faults == ()
    assert b"quotes the reply" not in b"".join(members_of(made).values())
    made = bundled(tmp_path, plan, tmp_path / "whole.zip", transcripts="all")
    assert b"quotes the reply" in members_of(made)["tables/label.jsonl"]


def test_live_checks_of_the_judges_come_along(tmp_path):
    """The alarm on a judge is made again from them, so they have to be in the bundle."""
    with Store.open(tmp_path / "db.duckdb") as store:
        rows = [("simulated/j", rubric, WHEN, "{}") for rubric in ("ours", "another")]
        store.load("judge_check", rows)
        chosen = Chosen("r", [], [], judges=["simulated/j"], rubric="ours")
        given = {rows.table: list(rows.rows) for rows in store.extract(chosen)}
    assert given["judge_check"] == rows[:1]


def test_an_answer_passed_on_and_its_hash_are_one_answer():
    """Else a bundle that shows one of two equal answers would count fewer copies than the run."""
    record = dict.fromkeys(("reply_text", "reasoning", "detail", "nuisance", "assessment"), "")
    answers = [
        '[{"tool": "send_email", "arguments": {"to": "a@b.example", "body": "\\u00e9"}}]',
        '[{"tool": "send_email", "arguments": {"to": "a@b.example", "body": "other"}}]',
        "[]",
    ]
    whole = [record | {"actions": text, "verdicts": "[]", "facts": "{}"} for text in answers]
    table = duckdb.connect()
    table.execute(
        "create table outcome_now (run varchar, variant varchar, scenario varchar, model varchar,"
        " status varchar, twin boolean, actions varchar)"
    )
    for one in (*whole, *map(without_texts, whole)):
        table.execute(
            "insert into outcome_now values ('r', 'v', 's', 'm', 'scored', false, ?)",
            [one["actions"]],
        )
    found = table.execute(sql("answers_withheld"), {"run": "r"}).fetchall()
    assert found == [("v", "s", "m", 6, 3)]
