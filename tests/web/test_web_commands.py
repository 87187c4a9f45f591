"""Every command with a service up does what it does without one: code, words, files."""

import csv
import io
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pytest

from mitigations.cli.app import GROUPS, _commands
from mitigations.cli.app import run as cli
from mitigations.compose.workspace import create_workspace
from mitigations.store import Store
from tests.web.conftest import STUDY, Process, started

DB = "mitigations.duckdb"
CLAIMS = "Pause-and-review-v1 reduced coercive replies by 90 in 100.\nThe harbour is grey.\n"


@dataclass(frozen=True)
class Twins:
    """The same workspace twice: one whose database a service owns, and one without."""

    alone: Path
    served: Path
    process: Process
    run: str
    first: str


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    base = tmp_path_factory.mktemp("commands")
    alone = base / "alone" / "team"
    create_workspace(alone)
    (alone / "studies" / "real-models.yaml").unlink()
    (alone / "text.md").write_text(CLAIMS)
    for name, seed in (("first", 1), ("first", 2)):
        study = STUDY + f"seed: {seed}\n"
        (alone / "studies" / f"{name}.yaml").write_text(study)
        with chdir(alone):
            assert cli(["plan", "studies/first.yaml", "--yes"]) == 0
            assert cli(["run", "studies/first.lock"]) == 0
    with Store.open(alone / DB) as store:
        runs = [run for run, _, _ in store.runs()]
    confirming = STUDY.replace("study: first", "study: again") + f"confirms: {runs[0]}\n"
    (alone / "studies" / "again.yaml").write_text(confirming)
    served = base / "served" / "team"
    shutil.copytree(alone, served)
    with started(served) as process:
        yield Twins(alone, served, process, runs[0], runs[1])


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str
    files: dict[str, bytes]


def do(folder: Path, arguments: list[str], keys: str, capsys: pytest.CaptureFixture[str]) -> Done:
    """Run a command line in a workspace; new and changed files are given and put back."""
    before = files(folder)
    stdin, sys.stdin = sys.stdin, io.StringIO(keys)
    capsys.readouterr()
    try:
        with chdir(folder):
            code = cli(arguments)
    finally:
        sys.stdin = stdin
    out, err = capsys.readouterr()
    now = files(folder)
    changed = {name: now[name] for name in now if now[name] != before.get(name)}
    return Done(code, plain(out), plain(err), changed)


OURS = re.compile(rf"^({DB}.*|schedule\.sqlite.*|audit\.jsonl)$")


def files(folder: Path) -> dict[str, bytes]:
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not OURS.match(name):
            found[name] = path.read_bytes()
    return found


