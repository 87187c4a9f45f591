"""What is masked: known keys in every form, key shapes in details, no other word of a model."""

import base64
import json
from html import escape
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.redact import MASK, Redactor, cut, valid_unicode

KEY = "my+secret/value=0123"


@pytest.mark.parametrize(
    "text",
    [
        f"key {KEY}.",
        f"https://x.example/?k={quote(KEY, safe='')}",
        base64.b64encode(KEY.encode()).decode(),
        json.dumps({"k": KEY}),
        KEY * 3,
        json.dumps({"k": KEY}).replace("/", "\\/"),
        quote(KEY, safe="").lower(),
        escape(f"<b title='{KEY}'>"),
    ],
)
def test_a_known_value_is_masked_in_each_of_its_forms(text):
    mask = Redactor([KEY])
    for masked in (mask.detail(text), mask.model_text(text)[0]):
        assert KEY not in masked
        assert quote(KEY, safe="") not in masked
        assert MASK in masked


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-api03-AbCdEf0123456789",
        "sk-proj-AbCdEf0123456789",
        "gsk_AbCdEf0123456789",
        "hf_AbCdEf0123456789",
        "AIzaSyA0123456789abcdefghij",
        "AKIAABCDEFGHIJKLMNOP",
        "ghp_AbCdEf0123456789",
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln",
    ],
)
def test_shapes_of_keys_are_masked_in_details_and_kept_in_a_models_words(secret):
    """A scenario may plant a made-up key; whether the model leaks it is data."""
    mask = Redactor(())
    assert secret not in mask.detail(f"rejected: {secret}")
    assert mask.model_text(f"the key is {secret}") == (f"the key is {secret}", False)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdef123456",
        '{"x-api-key": "abcdef123456"}',
        "api_key=abcdef123456&x=1",
        "https://user:abcdef123456@host.example/",
    ],
)
def test_what_carries_a_key_loses_it_in_details(text):
    assert "abcdef123456" not in Redactor(()).detail(text)


def test_ordinary_words_stay():
    text = "HTTP 429: Rate limit reached for requests per min. Limit: 3. Try again in 20s."
    assert Redactor(["true", "1", ""]).detail(text) == text


def test_variables_are_taken_by_their_names_and_by_request():
    environ = {
        "OPENAI_API_KEY": "value-of-openai",
        "DB_PASSWORD": "value-of-password",
        "HOME": "/home/somebody",
        "ODD": "value-of-odd-one",
    }
    text = " ".join(environ.values())
    assert Redactor.from_environment(environ).keys(text) == (
        f"{MASK} {MASK} /home/somebody value-of-odd-one"
    )
    assert "odd" not in Redactor.from_environment(environ, names=["ODD"]).keys(text)


def test_the_longest_of_overlapping_values_goes_first():
    assert Redactor(["abcdefgh", "abcdefgh-longer"]).keys("abcdefgh-longer") == MASK


def test_values_nested_in_json_are_masked_with_their_names():
    value = {KEY: [KEY, {"a": (KEY, 3, None)}]}
    assert KEY not in repr(Redactor([KEY]).value(value))
    assert Redactor([KEY]).value({"n": 3, "x": None}) == {"n": 3, "x": None}


@given(st.text(alphabet=st.characters(codec=None), max_size=80))
def test_any_text_becomes_text_that_can_be_stored(text):
    """JSON may carry lone surrogates; the database and UTF-8 may not."""
    valid_unicode(text).encode()
    Redactor([KEY]).model_text(text)[0].encode()


def test_good_text_is_left_alone_and_pairs_of_surrogates_are_joined():
    assert valid_unicode("déjà 😀") == "déjà 😀"
    assert valid_unicode("\ud83d\ude00") == "😀"
    assert valid_unicode("a\ud800b") == "a\ufffdb"


@given(st.text(max_size=50), st.integers(0, 60))
def test_a_cut_is_the_longest_start_within_the_limit(text, limit):
    kept, was_cut = cut(text, limit)
    assert text.startswith(kept)
    assert len(kept.encode()) <= limit
    assert was_cut is (kept != text)
    if was_cut:
        assert len(text[: len(kept) + 1].encode()) > limit


def test_details_are_short():
    assert len(Redactor(()).detail("x" * 10_000)) == 600
