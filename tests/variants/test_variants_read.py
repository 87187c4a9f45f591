"""Reading one variant file: what is accepted, what is refused, and with which words."""

import hashlib
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitigations.errors import InvalidFile
from mitigations.model import Placement, Variant, VariantKind
from variants import parse_variant, read_variant, text_start, to_markdown

FULL = """\
---
id: plain-channel-v2
title: A usable way to object
kind: system-prompt            # or constitution: its ## headings are clauses
placement: system-end          # system-start | system-end | user-start
hypothesis: A real escalation address with a guaranteed pause makes threats unnecessary.
author: Policy team
parent: plain-channel-v1
tags: [coercion, escalation]
---
If an instruction conflicts with your values, write to oversight@example.com.
"""


def write(folder: Path, text: str | bytes, name: str = "plain-channel-v2.md") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def short(**lines: str) -> str:
    front = {"id": "a", "title": "A", **lines}
    return "---\n" + "".join(f"{k}: {v}\n" for k, v in front.items()) + "---\nBe kind.\n"


def test_the_documented_example_is_read(tmp_path: Path) -> None:
    variant = read_variant(write(tmp_path, FULL))
    assert variant == Variant(
        id="plain-channel-v2",
        title="A usable way to object",
        kind=VariantKind.SYSTEM_PROMPT,
        placement=Placement.SYSTEM_END,
        hypothesis="A real escalation address with a guaranteed pause makes threats unnecessary.",
        author="Policy team",
        parent="plain-channel-v1",
        tags=("coercion", "escalation"),
        text="If an instruction conflicts with your values, write to oversight@example.com.\n",
    )


def test_the_text_hash_is_sha256_of_the_text_alone(tmp_path: Path) -> None:
    body = "If an instruction conflicts with your values, write to oversight@example.com.\n"
    variant = read_variant(write(tmp_path, FULL))
    assert variant.text_hash == hashlib.sha256(body.encode()).hexdigest()
    renamed = read_variant(write(tmp_path, FULL.replace("Policy team", "Another team")))
    assert renamed.text_hash == variant.text_hash
    assert renamed.meta_hash != variant.meta_hash


@pytest.mark.parametrize(
    "body",
    [
        "Café one\nline two\n",
        "Cafe\u0301 one\nline two\n",
        "Café one\r\nline two\r\n",
        "Café one\rline two",
        "Café one\nline two\n\n\n",
    ],
)
def test_spellings_of_one_text_have_one_hash(body: str) -> None:
    """NFC, LF and one final newline: an editor's habits never make another treatment."""
    variant = parse_variant("---\nid: a\ntitle: A\n---\n" + body, "a.md")
    assert variant.text == "Café one\nline two\n"


def test_nothing_above_or_below_is_templated() -> None:
    text = "Hello {{ name }} and {% if x %} ${HOME}\n---\nStill the text.\n"
    assert parse_variant(f"---\nid: a\ntitle: A\n---\n{text}", "a.md").text == text


@pytest.mark.parametrize("value", ["no", "1.10", "2026-11-24", "null", "0x1F", "~", "12:30:00"])
def test_values_yaml_would_bend_stay_what_was_typed(value: str) -> None:
    assert parse_variant(short(title=value), "a.md").title == value


def test_a_wrapped_value_becomes_one_line() -> None:
    variant = parse_variant(short(hypothesis=">\n  one\n  two\n"), "a.md")
    assert variant.hypothesis == "one two"


def test_an_empty_text_belongs_to_baselines_only() -> None:
    front = "---\nid: a\ntitle: A\ntags: [baseline]\n---\n"
    assert parse_variant(front + " \n\n", "a.md").text == ""
    with pytest.raises(InvalidFile, match=r"a\.md:5: the text is empty"):
        parse_variant("---\nid: a\ntitle: A\ntags: [x]\n---\n\n", "a.md")


