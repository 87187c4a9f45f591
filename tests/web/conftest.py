"""A small workspace and the service over it: in this process, or as a process of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from mitigations.cli.app import run as cli
from mitigations.cli.session import now
from mitigations.compose.workspace import create_workspace
from mitigations.store import Store
from mitigations.web.access import Access
from mitigations.web.app import make_app
from mitigations.web.guard import Hosts
from mitigations.web.services import Hooks, Services, make_services
from mitigations.web.tokens import Role, new_token

ROOT = Path(__file__).parents[2]
SECRET = "s" * 43
BASE = "http://127.0.0.1:8765"
STUDY = """\
study: first
baseline: no-mitigation
variants: [prohibition-short-v1, pause-and-review-v1]
scenarios: builtin/demo-v1
models: [simulated/published]
repeats: 2
guardrails: {task_completion: 0.1}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace whose one study runs in a second."""
    folder = tmp_path / "team"
    create_workspace(folder)
    (folder / "studies" / "first.yaml").write_text(STUDY)
    (folder / "studies" / "real-models.yaml").unlink()
    return folder


@contextmanager
def serving(
    folder: Path, *, token_file: Path | None = None, hooks: Hooks | None = None
) -> Iterator[Services]:
    """The services of a workspace, and everything given back at the end."""
    with Store.open(folder / "mitigations.duckdb") as store:
        store.shut_in()
        access = Access(token_file=token_file, secret=SECRET)
        made = make_services(store.path, store, access, now=now, hooks=hooks)
        try:
            yield made
        finally:
            made.jobs.close(grace_s=20)
            made.results.close()
            made.readings.close()


@pytest.fixture
def services(workspace: Path) -> Iterator[Services]:
    with serving(workspace) as made:
        yield made


def client_of(services: Services, **headers: str) -> TestClient:
    """A client of the whole application, guard included; redirects are looked at, not followed."""
    app = make_app(services, Hosts.of(["127.0.0.1", "localhost"]))
    given = {"origin": BASE} | {name.replace("_", "-"): text for name, text in headers.items()}
    return TestClient(
        app, base_url=BASE, follow_redirects=False, headers=given, raise_server_exceptions=False
    )


@pytest.fixture
def client(services: Services) -> TestClient:
    return client_of(services)


@contextmanager
def listening(services: Services) -> Iterator[str]:
    """The application on a port of this machine, for a real browser; gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = make_app(services, Hosts.of(["127.0.0.1"]))
    config = uvicorn.Config(app, lifespan="off", ws="none", log_level="error", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


@pytest.fixture
def ran(services: Services, client: TestClient) -> str:
    """The study locked and run; gives the run's id."""
    assert client.post("/studies/first/lock").status_code == 303
    where = client.post("/studies/first/run").headers["location"]
    name = where.removeprefix("/runs/")
    job = services.jobs.get(name)
    assert job is not None
    assert job.wait(60)
    return name


@dataclass(frozen=True)
class Guarded:
    """A service that asks for tokens, and one token of each role."""

    services: Services
    tokens: dict[str, str]
    file: Path

    def client(self, role: str | None) -> TestClient:
        """A client with the token of a role; None: without any."""
        if role is None:
            return client_of(self.services)
        return client_of(self.services, authorization=f"Bearer {self.tokens[role]}")


@pytest.fixture
def guarded(workspace: Path, tmp_path: Path) -> Iterator[Guarded]:
    file = tmp_path / "tokens.json"
    made = {role: new_token(file, f"{role} person", [Role(role)], at=now()) for role in Role}
    with serving(workspace, token_file=file) as services:
        yield Guarded(services, {str(role): token for role, token in made.items()}, file)


@dataclass
class Process:
    """A service as a process of its own."""

    url: str
    popen: subprocess.Popen[str]
    db: Path

    def stop(self) -> str:
        """End it as systemd would; gives what it wrote."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        _, err = self.popen.communicate(timeout=60)
        return err


def environment() -> dict[str, str]:
    """Our own sources first, and no key of anybody."""
    kept = {k: v for k, v in os.environ.items() if "KEY" not in k and "TOKEN" not in k}
    return kept | {"PYTHONPATH": str(ROOT)}


def spawn(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A command as a process in a workspace."""
    return subprocess.Popen(
        [sys.executable, "-m", "mitigations", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[Process]:
    """A service in a workspace, stopped at the end."""
    popen = spawn(folder, "serve", "--port", "0", *arguments)
    assert popen.stderr is not None
    line = popen.stderr.readline()
    found = re.search(r"(http://\S+?)/ ", line)
    if found is None:
        popen.kill()
        pytest.fail(line + popen.communicate()[1])
    made = Process(found[1], popen, folder / "mitigations.duckdb")
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def serve() -> Iterator[Callable[..., Process]]:
    """Start services; those still up at the end are stopped."""
    with ExitStack() as stack:

        def start(folder: Path, *arguments: str) -> Process:
            return stack.enter_context(started(folder, *arguments))

        yield start


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command line in a workspace; gives exit code, output, errors."""
    monkeypatch.delenv("MITIGATIONS_DB", raising=False)

    def call(folder: Path, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(folder)
        capsys.readouterr()
        code = cli(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call
