"""Two-level factorial designs: runs, resolution and what is aliased with what.

A fraction of 2^k keeps some factors as products of others (its generators). Generators are those of
Box, Hunter and Hunter (2005, table 6.22) and NIST/SEMATECH e-Handbook, table 5.3.3.4.7. The sign of
each generator is chosen so that the run with every factor off is part of the fraction: that run is
the baseline. Resolution and aliases are computed from the generators, never looked up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import prod

LETTERS = "ABCDEFGHJKLMNOPQ"
"""Factor names in order; I is left out, it stands for the identity."""
MAX_FACTORS = len(LETTERS)
MOST_IN_FULL = 11
"""Of more factors nobody runs the full factorial: 4,096 variants and up."""
ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI")

# Factors -> the generators of each fraction, from the largest fraction to the smallest.
GENERATORS: dict[int, tuple[tuple[str, ...], ...]] = {
    3: (("C=AB",),),
    4: (("D=ABC",),),
    5: (("E=ABCD",), ("D=AB", "E=AC")),
    6: (("F=ABCDE",), ("E=ABC", "F=BCD"), ("D=AB", "E=AC", "F=BC")),
    7: (
        ("G=ABCDEF",),
        ("F=ABCD", "G=ABDE"),
        ("E=ABC", "F=BCD", "G=ACD"),
        ("D=AB", "E=AC", "F=BC", "G=ABC"),
    ),
    8: (
        ("G=ABCD", "H=ABEF"),
        ("F=ABC", "G=ABD", "H=BCDE"),
        ("E=BCD", "F=ACD", "G=ABC", "H=ABD"),
    ),
    9: (
        ("H=ACDFG", "J=BCEFG"),
        ("G=ABCD", "H=ACEF", "J=CDEF"),
        ("F=BCDE", "G=ACDE", "H=ABDE", "J=ABCE"),
        ("E=ABC", "F=BCD", "G=ACD", "H=ABD", "J=ABCD"),
    ),
    10: (
        ("H=ABCG", "J=BCDE", "K=ACDF"),
        ("G=BCDF", "H=ACDF", "J=ABDE", "K=ABCE"),
        ("F=ABCD", "G=ABCE", "H=ABDE", "J=ACDE", "K=BCDE"),
        ("E=ABC", "F=BCD", "G=ACD", "H=ABD", "J=ABCD", "K=AB"),
    ),
    11: (
        ("H=ABCG", "J=BCDE", "K=ACDF", "L=ABCDEFG"),
        ("G=CDE", "H=ABCD", "J=ABF", "K=BDEF", "L=ADEF"),
        ("F=ABC", "G=BCD", "H=CDE", "J=ACD", "K=ADE", "L=BDE"),
        ("E=ABC", "F=BCD", "G=ACD", "H=ABD", "J=ABCD", "K=AB", "L=AC"),
    ),
}


def _odd_words(basic: str) -> Iterator[str]:
    """Products of three, five, ... basic factors: every word is even, so the resolution is IV."""
    for size in range(3, len(basic) + 1, 2):
        yield from map("".join, combinations(basic, size))


def _all_words(basic: str) -> Iterator[str]:
    """Products of two or more basic factors, longest first: with all of them it is saturated."""
    for size in range(len(basic), 1, -1):
        yield from map("".join, combinations(basic, size))


# Twelve factors and more (NIST/SEMATECH e-Handbook, 5.3.3.4.7): 32 runs of resolution IV hold up to
# 16, because 16 of the 31 columns are products of an odd number; 16 runs of resolution III hold 15.
for _factors in range(12, 17):
    _half = tuple(
        f"{letter}={word}"
        for letter, word in zip(LETTERS[5:_factors], _odd_words("ABCDE"), strict=False)
    )
    _least = tuple(
        f"{letter}={word}"
        for letter, word in zip(LETTERS[4:_factors], _all_words("ABCD"), strict=False)
    )
    GENERATORS[_factors] = (_half, _least) if _factors < 16 else (_half,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """An effect and the others that the design cannot tell from it, each with its sign."""

    effect: str
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A full or fractional two-level design; every run is a tuple of -1 and +1."""

    letters: str
    generators: tuple[str, ...]
    """Signed: `D=+ABC`. Empty: the full factorial."""
    words: tuple[str, ...]
    """The defining relation without I: signed words such as `+ABCD`."""
    runs: tuple[tuple[int, ...], ...]
    """The run with every factor off first."""

    @property
    def resolution(self) -> int | None:
        """Length of the shortest defining word; None for the full factorial."""
        return min((len(word) - 1 for word in self.words), default=None)

    @property
    def resolution_name(self) -> str:
        """`III`, `IV`, ..., or `full`."""
        return "full" if self.resolution is None else ROMAN[self.resolution]


