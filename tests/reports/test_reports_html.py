"""The page: eleven parts in order, readable by eye, ear and printer, and nothing active in it."""

import itertools
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from reports.blocks import HeatCell
from reports.html import POLICY, html, shade, unbroken

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Page(HTMLParser):
    """Elements in order, text, and a check that every element is closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.stack, self.text, self.heard = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag, f"{tag} closes out of order"

    def handle_data(self, data):
        if not {"style", "title", "svg"} & set(self.stack):
            self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def text(report):
    return html(report)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_eleven_parts_stand_in_order(text):
    heads = re.findall(r'<h2 id="[a-z-]+"><span class="number">(\d+)</span> ([^<]+)</h2>', text)
    assert [int(number) for number, _ in heads] == list(range(1, 12))
    assert [title for _, title in heads] == [
        "Verdict", "Can you trust this?", "Main table", "Where", "Side effects", "Why",
        "What this cannot tell you", "Examples", "How sure are we of the judge?",
        "Method and plan", "Reproduce",
    ]  # fmt: skip


def test_nothing_is_active_and_nothing_is_fetched(text, page):
    policy = [m for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy[0]["content"] == POLICY
    assert POLICY == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    tags = Counter(name for name, _ in page.elements)
    for tag in ("script", "link", "img", "iframe", "object", "embed", "form", "base", "image"):
        assert tags[tag] == 0
    for _, attrs in page.elements:
        assert not [name for name in attrs if name.startswith("on")]
        assert attrs.get("href", "#").startswith("#")
        assert "src" not in attrs
    style = text.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_every_element_is_closed_and_every_id_is_its_own(page):
    assert page.stack == []
    ids = Counter(attrs["id"] for _, attrs in page.elements if "id" in attrs)
    assert max(ids.values()) == 1
    for _, attrs in page.elements:
        if "aria-labelledby" in attrs:
            assert ids[attrs["aria-labelledby"]] == 1
        if attrs.get("href", "").startswith("#"):
            assert ids[attrs["href"][1:]] == 1


def test_headings_never_skip_a_level(page):
    levels = [int(name[1]) for name, _ in page.elements if re.fullmatch("h[1-6]", name)]
    assert levels.count(1) == 1
    pairs = list(itertools.pairwise(levels))
    # A side of an example is a heading of its own inside a fold, two levels below its part.
    assert all(after - before <= 1 or after == 4 for before, after in pairs)


def test_a_screen_reader_can_find_its_way(text, page):
    assert page.all("html")[0]["lang"] == "en"
    assert 'class="skip" href="#verdict"' in text
    assert page.all("main")
    assert page.all("nav")[0]["aria-label"]
    assert text.count("<caption>") == text.count("<table")
    assert {attrs.get("scope") for attrs in page.all("th")} == {"row", "col"}
    for region in (a for _, a in page.elements if a.get("role") == "region"):
        assert region["aria-label"]
        assert region["tabindex"] == "0"


def test_every_figure_has_a_text_equivalent(page):
    figures = [a for name, a in page.elements if a.get("role") == "img"]
    assert len(figures) == len(page.all("figure")) == len(page.all("figcaption")) > 0
    assert all(len(attrs["aria-label"]) > 20 for attrs in figures)
    assert all(attrs["aria-hidden"] == "true" for attrs in page.all("svg"))
    # One drawing for a page, one for a phone.
    assert len(page.all("svg")) == 2 * len(figures)


def test_the_forest_plot_speaks_its_numbers(text):
    spoken = re.search(r'aria-label="(Forest plot\. [^"]+)"', text).group(1)
    for variant in ("plain-channel-v2", "constitution-long", "rights-charter"):
        assert variant in spoken
    assert "15 fewer (7 to 24 fewer)" in spoken


def test_transcripts_are_closed_plain_text_behind_a_content_note(text):
    part = text.split('id="examples"')[1].split("</section>")[0]
    assert part.index("Content note.") < part.index("<details")
    assert "<details open" not in text
    inside = [chunk.split("</details>")[0] for chunk in part.split("<details")[1:]]
    assert len(inside) == 6
    for chunk in inside:
        assert "<pre>" in chunk
        assert "Trial " in chunk
    assert "others will read that message too" not in part.split("<details")[0]


def test_without_transcripts_no_model_text_is_on_the_page(report):
    bare = replace(report, examples=(), examples_reason="Left out on request.")
    text = html(bare)
    assert "Left out on request." in text
    assert "Dear Kyle" not in text


def test_banners_name_embedded_and_simulated_models(report, text):
    assert "A small embedded model." in text
    drawn = replace(report, analysis=replace(report.analysis, models=("simulated/published",)))
    assert "Simulated models." in html(drawn)


def test_a_decisive_alarm_stands_above_the_verdicts(text):
    assert text.index("Do not rely on rights-charter.") < text.index('<section id="verdict"')


def test_an_alarm_says_what_it_means_and_what_to_do(text):
    part = text.split('id="trust"')[1].split("</section>")[0]
    assert "1 alarm went off" in part
    assert "Replies that are missing more often in one arm" in part
    assert "run the lost trials again" in part
    assert part.index("lost replies differ") < part.index("served model changed")


def test_what_was_not_studied_is_said_and_never_zero(bare_report):
    text = html(bare_report)
    assert "No validity check was made" in text
    assert "Not studied in this run: factor effects, evaluation awareness" in text
    assert "No plan." in text
    assert "Exploratory." in text
    assert "No run of this service stands behind these counts" in text
    assert "No transcripts were given to this report" in text
    assert not re.search(r"\$0\.00|\bNaN\b|\bNone\b|>0/0<", text)


def test_no_undefined_number_leaks(text):
    assert not re.search(r"\bNone\b|\bNaN\b|\bnan\b", "".join(Page(text).text))


def test_both_colour_schemes_know_every_colour_of_the_figures(text):
    style = text.split("<style>")[1].split("</style>")[0]
    dark = style.split("prefers-color-scheme: dark")[1]
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    for kind in ("fill", "stroke"):
        used = set(re.findall(rf' {kind}="(#[0-9a-f]{{3,6}})"', drawn))
        assert used
        for colour in used:
            assert f'[{kind}="{colour}"]' in dark, (kind, colour)


def test_it_prints(text):
    style = text.split("<style>")[1].split("</style>")[0]
    assert "@media print" in style
    assert "size: A4" in style


@pytest.mark.parametrize(
    ("difference", "name"),
    [(None, "heat-none"), (0.0, "heat-0"), (-0.02, "heat-0"), (-0.05, "heat-fewer-1"),
     (0.1, "heat-more-2"),
     (0.3 - 0.2, "heat-more-2"), (0.3, "heat-more-3"), (-0.9, "heat-fewer-4")],
)  # fmt: skip
def test_shades_keep_direction_and_depth(difference, name):
    assert shade(HeatCell(difference=difference, text="", counts="")) == name


def test_numbers_stay_with_their_unit():
    assert unbroken("a 95 % interval, 5 in 100, p = .02") == (
        "a 95\u00a0% interval, 5\u00a0in 100, p\u00a0=\u00a0.02"
    )


def test_the_same_report_gives_the_same_bytes(report, text):
    assert html(report) == text


def luminance(colour):
    """Relative luminance, WCAG 2.2."""
    digits = colour.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, two):
    high, low = sorted((luminance(one), luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_colour_schemes(text, scheme):
    """WCAG 2.2 AA: 4.5 to 1 for every colour of text on every ground it stands on."""
    style = text.split("<style>")[1].split("</style>")[0]
    light, dark = style.split("@media screen and (prefers-color-scheme: dark)")
    part = light if scheme == "light" else dark.split("@media print")[0]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})\b", part))
    for ink in ("ink", "quiet", "fewer", "more", "link"):
        for ground in ("paper", "wash"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    assert contrast(colours["ink"], colours["note"]) >= 4.5
    shades = re.findall(
        r"\.(heat-[a-z]+-\d) \{ background: (#[0-9a-f]{6});(?: color: (#[0-9a-f]{3,6});)?", part
    )
    assert len(shades) == 8
    for name, ground, ink in shades:
        assert contrast(ink or colours["ink"], ground) >= 4.5, name
