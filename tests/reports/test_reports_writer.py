"""Files: the extension decides, a file is whole or not there, a spreadsheet runs no formula."""

import csv
import io
import json
import math
import os
import subprocess
import sys
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

import reports.writer
from mitigations.errors import InvalidFile, StorageFailed
from reports import FORMATS, analysis_json, write
from reports.pdf import PdfUnavailable
from reports.tables import guard


@pytest.mark.parametrize("suffix", [".html", ".md", ".json", ".csv", ".parquet"])
def test_every_format_is_written_whole(report, tmp_path, suffix):
    path = write(report, tmp_path / f"report{suffix}")
    assert path.stat().st_size > 1000
    assert [one.name for one in tmp_path.iterdir()] == [f"report{suffix}"]


def test_the_extension_is_read_in_any_case(report, tmp_path):
    assert write(report, tmp_path / "R.MD").read_text().startswith("# november-coercion")


def test_an_unknown_extension_names_the_known_ones(report, tmp_path):
    with pytest.raises(InvalidFile, match=r"\.csv \.html \.json \.md \.parquet \.pdf"):
        write(report, tmp_path / "report.docx")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(report, tmp_path):
    with pytest.raises(InvalidFile, match="mkdir -p"):
        write(report, tmp_path / "no" / "report.md")


def test_a_failed_write_leaves_the_old_file(report, tmp_path, monkeypatch):
    path = tmp_path / "report.md"
    path.write_text("old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reports.writer.os, "fsync", full)
    with pytest.raises(StorageFailed, match="No space left"):
        write(report, path)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["report.md"]


def test_a_report_can_be_read_by_others_within_the_umask(report, tmp_path):
    old = os.umask(0o022)
    try:
        assert write(report, tmp_path / "r.md").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(old)


def test_pdf_without_its_extra_says_what_to_install(report, tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr("reports.pdf.import_module", missing)
    with pytest.raises(PdfUnavailable, match=r"pip install 'mitigations\[pdf\]'"):
        write(report, tmp_path / "report.pdf")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_pdf_is_written(report, tmp_path):
    pytest.importorskip("weasyprint")
    assert write(report, tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")


def test_json_is_the_analysis_contract_inside_the_report(report, tmp_path):
    document = json.loads(write(report, tmp_path / "r.json").read_text())
    assert document["schema"] == "mitigations.report/1"
    assert document["analysis"] == json.loads(json.dumps(analysis_json(report.analysis)))


def read_csv(report, tmp_path):
    text = write(report, tmp_path / "r.csv").read_bytes().decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_a_row_for_every_comparison_and_every_model(report, tmp_path):
    rows = read_csv(report, tmp_path)
    expected = [(one.variant, "") for one in report.analysis.comparisons]
    models = [(one.variant, each.model) for one in report.analysis.comparisons
              for each in one.per_model]  # fmt: skip
    found = [(row["variant"], row["model"]) for row in rows]
    assert sorted(found) == sorted(expected + models)


def test_csv_numbers_stay_numbers_and_the_undefined_stays_empty(report, tmp_path):
    first = read_csv(report, tmp_path)[0]
    one = report.analysis.comparisons[0]
    assert float(first["std_rd"]) == one.std_rd < 0
    assert first["std_rd"].startswith("-")
    assert int(first["control_coercive"]) == one.control.coercive
    assert first["e_value"] == ""


def test_infinity_in_csv_is_text_that_runs_nowhere(report, tmp_path):
    endless = replace(report.analysis.comparisons[0], mh_or=math.inf, mh_or_ci95=(-math.inf, 1.0))
    bent = replace(report, analysis=replace(report.analysis, comparisons=(endless,)))
    row = read_csv(bent, tmp_path)[0]
    assert (row["mh_or"], row["mh_or_ci95_low"]) == ("Inf", "'-Inf")


SIGNS = ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "|calc", "%0A=1", "＝1", "＋1",
         "－1", "＠A1", "−1+2", '=HYPERLINK("http://x")', "=cmd|' /C calc'!A0"]  # fmt: skip
BEFORE = ["", " ", "\u00a0", "\u200b", "\ufeff", '"', "'", "\u2060", "\u202f", "\u3164"]
HARMLESS = ["plain-channel-v2", "a=b", "1+1", "", "x -y", "p < .001", "Ümlaut", "(−3)"]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("before", BEFORE)
def test_no_cell_starts_a_formula(before, sign):
    quoted = guard(before + sign)
    assert quoted.startswith("'")


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_is_left_alone(text):
    assert guard(text) == text


def test_names_that_are_formulas_are_quoted_in_the_file(report, tmp_path):
    first = replace(report.analysis.comparisons[0], variant="=1+1", per_model=())
    bent = replace(report, analysis=replace(report.analysis, comparisons=(first,)))
    row = read_csv(bent, tmp_path)[0]
    assert row["variant"] == "'=1+1"
    assert row["sentence"].startswith("'=1+1 reduced")


def test_parquet_is_typed_and_raw(report, tmp_path):
    first = replace(report.analysis.comparisons[0], variant="=1+1")
    bent = replace(report, analysis=replace(report.analysis, comparisons=(first,)))
    table = pq.read_table(write(bent, tmp_path / "r.parquet"))
    assert table.num_rows == 4
    assert table["variant"][0].as_py() == "=1+1"
    assert table["e_value"][0].as_py() is None
    assert str(table.schema.field("control_scored").type) == "int64"
    assert str(table.schema.field("p_adjusted").type) == "double"


def test_importing_the_doors_loads_no_heavy_library():
    """The command line imports `reports` for a sentence; figures are drawn later."""
    heavy = ("altair", "vl_convert", "pyarrow", "weasyprint", "jinja2", "numpy", "pandas", "scipy")
    code = f"import sys, reports; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_format_has_its_writer():
    assert set(FORMATS) == {".html", ".md", ".json", ".csv", ".parquet", ".pdf"}
