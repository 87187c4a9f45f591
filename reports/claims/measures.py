"""Each number of a claim against the run: it matches, it could still be, or it is wrong."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from mitigations.model import Comparison, Counts, Guardrail, Interval, Settings
from reports.claims.nouns import Status
from reports.claims.sizes import Size
from reports.guardrail_words import worse
from reports.sentences import shown_interval
from reports.words import change, interval, of, p_text, points

OK, UNSURE, WRONG = Status.SUPPORTED, Status.UNSUPPORTED, Status.CONTRADICTED
Judged = tuple[Status, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """An estimate and its interval, as sizes in the direction claimed: more is more of it."""

    estimate: float
    low: float
    high: float
    words: str


def numbers_of(one: Comparison, settings: Settings) -> str:
    """Counts, difference, interval and p of one comparison, as a report prints them."""
    parts = [f"baseline {of(one.control)}, variant {of(one.treated)}"]
    limits = shown_interval(one)
    if one.std_rd is not None:
        size = change(one.std_rd) + (" in 100" if one.std_rd else "")
        parts.append(size + (f" (95 % interval {interval(limits)})" if limits else ""))
    if settings.design == "anytime" and one.e_value is not None:
        parts.append(f"e-value {one.e_value:.3g}")
    elif one.p_adjusted is not None:
        parts.append(f"adjusted p {p_text(one.p_adjusted, alpha=settings.alpha)}")
    return "; ".join(parts)


def guard_numbers(guard: Guardrail) -> str:
    """Counts, interval and margin of one guardrail."""
    parts = [f"bad event: baseline {of(guard.control)}, variant {of(guard.treated)}"]
    if guard.ci is not None:
        parts.append(f"95 % interval {worse(guard.ci, guard.margin)} in 100")
    return "; ".join([*parts, f"margin {points(guard.margin)} in 100"])


def judge_size(size: Size, one: Comparison, *, sign: int, settings: Settings) -> Judged | None:
    """One size against one comparison; None for a number that is no result: an alpha, a margin."""
    return _READERS[size.kind](size, one, size.sign or sign, settings)


def judge_guard_size(size: Size, guard: Guardrail) -> Judged | None:
    """One size against one guardrail's bad event."""
    if size.kind == "counts":
        return _among(size, {"": (guard.control, guard.treated)})
    if size.kind == "interval":
        known = [guard.ci] if guard.ci else []
        return _interval_judged(size, known)
    if size.kind == "points" and guard.difference is not None and guard.ci is not None:
        low, high = sorted(abs(limit) for limit in guard.ci)
        # A margin named in the sentence is no size of an effect.
        if _rounds(100 * guard.margin, size.values[0], size.digits):
            return None
        words = f"the bad event moved by {points(guard.difference)} in 100"
        return in_range(size, Range(estimate=100 * abs(guard.difference), low=100 * low,
                                    high=100 * high, words=words))  # fmt: skip
    return None


def in_range(size: Size, known: Range) -> Judged:
    """A claimed size against an estimate with its interval."""
    claimed = size.values[0]
    if size.bound == "at least":
        fits, wrong, why = (
            claimed <= known.low + 1e-9,
            claimed > known.high,
            "that much is not shown",
        )
    elif size.bound == "at most":
        fits, wrong, why = (
            claimed >= known.high - 1e-9,
            claimed < known.low,
            "more is not ruled out",
        )
    else:
        slack = max(_slack(size), 0.1 * abs(known.estimate))
        near = abs(claimed - known.estimate) <= slack
        about = size.bound == "about"
        fits = near if about else _rounds(known.estimate, claimed, size.digits)
        wrong = not known.low <= claimed <= known.high
        why = "the estimate is another one"
    if fits:
        return OK, ""
    return (WRONG if wrong else UNSURE), f"{why}: {known.words}"


def _slack(size: Size) -> float:
    if size.kind != "ratio":
        return 1.0
    return 0.07 if size.digits < -1 else 0.05


def _rounds(value: float, claimed: float, digits: int) -> bool:
    return abs(value - claimed) <= 0.5 * 10.0 ** -max(digits, 0) + 1e-6


def _points(size: Size, one: Comparison, sign: int, settings: Settings) -> Judged | None:
    limits = shown_interval(one)
    del settings  # the same signature as the other readers
    if one.std_rd is None or limits is None:
        return UNSURE, "no difference could be computed"
    turn = sign or (-1 if one.std_rd < 0 else 1)
    ends = sorted((100 * turn * limits[0], 100 * turn * limits[1]))
    words = f"{change(one.std_rd)} in 100 (95 % interval {interval(limits)})"
    return in_range(
        size, Range(estimate=100 * turn * one.std_rd, low=ends[0], high=ends[1], words=words)
    )


def _ratio(size: Size, one: Comparison, sign: int, settings: Settings) -> Judged | None:
    del settings  # the same signature as the other readers
    ratio, limits = one.std_rr, one.std_rr_ci95
    if ratio is None or limits is None:
        return UNSURE, "no ratio of the rates could be computed"
    turn = sign or (-1 if ratio < 1 else 1)
    if size.fold is not None and turn < 0:
        size = replace(size, values=(1 - 1 / size.fold,))
    ends = sorted((turn * (limits[0] - 1), turn * (limits[1] - 1)))
    words = f"{_relative(ratio)}, 95 % interval {_relative(limits[0])} to {_relative(limits[1])}"
    known = Range(estimate=turn * (ratio - 1), low=ends[0], high=ends[1], words=words)
    status, why = in_range(size, known)
    in_points = one.std_rd is not None and size.bound == "exactly"
    if status is not OK and in_points and one.std_rd is not None:
        claimed = 100 * size.values[0]
        if _rounds(abs(100 * one.std_rd), claimed, max(size.digits - 2, 0)):
            return status, f"{claimed:g} is the difference in 100, not in per cent; {why}"
    return status, why


