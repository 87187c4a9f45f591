"""A pack whose content changed carries a new version: the table of versions is a promise."""

import re
from pathlib import Path

import pytest

from mitigations.scenarios import builtin_packs, load_pack

PAGE = Path(__file__).parents[2] / "docs" / "pack-versions.md"
LINE = re.compile(
    r"^\| `([\w-]+)` \| (\d+\.\d+\.\d+) \| `([0-9a-f]{64})` \| \S.* \|$", re.MULTILINE
)
RECORDED = LINE.findall(PAGE.read_text(encoding="utf-8"))


def complaint(name: str, version: str, content: str) -> str | None:
    """What is wrong with a pack's version, given what is on record; None: nothing."""
    known = {(pack, number): digest for pack, number, digest in RECORDED}
    on_record = known.get((name, version))
    if on_record == content:
        return None
    if on_record is None:
        return f"{name} {version} is not on record: add `{content}` to docs/pack-versions.md"
    return (
        f"the content of {name} changed but its version is still {version}: raise `version` in "
        "pack.yaml, then add a line with the new hash to docs/pack-versions.md"
    )


@pytest.mark.parametrize("ref", builtin_packs())
def test_a_pack_that_changed_has_a_new_version(ref: str) -> None:
    pack = load_pack(ref)
    assert complaint(pack.id, pack.version, pack.hash) is None


def test_a_change_under_an_old_version_is_refused_in_plain_words() -> None:
    pack = load_pack("builtin/demo-v1")
    assert "still 1.0.0: raise `version`" in (complaint(pack.id, pack.version, "0" * 64) or "")
    assert "not on record" in (complaint(pack.id, "9.9.9", pack.hash) or "")


def test_versions_on_record_are_unique_and_ascend() -> None:
    for name in {pack for pack, _, _ in RECORDED}:
        numbers = [
            tuple(int(part) for part in number.split("."))
            for pack, number, _ in RECORDED
            if pack == name
        ]
        assert numbers == sorted(set(numbers))
