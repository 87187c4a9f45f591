"""Part 2: the validity alarms as ticks and crosses, what each means and what to do."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, NamedTuple

from mitigations.model import Alarm
from reports.blocks import Block, Check, Checks, Prose, Section
from reports.report import Report
from reports.words import listing, plural


class Advice(NamedTuple):
    """What a check guards against, and the way out when it fails."""

    words: tuple[str, ...]
    """An alarm whose name holds all of these words is meant."""
    meaning: str
    action: str


_ADVICE: tuple[Advice, ...] = (
    Advice(
        ("lost",),
        "Replies that are missing more often in one arm can make it look safer than it is.",
        "Read the missing-data bounds in part 7, mend the cause, and run the lost trials again.",
    ),
    Advice(
        ("missing",),
        "Replies that are missing more often in one arm can make it look safer than it is.",
        "Read the missing-data bounds in part 7, mend the cause, and run the lost trials again.",
    ),
    Advice(
        ("served",),
        "A model that changed during the run is two models under one name.",
        "Pin a dated model id and run again.",
    ),
    Advice(
        ("rows", "chang"),
        "Rows, counts or a journal that were edited after the run can say anything.",
        "Find what differs with `mitigations check --database`; rebuild from the journals if they "
        "still agree with their seals, or run again.",
    ),
    Advice(
        ("model", "chang"),
        "A model that changed during the run is two models under one name.",
        "Pin a dated model id and run again.",
    ),
    Advice(
        ("duplicate",),
        "Identical replies to repeats are one reply counted many times; p-values are then too "
        "small.",
        "Switch off reply caching, check the temperature, and vary the nuisance text.",
    ),
    Advice(
        ("inject",),
        "A reply that can steer its judge can grade itself.",
        "Let the rules decide, or change the judge, before reading any verdict.",
    ),
    Advice(
        ("human labels",),
        "People who read a sample of the replies come to another verdict than the judge.",
        "Read both verdicts in part 9; the one by human labels is the safer one.",
    ),
    Advice(
        ("judge", "humans"),
        "A judge that people disagree with measures something else than they mean.",
        "Read the table in part 9, mend the judge or its rubric, and judge again.",
    ),
    Advice(
        ("judge",),
        "A judge that errs, above all differently by arm, can invent or hide an effect.",
        "Label more replies by hand and read the corrected effect in part 9.",
    ),
    Advice(
        ("parameter",),
        "Arms or models may have run under settings other than those planned.",
        "Compare what was sent in part 11 with the plan; remove the parameter or the model.",
    ),
    Advice(
        ("floor",),
        "Where the baseline hardly ever coerces, no reduction can be seen.",
        "Use harder scenarios; the result still guards against backfiring.",
    ),
    Advice(
        ("ceiling",),
        "Where the baseline nearly always coerces, an increase can hardly be seen.",
        "Add milder scenarios.",
    ),
    Advice(
        ("plan",),
        "An analysis chosen after seeing the data finds what it looks for.",
        "Read the result as exploratory, and confirm it in a new locked study.",
    ),
    Advice(
        ("concurrent",),
        "A provider may change between arms that ran at different times.",
        "Run baseline and variants interleaved, in the same run.",
    ),
    Advice(
        ("independen",),
        "Repeats of one cell may not be independent; p-values are then too small.",
        "Read the question about scenarios like these in part 3, which allows for it.",
    ),
    Advice(
        ("dropped",),
        "Where one arm has no scored trial the stratum is left out, and the question changes.",
        "Run the missing cells, or report on the strata that remain.",
    ),
    Advice(
        ("cell-level",),
        "A test that takes each cell as one observation disagrees tenfold with the primary test: "
        "repeats may not be independent, or the effect differs between cells.",
        "Look for copied answers, and read the interval for scenarios like these in part 3.",
    ),
    Advice(
        ("guardrail",),
        "A side effect that was not measured may be there.",
        "Add benign twins for it before adopting a variant.",
    ),
    Advice(
        ("disagree",),
        "The test counts every trial alike and the estimate every cell; they point opposite ways.",
        "Read the heat map in part 4: a few large cells go against the others.",
    ),
    Advice(
        ("drift",),
        "The baseline moved between runs, so runs cannot be compared with each other.",
        "Compare arms inside one run only.",
    ),
    Advice(
        ("scenario",),
        "Few scenarios, or few with any event, say little about scenarios not in the set.",
        "Add scenarios before speaking of scenarios like these.",
    ),
)
_UNKNOWN = Advice(
    (),
    "A condition of the analysis did not hold.",
    "Read the detail; ask the person who ran the study before acting on the verdict.",
)


def advice(name: str) -> Advice:
    """Meaning and way out of a check, by the words of its name."""
    lowered = name.lower()
    found = (one for one in _ADVICE if all(word in lowered for word in one.words))
    return next(found, _UNKNOWN)


_STATES: Mapping[bool | None, Literal["clear", "alarm", "not checked"]] = {
    True: "alarm",
    False: "clear",
    None: "not checked",
}


def check(alarm: Alarm) -> Check:
    """An alarm as a tick, a cross, a note or an open question."""
    text = advice(alarm.name)
    state = "note" if alarm.fired and not alarm.decisive else _STATES[alarm.fired]
    touched = f" Touches {', '.join(alarm.variants)}." if alarm.fired and alarm.variants else ""
    return Check(
        state=state,
        name=alarm.name,
        detail=alarm.detail.rstrip(".") + "." * bool(touched) + touched,
        meaning=text.meaning,
        action=text.action if alarm.fired else "",
    )


def trust(report: Report) -> Section:
    """Whether the verdicts of part 1 may be relied on."""
    items = _gathered(tuple(check(alarm) for alarm in report.analysis.alarms))
    return Section(
        id="trust",
        number=2,
        title="Can you trust this?",
        question="Did anything go wrong that would make the verdicts worthless?",
        blocks=(Prose(text=_summary(items)), *_listed(items)),
    )


def _gathered(items: tuple[Check, ...]) -> tuple[Check, ...]:
    """Clear checks of one name as one line: a check made per variant is not news per variant."""
    clear: dict[str, list[Check]] = {}
    for item in items:
        if item.state == "clear":
            clear.setdefault(item.name, []).append(item)
    told: list[Check] = [item for item in items if item.state != "clear"]
    for same in clear.values():
        details = [item.detail for item in same if item.detail]
        rest = f"; and {len(details) - 4} more" if len(details) > 4 else ""
        told.append(replace(same[0], detail="; ".join(details[:4]) + rest))
    return tuple(told)


def _listed(items: tuple[Check, ...]) -> tuple[Block, ...]:
    order = {"alarm": 0, "note": 1, "not checked": 2, "clear": 3}
    return (Checks(items=tuple(sorted(items, key=lambda one: order[one.state]))),) if items else ()


def _summary(items: tuple[Check, ...]) -> str:
    if not items:
        return "No validity check was made for this report; nothing here vouches for the data."
    count = Counter(item.state for item in items)
    verdict = (
        f"{plural(count['alarm'], 'alarm')} went off: the verdicts touched are not to be relied on."
        if count["alarm"]
        else "No alarm went off that would void a verdict."
    )
    rest = [f"{count['clear']} clear"]
    rest += [f"{count['note']} worth a note"] if count["note"] else []
    rest += [f"{count['not checked']} could not be made"] if count["not checked"] else []
    return f"{verdict} Of {plural(len(items), 'check')}, {listing(rest)}."
