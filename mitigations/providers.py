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


class PriceEntry(BaseModel):
    """US dollars per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_per_mtok: Annotated[float, Field(ge=0)]
    output_per_mtok: Annotated[float, Field(ge=0)]
    source: str


class ProviderEntry(BaseModel):
    """One OpenAI-compatible endpoint, or a key variable of another name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str | None = None
    key_env: str | None = None
    price: PriceEntry | None = None


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
    return validate(ProvidersFile, read_yaml(path), what="a providers file").providers


def with_endpoint(spec: ModelSpec, providers: Providers) -> ModelSpec:
    """The spec with base URL, key variable and price that the server configuration gives it."""
    entry = providers.get(spec.provider)
    if entry is None:
        return spec
    price = entry.price
    return replace(
        spec,
        base_url=entry.base_url,
        key_env=entry.key_env,
        price=spec.price
        or (
            Price(
                input_per_mtok=price.input_per_mtok,
                output_per_mtok=price.output_per_mtok,
                source=price.source,
            )
            if price
            else None
        ),
    )
