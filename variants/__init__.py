"""The shipped variants, and what reads, hashes, lints, diffs and ablates them."""
