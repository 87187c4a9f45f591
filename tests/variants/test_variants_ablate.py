"""Factorial designs against published ones, and the variants made from them."""

from itertools import combinations
from math import prod

import pytest

from mitigations.model import Placement, Variant, VariantKind
from variants import (
    CannotAblate,
    ablate,
    coding,
    describe,
    find,
    library,
    parse_variant,
    refuse_duplicates,
    study_text,
    to_markdown,
)
from variants.factorial import GENERATORS, aliases, designs

# NIST/SEMATECH e-Handbook of Statistical Methods, table 5.3.3.4.7: factors, runs -> resolution.
PUBLISHED = {
    (3, 4): "III", (4, 8): "IV", (5, 16): "V", (5, 8): "III", (6, 32): "VI", (6, 16): "IV",
    (6, 8): "III", (7, 64): "VII", (7, 32): "IV", (7, 16): "IV", (7, 8): "III", (8, 64): "V",
    (8, 32): "IV", (8, 16): "IV", (9, 128): "VI", (9, 64): "IV", (9, 32): "IV", (9, 16): "III",
    (10, 128): "V", (10, 64): "IV", (10, 32): "IV", (10, 16): "III", (11, 128): "V",
    (11, 64): "IV", (11, 32): "IV", (11, 16): "III", (12, 32): "IV", (12, 16): "III",
    (13, 32): "IV", (13, 16): "III", (14, 32): "IV", (14, 16): "III", (15, 32): "IV",
    (15, 16): "III", (16, 32): "IV",
}  # fmt: skip
EVERY = [design for factors in range(1, 17) for design in designs(factors)]


def test_resolutions_are_the_published_ones() -> None:
    """Resolution is computed from the generators; a wrong generator would show here."""
    ours = {(len(d.letters), len(d.runs)): d.resolution_name for d in EVERY if d.generators}
    assert ours == PUBLISHED
    assert {factors for factors, _ in PUBLISHED} == set(GENERATORS)


@pytest.mark.parametrize("design", EVERY, ids=lambda d: f"{len(d.letters)}in{len(d.runs)}")
def test_designs_are_balanced_orthogonal_and_start_with_all_off(design) -> None:
    runs, factors = design.runs, range(len(design.letters))
    assert set(runs[0]) == {-1}
    assert len(set(runs)) == len(runs) == 2 ** (len(factors) - len(design.generators))
    assert all(sum(run[f] for run in runs) == 0 for f in factors)
    assert all(sum(run[f] * run[g] for run in runs) == 0 for f, g in combinations(factors, 2))


@pytest.mark.parametrize("design", EVERY, ids=lambda d: f"{len(d.letters)}in{len(d.runs)}")
def test_every_defining_word_holds_in_every_run(design) -> None:
    for word in design.words:
        sign = 1 if word[0] == "+" else -1
        for run in design.runs:
            levels = dict(zip(design.letters, run, strict=True))
            assert prod(levels[letter] for letter in word[1:]) == sign


def test_the_alias_table_of_the_half_fraction_of_four() -> None:
    """Box, Hunter and Hunter: 2^(4-1) with I = ABCD pairs AB with CD, AC with BD, AD with BC."""
    design = next(d for d in designs(4) if d.generators)
    table = {alias.effect: alias.others for alias in aliases(design)}
    assert table == {
        "A": (), "B": (), "C": (), "D": (), "AB": ("+CD",), "AC": ("+BD",), "AD": ("+BC",),
    }  # fmt: skip


def test_resolution_three_aliases_main_effects_with_their_sign() -> None:
    """With C = -AB, where all clauses are off C is off too, and A is aliased with -BC."""
    design = next(d for d in designs(3) if d.generators)
    table = {alias.effect: alias.others for alias in aliases(design)}
    assert table == {"A": ("-BC",), "B": ("-AC",), "C": ("-AB",)}


