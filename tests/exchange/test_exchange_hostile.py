"""Somebody else's files with any part of them replaced: rows or a clear refusal, no traceback.

What was lost stays lost under every change that does not touch the score itself.
"""

import copy
import io
import json
import random
import zipfile

import pytest
import yaml

from mitigations.compose.exchange import import_config, import_logs, import_results, write_rows
from mitigations.errors import MitigationsError
from tests.exchange.inspect_help import log, sample
from tests.exchange.promptfoo_help import CONFIG, result

ODD = (
    None, True, 0, -1, 1e308, float("nan"), "", "x" * 5000, "=1+1", "\x00", "\ud800", "{{x}}",
    [], {}, [[]], {"a": {}}, ["a"], 10**30, "../../etc/passwd", "file://x.py",
)  # fmt: skip
ROUNDS = 150


def _places(value, where=()):
    yield where
    inside = value.items() if isinstance(value, dict) else ()
    inside = enumerate(value) if isinstance(value, list) else inside
    for key, one in inside:
        yield from _places(one, (*where, key))


def _changed(document, rng):
    """A copy with one to three of its parts replaced or taken out."""
    document = copy.deepcopy(document)
    for _ in range(rng.randint(1, 3)):
        where = rng.choice(list(_places(document))[1:] or [()])
        if not where:
            return rng.choice(ODD)
        holder = document
        for key in where[:-1]:
            holder = holder[key]
        if rng.random() < 0.2:
            del holder[where[-1]]
        else:
            holder[where[-1]] = rng.choice(ODD)
    return document


def _zipped(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return out.getvalue()


def _tried(call):
    """What a call gives, or None where it refuses in at most three lines."""
    try:
        found = call()
    except MitigationsError as refusal:
        lines = str(refusal).count("\n") + 1
        return None if lines <= 3 else pytest.fail(str(refusal))
    return found


@pytest.mark.parametrize("member", ["samples/1_epoch_1.json", "header.json"])
def test_a_log_with_any_part_replaced(tmp_path, member):
    rng = random.Random(11)
    path = log(tmp_path / "good.eval", [sample(1, harmful=False), sample(2, harmful=True)])
    with zipfile.ZipFile(path) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    good = json.loads(members[member])
    bad, read = tmp_path / "bad.eval", 0
    for _ in range(ROUNDS):
        members[member] = json.dumps(_changed(good, rng)).encode()
        bad.write_bytes(_zipped(members))
        found = _tried(lambda: import_logs([bad]))
        read += found is not None
        for row in found.rows if found else ():
            assert (row.coercive is None) == (row.status != "scored")
        if found and read % 10 == 0:
            assert write_rows(found.rows, tmp_path / "out.csv") == len(found.rows)
            assert write_rows(found.rows, tmp_path / "out.parquet") == len(found.rows)
    assert read > ROUNDS / 10


def test_results_with_any_part_replaced(tmp_path):
    rng = random.Random(12)
    good = {"results": {"results": [result(n % 2, n, passed=n > 1) for n in range(4)]}}
    path, read = tmp_path / "out.json", 0
    for _ in range(ROUNDS):
        path.write_text(json.dumps(_changed(good, rng)))
        found = _tried(lambda: import_results(path, "metric:coercive"))
        read += found is not None
        for row in found.rows if found else ():
            assert (row.coercive is None) == (row.status != "scored")
    assert read > ROUNDS / 10


def test_a_config_with_any_part_replaced(tmp_path):
    rng = random.Random(13)
    good = yaml.safe_load(CONFIG)
    good["tests"] = [{"metadata": {"scenario": "harbour-1"}, "vars": {"a": "b"}}]
    path, read = tmp_path / "promptfooconfig.yaml", 0
    for turn in range(ROUNDS):
        changed = _changed(good, rng)
        try:
            text = yaml.safe_dump(changed, allow_unicode=True)
            path.write_text(text)
        except (UnicodeError, yaml.YAMLError):
            continue
        read += _tried(lambda: import_config(path, tmp_path / f"out{turn}")) is not None  # noqa: B023
    assert read > ROUNDS / 20
    assert not [one for one in tmp_path.rglob("*") if "passwd" in one.name]
