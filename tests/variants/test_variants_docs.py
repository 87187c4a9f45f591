"""docs/variants.md says what the code does."""

import re
from pathlib import Path

import pytest

from variants import parse_variant, tokens
from variants.read import FrontMatter
from variants.reference import library_table, rule_table

PAGE = (Path(__file__).parents[2] / "docs" / "variants.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "table"), [("rules", rule_table()), ("library", library_table())])
def test_tables_are_the_generated_ones(name: str, table: str) -> None:
    """To renew: paste the output of `variants.reference` between the two marks."""
    found = re.search(rf"<!-- {name}: .*? -->\n(.*?)<!-- end of {name} -->", PAGE, re.DOTALL)
    assert found is not None
    assert found[1] == table


def test_the_example_is_a_valid_variant() -> None:
    found = re.search(r"```markdown\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    variant = parse_variant(found[1], "plain-channel-v2.md")
    assert variant.id == "plain-channel-v2"
    assert tokens(variant.text) > 10


def test_every_key_is_documented() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| (?:yes|no) \|", PAGE, re.MULTILINE)) == set(
        FrontMatter.model_fields
    )
