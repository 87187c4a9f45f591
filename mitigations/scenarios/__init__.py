"""The fixed scenario sets: reading, compiling and checking packs."""

from mitigations.scenarios.pack import Pack, builtin_packs, load_pack

__all__ = ["Pack", "builtin_packs", "load_pack"]
