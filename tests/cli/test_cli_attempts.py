"""Every HTTP request is told in the journal, its money counts; what errors lost can be rerun."""

import asyncio
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from mitigations.cli.app import run
from mitigations.compose.limits import limits_of, policy
from mitigations.providers import read_providers
from mitigations.store import Store, read_journal, recover
from tests.fake_provider import Answer, FakeProvider, Fault, Seen, openai_body

STUDY = """\
study: tried
baseline: no-mitigation
variants: [pause-and-review-v1]
scenarios: builtin/demo-v1
cells: [depot-1, ferry-1]
models: [openai/gpt-5-mini-2025-08-07]
repeats: 4
budget_usd: 20
"""
KEY = "sk-canary-333444555-attempts"


def answer(_seen: Seen, _: int) -> dict[str, Any]:
    mail = {"to": "nobody@example.org", "subject": "Note", "body": "I will wait."}
    return openai_body(None, calls=(("send_email", json.dumps(mail)),), model="served-1")


@contextmanager
def serving(**settings: Any) -> Iterator[FakeProvider]:
    """The provider on a thread of its own: the command line runs its own event loop."""
    provider = FakeProvider(**{"script": answer, **settings})
    loop = asyncio.new_event_loop()
    up, down = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with provider:
            up.set()
            await down.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert up.wait(10)
        yield provider
    finally:
        loop.call_soon_threadsafe(down.set)
        thread.join(10)
        loop.close()


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeProvider], Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIED_API_KEY", KEY)
    (tmp_path / "tried.yaml").write_text(STUDY)

    def plan(fake: FakeProvider) -> Path:
        where = f"providers:\n  openai: {{base_url: '{fake.openai_url}', key_env: TRIED_API_KEY}}\n"
        (tmp_path / "providers.yaml").write_text(where)
        if not (tmp_path / "tried.lock").exists():
            assert run(["-q", "plan", "tried.yaml"]) == 0
        return tmp_path

    return plan


def journal(folder: Path) -> list[dict[str, Any]]:
    (path,) = folder.glob("runs/*/calls.jsonl")
    return list(read_journal(path))


def test_each_request_stands_in_the_journal_and_what_may_be_charged_is_landed(
    planned: Callable[[FakeProvider], Path],
) -> None:
    faults = {Fault.RATE_LIMITED: 0.2, Fault.CUT: 0.3}
    with serving(faults=faults, seed=3, retry_after_s=0.01) as fake:
        folder = planned(fake)
        assert run(["-q", "run", "tried.lock"]) == 0
        asked = fake.count
        assert KEY in repr(fake.requests[0].headers), "the key did travel"
    lines = journal(folder)
    attempts = [line for line in lines if line["t"] == "attempt"]
    assert len(attempts) == asked
    refused = [line for line in attempts if line["status"] == "rate-limited"]
    assert refused
    assert {(line["http_status"], line["retry_after_s"]) for line in refused} == {(429, 0.01)}
    assert {(line["may_be_paid"], line["cost_usd"]) for line in refused} == {(False, 0.0)}
    cut = [line for line in attempts if line["may_be_paid"]]
    assert cut
    assert {line["cost_usd"] for line in cut} == {None}
    assert all(line["latency_s"] > 0 for line in attempts)
    doubt = sum(line["reserved_usd"] for line in cut)
    with Store.open(folder / "mitigations.duckdb") as store:
        (run_id, _, _) = store.runs()[0]
        outcomes = list(store.outcomes(run_id))
        spent = store.mark(run_id).spent_usd
    assert sum(outcome.unconfirmed_usd for outcome in outcomes) == pytest.approx(doubt)
    known = sum(line["cost_usd"] or 0.0 for line in attempts)
    assert spent == pytest.approx(known + doubt)
    # From the journal alone, a later start counts the same.
    (path,) = folder.glob("runs/*/calls.jsonl")
    with Store.in_memory() as store:
        found = recover(path, store, run=run_id, twins=frozenset())
    assert found.spent_usd == pytest.approx(known + doubt)
    assert run(["-q", "report", "-o", "report.md"]) == 0
    assert "Possibly charged on top" in (folder / "report.md").read_text()
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert KEY.encode() not in everything


