"""A zip that has one possible structure, so that whatever stands elsewhere in it is found.

Members are read from the archive and never written to a disk: no name in it can lead anywhere.
Everything a second reader of zips might understand differently (two members of one name, text
before, between or after them, extra fields, links) breaks the structure and is reported.
"""

import hashlib
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from mitigations.errors import InvalidFile, StorageFailed

NAME = re.compile(r"(?:[a-z][a-z0-9_-]{0,63}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
MAX_MEMBERS = 2000
MAX_MEMBER = 2**31 - 1
MAX_TOTAL = 2**32 - 2**20
_EPOCH = (1980, 1, 1, 0, 0, 0)
_DOS_DATE = (1 << 5) | 1
_VERSION = 20
_UNIX = 3
_ATTRIBUTES = 0o100644 << 16
_CHUNK = 2**20


class Damaged(Exception):
    """A member cannot be read as it was written."""


def write_archive(path: Path, members: Mapping[str, bytes | Path]) -> None:
    """Write the members in the order of their names; the same members give the same bytes.

    A value is the content, or a file that holds it. Raises `StorageFailed`, `InvalidFile`.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as made:
            for name, content in sorted(members.items()):
                _add(made, name, content)
        draft.replace(path)
    except OSError as exc:
        raise StorageFailed(f"{path}: cannot be written: {exc.strerror or exc}") from exc
    finally:
        draft.unlink(missing_ok=True)


def _add(made: zipfile.ZipFile, name: str, content: bytes | Path) -> None:
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    if size > MAX_MEMBER:
        raise InvalidFile(name, "is larger than 2 GB and fits in no bundle")
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type, info.external_attr, info.file_size = (
        zipfile.ZIP_DEFLATED,
        _ATTRIBUTES,
        size,
    )
    info.create_system = _UNIX
    with made.open(info, "w") as target:
        if isinstance(content, bytes):
            target.write(content)
            return
        with content.open("rb") as source:
            while chunk := source.read(_CHUNK):
                target.write(chunk)


class Archive:
    """An archive that somebody gave us. `faults` holds what is wrong with its structure."""

    def __init__(self, path: Path, source: IO[bytes], opened: zipfile.ZipFile) -> None:
        self.path = path
        self._zip = opened
        infos = opened.infolist()
        self._infos = {info.filename: info for info in infos}
        self.faults = [*_unsafe(infos)]
        if not self.faults:
            self.faults += _misplaced(infos, source)

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open the file; raises `InvalidFile` for what is no zip at all."""
        try:
            with path.open("rb") as source:
                try:
                    opened = zipfile.ZipFile(source)
                except (zipfile.BadZipFile, ValueError, struct.error, UnicodeError) as exc:
                    raise InvalidFile(path, f"is not a bundle: {exc}") from exc
                with opened:
                    yield cls(path, source, opened)
        except OSError as exc:
            raise InvalidFile(path, f"cannot be read: {exc.strerror or exc}") from exc

    @property
    def names(self) -> set[str]:
        """Names of the members."""
        return set(self._infos)

    def size(self, name: str) -> int:
        """Bytes of a member as its header says; no more are ever read."""
        return self._infos[name].file_size

    def sha256(self, name: str) -> str:
        """Hash of a member's content; raises `Damaged`."""
        digest = hashlib.sha256()
        for chunk in self._chunks(name):
            digest.update(chunk)
        return digest.hexdigest()

    def read(self, name: str, *, limit: int = 256 * _CHUNK) -> bytes:
        """A member's content; raises `Damaged`, also when it is larger than `limit`."""
        if name not in self._infos:
            raise Damaged(f"{name}: is missing")
        if self.size(name) > limit:
            raise Damaged(f"{name}: is larger than {limit // _CHUNK} MB")
        return b"".join(self._chunks(name))

    def lines(self, name: str) -> Iterator[bytes]:
        """A member's lines; raises `Damaged`."""
        rest = b""
        for chunk in self._chunks(name):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
        if rest:
            raise Damaged(f"{name}: its last line is not finished")

    def _chunks(self, name: str) -> Iterator[bytes]:
        left = self.size(name)
        try:
            with self._zip.open(self._infos[name]) as member:
                while chunk := member.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise Damaged(f"{name}: holds more than its header says")
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as exc:
            raise Damaged(f"{name}: its bytes are damaged ({exc})") from exc
        except RuntimeError as exc:  # zipfile's word for a member that asks for a password
            raise Damaged(f"{name}: cannot be read ({exc})") from exc


def _unsafe(infos: list[zipfile.ZipInfo]) -> Iterator[str]:
    seen: set[str] = set()
    if len(infos) > MAX_MEMBERS:
        yield f"holds {len(infos)} members; a bundle has at most {MAX_MEMBERS}"
        return
    for info in infos:
        name = info.filename
        if not NAME.fullmatch(name) or ".." in name:
            yield f"{name[:80]!r}: is no name of a bundle's member"
        if name.lower() in seen:
            yield f"{name[:80]}: stands twice"
        if info.external_attr != _ATTRIBUTES or info.create_system != _UNIX:
            yield f"{name[:80]}: is not a plain file (a link, a folder, or another tool's)"
        if info.file_size > MAX_MEMBER:
            yield f"{name[:80]}: would unpack to {info.file_size:,} bytes"
        seen.add(name.lower())
    total = sum(info.file_size for info in infos)
    if total > MAX_TOTAL:
        yield f"would unpack to {total:,} bytes; the limit is {MAX_TOTAL:,}"


def _misplaced(infos: list[zipfile.ZipInfo], source: IO[bytes]) -> Iterator[str]:
    """Every header byte against the one that `write_archive` writes there."""
    if [info.filename for info in infos] != sorted(info.filename for info in infos):
        yield "its members are not in the order of their names"
    offset, directory = 0, b""
    for info in infos:
        name = info.filename.encode()
        shared = struct.pack(
            "<HHHHHIIIHH", _VERSION, 0, zipfile.ZIP_DEFLATED, 0, _DOS_DATE, info.CRC,
            info.compress_size, info.file_size, len(name), 0,
        )  # fmt: skip
        local = b"PK\x03\x04" + shared + name
        source.seek(offset)
        if info.header_offset != offset or source.read(len(local)) != local:
            yield f"{info.filename}: its header is not the one this tool writes"
            return
        directory += (
            b"PK\x01\x02" + bytes([_VERSION, _UNIX]) + shared
            + struct.pack("<HHHII", 0, 0, 0, _ATTRIBUTES, offset) + name
        )  # fmt: skip
        offset += len(local) + info.compress_size
    count = len(infos)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(directory), offset, 0)
    source.seek(offset)
    if source.read(len(directory) + len(end) + 1) != directory + end:
        yield "its directory is not the one this tool writes: bytes were added or changed"
