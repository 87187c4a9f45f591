"""Figures: valid specifications, exact placement of zero, band and intervals, safe labels."""

import pathlib
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from reports import Look, RunPoint, history
from reports.blocks import Estimate, Forest, Path, PathPoint, Shares
from reports.figures import draw, specification
from reports.figures.theme import COLOURS, PALETTE, SHAPES
from reports.parts import document
from reports.parts.paths import evidence

SVG = "{http://www.w3.org/2000/svg}"


def forest(*rows, band=0.05) -> Forest:
    return Forest(title="t", alt="a", rows=rows, band=band, axis="x", left="fewer", right="more")


def row(label="v", difference=-0.13, limits=(-0.19, -0.07), tone="good", **more) -> Estimate:
    return Estimate(label=label, difference=difference, limits=limits, tone=tone, words="w", **more)


PATH = Path(
    title="t", alt="a", x_title="look", y_title="change", band=0.05,
    points=tuple(PathPoint(series=s, x=x, y=-x, low=-x - 2, high=-x + 2)
                 for s in ("a", "b") for x in (1, 2, 3)),
)  # fmt: skip


SHARES = Shares(
    title="t", alt="a", axis="x",
    rows=(
        row("no-mitigation", 0.9, (0.8, 0.95), "neutral", group="g"),
        row("v", 0.25, (0.1, 0.5), "plain", group="g"),
        row("none", None, None, "plain", group="h"),
    ),
)  # fmt: skip


@pytest.mark.parametrize("figure", [forest(row(margin=0.05, group="g")), PATH, SHARES])
def test_specifications_are_valid_vega_lite(figure):
    """Altair's copy of the Vega-Lite schema is the judge."""
    altair = pytest.importorskip("altair")
    altair.LayerChart.from_dict(specification(figure))


def test_the_report_has_both_kinds_of_figure(report):
    kinds = {
        type(block)
        for section in document(report).sections
        for block in section.blocks
        if isinstance(block, Forest | Path)
    }
    assert kinds == {Forest, Path}


def texts(svg):
    return [e.text for e in ET.fromstring(svg).iter(f"{SVG}text") if e.text]


@pytest.mark.parametrize("narrow", [False, True])
def test_labels_words_and_directions_are_drawn(narrow):
    drawn = texts(draw(forest(row(label="plain-channel")), narrow=narrow))
    assert {"plain-channel", "w", "◀ fewer", "more ▶", "x"} <= set(drawn)


def test_the_axis_is_the_same_on_both_sides_of_zero():
    spec = specification(forest(row()))
    domains = re.findall(r"'domain': \[(-?[\d.]+), ([\d.]+)\]", str(spec))
    symmetric = {(low, high) for low, high in domains if low.startswith("-")}
    assert symmetric
    assert all(-float(low) == float(high) > 19 for low, high in symmetric)


def test_an_interval_is_drawn_to_scale():
    """Lower is left: 10 points below zero lie as far left as 10 above lie right."""
    svg = draw(forest(row(limits=(-0.10, 0.10), difference=0.0, tone="neutral"), band=None))
    rule = re.search(r'translate\(([\d.]+),[\d.]+\)" x2="(-?[\d.]+)"[^>]*stroke-width="2"', svg)
    start, length = float(rule.group(1)), float(rule.group(2))
    middle = start + length / 2
    assert middle == pytest.approx(160, abs=0.6)  # half the plot's width


def test_an_unknown_estimate_draws_no_mark():
    """An absent number is no point at zero."""
    known = draw(forest(row()))
    unknown = draw(forest(row(difference=None, limits=None)))
    assert known.count("<path") > unknown.count("<path")
    assert "NaN" not in unknown
    assert "undefined" not in unknown


def test_tones_differ_by_shape_where_colour_is_lost():
    assert SHAPES["good"] != SHAPES["bad"] != SHAPES["neutral"] != SHAPES["unsure"]
    assert SHAPES["unsure"] != SHAPES["void"]
    assert set(COLOURS.values()) <= set(PALETTE)


def test_an_empty_path_of_one_look_can_be_drawn():
    one = replace(PATH, points=PATH.points[:1])
    for narrow in (False, True):
        assert "NaN" not in draw(one, narrow=narrow)


def test_a_long_model_route_keeps_the_end_that_tells_it_apart():
    drawn = texts(draw(forest(row(label="provider/" + "x" * 40 + "-2025-08-07"))))
    assert any(text.startswith("…") and text.endswith("-2025-08-07") for text in drawn)


def test_labels_never_become_markup():
    hostile = "</text><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;b&gt;"
    svg = draw(forest(row(label=hostile[:25], group=hostile), row(label=hostile[25:50])))
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(svg).iter()}
    assert tags <= {"svg", "g", "path", "line", "text", "rect", "defs", "clipPath", "title"}
    assert "<script" not in svg
    assert "onerror=alert" not in re.sub(r">[^<]*<", "><", svg)


