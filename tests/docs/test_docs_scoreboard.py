"""The scoreboard says what its figures say, and its rows point to tests that exist."""

import json
import re
from pathlib import Path

from tests.scoreboard import DOCS, FIGURES, ROOT, ROWS, page


def test_the_page_is_made_of_its_figures():
    assert (DOCS / "scoreboard.md").read_text() == page(json.loads(FIGURES.read_text()))


def test_every_row_is_held_by_tests():
    assert len({row.id for row in ROWS}) == len(ROWS)
    for row in ROWS:
        for name in row.tests:
            assert re.search(r"^(?:async )?def test_", (ROOT / name).read_text(), re.MULTILINE)


def test_a_slow_size_that_is_named_exists():
    for row in ROWS:
        slow = any("mark.slow" in Path(ROOT / name).read_text() for name in row.tests)
        assert slow or not row.full, row.id


def test_a_failure_is_shown_and_stays():
    bad = {"date": "2026-01-02", "slow": False, "tests": 3, "skipped": 1, "failed": ["test_x"]}
    good = {"date": "2026-01-03", "slow": True, "tests": 3, "skipped": 0, "failed": []}
    shown = page({"rows": {"kills": [bad, good]}})
    assert "2026-01-03, with full sizes | 3 | 0 | 0 |" in shown
    assert "- 2026-01-02, kills: test_x" in shown
    assert "not run yet" in shown
    assert "2026-01-02 | 1 | 1 | 1 |" in page({"rows": {"kills": [bad]}})
