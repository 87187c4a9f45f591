"""The shipped variants, and what reads, hashes, lints, diffs and ablates them."""

from variants.read import normalise, parse_variant, read_variant
from variants.shelf import SameTreatment, find, library, refuse_duplicates, variant_files

__all__ = [
    "SameTreatment",
    "find",
    "library",
    "normalise",
    "parse_variant",
    "read_variant",
    "refuse_duplicates",
    "variant_files",
]
