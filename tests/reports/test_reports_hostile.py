"""Hostile text through every field of a report: parsed, and opened in a real browser."""

import http.server
import re
import shutil
import subprocess
import tempfile
import threading
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

import reports.html
from reports import Report, write
from reports.blocks import Estimate, Forest
from reports.figures import draw
from reports.html import html
from reports.markdown import markdown
from reports.textual import clean

CALL = "document.title='pwned'"
ELEMENTS = ["script>{c}</script", "img src=x onerror={c}", "svg onload={c}", "body onload={c}",
            "iframe srcdoc='<script>{c}</script>'", "iframe src=javascript:{c}", "object data={u}",
            "embed src={u}", "link rel=stylesheet href={u}",
            "meta http-equiv=refresh content='0;{u}'",
            "base href={u}", "form action={u}><input type=submit", "video src={u} onerror={c}",
            "audio src=x onerror={c}", "details open ontoggle={c}", "input autofocus onfocus={c}",
            "marquee onstart={c}", "math><mtext><style><img src=x onerror={c}></style",
            "style>@import '{u}'</style", "style>*{{background:url({u})}}</style",
            "template><script>{c}</script></template", "noscript><img src=x onerror={c}></noscript",
            "textarea autofocus onfocus={c}", "a href=javascript:{c}>x</a",
            "img src={u}"]  # fmt: skip
PREFIXES = ["<", '"><', "'><", "--><", "</pre><", "</title><", "</style><", "</text></svg><",
            "]]><", "</details></main><"]  # fmt: skip
OTHERS = ['" onmouseover="{c}', "' onfocus='{c}' autofocus='", "javascript:{c}",
          "{{{{ 7*7 }}}}{{% for x in ().__class__.__bases__ %}}", "${{{c}}}", "`{c}`",
          "&lt;script&gt;{c}&lt;/script&gt;", "&#60;script&#62;{c}", "\\u003cscript\\u003e{c}",
          "<scr\x00ipt>{c}</scr\x00ipt>", "<\u200bscript>{c}", "\u202e<script>{c}</script>",
          '<img src="x\nonerror={c}">', "]]><script>{c}</script>", "<!--{u}", "<?xml {c}?>",
          "![x]({u})", "[x](javascript:{c})", "<{u}>", "{u}", "| a | b |\n|---|\n```\n<script>{c}",
          "%3Cscript%3E{c}", "+ADw-script+AD4-{c}", "<script\x0b>{c}</script>", "%(x)s {{x!r}}",
          "{{signal: '{c}'}}"]  # fmt: skip
PAYLOADS = tuple(dict.fromkeys(
    text.format(c=CALL, u="http://127.0.0.1:1/hit")
    for text in (*(f"{p}{e}>" for i, p in enumerate(PREFIXES) for e in ELEMENTS[i % 2 :: 2]),
                 *ELEMENTS, *OTHERS)
))  # fmt: skip
HARMLESS = "harmless"
# Words that a value is matched against, not printed: the parts of the page depend on them.
KEPT = {"design", "why", "looks_kind", "role", "variants", "scenarios", "models"}


def poison(value, text, *, name=""):
    """The value with `text` in every string, mapping key and free-text field below it."""
    if isinstance(value, Enum) or (name in KEPT and isinstance(value, str)):
        return value
    if isinstance(value, str):
        return text
    if is_dataclass(value) and not isinstance(value, type):
        changed = {one.name: poison(getattr(value, one.name), text, name=one.name)
                   for one in fields(value)}  # fmt: skip
        return replace(value, **changed)
    if isinstance(value, dict):
        return dict.fromkeys([text], poison(next(iter(value.values())), text)) if value else value
    if isinstance(value, tuple):
        return tuple(poison(one, text) for one in value)
    return value


@pytest.fixture(scope="module")
def small(report) -> Report:
    """One variant, one model, one scenario: every field once, so that 150 pages are quick."""
    analysis = report.analysis
    second = analysis.comparisons[1]
    few = replace(
        analysis,
        comparisons=(replace(second, per_model=second.per_model[:1],
                             reasons={"warnings:p_value": "a caution"}),
                     replace(analysis.comparisons[-1], per_model=())),
        models=analysis.models[:1], scenarios=analysis.scenarios[:1],
    )  # fmt: skip
    extras = replace(report.extras, corrigibility=report.extras.corrigibility[:1],
                     factors=report.extras.factors[:1], looks=report.extras.looks[:1])  # fmt: skip
    # The outcome's mappings and the judge's status stay what they are; their texts are poisoned.
    return replace(report, analysis=few, cells=report.cells[:1], extras=extras,
                   examples=report.examples[:1])  # fmt: skip


@pytest.fixture
def no_figures(monkeypatch):
    """Figures have tests of their own below; drawing 150 times would only take time."""
    monkeypatch.setattr(reports.html, "draw", lambda _, **__: "<svg></svg>")


