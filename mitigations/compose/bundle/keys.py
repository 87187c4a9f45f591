"""Ed25519 keys and signatures, in the PEM files that openssl reads and writes too.

openssl genpkey -algorithm ed25519 -out team.key && chmod 600 team.key
openssl pkey -in team.key -pubout -out team.key.pub
"""

import base64
import hashlib
import json
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from mitigations.errors import InvalidFile, StorageFailed

_MAX_KEY_BYTES = 16 * 1024
_OTHERS = 0o077


def new_key(path: Path) -> str:
    """Write a private key (mode 600) and `PATH.pub`; gives the public key's fingerprint.

    Raises `InvalidFile` when a file of that name exists: no key is ever overwritten.
    """
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for target, content, mode in (
        (path, private, 0o600),
        (path.with_name(f"{path.name}.pub"), public, 0o644),
    ):
        try:
            handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError as exc:
            raise InvalidFile(target, "exists", fix="A key is never overwritten.") from exc
        except OSError as exc:
            raise StorageFailed(f"{target}: cannot be written: {exc.strerror or exc}") from exc
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    return fingerprint(key.public_key())


def fingerprint(key: Ed25519PublicKey) -> str:
    """What two people compare by telephone."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:32]


def sign(content: bytes, keyfile: Path) -> bytes:
    """The signature member over `content`; raises `InvalidFile` for an unfit key."""
    text = _read(keyfile)
    if os.name == "posix" and keyfile.stat().st_mode & _OTHERS:
        fix = f"chmod 600 {keyfile}"
        raise InvalidFile(keyfile, "can be read by others on this machine", fix=fix)
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        fix = "Make one: mitigations bundle --new-key FILE"
        raise InvalidFile(keyfile, "is not an unencrypted private key in PEM", fix=fix) from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidFile(keyfile, "is not an ed25519 key")
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return signature_text(raw, key.sign(content))


def signature_text(public: bytes, signature: bytes) -> bytes:
    """The one text of a signature member."""
    document = {
        "algorithm": "ed25519",
        "public_key": base64.b64encode(public).decode(),
        "signature": base64.b64encode(signature).decode(),
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def check_signature(member: bytes, content: bytes) -> Ed25519PublicKey | None:
    """The key that signed `content` by the signature member; None when it does not hold."""
    try:
        document = json.loads(member)
        public = base64.b64decode(document["public_key"], validate=True)
        signature = base64.b64decode(document["signature"], validate=True)
        key = Ed25519PublicKey.from_public_bytes(public)
        key.verify(signature, content)
    except (ValueError, KeyError, TypeError, RecursionError, InvalidSignature):
        return None
    return key if signature_text(public, signature) == member else None


def read_public(path: Path) -> Ed25519PublicKey:
    """A public key in PEM; raises `InvalidFile`."""
    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise InvalidFile(path, "is not a public key in PEM", fix="Name the .pub file.") from exc
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidFile(path, "is not an ed25519 key")
    return key


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_KEY_BYTES)
    except OSError as exc:
        raise InvalidFile(path, f"cannot be read: {exc.strerror or exc}") from exc