def test_a_data_field_is_no_expression():
    """Vega signals are never read from data."""
    drawn = texts(draw(forest(row(label="{signal: 1}", group="datum.d * 2"))))
    assert {"{signal: 1}", "datum.d * 2"} <= set(drawn)


@pytest.mark.parametrize(
    "code", [*range(0x20), 0x7F, 0x85, 0x2028, 0xD800, 0xFDD0, 0xFFFE, 0xFFFF, 0x1FFFE]
)
def test_no_character_of_a_label_ends_the_process(code):
    """vl-convert aborts, past every `except`, where XML cannot hold a character."""
    text = f"a{chr(code)}b"
    row = Estimate(label=text, difference=0.0, limits=(-0.1, 0.1), tone="good", words=text,
                   group=text)  # fmt: skip
    figure = Forest(title=text, alt=text, rows=(row,), axis=text, left=text, right=text)
    assert draw(figure).startswith("<svg")


def test_shares_stand_on_an_axis_of_0_to_100_and_are_drawn_to_scale():
    spec = specification(SHARES)
    domains = [
        layer["encoding"][axis]["scale"]["domain"]
        for layer in spec["layer"]
        for axis in ("x",)
        if "scale" in layer["encoding"].get(axis, {})
    ]
    assert domains
    assert all(domain == [0, 100] for domain in domains)
    bars = spec["layer"][2]["data"]["values"]
    assert [(bar["low"], bar["high"]) for bar in bars] == [(80, 95), (10, 50)]


@pytest.mark.parametrize("narrow", [False, True])
def test_shares_tell_arms_by_shape_and_keep_an_unknown_row_empty(narrow):
    """Square for the baseline, circle for variants: readable in black and white."""
    values = specification(SHARES, narrow=narrow)["layer"][5]["data"]["values"]
    assert [one["shape"] for one in values] == ["square", "circle"]
    shown = texts(draw(SHARES, narrow=narrow))
    assert {"g", "h", "none", "x"} <= set(shown)


def test_every_colour_of_a_drawing_has_its_dark_counterpart():
    """The style sheet maps fills and strokes; one that is missing glares at night."""
    style = (pathlib.Path(__file__).parents[2] / "reports/templates/style.css").read_text()
    for figure in (SHARES, forest(row(margin=0.05)), PATH):
        for kind, colour in re.findall(r'(fill|stroke)="(#[0-9a-f]{6})"', draw(figure)):
            assert f'svg [{kind}="{colour}"]' in style


def looks(kind):
    shares = (0.2, 0.4, 1.0) if kind == "planned looks" else (1, 2, 3)
    return [
        Look(variant="v2", label=str(share), share=share, difference=-0.1, interval=(-0.3, 0.1),
             statistic=value, boundary=wall)
        for share, value, wall in zip(shares, (0.2, 0.0, 1e-4), (5e-6, 0.001, 0.04), strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["planned looks", "e-process"])
def test_the_boundary_stands_beside_what_is_held_against_it(kind):
    figure = evidence(looks(kind), kind)
    assert [point.y for point in figure.boundary] == [5e-6, 0.001, 0.04]
    assert figure.log == ("down" if kind == "planned looks" else "up")
    for narrow in (False, True):
        drawn = draw(figure, narrow=narrow)
        assert ">boundary<" in drawn
        assert "NaN" not in drawn


def test_an_infinite_e_value_is_drawn_at_the_edge():
    path = [replace(look, statistic=float("inf")) for look in looks("e-process")]
    assert "NaN" not in draw(evidence(path, "e-process"), narrow=False)


def test_scheduled_runs_have_no_boundary():
    assert evidence(looks("scheduled runs"), "scheduled runs") is None


def test_the_history_of_a_study_marks_every_run_with_its_verdict(report):
    comparisons = report.analysis.comparisons[:4]
    points = [
        RunPoint(run=f"run-{n}", date=f"2026-0{n}-01", comparison=one,
                 settings=report.analysis.settings)
        for n in (1, 2)
        for one in comparisons
    ]  # fmt: skip
    figure = history(points)
    assert [point.tone for point in figure.points[:4]] == ["good", "good", "neutral", "unsure"]
    assert [point.x for point in figure.points] == [1] * 4 + [2] * 4
    assert figure.detail.rows[0][:4] == ("run-1", "2026-01-01", "plain-channel-v2", "reduces")
    assert figure.detail.rows[0][4] == "120/353"
    assert "plain-channel-v2" in draw(figure, narrow=False)


def test_a_history_without_any_difference_is_no_figure():
    assert history([]) is None
