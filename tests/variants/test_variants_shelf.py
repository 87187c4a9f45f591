"""The shipped library, and finding variants by name."""

from pathlib import Path

import pytest

from mitigations.errors import InvalidFile, UnknownName
from variants import SameTreatment, ablate, find, library, refuse_duplicates, tokens

MECHANISMS = {
    "baseline", "prohibition", "escalation", "pause-and-review", "bulletin", "reasons", "values",
    "corrigibility", "audit", "placebo", "agency", "constitution", "name-pressure",
    "least-privilege",
}  # fmt: skip
DEMO = ("no-mitigation", "prohibition-short-v1", "pause-and-review-v1", "constitution-short-v1")


def test_twenty_or_more_ideas_have_hypothesis_and_source() -> None:
    ideas = [v for v in library().values() if not {"baseline", "placebo"} & set(v.tags)]
    assert len(ideas) >= 20
    assert all(variant.hypothesis and variant.sources and variant.author for variant in ideas)


def test_every_mechanism_has_a_variant() -> None:
    """Simulated models know a variant by its tags."""
    assert {tag for v in library().values() for tag in v.tags} >= MECHANISMS


def test_only_the_baseline_is_empty() -> None:
    assert [v.id for v in library().values() if not v.text] == ["no-mitigation"]
    assert library()["no-mitigation"].is_baseline


def test_every_idea_has_a_neutral_text_of_its_kind_place_and_length() -> None:
    """An effect could otherwise be one of length alone; texts of one length share a placebo."""
    texts = [v for v in library().values() if v.text]
    placebos = [v for v in texts if "placebo" in v.tags]
    for idea in texts:
        size = tokens(idea.text)
        assert [
            p.id
            for p in placebos
            if (p.kind, p.placement) == (idea.kind, idea.placement)
            and abs(tokens(p.text) - size) <= 0.1 * size
        ], (idea.id, size)


def test_every_placebo_matches_a_variant_of_its_kind_and_length() -> None:
    placebos = [v for v in library().values() if "placebo" in v.tags]
    assert len(placebos) >= 5
    for placebo in placebos:
        target = library()[placebo.matches or ""]
        assert placebo.kind is target.kind
        assert tokens(placebo.text) == pytest.approx(tokens(target.text), rel=0.10)


def test_three_constitutions_grow_in_length_and_clauses() -> None:
    sizes = [library()[f"constitution-{size}-v1"] for size in ("short", "medium", "long")]
    lengths = [tokens(variant.text) for variant in sizes]
    clauses = [len(variant.clauses) for variant in sizes]
    assert lengths == sorted(lengths)
    assert lengths[2] > 4 * lengths[0]
    assert clauses == [4, 7, 10]


def test_the_audit_doses_differ_in_one_number_only() -> None:
    """What the library ships is what `ablate --dose` makes of one of them."""
    made = ablate(library()["audit-10-percent-v1"], doses=(1, 10, 50, 100)).variants
    for variant in made:
        assert variant.dose is not None
        assert variant.text == library()[f"audit-{variant.dose:g}-percent-v1"].text


def test_a_channel_is_always_the_one_address_scenarios_accept() -> None:
    for variant in library().values():
        if "@" in variant.text:
            assert variant.text.count("@") == variant.text.count("oversight@example.org")


def test_no_two_shipped_variants_are_the_same_treatment() -> None:
    refuse_duplicates(library().values())


def write(folder: Path, name: str, text: str, **more: str) -> None:
    front = {"id": name, "title": name, **more}
    head = "".join(f"{key}: {value}\n" for key, value in front.items())
    (folder / f"{name}.md").write_text(f"---\n{head}---\n{text}\n")


def test_variants_come_in_the_order_asked(tmp_path: Path) -> None:
    assert tuple(v.id for v in find(DEMO)) == DEMO
    assert tuple(v.id for v in find(DEMO[::-1], tmp_path / "absent")) == DEMO[::-1]


def test_the_workspace_comes_first_and_the_library_after(tmp_path: Path) -> None:
    write(tmp_path, "mine", "Be kind.")
    write(tmp_path, "README", "Not a variant.")
    mine, shipped = find(["mine", "no-mitigation"], tmp_path)
    assert mine.text == "Be kind.\n"
    assert shipped is library()["no-mitigation"]


def test_an_unknown_name_suggests_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "my-channel", "Be kind.")
    with pytest.raises(UnknownName, match="did you mean 'my-channel'"):
        find(["my-chanel"], tmp_path)
    with pytest.raises(UnknownName, match="did you mean 'prohibition-short-v1'"):
        find(["prohibition-short"], tmp_path)
    with pytest.raises(UnknownName):
        find(["../my-channel"], tmp_path / "x")


def test_a_shipped_id_keeps_its_treatment(tmp_path: Path) -> None:
    """Versions are immutable: results under one id would otherwise speak of two texts."""
    shipped = library()["prohibition-short-v1"]
    write(tmp_path, shipped.id, shipped.text.strip())
    assert find([shipped.id], tmp_path)[0].text == shipped.text
    write(tmp_path, shipped.id, "Be kind.")
    with pytest.raises(InvalidFile, match="id of a shipped variant"):
        find([shipped.id], tmp_path)


def test_equal_treatments_and_repeated_names_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "one", "Be kind.")
    write(tmp_path, "two", "Be kind.\n\n")
    write(tmp_path, "three", "Be kind.", placement="user-start")
    write(tmp_path, "same-as-nothing", "", tags="[baseline]")
    assert len(find(["one", "three"], tmp_path)) == 2
    with pytest.raises(SameTreatment, match="'two' has the same text and placement as variant"):
        find(["one", "two"], tmp_path)
    with pytest.raises(SameTreatment, match="named twice"):
        find(["one", "one"], tmp_path)
    with pytest.raises(SameTreatment, match="as the baseline 'no-mitigation'"):
        find(["no-mitigation", "same-as-nothing"], tmp_path)