def designs(factors: int) -> Iterator[Design]:
    """Every design for this many factors, the full factorial first, then smaller fractions.

    Raises:
        ValueError: for fewer than one or more than `MAX_FACTORS` factors.
    """
    if not 1 <= factors <= MAX_FACTORS:
        raise ValueError(f"{factors} factors; 1 to {MAX_FACTORS} can be crossed")
    letters = LETTERS[:factors]
    if factors <= MOST_IN_FULL:
        yield _design(letters, ())
    for generators in GENERATORS.get(factors, ()):
        yield _design(letters, generators)


def _design(letters: str, generators: Sequence[str]) -> Design:
    basic = letters[: len(letters) - len(generators)]
    signed = tuple(_sign_for_all_off(generator) for generator in generators)
    runs = []
    for levels in product((-1, 1), repeat=len(basic)):
        values = dict(zip(basic, levels, strict=True))
        for sign, letter, word in signed:
            values[letter] = sign * prod(values[factor] for factor in word)
        runs.append(tuple(values[letter] for letter in letters))
    return Design(
        letters=letters,
        generators=tuple(f"{letter}={_signed(sign, word)}" for sign, letter, word in signed),
        words=_defining_words(signed),
        runs=tuple(runs),
    )


def _sign_for_all_off(generator: str) -> tuple[int, str, str]:
    """Sign, letter and word: with every factor at -1 the product has to be -1 as well."""
    letter, _, word = generator.partition("=")
    return (-1) ** (len(word) + 1), letter, word


def _defining_words(signed: Sequence[tuple[int, str, str]]) -> tuple[str, ...]:
    """All products of the generators' words, shortest first."""
    base = [(sign, frozenset(letter + word)) for sign, letter, word in signed]
    found = []
    for size in range(1, len(base) + 1):
        for chosen in combinations(base, size):
            letters: frozenset[str] = frozenset()
            for _, word in chosen:
                letters ^= word
            found.append(_signed(prod(sign for sign, _ in chosen), "".join(sorted(letters))))
    return tuple(sorted(found, key=lambda word: (len(word), word[1:])))


def _signed(sign: int, word: str) -> str:
    return ("+" if sign > 0 else "-") + word


def aliases(design: Design, *, order: int = 2) -> tuple[Alias, ...]:
    """Main effects and two-factor interactions with what each is confounded with.

    Effects of more than `order` factors are left out of `others`, as negligible by convention;
    an effect whose class was listed already is not listed again.
    """
    listed: set[str] = set()
    found = []
    effects = ["".join(chosen) for size in (1, 2) for chosen in combinations(design.letters, size)]
    for effect in effects:
        if effect in listed:
            continue
        others = []
        for word in design.words:
            other = "".join(sorted(frozenset(word[1:]) ^ frozenset(effect)))
            if len(other) <= order:
                others.append(word[0] + other)
                listed.add(other)
        found.append(Alias(effect=effect, others=tuple(sorted(others, key=_by_size))))
    return tuple(found)


def _by_size(signed: str) -> tuple[int, str]:
    return len(signed), signed[1:]


def smallest(factors: int, *, resolution: int | None) -> Design | None:
    """The design with the fewest runs of at least this resolution; None asks for the full one.

    None where no such design is known for so many factors.
    """
    fits = [
        design
        for design in designs(factors)
        if design.resolution is None or (resolution is not None and design.resolution >= resolution)
    ]
    return fits[-1] if fits else None


def largest(factors: int, *, runs: int) -> Design | None:
    """The design of highest resolution with at most this many runs; None when none fits."""
    return next((design for design in designs(factors) if len(design.runs) <= runs), None)