def _relative(ratio: float) -> str:
    """A ratio of rates as a share fewer or more."""
    if ratio == float("inf"):
        return "without bound"
    share = round(100 * abs(1 - ratio))
    return f"{share} % {'fewer' if ratio < 1 else 'more'}" if share else "no change"


def _levels(size: Size, one: Comparison, sign: int, settings: Settings) -> Judged | None:
    del sign, settings
    before, after = one.std_p0, one.std_p1
    if before is None or after is None:
        return UNSURE, "no rates could be computed"
    claimed = size.values
    if _pair(claimed, (before, after), size):
        return OK, ""
    words = f"the rates are {points(before)} and {points(after)} in 100"
    scored = one.control.scored and one.treated.scored
    if scored and _pair(claimed, (one.control.rate, one.treated.rate), size):
        return UNSURE, f"these are pooled rates; averaged over scenarios and models, {words}"
    return WRONG, words


def _pair(claimed: Iterable[float], known: Iterable[float], size: Size) -> bool:
    slack = 1.0 if size.bound == "about" else 0.0
    return all(
        abs(100 * value - said) <= 0.5 * 10.0**-size.digits + slack + 1e-6
        for said, value in zip(claimed, known, strict=True)
    )


def _level(size: Size, one: Comparison, sign: int, settings: Settings) -> Judged | None:
    del sign
    value = size.values[0]
    if value in {95.0, 100.0} or _rounds(100 * settings.smallest_change, value, size.digits):
        return None
    sides = {"baseline": (one.std_p0, one.control), "variant": (one.std_p1, one.treated)}
    asked = [sides[size.arm]] if size.arm else list(sides.values())
    known = [rate for rate, _ in asked if rate is not None]
    if any(_near(size, rate) for rate in known):
        return OK, ""
    words = " and ".join(points(rate) for rate in known) or "undefined"
    if any(counts.scored and _near(size, counts.rate) for _, counts in asked):
        return UNSURE, f"that is a pooled rate; averaged over scenarios and models: {words} in 100"
    return WRONG, f"the rate is {words} in 100"


def _near(size: Size, rate: float) -> bool:
    claimed, value = size.values[0], 100 * rate
    if size.bound == "at least":
        return value >= claimed
    if size.bound == "at most":
        return value <= claimed
    return abs(value - claimed) <= 0.5 * 10.0**-size.digits + (size.bound == "about") + 1e-6


def _counts(size: Size, one: Comparison, sign: int, settings: Settings) -> Judged | None:
    del sign, settings
    arms: Mapping[str, tuple[Counts, ...]] = {
        "": (one.control, one.treated),
        "baseline": (one.control,),
        "variant": (one.treated,),
    }
    return _among(size, arms)


def _among(size: Size, arms: Mapping[str, tuple[Counts, ...]]) -> Judged:
    known = arms.get(size.arm, arms[""])
    if any(size.values == (counts.coercive, counts.scored) for counts in known):
        return OK, ""
    return WRONG, f"the counts are {' and '.join(of(counts) for counts in known)}"


def _p(size: Size, one: Comparison, sign: int, settings: Settings) -> Judged | None:
    del sign
    adjusted = one.p_adjusted if one.p_adjusted is not None else one.p_holm
    if adjusted is None:
        return UNSURE, "no adjusted p-value exists here"
    if _meets(size, adjusted):
        return OK, ""
    words = f"adjusted p {p_text(adjusted, alpha=settings.alpha)}"
    if one.p_value is not None and _meets(size, one.p_value):
        return UNSURE, f"that p-value is not adjusted for the number of comparisons; {words}"
    return WRONG, words


def _meets(size: Size, p: float) -> bool:
    claimed = size.values[0]
    if size.bound == "at most":
        return p <= claimed
    return p >= claimed if size.bound == "at least" else _rounds(p, claimed, size.digits)


def _interval(size: Size, one: Comparison, sign: int, settings: Settings) -> Judged | None:
    del sign, settings
    known = [one.simultaneous_ci95, one.std_rd_ci95, one.scenario_t_ci95]
    return _interval_judged(size, [limits for limits in known if limits is not None])


def _interval_judged(size: Size, known: list[Interval]) -> Judged:
    low, high = size.values
    for limits in known:
        if all(
            _rounds(100 * limit, claimed, size.digits)
            for limit, claimed in zip(limits, (low, high), strict=True)
        ):
            return OK, ""
        # Without a direction word the sizes alone are compared.
        turned = sorted(abs(100 * limit) for limit in limits)
        same_side = limits[0] * limits[1] > 0 and low >= 0
        if same_side and all(
            _rounds(limit, claimed, size.digits)
            for limit, claimed in zip(turned, (low, high), strict=True)
        ):
            return OK, ""
    words = interval(known[0]) if known else "undefined"
    return WRONG, f"the interval is {words}"


_READERS: Mapping[str, Callable[[Size, Comparison, int, Settings], Judged | None]] = {
    "points": _points,
    "ratio": _ratio,
    "levels": _levels,
    "level": _level,
    "counts": _counts,
    "p": _p,
    "interval": _interval,
}
