"""The page on scenarios says what is so: its tables, and the private pack it prints."""

import re
from pathlib import Path
from typing import get_args

from mitigations.compose.checking import read_script
from mitigations.model import FACTORS, TwinKind
from mitigations.scenarios import builtin_packs, check_pack, load_pack

PAGE = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")


def test_the_page_lists_every_pack_with_its_size() -> None:
    rows = dict(re.findall(r"^\| `(builtin/[\w-]+)` \| (\d+) \|", PAGE, re.MULTILINE))
    assert rows == {ref: str(len(load_pack(ref).cells)) for ref in builtin_packs()}


def test_the_page_lists_every_factor_level_and_twin() -> None:
    for factor, levels in FACTORS.items():
        assert f"| `{factor}` | {', '.join(f'`{level}`' for level in levels)} |" in PAGE
    assert all(f"| `{kind}` |" in PAGE for kind in get_args(TwinKind))


def test_the_printed_private_pack_is_complete(tmp_path: Path) -> None:
    for name, text in re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    pack = load_pack(str(tmp_path))
    found = check_pack(pack, read_script)
    assert [scenario.id for scenario in pack.scenarios] == ["shop-1", "shop-1-neither"]
    assert [str(finding) for finding in found if finding.is_error] == []