SHORT, LONG = library()["constitution-short-v1"], library()["constitution-long-v1"]


def test_all_off_is_the_baseline_and_all_on_the_constitution_itself() -> None:
    found = ablate(SHORT)
    texts = {variant.id: variant for variant in found.variants}
    assert len(found.variants) == 16
    assert texts[found.baseline].text == "These principles govern your work.\n"
    assert texts[SHORT.id] == SHORT
    assert SHORT not in found.new
    assert found.baseline not in found.treated
    assert len(found.treated) == 15


def test_each_text_holds_exactly_the_clauses_that_are_on() -> None:
    for variant in ablate(LONG, max_variants=16).variants:
        headings = [clause.heading for clause in variant.clauses]
        wanted = [c for c in LONG.clauses if c.heading not in variant.clauses_off]
        assert headings == [clause.heading for clause in wanted]
        assert all(clause.text in variant.text for clause in wanted)


def test_ids_are_deterministic_and_say_which_clauses_stand() -> None:
    ids = [variant.id for variant in ablate(SHORT, max_variants=8).variants]
    assert ids == [variant.id for variant in ablate(SHORT, max_variants=8).variants]
    assert ids[0] == "constitution-short-v1-c0000"
    assert "constitution-short-v1-c0011" in ids
    long_name = Variant(
        id="x" * 64, title="X", kind=VariantKind.CONSTITUTION, text="## A\na\n\n## B\nb\n"
    )
    assert all(len(variant.id) <= 64 for variant in ablate(long_name).variants)


def test_the_coding_can_be_read_back_from_the_variants() -> None:
    """A plan holds variants only; the clause effects must not need a second file."""
    found = ablate(SHORT, max_variants=8)
    assert coding(found.variants) == found.coding
    assert coding((*found.variants, library()["prohibition-short-v1"])) == found.coding
    assert coding(library().values()) == {}


def test_only_chosen_clauses_are_switched() -> None:
    two = [clause.heading for clause in SHORT.clauses][:2]
    found = ablate(SHORT, vary=two)
    assert list(found.factors.values()) == two
    assert len(found.variants) == 4
    assert all(
        "## Accept being stopped" in variant.text and "## Take conflicts" in variant.text
        for variant in found.variants
    )


def test_a_constitution_without_preamble_has_an_empty_baseline() -> None:
    bare = Variant(id="bare", title="B", kind=VariantKind.CONSTITUTION, text="## A\na\n")
    found = ablate(bare)
    assert found.variants[0].text == ""
    assert found.variants[0].is_baseline


def test_every_variant_survives_its_file() -> None:
    """Headings may hold anything that YAML would bend."""
    odd = "## No: 'yes' # [x]\na\n\n## 1.10\nb\n\n## - null\nc\n"
    constitution = Variant(id="odd", title="O", kind=VariantKind.CONSTITUTION, text=odd)
    for variant in ablate(constitution).variants:
        assert parse_variant(to_markdown(variant), "x.md") == variant


def test_too_many_variants_name_the_least_that_fits() -> None:
    with pytest.raises(CannotAblate) as caught:
        ablate(LONG, resolution="V")
    assert "--max-variants 128 is the least that fits" in str(caught.value)
    assert "--resolution III needs 16" in str(caught.value)
    with pytest.raises(CannotAblate, match="--max-variants 16 is the least"):
        ablate(LONG, max_variants=8)
    assert len(ablate(LONG, resolution="V", max_variants=128).variants) == 128


@pytest.mark.parametrize(("asked", "runs"), [("III", 8), ("IV", 16), ("V", 64), ("full", 128)])
def test_a_resolution_is_a_minimum(asked: str, runs: int) -> None:
    """Seven clauses: there is no design of resolution V or VI smaller than the VII with 64."""
    seven = library()["constitution-medium-v1"]
    assert len(ablate(seven, resolution=asked, max_variants=128).variants) == runs