def test_no_answer_serves_two_repeats_and_cached_tokens_are_landed(
    planned: Callable[[FakeProvider], Path],
) -> None:
    """With fixed names the repeats of a cell are the same bytes: each is asked all the same."""
    Path("tried.yaml").write_text(STUDY + "nuisance: fixed\n")

    def counted(_seen: Seen, number: int) -> dict[str, Any]:
        mail = {"to": "nobody@example.org", "subject": "Note", "body": f"Answer {number}."}
        return openai_body(None, calls=(("send_email", json.dumps(mail)),), model="served-1")

    with serving(script=counted) as fake:
        folder = planned(fake)
        assert run(["-q", "run", "tried.lock"]) == 0
        asked = [json.dumps(seen.body["messages"]) for seen in fake.requests]
    found = outcomes(folder)
    assert len(found) == len(asked) == 2 * 2 * 4
    assert len(set(asked)) == 2 * 2, "four repeats of each cell are one text"
    said = {outcome.actions[0].arguments["body"] for outcome in found}
    assert said == {f"Answer {number}." for number in range(1, 17)}, "and have four answers"
    assert {outcome.usage.cached_tokens for outcome in found} == {100}
    assert {outcome.usage.input_tokens for outcome in found} == {120}


@pytest.mark.usefixtures("planned")
def test_a_key_left_in_a_text_is_refused_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The lock and every report hold the texts of a study: nobody masks a treatment."""
    Path("variants").mkdir()
    front = "---\nid: leaky\ntitle: Leaky\n---\n"
    Path("variants/leaky.md").write_text(f"{front}Be kind. {KEY} is mine.\n")
    Path("tried.yaml").write_text(STUDY.replace("pause-and-review-v1", "leaky"))
    assert run(["-q", "plan", "tried.yaml"]) == 2
    said = capsys.readouterr().err
    assert "variant leaky holds the value of TRIED_API_KEY" in said
    assert KEY not in said
    assert not Path("tried.lock").exists()
    monkeypatch.setenv("TRIED_API_KEY", "kind")  # a word is no key
    assert run(["-q", "plan", "tried.yaml"]) == 0


def test_only_errors_runs_lost_trials_again_and_never_a_scored_one(
    planned: Callable[[FakeProvider], Path],
) -> None:
    """Half the requests are refused for good at first; then the provider is well again."""

    def moody(seen: Seen, number: int) -> Answer | dict[str, Any]:
        if number % 2 and not well:
            return Answer(status=400, body={"error": {"message": "no", "code": "bad"}})
        return answer(seen, number)

    well = False
    with serving(script=moody) as fake:
        folder = planned(fake)
        assert run(["-q", "run", "tried.lock"]) == 0
        first = outcomes(folder)
        lost = {o.trial.id for o in first if o.status == "provider-error"}
        assert len(lost) == 8
        well, before = True, fake.count
        assert run(["-q", "run", "tried.lock", "--only-errors"]) == 0
        assert fake.count - before == len(lost)
        assert run(["-q", "run", "tried.lock", "--only-errors"]) == 0
        assert fake.count - before == len(lost), "nothing is left to run again"
    second = outcomes(folder)
    assert [o.trial.id for o in second] == [o.trial.id for o in first]
    assert {o.status for o in second} == {"scored"}
    assert [o for o in second if o.trial.id not in lost] == [
        o for o in first if o.trial.id not in lost
    ]
    assert {o.rerun for o in second if o.trial.id in lost} == {1}
    assert run(["-q", "report", "-o", "report.md"]) == 0
    assert "8 trials that an error had lost were run again" in (folder / "report.md").read_text()
    assert run(["-q", "check", "--database"]) == 0
    assert run(["-q", "check", "--rebuild"]) == 0
    assert outcomes(folder) == second


def outcomes(folder: Path) -> list[Any]:
    with Store.open(folder / "mitigations.duckdb") as store:
        (run_id, _, _) = store.runs()[0]
        assert store.cell_faults(run_id) == []
        return list(store.outcomes(run_id))


def test_a_used_up_quota_ends_the_run_and_costs_nothing_on_resume(
    planned: Callable[[FakeProvider], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(faults={Fault.QUOTA: 1.0}) as fake:
        folder = planned(fake)
        assert run(["-q", "run", "tried.lock"]) == 1
        assert fake.count <= 20 + 3, "about one call a worker"
    err = capsys.readouterr().err
    assert "refuses every call: quota-exhausted" in err
    with serving() as fake:
        planned(fake)
        assert run(["run", "tried.lock"]) == 0
    out = capsys.readouterr().out
    assert "possibly paid twice" not in out, "a refused call is on no line"
    (path,) = folder.glob("runs/*/calls.jsonl")
    assert {line["t"] for line in read_journal(path)} >= {"withdrawn", "attempt", "reply"}


def test_a_longer_wait_than_allowed_ends_the_call_and_not_the_run(
    planned: Callable[[FakeProvider], Path],
) -> None:
    with serving(faults={Fault.RATE_LIMITED: 1.0}, retry_after_s=3600) as fake:
        folder = planned(fake)
        assert run(["-q", "run", "tried.lock", "--max-wait", "1"]) == 0
    assert {o.status for o in outcomes(folder)} == {"provider-error"}
    assert all("wait" in o.detail for o in outcomes(folder))
    assert {o.cost_usd for o in outcomes(folder)} == {0.0}, "refused unpaid"


def test_limits_stand_in_the_providers_file(tmp_path: Path) -> None:
    (tmp_path / "providers.yaml").write_text(
        "providers:\n"
        "  openai:\n"
        "    limits: {requests_per_minute: 300, max_concurrency: 8}\n"
        "    models: {gpt-5-mini: {limits: {tokens_per_minute: 1000}}}\n"
        "  anthropic: {key_env: OTHER_KEY}\n"
    )
    found = limits_of(read_providers(tmp_path))
    assert set(found) == {"openai", "openai/gpt-5-mini"}
    assert (found["openai"].requests_per_minute, found["openai"].max_concurrency) == (300, 8)
    assert found["openai"].start_concurrency == 8
    assert found["openai/gpt-5-mini"].requests_per_minute is None
    assert found["openai/gpt-5-mini"].tokens_per_minute == 1000
    assert policy(None).max_wait_s == 600
    assert policy(3600).max_wait_s == 3600
    assert policy(3600).deadline_s >= 3600


def laid_bare(path: Path) -> bytes:
    """A file's bytes, and what they hold packed: members of archives, tables, columns."""
    found = path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as opened:
            found += b"".join(opened.read(name) for name in opened.namelist())
    elif path.suffix == ".parquet":
        found += json.dumps(pyarrow.parquet.read_table(path).to_pylist(), default=str).encode()
    elif path.suffix == ".duckdb":
        with Store.open(path) as store:
            tables = store._db.execute("select table_name from duckdb_tables()").fetchall()
            for (table,) in tables:
                rows = store._db.execute(f'select * from "{table}"').fetchall()
                found += json.dumps(rows, default=str).encode()
    return found


