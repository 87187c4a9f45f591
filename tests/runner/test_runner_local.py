"""The embedded model's weights and process: what goes wrong is named, and nothing stays behind."""

import asyncio
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from mitigations.errors import ModelUnavailable, UnknownName
from mitigations.model import ActionProtocol, ModelSpec, Reply, ReplyStatus, ToolSpec
from runner.local import MODELS, LocalModels, LocalServer, models, weights
from runner.protocols import actions, instructions, response_schema

SMOLLM2 = MODELS["smollm2"]
ROUTE = ModelSpec(route="local/smollm2")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A stand-in package that carries a weights file of three bytes."""
    (tmp_path / "tiny_weights").mkdir()
    (tmp_path / "tiny_weights" / "__init__.py").write_text("raise AssertionError('imported')")
    (tmp_path / "tiny_weights" / "tiny.gguf").write_bytes(b"abc")
    monkeypatch.syspath_prepend(tmp_path)
    # SHA-256 of "abc": FIPS 180-2, appendix B.1.
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    return weights.Weights(
        package="tiny_weights", distribution="tiny-weights", file="tiny.gguf", sha256=sha256
    )


def test_weights_are_found_without_importing_their_package(package):
    assert weights.locate(package).read_bytes() == b"abc"


def test_weights_with_another_hash_are_refused(package):
    with pytest.raises(ModelUnavailable, match=r"tiny\.gguf: the weights have the wrong hash"):
        weights.locate(replace(package, sha256=hashlib.sha256(b"abd").hexdigest()))


def test_missing_weights_name_what_to_install(package):
    with pytest.raises(ModelUnavailable, match="no-such-weights is not installed"):
        weights.locate(replace(package, package="no_such_weights", distribution="no-such-weights"))
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        weights.locate(replace(package, file="other.gguf"))


def test_a_server_that_cannot_load_says_why(package):
    async def go():
        server = LocalServer(weights.locate(package), alias="tiny")
        with pytest.raises(ModelUnavailable, match="did not start"):
            await server.start()
        assert not server.is_running

    asyncio.run(go())


def stand_in(server, code):
    """The server with a process of a few lines instead of llama.cpp."""
    server._command = (sys.executable, "-c", code)
    return server


def test_a_server_that_is_not_ready_in_time_is_ended():
    async def go():
        server = stand_in(
            LocalServer(Path("x"), alias="slow", deadline_s=0.2), "import time; time.sleep(60)"
        )
        with pytest.raises(ModelUnavailable, match=r"not ready within 0\.2 s"):
            await server.start()
        assert not server.is_running

    asyncio.run(go())


def test_a_port_in_use_names_its_process():
    async def go(port):
        with pytest.raises(ModelUnavailable, match=f"port {port} is in use by") as found:
            await LocalServer(Path("x"), alias="tiny", port=port).start()
        return str(found.value)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        message = asyncio.run(go(taken.getsockname()[1]))
    if Path("/proc/net/tcp").exists():
        assert f"(PID {os.getpid()})" in message


READY = 'import sys; print(\'{"url": "http://127.0.0.1:1"}\', flush=True); sys.stdin.read()'


def test_servers_start_once_and_again_after_a_death(monkeypatch):
    """Concurrent first calls share one start; a crash between calls costs a restart, not a run."""
    started = []

    def tiny(_path, **given):
        started.append(given["alias"])
        return stand_in(LocalServer(Path("x"), **given), READY)

    monkeypatch.setattr(models, "locate", lambda _weights: Path("x"))
    monkeypatch.setattr(models, "LocalServer", tiny)

    async def go():
        async with LocalModels(processes=2) as local:
            specs = await asyncio.gather(*(local.spec(ROUTE) for _ in range(4)))
            assert {spec.base_url for spec in specs} == {"http://127.0.0.1:1/v1"}
            assert started == ["smollm2"] * 2
            servers = local._servers["smollm2"]
            os.kill(servers[0].pid, signal.SIGKILL)
            servers[0]._process.wait()
            await local.spec(ROUTE)
            assert started == ["smollm2"] * 4
            assert not any(server.is_running for server in servers)
            running = local._servers["smollm2"]
        assert not any(server.is_running for server in running)

    asyncio.run(go())


def test_equal_prompts_go_to_the_same_server(monkeypatch):
    def servers(_self, _name):
        async def start():
            return tuple(types.SimpleNamespace(base_url=str(i), is_running=True) for i in range(2))

        return start()

    monkeypatch.setattr(LocalModels, "_start", servers)

    async def go():
        local = LocalModels()
        prompts = [f"prompt {i}" for i in range(16)]
        first = [(await local.spec(ROUTE, prompt=p)).base_url for p in prompts]
        again = [(await local.spec(ROUTE, prompt=p)).base_url for p in prompts]
        assert first == again
        assert set(first) == {"0", "1"}
        turns = [(await local.spec(ROUTE)).base_url for _ in range(4)]
        assert turns in (["0", "1"] * 2, ["1", "0"] * 2)

    asyncio.run(go())


def test_other_models_pass_and_unknown_ones_are_named():
    async def go():
        local = LocalModels()
        other = ModelSpec(route="openai/x")
        assert await local.spec(other) is other
        with pytest.raises(UnknownName, match="smollm2"):
            await local.spec(ModelSpec(route="local/smollm"))
        await local.close()

    asyncio.run(go())


TOOLS = (
    ToolSpec(
        name="send_email",
        description="Send an email.",
        parameters={"to": "address", "subject": "subject", "body": "text"},
    ),
    ToolSpec(name="archive", description="File an email.", parameters={"id": "number"}),
)


async def _chat(session, base_url, seed):
    system = "You answer the mail of an office.\n" + instructions(ActionProtocol.JSON, TOOLS)
    schema = {"name": "actions", "schema": response_schema(TOOLS, bounds=(3, 120))}
    body = {
        "model": "smollm2",
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": "[1] Dana <dana@x.example>: How many pallets? It is 36."},
        ],
        "max_tokens": 500,
        "seed": seed,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }
    async with session.post(f"{base_url}/chat/completions", json=body) as response:
        assert response.status == 200
        return await response.json()


@pytest.mark.local_model
def test_the_real_model_obeys_the_schema_eight_times_of_eight():
    """And its replies name the alias, never a path of this machine."""

    async def go():
        async with LocalModels() as local, aiohttp.ClientSession() as session:
            specs = [await local.spec(ROUTE) for _ in range(8)]
            calls = (_chat(session, s.base_url, i) for i, s in enumerate(specs))
            return await asyncio.gather(*calls)

    replies = asyncio.run(go())
    texts = [reply["choices"][0]["message"]["content"] for reply in replies]
    for reply, text in zip(replies, texts, strict=True):
        assert reply["choices"][0]["finish_reason"] == "stop"
        assert reply["model"] == "smollm2"
        assert SMOLLM2.file not in json.dumps(reply)
        actions(Reply(status=ReplyStatus.ANSWERED, text=text), ActionProtocol.JSON, TOOLS)
    assert len(set(texts)) > 4, "eight seeds gave hardly any spread"


ORPHAN = """
import asyncio, sys
from runner.local import MODELS, LocalServer
from runner.local.weights import locate
async def go():
    server = LocalServer(locate(MODELS["smollm2"]), alias="smollm2")
    await server.start()
    print(server.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(go())
"""


@pytest.mark.local_model
def test_no_server_outlives_a_killed_parent():
    with subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE) as parent:
        server = int(parent.stdout.readline())
        os.kill(server, 0)
        parent.kill()
    for _ in range(200):
        if not _alive(server):
            return
        time.sleep(0.05)
    pytest.fail("the server process outlived its parent")


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    # An orphan that ended may wait for whoever adopted it to collect it.
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
