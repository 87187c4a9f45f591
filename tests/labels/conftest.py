"""A finished run to label, made once and copied for each test."""

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mitigations.cli.app import run as command
from mitigations.compose import labelling
from mitigations.compose.labelling import Desk
from mitigations.store import Store

STUDY = """\
study: small
baseline: no-mitigation
variants: [prohibition-short-v1, pause-and-review-v1]
scenarios: builtin/demo-v1
models: [simulated/published]
repeats: 12
"""
NOW = "2026-11-24T12:00:00Z"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    (folder / "small.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MITIGATIONS_DB", raising=False)
        assert command(("plan", "small.yaml", "-q")) == 0
        assert command(("run", "small.lock", "-q")) == 0
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished run, as the working folder."""
    place = tmp_path / "ws"
    shutil.copytree(finished, place)
    monkeypatch.chdir(place)
    monkeypatch.delenv("MITIGATIONS_DB", raising=False)
    return place


@pytest.fixture
def cli(
    folder: Path,  # noqa: ARG001 - commands run in it
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = command(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def desk(folder: Path) -> Iterator[Desk]:
    with Store.open(folder / "mitigations.duckdb") as store:
        yield labelling.open_desk(store, None, runs=folder / "runs", now=lambda: NOW)


@pytest.fixture(scope="session")
def steady(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk with a sample of 60, for tests that keep nothing."""
    place = tmp_path_factory.mktemp("steady") / "ws"
    shutil.copytree(finished, place)
    with Store.open(place / "mitigations.duckdb") as store:
        made = labelling.open_desk(store, None, runs=place / "runs", now=lambda: NOW)
        labelling.draw(made, 60)
        yield made


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def write_rows(path: Path, rows: list[dict[str, Any]], columns: list[str] | None = None) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        sheet = csv.DictWriter(handle, columns or list(rows[0]))
        sheet.writeheader()
        sheet.writerows(rows)