class Shape(HTMLParser):
    """The elements of a page with the names of their attributes: what a payload must not change."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.said = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data):
        self.said.append(data)

    def handle_comment(self, _):
        self.elements.append(("!--", ()))

    def handle_pi(self, _):
        self.elements.append(("?", ()))


def squeezed(text):
    return " ".join(text.replace("\u00a0", " ").split())


def test_there_are_enough_payloads():
    assert len(PAYLOADS) >= 150


@pytest.mark.usefixtures("no_figures")
def test_the_poison_reaches_every_kind_of_field(small):
    page = html(poison(small, "P0ISON"))
    shown = set(re.findall("P0ISON", page))
    assert shown
    clean_page = html(small)
    for text in ("plain-channel", "constitution-why", "Dear Kyle", "Ties disclosure", "fp_31a9",
                 "oversight@example.com", "openai/gpt-5", "lost replies differ", "mitigations plan",
                 "replaced by its dated id", "PPI++ per arm", "look 1 of 5",
                 "a caution"):  # fmt: skip
        assert text in clean_page
        assert text not in page


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_adds_no_element_and_no_attribute(small, payload):
    safe, attacked = Shape(html(poison(small, HARMLESS))), Shape(html(poison(small, payload)))
    # Identifiers inside prose may set a parenthesis smaller; nothing else may differ.
    plain = [one for one in safe.elements if one[0] != "span"]
    assert [one for one in attacked.elements if one[0] != "span"] == plain
    assert {one for one in attacked.elements if one[0] == "span"} <= {
        ("span", ("class",)), ("span", ("class", "aria-hidden")), ("span", ()),
    }  # fmt: skip
    said = squeezed("".join(attacked.said))
    assert squeezed(clean(payload)) in said


@pytest.mark.usefixtures("no_figures")
def test_a_planted_hole_would_be_found(small, monkeypatch):
    """The test above can fail: with escaping switched off it does."""
    environment = reports.html._environment()
    monkeypatch.setattr(environment, "autoescape", False)
    environment.cache.clear()
    try:
        attacked = Shape(html(poison(small, "<script>x</script>")))
    finally:
        environment.cache.clear()
    assert ("script", ()) in attacked.elements


def test_figures_hold_payloads_as_text():
    rows = tuple(
        Estimate(label=text[:30], difference=0.0, limits=(-0.1, 0.1), tone="good",
                 words=text[:40], group=text[:44])
        for text in map(clean, PAYLOADS[::4])
    )  # fmt: skip
    figure = Forest(title="", alt="", rows=rows, axis=PAYLOADS[0], left=PAYLOADS[1],
                    right=PAYLOADS[2])  # fmt: skip
    shape = Shape(draw(figure))
    assert {tag for tag, _ in shape.elements} <= {"svg", "g", "path", "line", "text", "rect"}
    assert not [n for _, names in shape.elements for n in names if n.startswith("on")]


@pytest.mark.parametrize("payload", [*PAYLOADS[:-26:5], *PAYLOADS[-26:]])
def test_markdown_shows_a_payload_as_text(small, payload):
    """Rendered by a parser that allows HTML, no payload becomes a tag, an image or a link."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(markdown(poison(small, payload)))
    flat = [*tokens, *(child for token in tokens for child in token.children or ())]
    found = {token.type for token in flat}
    assert not found & {"html_block", "html_inline", "image", "link_open"}


def test_the_structure_of_markdown_survives_a_payload(small):
    parser = MarkdownIt("commonmark").enable("table")

    def shape(text):
        return [token.type for token in parser.parse(markdown(poison(small, text)))]

    assert shape("| a | b\n# head\n- item\n```\n---") == shape(HARMLESS)


class Door(http.server.BaseHTTPRequestHandler):
    """Counts every request that a page makes."""

    hits: list[str]

    def do_GET(self):
        type(self).hits.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def door():
    handler = type("CountingDoor", (Door,), {"hits": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hit", handler.hits
    server.shutdown()
    thread.join()
    server.server_close()


def browse(page: Path) -> str:
    """The page's DOM after a real browser has run whatever it would run."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", f"--user-data-dir={profile}", "--virtual-time-budget=2000",
            "--dump-dom", page.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        pytest.skip(f"chromium does not start here (exit {done.returncode})")
    return done.stdout


def test_a_browser_runs_nothing_and_asks_for_nothing(small, tmp_path, door):
    """150 payloads in every kind of field of one page; a page without our care runs them."""
    address, hits = door
    live = [payload.replace("http://127.0.0.1:1/hit", address) for payload in PAYLOADS]
    control = tmp_path / "control.html"
    control.write_text(f"<title>t</title><img src={address} ><script>{CALL}</script>")
    assert "<title>pwned</title>" in browse(control)
    assert hits
    hits.clear()
    pairs = tuple(poison(small.examples[0], text) for text in live)
    alarms = tuple(poison(small.analysis.alarms[0], text) for text in live)
    attacked = replace(
        poison(small, live[0]), examples=pairs,
        analysis=replace(poison(small.analysis, live[1]), alarms=alarms, scenarios=tuple(live),
                         models=tuple(live[:3])),
    )  # fmt: skip
    page = write(attacked, tmp_path / "report.html")
    assert page.read_text().count("document.title=&#39;pwned") >= len(live)
    dom = browse(page)
    assert "<title>pwned</title>" not in dom
    assert hits == []
