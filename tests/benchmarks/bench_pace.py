"""Storms of 429s in virtual time: how near a gate comes to a rate nobody told it.

    python tests/benchmarks/bench_pace.py [--seeds 3]

Each kind of provider with as many seeds; after the first seconds, in which the rate is learnt, the
share of the allowed rate that was used and the share of the requests that were refused, of the
worst seed each.
"""

# ruff: noqa: T201 - a command that prints its table

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.virtual_provider import SHAPES, storm


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    for shape in SHAPES:
        if options.only not in shape.name:
            continue
        windows = shape.kind != "bucket" or shape.room > 10 * shape.rate
        learn_s, seconds = (120.0, 300.0) if windows else (20.0, 120.0)
        found = [
            storm(shape, seed=seed, learn_s=learn_s, seconds=seconds)
            for seed in range(options.seeds)
        ]
        used, refused = min(one.used for one in found), max(one.refused for one in found)
        mark = " " if used >= 0.95 and refused <= 0.02 else "*"
        print(f"{mark} {shape.name:58} used {used:.3f}   429s {100 * refused:.2f} %", flush=True)


if __name__ == "__main__":
    main()
