"""The fixed scenario sets: reading, compiling and checking packs."""

from mitigations.scenarios.check import Finding, check_pack
from mitigations.scenarios.pack import Pack, builtin_packs, load_pack

__all__ = ["Finding", "Pack", "builtin_packs", "check_pack", "load_pack"]
