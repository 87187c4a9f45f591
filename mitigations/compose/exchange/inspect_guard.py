"""Is this log safe to open? Asked before any library reads it; nothing is ever unpacked to a disk.

A log is a zip that somebody else made: names that lead elsewhere, links, and members that unpack to
more than they say (bombs) are refused, and every size has a limit.
"""

import json
import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from mitigations.errors import InvalidFile

MAX_LOG = 2 * 2**30
"""Bytes of a log file, and of what all its members unpack to."""
MAX_JSON_LOG = 128 * 2**20
MAX_MEMBERS = 200_000
MAX_SAMPLE = 24 * 2**20
MAX_HEADER = 24 * 2**20
MAX_RATIO = 1000
HEADERS = ("header.json", "_journal/start.json")
_CHUNK = 2**20


def check_file(path: Path) -> None:
    """Refuse what is no file, a link, or too large."""
    if path.is_symlink():
        raise InvalidFile(path, "is a link", fix="Name the file itself.")
    if not path.is_file():
        raise InvalidFile(path, "is not a file" if path.exists() else "does not exist")
    limit = MAX_JSON_LOG if path.suffix.lower() == ".json" else MAX_LOG
    if path.stat().st_size > limit:
        raise InvalidFile(path, f"is larger than {limit // 2**20} MB", fix="Split it.")


def check_archive(path: Path, opened: zipfile.ZipFile) -> None:
    """Every member's name and declared size; raises `InvalidFile`."""
    infos = opened.infolist()
    if len(infos) > MAX_MEMBERS:
        raise InvalidFile(path, f"holds more than {MAX_MEMBERS:,} members")
    total = 0
    for info in infos:
        name = info.filename
        if _leads_away(name):
            raise InvalidFile(path, f"holds a member named {name[:60]!r}, which leads elsewhere")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise InvalidFile(path, f"holds a link, {name[:60]!r}")
        total += info.file_size
        if info.file_size > _CHUNK and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            raise InvalidFile(
                path, f"{name[:60]!r} would unpack to {info.file_size:,} bytes: refused as a bomb"
            )
    if total > MAX_LOG:
        raise InvalidFile(path, f"would unpack to {total:,} bytes; the limit is {MAX_LOG:,}")
    if len({info.header_offset for info in infos}) < len(infos):
        raise InvalidFile(path, "holds members that lie over each other")


def read_member(path: Path, opened: zipfile.ZipFile, name: str, *, limit: int) -> Any:
    """A member as JSON; no more than `limit` bytes of it are ever unpacked."""
    info = opened.getinfo(name)
    if info.file_size > limit:
        raise InvalidFile(path, f"{name[:80]!r} is larger than {limit // 2**20} MB")
    try:
        with opened.open(info) as member:
            return json.loads(b"".join(_chunks(path, name, member, limit)))
    except (ValueError, RecursionError) as exc:
        raise InvalidFile(path, f"{name[:80]!r} is not JSON") from exc
    except InvalidFile:
        raise
    except Exception as exc:  # a damaged member raises whatever its decompressor raises
        raise InvalidFile(path, f"{name[:80]!r} cannot be read: {str(exc)[:100]}") from exc


def sample_names(opened: zipfile.ZipFile) -> Iterator[str]:
    """Members that hold samples; one that was logged again counts once, as it was last."""
    for name in dict.fromkeys(opened.namelist()):
        if name.startswith("samples/") and name.endswith(".json"):
            yield name


def _chunks(path: Path, name: str, member: IO[bytes], limit: int) -> Iterator[bytes]:
    left = limit
    while chunk := member.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            raise InvalidFile(path, f"{name[:80]!r} unpacks to more than it says")
        yield chunk


def _leads_away(name: str) -> bool:
    return (
        not name
        or name.startswith("/")
        or "\\" in name
        or "\0" in name
        or re.match(r"[A-Za-z]:", name) is not None
        or ".." in name.split("/")
    )
