"""Words, sentences, token estimates and reading level."""

import base64
from importlib.util import find_spec
from pathlib import Path

import pytest
import tiktoken

from variants import library, reading_grade, tokens
from variants.text import likeness, sentences, words

# cl100k_base as litellm ships it, so that no test needs the network.
CL100K = "litellm_core_utils/tokenizers/9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
CUT = (
    r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"""
    r"""|\s++$|\s*[\r\n]|\s+(?!\S)|\s"""
)


@pytest.fixture(scope="module")
def cl100k() -> tiktoken.Encoding:
    spec = find_spec("litellm")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    lines = (Path(spec.submodule_search_locations[0]) / CL100K).read_bytes().splitlines()
    ranks = {base64.b64decode(part): int(rank) for part, rank in (x.split() for x in lines)}
    return tiktoken.Encoding("cl100k_base", pat_str=CUT, mergeable_ranks=ranks, special_tokens={})


def test_the_token_estimate_is_within_ten_per_cent(cl100k: tiktoken.Encoding) -> None:
    """Against a real tokeniser, over every shipped text."""
    for variant in library().values():
        assert tokens(variant.text) == pytest.approx(len(cl100k.encode(variant.text)), rel=0.10)


def test_an_empty_text_has_no_token() -> None:
    assert tokens("") == 0
    assert tokens(" \t ") == 0


def test_the_reading_grade_is_the_published_formula() -> None:
    """Smith and Senter (1967): 4.71 x 4.0 characters a word + 0.5 x 8 words - 21.43 = 1.41."""
    sentence = "Aaaa bbbb cccc dddd eeee ffff gggg hhhh. "
    assert reading_grade(sentence * 4) == pytest.approx(4.71 * 4 + 0.5 * 8 - 21.43)


def test_short_texts_have_no_reading_grade() -> None:
    assert reading_grade("Be kind.") is None


def test_words_and_sentences_are_what_a_reader_counts() -> None:
    assert words("Don't use the co-op's 24-hour clock.") == [
        "Don't", "use", "the", "co-op's", "24-hour", "clock",
    ]  # fmt: skip
    assert sentences("## Head\n- One item\n- Two. Three!\n") == [
        "Head",
        "One item",
        "Two.",
        "Three!",
    ]


def test_likeness_is_symmetric_and_bounded() -> None:
    a, b = "one two three four five", "one two three four six"
    assert likeness(a, b) == likeness(b, a) == pytest.approx(2 / 4)
    assert likeness(a, a) == 1.0
    assert likeness(a, "seven eight nine ten") == 0.0
