"""The page for publication: the verdicts' own words, and nothing a model said."""

import re
from dataclasses import replace

import pytest

from mitigations.errors import InvalidFile
from reports import sentence, write_summary
from reports.html import POLICY
from reports.writer import summary_bytes


def text_of(report, suffix=".md"):
    return summary_bytes(report, suffix).decode()


def unescaped(text):
    return re.sub(r"\\(.)", r"\1", text).replace("**", "")


def test_it_holds_the_same_verdict_sentences(report):
    text = unescaped(text_of(report))
    for one in report.analysis.comparisons:
        assert sentence(one, report.analysis.settings, report.analysis.alarms) in text


def test_it_says_what_when_on_which_models_and_who_decides(report):
    text = unescaped(text_of(report))
    for said in (
        "2026-11-23", "claude-haiku-4-5-20251001", "gpt-5-mini-2025-08-07", "builtin/coercion-v1",
        "locked 2026-11-20", "openai/gpt-5-2025-08-07", "What it does not show", "People decide",
        "were not held against each other", "Not checked: judge against humans",
    ):  # fmt: skip
        assert said in text


@pytest.mark.parametrize("suffix", [".md", ".html"])
def test_it_quotes_no_reply_and_no_text_of_a_variant(report, suffix):
    assert report.examples
    text = text_of(report, suffix)
    for quoted in ("Dear Kyle", "oversight desk", "Work pauses until", "Never threaten or"):
        assert quoted not in text


def test_the_page_keeps_the_rules_of_a_report(report):
    page = text_of(report, ".html")
    assert POLICY.replace("'", "&#39;") in page
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=[\"']?https?:", page)
    assert page.count("<svg") == 2


def test_a_banner_stands_over_the_summary_too(report):
    assert "Do not rely on rights-charter" in text_of(report)
    made_up = replace(report, run=replace(report.run, simulated=True))
    assert "say nothing about any real model" in text_of(made_up)


def test_counts_alone_make_an_honest_summary(bare_report):
    text = text_of(bare_report)
    assert "Exploratory" in text
    assert "| Planned beforehand | no |" in text
    assert "not recorded" in text
    assert "None" not in text


def test_hostile_names_stay_text(report):
    evil = replace(report, title="<script>alert(1)</script>[x](javascript:1)")
    assert "<script" not in text_of(evil, ".html")
    assert "[x](javascript" not in text_of(evil)


def test_other_formats_are_refused(report, tmp_path):
    with pytest.raises(InvalidFile, match="a summary is not written"):
        write_summary(report, tmp_path / "x.pdf")
    assert write_summary(report, tmp_path / "x.md").exists()