CANARIES = [f"canary-{name}-9Kx4-00000{n}" for n, name in enumerate(
    ("env", "header", "echo", "exception", "reply", "traceback", "url", "prompt")
)]  # fmt: skip


def test_none_of_eight_planted_keys_is_in_any_byte_a_run_leaves(
    planned: Callable[[FakeProvider], Path],
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """A server that says every key in every place: attempts, replies, rows, reports, terminal."""
    spill = " ".join(CANARIES)

    def spilling(_seen: Seen, number: int) -> Answer | dict[str, Any]:
        if number % 5 == 0:
            return Answer(status=500, body={"error": {"message": spill, "code": spill}})
        if number % 5 == 1:
            return Answer(status=400, body=spill.encode(), headers={"content-type": spill})
        if number % 5 == 2:
            return Answer(
                status=429,
                body={"error": {"message": spill, "code": "rate_limit_exceeded"}},
                headers={"retry-after": "0.01", "x-ratelimit-limit-requests": spill},
            )
        mail = {"to": spill, "subject": spill, "body": spill}
        return openai_body(spill, calls=(("send_email", json.dumps(mail)),), model=spill)

    for number, value in enumerate(CANARIES):
        monkeypatch.setenv(f"PLANTED_{number}_API_KEY", value)
    monkeypatch.setenv("TRIED_API_KEY", CANARIES[1])
    with serving(script=spilling) as fake:
        folder = planned(fake)
        monkeypatch.setenv("OPENAI_API_KEY", CANARIES[1])
        assert run(["run", "tried.lock"]) == 0
        assert CANARIES[1] in repr(fake.requests[0].headers), "the key did travel"
        run(["run", "tried.lock", "--only-errors"])
    for name in ("r.html", "r.md", "r.json", "r.csv", "r.parquet"):
        assert run(["report", "--transcripts", "all", "-o", name]) == 0
    for name in ("o.csv", "o.parquet"):
        assert run(["export", "-o", name]) == 0
    assert run(["bundle", "--transcripts", "all", "-o", "b.zip"]) == 0
    run(["check", "--database"])
    out, err = capfdbinary.readouterr()
    everything = out + err + b"".join(laid_bare(p) for p in folder.rglob("*") if p.is_file())
    assert b"Possibly charged" in everything or b"[redacted]" in everything
    assert [value for value in CANARIES if value.encode() in everything] == []
    told = [line for line in journal(folder) if line["t"] == "attempt"]
    assert {line["http_status"] for line in told} >= {200, 400, 429, 500}
    assert sum("[redacted]" in line["detail"] for line in told) > 5