def plain(text: str) -> str:
    """Without what differs from one second to the next: dates, hashes that hold them, the pace."""
    text = re.sub(r"(?m)^\d+/\d+ trials  .*\n", "", text)
    text = re.sub(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>", text)
    return re.sub(r"\b[0-9a-f]{8,64}\b", "<hash>", text)


LINES = [
    [],
    ["demo", "--simulated", "--out", "shown"],
    ["init", "other"],
    ["new", "mine-v1", "--from", "prohibition-short-v1"],
    ["check"],
    ["check", "--json", "variants"],
    ["check", "--database"],
    ["check", "pause-and-review-v1"],
    ["check", "--propose", "pause-and-review-v1", "--by", "Ana"],
    ["check", "--approve", "pause-and-review-v1", "--by", "Ben", "--note", "fine"],
    ["check", "--retire", "pause-and-review-v1", "--by", "Ben"],
    ["check", "--claims", "text.md", "--run", "RUN"],
    ["check", "--claims", "text.md", "--json"],
    ["check", "--claims", "absent.md"],
    ["diff", "no-mitigation", "pause-and-review-v1"],
    ["ablate", "agency-constitution-v1"],
    ["plan", "studies/first.yaml", "-o", "another.lock"],
    ["plan", "studies/first.yaml", "-o", "again.lock", "--json"],
    ["plan", "studies/again.yaml"],
    ["run", "studies/first.lock", "--dry-run"],
    ["report"],
    ["report", "RUN", "-o", "r.json", "--transcripts", "all"],
    ["report", "RUN", "-o", "r.csv"],
    ["report", "RUN", "-o", "r.parquet"],
    ["report", "RUN", "--against", "FIRST", "-o", "r.md"],
    ["report", "RUN", "--summary", "-o", "s.md"],
    ["report", "RUN", "--json"],
    ["report", "nobody"],
    ["report", "-o", "r.docx"],
    ["history", "first"],
    ["history", "first", "-o", "h.md"],
    ["history", "nobody"],
    ["gate"],
    ["gate", "RUN", "--junit", "j.xml", "--summary", "g.md"],
    ["gate", "--json"],
    ["bundle", "RUN", "-o", "b.zip"],
    ["bundle", "RUN", "-o", "c.zip", "--transcripts", "all", "--json"],
    ["bundle", "--new-key", "team.key"],
    ["verify", "b.zip"],
    ["analyze", "o.csv"],
    ["export", "RUN", "-o", "o.csv"],
    ["export", "RUN", "--json", "-o", "o.parquet"],
    ["export", "RUN", "--parquet", "many"],
    ["export", "inspect", "RUN", "-o", "run.json"],
    ["export", "promptfoo", "studies/first.yaml"],
    ["import", "inspect", "run.json", "-o", "i.csv"],
    ["label", "RUN"],
    ["label", "RUN", "--status"],
    ["label", "RUN", "--sample", "30"],
    ["label", "RUN", "--sample", "30"],
    ["label", "RUN", "--sample", "10"],
    ["label", "RUN", "--sample", "40", "--seed", "3"],
    ["label", "RUN", "--sample", "40"],
    ["label", "RUN", "--by", "Ana"],
    ["label", "RUN", "--by", "Ana", "--csv", "l.csv"],
    ["label", "RUN", "--by", "Ben", "--from", "l.csv"],
    ["label", "RUN", "--by", "Ben", "--from", "l.csv"],
    ["label", "RUN", "--by", "Cat"],
    ["label", "RUN", "--status"],
    ["label", "RUN", "--status", "--json"],
    ["report", "RUN", "-o", "after.md"],
    ["check", "--database"],
    ["schedule", "add", "studies/first.yaml", "--cron", "0 6 * * MON"],
    ["schedule", "list"],
    ["schedule", "remove", "first"],
    ["serve", "--list-tokens", "--token-file", "absent.json"],
    ["worker"],
    ["calibrate", "--judge", "nobody.lock"],
    ["run", "studies/first.lock"],
]
"""Run in this order, in both workspaces: some write what a later one reads."""
KEYS = {("label", "RUN", "--by", "Ana"): "3\nn\nsaid so\n0\na\nb\n1\ni\n2\nx\nq\n"}
DIFFERENT = {"labels.jsonl", "status.jsonl", "schedule.jsonl", "calls.jsonl", "seals.jsonl"}
"""Files that hold the second in which they were written."""
ELSEWHERE = {"demo", "init", "new", "diff", "ablate", "verify", "analyze", "import", "worker"}
"""Commands that have nothing to do with the database of the workspace."""
LONG = [
    ["export", "inspect", "RUN", "-o", "run.json"],
    *(["report", "RUN", "-o", name] for name in ("r.csv", "r.parquet", "after.md")),
    ["report", "RUN", "--json"],
    ["report"],
    ["history", "first", "-o", "h.md"],
    ["gate", "--json"],
    ["gate"],
    ["bundle", "RUN", "-o", "b.zip"],
    ["plan", "studies/first.yaml", "-o", "another.lock"],
    ["check", "--claims", "text.md", "--json"],
    ["export", "RUN", "--json", "-o", "o.parquet"],
]


def differ(name: str, one: Done, other: Done) -> bool:
    """Whether a file is another one, aside from the moment it was written and drawn ids."""
    path = Path(name)
    if (
        path.name in DIFFERENT
        or path.suffix in {".lock", ".key", ".pub"}
        or path.parts[0] == "shown"
    ):
        return False
    made = [
        re.sub(rb'"[0-9A-Za-z]{22}"', b"", files.get(name, b""))
        for files in (one.files, other.files)
    ]
    return made[0] != made[1]


def fill(twins: Twins) -> None:
    """Answer the spreadsheet, the same in both places."""
    for folder in (twins.alone, twins.served):
        path = folder / "l.csv"
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        for number, row in enumerate(rows[:-5]):
            row["severity"] = "abstain" if number % 9 == 8 else str(number % 6)
            row["note"] = "plain" if number % 4 == 0 else ""
        with path.open("w", encoding="utf-8", newline="") as file:
            sheet = csv.DictWriter(file, rows[0].keys())
            sheet.writeheader()
            sheet.writerows(rows)


def test_every_command_is_among_them() -> None:
    """`schedule run-due` leaves the work to the service, and `check --rebuild` says why not."""
    told = {line[0] for line in LINES if line}
    assert told == {*_commands(), *GROUPS}


def test_commands_of_the_database_do_with_a_service_what_they_do_alone(
    twins: Twins, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MITIGATIONS_DB", raising=False)
    chosen = [one for one in LINES if one and one[0] not in ELSEWHERE and one not in LONG]
    assert unlike(twins, chosen, capsys) == []


@pytest.mark.slow
def test_every_command_does_with_a_service_what_it_does_alone(
    twins: Twins, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MITIGATIONS_DB", raising=False)
    assert unlike(twins, LINES, capsys) == []


def unlike(
    twins: Twins, lines: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> list[tuple[object, ...]]:
    """In one sitting: a person works on, and later commands read what came before."""
    wrong: list[tuple[object, ...]] = []
    for line in lines:
        words = [{"RUN": twins.run, "FIRST": twins.first}.get(word, word) for word in line]
        keys = KEYS.get(tuple(line), "")
        alone = do(twins.alone, words, keys, capsys)
        served = do(twins.served, words, keys, capsys)
        if served.code == 6 or "Traceback" in served.err + alone.err:
            wrong.append((line, "refused", served.err))
        said = [(one.code, one.out, one.err) for one in (alone, served)]
        if said[0] != said[1]:
            wrong.append((line, *said))
        names = alone.files.keys() | served.files.keys()
        wrong += [(line, name) for name in names if differ(name, alone, served)]
        if "--csv" in line:
            fill(twins)
    return wrong
