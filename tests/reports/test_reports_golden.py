"""One whole report, read in review as prose: `tests/golden/report.md`.

A changed sentence changes this file, and the change is read before it lands. To renew it:
`RENEW_GOLDEN=1 python -m pytest tests/reports/test_reports_golden.py`.
"""

import os
import re
from pathlib import Path

import pytest

from reports.html import html
from reports.markdown import markdown

GOLDEN = Path(__file__).parents[1] / "golden" / "report.md"


def test_the_report_reads_as_it_was_reviewed(report):
    text = markdown(report)
    if os.environ.get("RENEW_GOLDEN"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_markdown_and_page_have_the_same_parts(report):
    heads = re.findall(r"^## (\d+)\. (.+)$", markdown(report), re.MULTILINE)
    assert [int(number) for number, _ in heads] == list(range(1, 12))
    assert [f"{number}</span> {title}<" in html(report) for number, title in heads] == [True] * 11


@pytest.mark.parametrize("word", ["significant", "proves", "no effect", "odds ratio"])
def test_part_one_never_uses_the_words_that_mislead(report, word):
    part = markdown(report).split("## 2. ")[0]
    assert word not in part


def test_markdown_of_counts_alone_says_what_was_not_studied(bare_report):
    text = markdown(bare_report)
    assert "Not studied in this run" in text
    assert "None" not in text
    assert "NaN" not in text
