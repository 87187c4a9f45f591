"""Every worked case from R, each quantity at the tolerance the file gives it."""

import json
import math
from pathlib import Path

import pytest

from stats import quantities

CASES = json.loads((Path(__file__).parent / "reference" / "stats_examples.json").read_text())[
    "cases"
]
ARGUMENTS = {
    "stratified_2x2": ("strata",),
    "two_by_two": ("x1", "n1", "x0", "n0"),
    "paired": ("b", "c"),
    "p_values": ("p",),
    "cells": ("rows", "columns"),
    "agreement_table": ("table",),
    "ratings": ("ratings", "rows_are"),
    "judge_error": ("judged_positive", "judged", "calibration"),
    "judge_error_difference": ("x1", "n1", "x0", "n0", "calibration"),
    "power": ("p0", "p1", "alpha", "n_per_arm"),
    "dunnett_critical": ("comparisons", "alpha"),
    "e_value": (
        "pairs_variant_only",
        "pairs_control_only",
        "pairs_concordant",
        "prior_a",
        "d0",
    ),
}


def _computed(given):
    kind = given["kind"]
    names = [name for name in ARGUMENTS[kind] if name in given]
    return getattr(quantities, kind)(**{name: given[name] for name in names})


def _number(value):
    return math.nan if value == "NaN" else float(value)


def _check(got, want, quantity):
    if isinstance(want, list):
        parts = [None] * len(want) if got is None else got
        assert len(parts) == len(want)
        for mine, theirs in zip(parts, want, strict=True):
            _check(mine, theirs, quantity)
        return
    expected = _number(want)
    if math.isnan(expected):
        assert got is None, "R has no number here; ours must be an explicit null"
    elif math.isinf(expected):
        assert got == expected
    else:
        scale = max(1.0, abs(expected))
        if quantity["tolerance_kind"] == "rel":
            scale = abs(expected)
        assert abs(got - expected) <= quantity["tolerance"] * scale


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_every_quantity_of_a_reference_case_agrees_with_r(case):
    found = _computed(case["input"])
    for quantity in case["quantities"]:
        name = quantity["name"]
        if name == "kappa_check_psych":
            name = "kappa"
        assert name in found, name
        _check(found[name], quantity["value"], quantity)
        if found[name] is None:
            assert found["reasons"][name]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_every_undefined_quantity_says_why_and_none_is_nan(case):
    found = _computed(case["input"])
    for name, value in found.items():
        if name == "reasons":
            continue
        parts = value if isinstance(value, (tuple, list)) else (value,)
        assert not any(isinstance(part, float) and math.isnan(part) for part in parts), name
        assert (value is None) == (name in found["reasons"]), name