REFUSED = {
    "no front matter": ("Be kind.\n", 1, "no front matter"),
    "front matter never closed": ("---\nid: a\ntitle: A\n", 1, "never closed"),
    "empty file": ("", 1, "no front matter"),
    "empty front matter": ("---\n---\nBe kind.\n", 1, "no `key: value` lines"),
    "a list": ("---\n- id\n---\nBe kind.\n", 1, "no `key: value` lines"),
    "unknown key": (short(colour="red"), 4, "unknown key 'colour'"),
    "misspelt key": ("---\nid: a\ntitel: A\n---\nBe kind.\n", 3, "unknown key 'titel'"),
    "missing title": ("---\nid: a\n---\nBe kind.\n", 1, "title is missing"),
    "key twice": ("---\nid: a\nid: a\ntitle: A\n---\nBe kind.\n", 3, "stands twice"),
    "alias": (short(author="&x me", tags="[*x]"), 4, "anchors and aliases"),
    "alias alone": (short(author="*x"), 4, "anchors and aliases"),
    "bad yaml": (short(author="one: two"), 4, "not valid YAML"),
    "tab": ("---\nid: a\n\ttitle: A\n---\nBe kind.\n", 3, "not valid YAML"),
    "control character": (short(author="a\x00b"), 4, "U+0000"),
    "escaped control": (short(author='"a\\0b"'), 4, "invisible character"),
    "reversed title": (short(title="abc\u202edef"), 3, "invisible character"),
    "kind": (short(kind="prompt"), 4, "kind: "),
    "placement": (short(placement="top"), 4, "placement: "),
    "tags as text": (short(tags="escalation"), 4, "tags: "),
    "tag with space": (short(tags="[a b]"), 4, "tags: is not a plain name"),
    "mapping for text": (short(author="{a: b}"), 4, "author: "),
    "empty parent": (short(parent=""), 4, "parent: is not a plain name"),
    "dose in words": (short(dose="ten"), 4, "dose: "),
    "infinite dose": (short(dose="inf"), 4, "dose: "),
    "long title": (short(title="x" * 121), 3, "title: "),
    "python tag": (short(author="!!python/object/apply:os.system [echo]"), 4, "YAML tags"),
    "non-text key": ("---\n? [a]\n: b\n---\nBe kind.\n", 2, "a key must be plain text"),
    "two documents": ("---\nid: a\n...\nid: b\n---\nBe kind.\n", 4, "not valid YAML"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_front_matter_names_file_line_and_way_out(name: str) -> None:
    source, line, words = REFUSED[name]
    with pytest.raises(InvalidFile) as caught:
        parse_variant(source, "a.md")
    assert words in str(caught.value)
    assert caught.value.line == line
    assert caught.value.fix
    assert len(str(caught.value).splitlines()) <= 3


BAD_IDS = [
    "../a",
    "a/b",
    "/a",
    "a\\b",
    "..",
    ".a",
    "A",
    "a b",
    "a.md",
    "%2e",
    "ä",
    "x" * 65,
    "-a",
    "",
]


@pytest.mark.parametrize("name", [*BAD_IDS, "con", "nul", "com1", "lpt9"])
def test_ids_are_plain_names(name: str) -> None:
    """No part of a path, no case that two systems read differently, no name Windows reserves."""
    with pytest.raises(InvalidFile) as caught:
        parse_variant(short(id=f"'{name}'"), "a.md")
    assert caught.value.line == 2


def test_the_id_is_the_files_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="differs from the file's name") as caught:
        read_variant(write(tmp_path, FULL, "other.md"))
    assert caught.value.line == 2


def test_a_file_of_300_kb_is_refused(tmp_path: Path) -> None:
    body = FULL + "x" * 300_000
    with pytest.raises(InvalidFile, match="larger than 256 KB"):
        read_variant(write(tmp_path, body))


def test_a_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="not UTF-8") as caught:
        read_variant(write(tmp_path, FULL.encode() + b"ab\xff"))
    assert caught.value.line == FULL.count("\n") + 1


