"""One archive that carries a run's evidence, and the check of it by somebody else."""

from mitigations.compose.bundle.keys import new_key
from mitigations.compose.bundle.making import Wanted, make_bundle
from mitigations.compose.bundle.verifying import Verified, verify_bundle

__all__ = ["Verified", "Wanted", "make_bundle", "new_key", "verify_bundle"]
