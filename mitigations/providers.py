"""Server configuration of providers: where an endpoint is and which variable holds its key.

Hosts come from this file alone. A variant, a study or a browser never names one, because whoever
chooses the host receives the key.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mitigations.files import read_yaml, validate
from mitigations.model import ModelSpec, Price

FILE_NAME = "providers.yaml"
VARIABLE = "MITIGATIONS_PROVIDERS"


Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Amounts(BaseModel):
    """US dollars per million tokens; input from and to the cache as other input where unset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_per_mtok: Dollars
    output_per_mtok: Dollars
    cached_input_per_mtok: Dollars | None = None
    cache_write_per_mtok: Dollars | None = None

    def price(self, source: str, *, batch: Price | None = None) -> Price:
        """The noun."""
        amounts = self.model_dump(include=set(Amounts.model_fields))
        return Price(**amounts, batch=batch, source=source)


class PriceEntry(Amounts):
    """What a model costs, by whose word, and what it costs by batch."""

    source: Annotated[str, Field(min_length=1)]
    batch: Amounts | None = None

    def full(self) -> Price:
        """The noun, with the batch price in it."""
        batch = self.batch.price(self.source) if self.batch else None
        return self.price(self.source, batch=batch)


class LimitsEntry(BaseModel):
    """How fast a model may be called; what is not set is learnt from the provider's answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    tokens_per_minute: Annotated[float, Field(gt=0)] | None = None
    max_concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = None


class ModelEntry(BaseModel):
    """What is set for one model of a provider."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    price: PriceEntry | None = None
    limits: LimitsEntry | None = None


class ProviderEntry(BaseModel):
    """One OpenAI-compatible endpoint, or a key variable of another name, or limits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str | None = None
    key_env: str | None = None
    price: PriceEntry | None = None
    """Of every model of this provider that `models` gives no price of its own."""
    models: dict[Annotated[str, Field(min_length=1)], ModelEntry] = {}
    """By the model's name: the part of its route after the first slash."""
    limits: LimitsEntry | None = None
    """Of each model of this provider to which `models` gives none of its own."""


class ProvidersFile(BaseModel):
    """Provider name (the part of a route before the slash) to its endpoint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    providers: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], ProviderEntry]


Providers = Mapping[str, ProviderEntry]


def read_providers(folder: Path) -> Providers:
    """`providers.yaml` of the workspace, or the file that `MITIGATIONS_PROVIDERS` names."""
    named = os.environ.get(VARIABLE)
    path = Path(named) if named else folder / FILE_NAME
    if not named and not path.exists():
        return {}
    return read_providers_file(path)


def read_providers_file(path: Path) -> Providers:
    """One providers file."""
    return validate(ProvidersFile, read_yaml(path), what="a providers file").providers


def with_endpoint(spec: ModelSpec, providers: Providers) -> ModelSpec:
    """The spec with base URL, key variable and price that the server configuration gives it."""
    entry = providers.get(spec.provider)
    if entry is None:
        return spec
    own = entry.models.get(spec.name)
    price = (own.price if own else None) or entry.price
    return replace(
        spec,
        base_url=entry.base_url,
        key_env=entry.key_env,
        price=spec.price or (price.full() if price else None),
    )