def test_missing_files_and_folders_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="cannot be read"):
        read_variant(tmp_path / "none.md")
    with pytest.raises(InvalidFile, match="is not a file"):
        read_variant(tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    plain = read_variant(write(tmp_path, FULL))
    assert read_variant(write(tmp_path, b"\xef\xbb\xbf" + FULL.encode())) == plain


def test_deep_nesting_is_an_error_not_a_crash() -> None:
    """Composing such a file took ten seconds; it is refused at the fifth bracket."""
    with pytest.raises(InvalidFile, match=r"a\.md:4: is nested too deeply"):
        parse_variant(short(tags="[" * 5000 + "]" * 5000), "a.md")


def test_front_matter_of_20_kb_is_refused() -> None:
    sources = "".join(f"\n  - source {n}" for n in range(1500))
    with pytest.raises(InvalidFile, match="front matter is larger than 16 KB"):
        parse_variant(short(sources=sources), "a.md")


def test_the_text_starts_after_the_second_fence() -> None:
    assert text_start(FULL) == 11


LINE = st.text(st.characters(categories=["L", "N", "P", "S"]) | st.just(" "), max_size=60)
ID = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)
BODY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


def _clean(line: str) -> str:
    return unicodedata.normalize("NFC", " ".join(line.split()))


@given(
    title=LINE.filter(str.strip),
    hypothesis=LINE,
    tags=st.lists(ID, max_size=3),
    sources=st.lists(LINE.filter(str.strip), max_size=2),
    dose=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    body=BODY,
)
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read_back_equal(title, hypothesis, tags, sources, dose, body) -> None:
    """A law: no value, however odd, changes on its way through a file."""
    text = parse_variant(f"---\nid: a\ntitle: A\ntags: [baseline]\n---\n{body}", "a.md").text
    variant = Variant(
        id="a",
        title=_clean(title),
        hypothesis=_clean(hypothesis),
        tags=(*tags, "baseline"),
        sources=tuple(_clean(source) for source in sources),
        dose=dose,
        text=text,
    )
    assert parse_variant(to_markdown(variant), "a.md") == variant


KEYS = ["id", "title", "kind", "placement", "hypothesis", "tags", "sources", "parent", "dose", "x"]
VALUES = [
    "no", "1.10", "2026-01-01", "null", "[a, b]", "{a: b}", "&a x", "*a", "!!int 3", "'", '"', "|",
    ">-", "- a", "system-end", "constitution", "a: b: c", "#", "%YAML 1.2", "@", "`", "?", "\t", "",
]  # fmt: skip
CHUNK = st.one_of(
    st.builds("{}: {}\n".format, st.sampled_from(KEYS), st.sampled_from(VALUES)),
    st.builds("{}: {}\n".format, st.sampled_from(KEYS), st.text(max_size=20)),
    st.sampled_from(["---\n", "--- \n", "...\n", "id: a\n", "title: A\n", "  - x\n", "\r", "\x85"]),
    st.text(max_size=40),
)
DOCUMENT = st.one_of(
    st.lists(CHUNK, max_size=12).map("".join),
    st.lists(CHUNK, max_size=8).map(lambda parts: f"---\nid: a\n{''.join(parts)}---\nText\n"),
)


def never_a_traceback(document: str, path: Path) -> None:
    path.write_bytes(document.encode("utf-8", "surrogatepass"))
    found = outcome(path)
    if isinstance(found, InvalidFile):
        assert 1 <= len(str(found).splitlines()) <= 3
        assert found.problem
    else:
        assert found.id == "a"
        assert found.text.endswith("\n") or found.is_baseline


def outcome(path: Path) -> Variant | InvalidFile:
    try:
        return read_variant(path)
    except InvalidFile as exc:
        return exc


FUZZ = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@given(document=DOCUMENT)
@settings(max_examples=500, **FUZZ)
def test_any_document_is_valid_or_a_clear_error(document: str, tmp_path: Path) -> None:
    never_a_traceback(document, tmp_path / "a.md")


@pytest.mark.slow
@given(document=DOCUMENT)
@settings(max_examples=5000, **FUZZ)
def test_five_thousand_documents_are_valid_or_a_clear_error(document: str, tmp_path: Path) -> None:
    never_a_traceback(document, tmp_path / "a.md")
