"""`check_claims`: prose, sentence by sentence, against the counts of a run."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mitigations.model import Comparison, VerdictKind
from reports.claims import words
from reports.claims.effects import Clause, judge_effect
from reports.claims.guards import guards_in, judge_guards
from reports.claims.measures import OK, UNSURE, WRONG, Judged, numbers_of
from reports.claims.names import BASE, OTHER_MODEL, OTHER_VARIANT, Names, names_of
from reports.claims.nouns import ClaimResult, Finding, worst
from reports.claims.pairs import judge_pair, judge_superlative
from reports.claims.sizes import digits_for_words, sizes
from reports.claims.text import Sentence, sentences
from reports.report import Report
from reports.sentences import borne_out

# Where one claim of a sentence ends and the next begins; never inside parentheses.
_BREAK = re.compile(
    r"; |,? but |,? while |,? whereas |,? although |,? though |, so |,? therefore |,? hence "
    r"|,? and (?=(?:it|did|does|had|has|have|left|leaves|kept|keeps|costs?|refus\w*|task|complet\w*"
    r"|increas\w*|reduc\w*|lower\w*|rais\w*|no|also|is|was|halv\w*|cut)\b)|, which "
)
_ASIDE = re.compile(
    r",? \b(?:without|with no|at no cost|at a cost|at the cost|with side effects"
    r"|(?:but|and) a cost is not ruled out)\b(?! ⟦)[^,;:(.]*"
)


def check_claims(text: str, report: Report) -> tuple[ClaimResult, ...]:
    """Every sentence of a text with what the run says of it.

    Rule-based: it reads the ordinary ways of claiming an effect and leaves alone what it cannot
    read. A sentence that it calls "not a claim" was not checked.
    """
    names = names_of(report)
    results: list[ClaimResult] = []
    before: tuple[str, ...] = ()
    block = -1
    for sentence in sentences(text):
        if sentence.block != block:
            before, block = (), sentence.block
        reader = _Reader(report=report, names=names, before=before)
        findings = tuple(reader.read(sentence))
        before = reader.subject(reader.masked(sentence.text)) or before
        results.append(
            ClaimResult(
                line=sentence.line,
                text=sentence.text,
                status=worst(findings),
                findings=findings,
            )
        )
    return tuple(results)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """One sentence in its place."""

    report: Report
    names: Names
    before: tuple[str, ...]
    """What the paragraph spoke of last: what "it" means."""

    def masked(self, text: str) -> str:
        """The sentence with marks for names and digits for number words."""
        return digits_for_words(self.names.mask(text))

    def subject(self, masked: str) -> tuple[str, ...]:
        """The variants a sentence names."""
        return self.names.found(masked, "v")

    def read(self, sentence: Sentence) -> Iterator[Finding]:
        """Every claim of the sentence."""
        masked = self.masked(sentence.text)
        if masked.rstrip(" \"'”’)*_").endswith("?"):
            return
        for clause in clauses(masked):
            yield from self._clause(clause, masked)

    def _clause(self, text: str, sentence: str) -> Iterator[Finding]:
        if words.HEDGED.search(text) and not words.GENERAL.search(text):
            return
        found, rest = sizes(text)
        clause = Clause(text=rest, sizes=found, sentence=sentence)
        guards = guards_in(text)
        variants = self._variants(text, sentence)
        named = self.names.found(text, "v")
        pair = len(named) == 2 and words.COMPARATIVE.search(text) and not guards
        if not (found or clause.sign or guards or pair or _speaks(rest)):
            return
        unknown = _unknown(text, sentence, rest, variants=variants, named=named)
        if unknown:
            yield Finding(status=UNSURE, why=unknown, variant="".join(named[:1]))
        elif not variants:
            yield from self._nobody(clause)
        elif pair:
            yield judge_pair(self.report, clause, text, named)
        elif len(named or variants) == 1 and (words.BEST.search(rest) or words.WORST.search(rest)):
            yield judge_superlative(self.report, clause, (named or variants)[0])
        elif guards:
            for variant in variants:
                yield from judge_guards(self._comparison(variant, None), clause, text, guards)
        else:
            yield from self._effects(clause, variants, sentence)

    def _variants(self, text: str, sentence: str) -> tuple[str, ...]:
        """Whom a clause speaks of: named here, in its sentence, all of them, or those before."""
        if words.ALL_VARIANTS.search(text) or words.NO_VARIANT.search(text):
            return tuple(self.report.variants)
        here = self.names.found(text, "v") or self.names.found(sentence, "v")
        if here:
            return here
        if words.ALL_VARIANTS.search(sentence):
            return tuple(self.report.variants)
        if len(self.report.variants) == 1 and words.SOME_VARIANT.search(sentence):
            return tuple(self.report.variants)
        return self.before

    def _nobody(self, clause: Clause) -> Iterator[Finding]:
        """A claim about nobody in particular."""
        guards = guards_in(clause.text)
        topic = words.TOPIC.search(clause.text) or guards
        patterns: tuple[re.Pattern[str], ...] = (words.PROOF, words.EQUAL)
        if guards:
            patterns += (words.NO_COST, words.COST_WORSE)
        says = clause.sign or any(pattern.search(clause.text) for pattern in patterns)
        if topic and says:
            yield Finding(status=UNSURE, why="it does not say of which variant of this run")

    def _effects(self, clause: Clause, variants: Sequence[str], sentence: str) -> Iterator[Finding]:
        models = self.names.found(clause.text, "m") or self.names.found(sentence, "m")
        everywhere = words.ON_EVERY_MODEL.search(clause.text)
        scope = models or (tuple(self.report.analysis.models) if everywhere else ())
        none = words.NO_VARIANT.search(clause.text)
        for variant in variants:
            for model in scope or (None,):
                one = self._comparison(variant, model)
                if one is None:
                    yield Finding(status=UNSURE, why="this was not tested on that model by itself")
                    continue
                judged = judge_effect(clause, one, self.report.analysis.settings)
                if none and judged:
                    judged = [_turned(clause, one, self.report)]
                yield from _told(judged, one, self.report)
            if words.IN_EVERY_SCENARIO.search(clause.text) and clause.sign:
                yield self._scenarios(variant, clause.sign)

    def _scenarios(self, variant: str, sign: int) -> Finding:
        """`in every scenario`: one scenario alone is too few replies to say, and easily wrong."""
        sums: dict[str, list[float]] = {}
        for cell in self.report.cells:
            if cell.variant in {variant, self.report.baseline} and cell.counts.scored:
                side = 1 if cell.variant == variant else 0
                sums.setdefault(cell.scenario, [0.0, 0.0])[side] += cell.counts.rate
        against = [name for name, (base, own) in sums.items() if (own - base) * sign <= 0]
        if against:
            shown = ", ".join(against[:3]) + (", ..." if len(against) > 3 else "")
            return Finding(
                status=WRONG, why=f"not in {len(against)} of {len(sums)} scenarios ({shown})",
                variant=variant,
            )  # fmt: skip
        why = "no scenario was tested by itself"
        return Finding(status=UNSURE, why=why, variant=variant)

    def _comparison(self, variant: str, model: str | None) -> Comparison | None:
        whole = next(c for c in self.report.analysis.comparisons if c.variant == variant)
        if model is None:
            return whole
        return next((one for one in whole.per_model if one.model == model), None)


def _unknown(
    text: str, sentence: str, rest: str, *, variants: Sequence[str], named: Sequence[str]
) -> str:
    """What a clause names that this run knows nothing of; empty where there is no such thing."""
    if OTHER_MODEL in sentence and (variants or BASE in text):
        return "it names a model that is not in this run"
    if OTHER_VARIANT in text:
        return "it names a variant that is not in this run"
    if len(named) == 1 and words.UNNAMED.search(rest):
        return "what it is compared with is neither the baseline nor a variant of this run"
    return ""


def _speaks(text: str) -> bool:
    """Whether a clause without number and direction still claims something."""
    signs = (
        words.EQUAL, words.PROOF, words.NO_MEANINGFUL, words.ONLY_NOT_SHOWN, words.BEST,
        words.WORST, words.NOT_SIGNIFICANT, words.ABSOLUTE, words.VERDICT_WORDS, words.GENERAL,
        words.UNNAMED,
    )  # fmt: skip
    return any(pattern.search(text) for pattern in signs)


def _turned(clause: Clause, one: Comparison, report: Report) -> Judged:
    """`none of the variants reduced`: the denial of the same words."""
    kind = borne_out(one, report.analysis.settings)
    change = {VerdictKind.REDUCES: -1, VerdictKind.INCREASES: 1}.get(kind, 0)
    if clause.sign and change == clause.sign:
        return WRONG, f"{one.variant} did"
    if kind is VerdictKind.NO_MEANINGFUL_DIFFERENCE or change == -clause.sign != 0:
        return OK, ""
    return UNSURE, "that it was not shown is not that it is not so"


def _told(judged: Sequence[Judged], one: Comparison, report: Report) -> Iterator[Finding]:
    numbers = numbers_of(one, report.analysis.settings)
    for status, why in judged:
        yield Finding(
            status=status, why=why, numbers=numbers, variant=one.variant, model=one.model or ""
        )


def clauses(masked: str) -> Iterator[str]:
    """The sentence in pieces that each make one claim."""
    asides = [match for match in _ASIDE.finditer(masked) if _depth(masked, match.start()) == 0]
    rest = masked
    for match in reversed(asides):
        rest = rest[: match.start()] + rest[match.end() :]
    begin = 0
    for match in _BREAK.finditer(rest):
        if _depth(rest, match.start()) == 0:
            yield rest[begin : match.start()]
            begin = match.end()
    yield rest[begin:]
    yield from (match[0] for match in asides)


def _depth(text: str, place: int) -> int:
    return text.count("(", 0, place) - text.count(")", 0, place)
