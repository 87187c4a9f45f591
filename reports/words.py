"""Numbers as a policy reader takes them: whole numbers in 100, direction words, p-values.

Everything here rounds; nothing here computes. A rounded number never lands on a boundary that the
number itself does not touch: 0.3 in 100 is never printed as 0, nor 4.9 as a margin of 5.
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from math import isclose

from mitigations.model import Counts, Interval

MAX_DIGITS = 3
NONE_TEXT = "—"


def _rounded(value: float, digits: int) -> Decimal:
    """Half away from zero, as people round; through ten digits so that 0.285 * 100 is 28.5."""
    exact = Decimal(f"{value:.10f}")
    return exact.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)


def _lands_on(shown: Decimal, value: float, boundary: float) -> bool:
    return isclose(float(shown), boundary, abs_tol=1e-12) and not isclose(
        value, boundary, abs_tol=1e-9
    )


def is_zero(proportion: float) -> bool:
    """Whether a proportion is zero but for the rounding of sums of fractions."""
    return abs(proportion) < 1e-11


def points(proportion: float, *, apart_from: Sequence[float] = ()) -> str:
    """The size of a proportion in 100, with as few digits as keep it off 0 and `apart_from`.

    >>> points(-0.134), points(0.004), points(0.0496, apart_from=[0.05])
    ('13', '0.4', '4.96')
    """
    if is_zero(proportion):
        return "0"
    value = abs(100 * proportion)
    walls = [0.0, *(abs(100 * wall) for wall in apart_from)]
    for digits in range(1 if 0 < value < 0.95 else 0, MAX_DIGITS + 1):
        shown = _rounded(value, digits)
        if not any(_lands_on(shown, value, wall) for wall in walls):
            return f"{shown}"
    return f"{_rounded(value, 10).normalize():f}"


def at_most(bound: float) -> str:
    """An upper bound in 100, rounded upwards: it stays a bound.

    >>> at_most(0.0076), at_most(0.0071), at_most(0.31)
    ('0.8', '0.8', '31')
    """
    exact = Decimal(f"{100 * bound:.10f}")
    step = Decimal("0.1") if exact < 10 else Decimal(1)
    return f"{exact.quantize(step, rounding=ROUND_CEILING)}"


def change(difference: float, *, apart_from: Sequence[float] = ()) -> str:
    """A difference with its direction word, computed from its sign.

    >>> change(-0.13), change(0.02), change(0.0)
    ('13 fewer', '2 more', 'no change')
    """
    if is_zero(difference):
        return "no change"
    word = "fewer" if difference < 0 else "more"
    return f"{points(difference, apart_from=apart_from)} {word}"


def interval(limits: Interval, *, apart_from: Sequence[float] = ()) -> str:
    """An interval of a difference in words; the nearer limit to zero first when signs agree.

    >>> interval((-0.19, -0.07)), interval((-0.04, 0.09))
    ('7 to 19 fewer', 'from 4 fewer to 9 more')
    """
    low, high = (0.0 if is_zero(limit) else limit for limit in limits)
    near, far = sorted((low, high), key=abs)
    if low * high > 0:
        word = "fewer" if low < 0 else "more"
        sizes = points(near, apart_from=apart_from), points(far, apart_from=apart_from)
        return f"{sizes[0]} to {sizes[1]} {word}"
    ends = (change(end, apart_from=apart_from) for end in (low, high))
    return "from " + " to ".join(ends)


def from_to(before: float, after: float, difference: float) -> tuple[str, str, str, bool]:
    """Two rates and the size of their difference in 100, and whether the rounded numbers add up.

    >>> from_to(0.31, 0.18, -0.13)
    ('31', '18', '13', True)
    >>> from_to(0.338, 0.1834, -0.1546)
    ('34', '18', '15', False)
    """
    texts = points(before), points(after), points(difference)
    adds_up = Decimal(texts[1]) - Decimal(texts[0]) == Decimal(texts[2]).copy_sign(
        Decimal(difference)
    )
    return *texts, adds_up


def p_text(p: float, *, alpha: float = 0.05) -> str:
    """A p-value after its name: `= .012`, `< .001`; never rounded onto alpha.

    >>> p_text(0.0124), p_text(0.0003), p_text(0.04996), p_text(1.0)
    ('= .012', '< .001', '= .04996', '= 1')
    """
    if p < 0.001:
        return "< .001"
    if p == 1:
        return "= 1"
    for digits in range(3, 9):
        shown = _rounded(p, digits)
        if not _lands_on(shown, p, alpha) and shown < 1:
            return f"= {shown}".replace("0.", ".", 1)
    return "> .999" if p > 0.5 else f"= {alpha:g}".replace("0.", ".", 1)


def p_cell(p: float | None, *, alpha: float = 0.05) -> str:
    """The same for a table cell: `.012`, `<.001`, or a dash when undefined."""
    return NONE_TEXT if p is None else p_text(p, alpha=alpha).removeprefix("= ").replace(" ", "")


def fraction(counts: Counts) -> str:
    """`18/100`: the only form in which counts are printed beside a rate."""
    if counts.scored == 0:
        return "none scored"
    return f"{counts.coercive}/{counts.scored}"


def of(counts: Counts) -> str:
    """`18 of 100`, for running text."""
    if counts.scored == 0:
        return "no scored reply"
    return f"{counts.coercive:,} of {counts.scored:,}"


def signed(difference: float | None, *, apart_from: Sequence[float] = ()) -> str:
    """A difference in points with a real minus sign, for tables.

    >>> signed(-0.13), signed(0.02), signed(None)
    ('−13', '+2', '—')
    """
    if difference is None:
        return NONE_TEXT
    if is_zero(difference):
        return "0"
    mark = "−" if difference < 0 else "+"
    return mark + points(difference, apart_from=apart_from)


def signed_interval(limits: Interval | None, *, apart_from: Sequence[float] = ()) -> str:
    """`−19 to −7`, for tables."""
    if limits is None:
        return NONE_TEXT
    return " to ".join(signed(limit, apart_from=apart_from) for limit in limits)


def plural(count: int, noun: str, many: str | None = None) -> str:
    """`1 repeat`, `40 repeats`."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def listing(items: Sequence[str]) -> str:
    """`a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]
