"""A root finder for many monotone equations at once."""

from collections.abc import Callable

import numpy as np

from stats.strata import FloatArray


def decreasing_root(
    function: Callable[[FloatArray], FloatArray],
    low: FloatArray,
    high: FloatArray,
    guess: FloatArray,
    *,
    tolerance: float = 1e-9,
) -> FloatArray:
    """Where each of many functions turns from positive to not positive, between `low` and `high`.

    Secant steps inside a bracket that shrinks at every step; a step that leaves the bracket, and
    every sixth one, is a bisection, so the end is always reached; 5 to 8 steps are usual. The first
    step assumes a slope of -1. It ends when a step is below `tolerance`; the error that is left
    after a secant step is of a higher order. `function` maps points of the shape of `low` to values
    of that shape. (scipy's `find_root` works element by element; here one evaluation sums over all
    strata.)
    """
    low, high, point = np.array(low), np.array(high), np.array(guess)
    slope = np.full(point.shape, -1.0)
    done = np.zeros(point.shape, dtype=bool)
    value = function(point)
    for step in range(1, 400):
        positive = value > 0
        low, high = np.where(positive, point, low), np.where(positive, high, point)
        with np.errstate(divide="ignore", invalid="ignore"):
            target = point - value / slope
        bisect = ~((target > low) & (target < high)) | (step % 6 == 0)
        target = np.where(bisect, (low + high) / 2, target)
        move = np.where(done, 0.0, target - point)
        point = point + move
        done |= np.abs(move) <= tolerance * np.maximum(1.0, np.abs(point))
        if done.all():
            break
        fresh = function(point)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(move != 0, (fresh - value) / move, slope)
        value = fresh
    return point
