"""A bundle, checked by somebody who has nothing else: bytes, signature, rows, every number."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mitigations.compose.bundle.archive import Archive, Damaged
from mitigations.compose.bundle.keys import check_signature, fingerprint, read_public
from mitigations.compose.bundle.manifest import MANIFEST, SIGNATURE, read_manifest
from mitigations.compose.bundle.recomputing import Recomputed, recompute

MAX_FAULTS = 200
_PAGES = frozenset({"README.txt", "report.html", "report.json"})
"""Members that the numbers do not come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was checked and what was found."""

    faults: tuple[str, ...]
    """Empty: every byte, row and number holds."""
    notes: tuple[str, ...]
    run: str
    signed_by: str | None
    """Fingerprint of the key whose signature holds."""
    members: int
    outcomes: int
    numbers: int
    """Values of the report that were recomputed."""

    @property
    def holds(self) -> bool:
        """Whether the bundle can be trusted to be what it says."""
        return not self.faults


def verify_bundle(path: Path, *, key: Path | None = None) -> Verified:
    """Check an archive; `key` is the public key that must have signed it.

    Raises `InvalidFile` when the archive or the key cannot be read at all.
    """
    wanted = read_public(key) if key is not None else None
    with Archive.open(path) as archive:
        faults = list(archive.faults)
        manifest = None
        if not faults:
            try:
                text = archive.read(MANIFEST)
                manifest = read_manifest(text)
            except Damaged as exc:
                faults.append(str(exc))
            except ValueError as exc:
                faults.append(f"{MANIFEST}: {exc}")
        if manifest is None:
            return _result(archive, faults)
        changed = dict(_changed(archive, manifest["members"]))
        faults += changed.values()
        signer, said = _signature(archive, text, wanted)
        faults += [said] if said else []
        notes = [] if signer is None else _vouched(signer, wanted)
        if changed.keys() - _PAGES:
            notes.append("The numbers were not recomputed: what they come from was changed.")
            return _result(archive, faults, notes=notes, run=manifest["run"], signer=signer)
        found = recompute(archive, manifest)
        return _result(
            archive,
            [*faults, *found.faults],
            notes=[*notes, *found.notes],
            run=manifest["run"],
            signer=signer,
            found=found,
        )


def _result(
    archive: Archive,
    faults: list[str],
    *,
    notes: list[str] | None = None,
    run: str = "",
    signer: Ed25519PublicKey | None = None,
    found: Recomputed | None = None,
) -> Verified:
    if len(faults) > MAX_FAULTS:
        faults = [*faults[:MAX_FAULTS], f"... and {len(faults) - MAX_FAULTS} more"]
    return Verified(
        faults=tuple(faults),
        notes=tuple(notes or ()),
        run=run,
        signed_by=fingerprint(signer) if signer is not None else None,
        members=len(archive.names),
        outcomes=found.outcomes if found else 0,
        numbers=found.numbers if found else 0,
    )


def _changed(
    archive: Archive, members: dict[str, dict[str, str | int]]
) -> Iterator[tuple[str, str]]:
    """Member to what is wrong with it, against the manifest."""
    expected = members.keys()
    for name in sorted(expected - archive.names):
        yield name, f"{name}: is missing"
    for name in sorted(archive.names - expected - {MANIFEST, SIGNATURE}):
        yield name, f"{name}: is not in the manifest"
    for name in sorted({MANIFEST, SIGNATURE} & expected):
        yield name, f"{name}: a manifest cannot list itself or its signature"
    for name in sorted(expected & archive.names):
        try:
            if archive.size(name) != members[name]["bytes"]:
                yield name, f"{name}: sha-256 differs, and so does the size"
            elif archive.sha256(name) != members[name]["sha256"]:
                yield name, f"{name}: sha-256 differs"
        except Damaged as exc:
            yield name, str(exc)


def _signature(
    archive: Archive, manifest: bytes, wanted: Ed25519PublicKey | None
) -> tuple[Ed25519PublicKey | None, str]:
    """Whose signature holds, and what is wrong with it."""
    if SIGNATURE not in archive.names:
        return None, f"{SIGNATURE}: is missing, and --key asks for one" if wanted else ""
    try:
        member = archive.read(SIGNATURE, limit=2**20)
    except Damaged as exc:
        return None, str(exc)
    signer = check_signature(member, manifest)
    if signer is None:
        return None, f"{SIGNATURE}: does not belong to this manifest, or was changed"
    if wanted is not None and fingerprint(signer) != fingerprint(wanted):
        return signer, f"{SIGNATURE}: was made by another key, {fingerprint(signer)}"
    return signer, ""


def _vouched(signer: Ed25519PublicKey, wanted: Ed25519PublicKey | None) -> list[str]:
    if wanted is not None:
        return []
    vouch = f"Nobody vouched for the key {fingerprint(signer)}: compare it with the one its owner"
    return [f"{vouch} gave you, or name that one with --key."]
