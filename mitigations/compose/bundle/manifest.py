"""The manifest: every member with its SHA-256, in the one text that it can have."""

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mitigations.model import content_hash

FORMAT = "mitigations.bundle/1"
MANIFEST = "manifest.json"
SIGNATURE = "signature.json"
README = "README.txt"
_PACKAGES = ("mitigations", "altair", "duckdb", "jinja2", "numpy", "scipy", "vl-convert-python")
_KEYS = {
    "format", "run", "study", "lock_hash", "transcripts", "pack_shipped", "made_by", "members",
    "seal",
}  # fmt: skip


def made_by() -> dict[str, str]:
    """The versions that a report's bytes depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return dict(sorted(found.items()))


def manifest_text(document: Mapping[str, Any]) -> bytes:
    """The sealed text of a manifest; `seal` is added or replaced."""
    body = {name: value for name, value in document.items() if name != "seal"}
    sealed = {**body, "seal": content_hash(body)}
    return (json.dumps(sealed, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode()


def read_manifest(text: bytes) -> dict[str, Any]:
    """The manifest a text holds; raises `ValueError` saying what is wrong with it."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ValueError("is not JSON") from exc
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"is not of the format {FORMAT} that this version reads")
    if set(document) != _KEYS or not _well_formed(document):
        raise ValueError("does not have the fields of a manifest")
    if manifest_text(document) != text:
        raise ValueError("does not agree with its own seal: it was changed")
    return document


def _well_formed(document: Mapping[str, Any]) -> bool:
    members, texts = document["members"], ("run", "study", "lock_hash")
    transcripts = document["transcripts"]
    return (
        all(isinstance(document[name], str) for name in texts)
        and isinstance(document["pack_shipped"], bool)
        and (transcripts in ("none", "all") or (type(transcripts) is int and transcripts >= 0))
        and isinstance(document["made_by"], dict)
        and all(isinstance(value, str) for value in document["made_by"].values())
        and isinstance(members, dict)
        and all(
            isinstance(entry, dict)
            and set(entry) == {"sha256", "bytes"}
            and isinstance(entry["sha256"], str)
            and type(entry["bytes"]) is int
            for entry in members.values()
        )
    )


def entry(content: bytes) -> dict[str, Any]:
    """What the manifest says of a member."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
