"""A PostgreSQL of the test's own: a cluster in a temporary folder, with a password."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

PASSWORD = "hush:9/f@x"
"""With characters that a URL quotes: a mask must know both forms."""
QUOTED = "hush%3A9%2Ff%40x"


def binaries() -> Path | None:
    """The folder of initdb and postgres; None where the package is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Postgres:
    """The server; `restart` and `kill` do to it what an operator or a crash would."""

    def __init__(self, bin_folder: Path) -> None:
        self._bin = bin_folder
        # Not pytest's tmp_path: another user must be able to reach it.
        self.folder = Path(tempfile.mkdtemp(prefix="mitigations-pg-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"postgresql://tester:{QUOTED}@127.0.0.1:{self.port}/trials"

    def __enter__(self) -> Self:
        # initdb refuses root: the package's own user, or whoever runs the tests.
        self._as = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        secret = self.folder / "pw"
        secret.write_text(PASSWORD)
        if os.getuid() == 0:
            shutil.chown(secret, "postgres")
        self._run(
            "initdb", "-D", self.data, "-U", "tester", "--auth=scram-sha-256", f"--pwfile={secret}",
            "-E", "UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip
        self.start()
        environ = os.environ | {"PGPASSWORD": PASSWORD}
        subprocess.run(
            [self._bin / "createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tester",
             "trials"],
            check=True, env=environ, capture_output=True, timeout=60,
        )  # fmt: skip
        return self

    @property
    def data(self) -> str:
        return str(self.folder / "data")

    def start(self) -> None:
        settings = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
            " -c shared_buffers=16MB -c max_connections=60"
        )
        self._ctl("start", "-o", settings, "-l", str(self.folder / "log"))

    def restart(self, *, down_s: float = 0.0, mode: str = "immediate") -> None:
        """`immediate` is a crash: recovery from the write-ahead log, every connection cut."""
        self._ctl("stop", "-m", mode)
        time.sleep(down_s)
        self.start()

    def _ctl(self, *arguments: str) -> None:
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "60", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        if os.getuid() == 0:
            user = ("--reuid=postgres", "--regid=postgres", "--clear-groups")
            command = ["setpriv", *user, *command]
        # Output goes to a file: the server would hold a pipe open for ever.
        with (self.folder.parent / f"{self.folder.name}.out").open("ab") as out:
            subprocess.run(
                command, check=True, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd="/",
                timeout=120,
            )  # fmt: skip

    def __exit__(self, *_: object) -> None:
        try:
            self._ctl("stop", "-m", "immediate")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
            (self.folder.parent / f"{self.folder.name}.out").unlink(missing_ok=True)