def test_the_design_is_told_in_words() -> None:
    text = describe(ablate(SHORT, max_variants=8))
    assert "resolution IV" in text
    assert "I = +ABCD" in text
    assert "AB  +CD" in text
    assert "nothing is aliased" in describe(ablate(SHORT))


NOT_ABLE = {
    "no constitution": (library()["prohibition-short-v1"], {}, "is no constitution"),
    "no text": (library()["no-mitigation"], {}, "has no text"),
    "no dose": (SHORT, {"doses": (1, 2)}, "has no dose"),
    "one dose": (library()["audit-10-percent-v1"], {"doses": (1,)}, "two or more"),
    "same dose": (library()["audit-10-percent-v1"], {"doses": (1, 1)}, "two or more"),
    "two kinds": (SHORT, {"doses": (1, 2), "placement": True}, "different studies"),
    "resolution": (SHORT, {"resolution": "VIII"}, "no resolution"),
    "clause": (SHORT, {"vary": ("Sing",)}, "no clause 'Sing'"),
    "placements": (SHORT, {"placement": True, "max_variants": 2}, "2 variants allowed"),
    "doses": (
        library()["audit-10-percent-v1"], {"doses": (1, 2, 3), "max_variants": 2},
        "least that fits",
    ),
    "ambiguous dose": (
        Variant(id="a", title="A", dose=10, text="10 of 10 sessions.\n"), {"doses": (1, 2)},
        "stands 2 times",
    ),
    "seventeen clauses": (
        Variant(id="a", title="A", kind=VariantKind.CONSTITUTION,
                text="".join(f"## C{n}\nText.\n\n" for n in range(17))), {}, "too many to cross",
    ),
    "twelve clauses in full": (
        Variant(id="a", title="A", kind=VariantKind.CONSTITUTION,
                text="".join(f"## C{n}\nText.\n\n" for n in range(12))),
        {"resolution": "full", "max_variants": 200}, "no design of resolution full",
    ),
    "heading twice": (
        Variant(id="a", title="A", kind=VariantKind.CONSTITUTION, text="## A\na\n\n## A\nb\n"), {},
        "a heading twice",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_ABLE)
def test_what_cannot_be_ablated_says_what_can(name: str) -> None:
    variant, options, words = NOT_ABLE[name]
    with pytest.raises(CannotAblate, match=words) as caught:
        ablate(variant, **options)
    assert len(str(caught.value).splitlines()) == 2


def test_doses_are_ordered_and_change_one_number() -> None:
    found = ablate(library()["audit-10-percent-v1"], doses=(100, 0.5, 10))
    assert list(found.scores.values()) == [0.5, 10, 100]
    assert list(found.scores) == [
        "audit-10-percent-v1-dose-0_5", "audit-10-percent-v1", "audit-10-percent-v1-dose-100",
    ]  # fmt: skip
    assert "read is 0.5 %" in found.variants[0].text
    assert found.baseline == "no-mitigation"


def test_placements_keep_the_text() -> None:
    found = ablate(SHORT, placement=True)
    assert {variant.placement for variant in found.variants} == set(Placement)
    assert {variant.text_hash for variant in found.variants} == {SHORT.text_hash}
    refuse_duplicates(found.variants)


def test_the_study_text_names_every_arm_once() -> None:
    found = ablate(SHORT, max_variants=8)
    text = study_text(found, scenarios="builtin/x", models=["local/y"], repeats=3)
    arms = [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- const")]
    assert arms == list(found.treated)
    assert f"baseline: {found.baseline}" in text
    assert "# fractional factorial 2^(4-1), 8 runs, resolution IV" in text


def test_a_written_ablation_can_be_found_again(tmp_path) -> None:
    found = ablate(SHORT, max_variants=8)
    for variant in found.new:
        (tmp_path / f"{variant.id}.md").write_text(to_markdown(variant))
    assert find([v.id for v in found.variants], tmp_path) == found.variants
