"""`providers.yaml`: prices by provider and by model, and what is refused by name and line."""

from pathlib import Path

import pytest

from mitigations.errors import InvalidFile
from mitigations.model import ModelSpec, Price
from mitigations.providers import Providers, read_providers, with_endpoint

FILE = """\
providers:
  openai:
    price: {input_per_mtok: 9, output_per_mtok: 9, source: contract}
    models:
      gpt-x:
        price:
          input_per_mtok: 2
          output_per_mtok: 8
          cached_input_per_mtok: 0.5
          cache_write_per_mtok: 2.5
          batch: {input_per_mtok: 1, output_per_mtok: 4}
          source: contract 7
  vllm: {base_url: "http://127.0.0.1:8000/v1"}
"""


def providers(folder: Path, text: str = FILE) -> Providers:
    (folder / "providers.yaml").write_text(text)
    return read_providers(folder)


def priced(providers: Providers, route: str) -> Price | None:
    return with_endpoint(ModelSpec(route=route), providers).price


def test_a_model_has_its_own_price_before_its_providers(tmp_path: Path) -> None:
    known = providers(tmp_path)
    assert priced(known, "openai/gpt-x") == Price(
        input_per_mtok=2,
        output_per_mtok=8,
        cached_input_per_mtok=0.5,
        cache_write_per_mtok=2.5,
        batch=Price(input_per_mtok=1, output_per_mtok=4, source="contract 7"),
        source="contract 7",
    )
    assert priced(known, "openai/gpt-y") == Price(
        input_per_mtok=9, output_per_mtok=9, source="contract"
    )
    assert priced(known, "vllm/any/thing") is None


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("output_per_mtok: 8", "output_per_mtok: -8", "output_per_mtok"),
        ("output_per_mtok: 8", "output_per_mtok: nan", "output_per_mtok"),
        ("output_per_mtok: 8", "output: 8", "output_per_mtok"),
        ("          source: contract 7\n", "", "source"),
        ("batch: {input_per_mtok: 1, output_per_mtok: 4}", "batch: half", "batch"),
        ("cache_write_per_mtok", "cache_writes_per_mtok", "cache_writes_per_mtok"),
    ],
)
def test_a_wrong_price_is_refused_by_its_name(
    tmp_path: Path, old: str, new: str, named: str
) -> None:
    assert old in FILE
    with pytest.raises(InvalidFile) as refused:
        providers(tmp_path, FILE.replace(old, new))
    message = str(refused.value)
    assert named in message
    assert "providers.yaml:" in message, "the line is named"
    assert len(message.splitlines()) <= 3
