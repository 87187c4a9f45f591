"""Who holds a port: so that "in use" names the process to stop."""

import socket
from pathlib import Path

_LISTEN = "0A"


def is_taken(port: int) -> bool:
    """Whether something listens on the loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def holder(port: int) -> str:
    """The listening process as `name (PID n)`; "another process" where the system hides it."""
    inodes = _listening_inodes(port)
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(link.readlink())
            if target.removeprefix("socket:[").removesuffix("]") in inodes:
                pid = link.parts[2]
                command = Path("/proc", pid, "comm").read_text("utf-8", "replace").strip()
                return f"{command} (PID {pid})"
        except OSError:  # the process ended, or belongs to somebody else
            continue
    return "another process"


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            rows = table.read_text("ascii").splitlines()[1:]
        except OSError:  # no Linux
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(fields[9])
    return found
