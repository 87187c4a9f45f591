"""Human labels of one run, free of any user interface: terminal, CSV and web pages use these.

`open_desk` first; then `draw` a sample, ask `next_item` for what a labeller has not answered yet,
`save` the answer, and read `progress` and `agreement`. Every answer is on disk when `save` returns.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mitigations.compose.judging.against_labels import agreement_of, two_labellers
from mitigations.compose.kept import plan_of
from mitigations.compose.labelling.sampling import draw_sample, in_order, strata_of
from mitigations.compose.labelling.shown import LabelText, printable, text_of
from mitigations.compose.opening import label_book
from mitigations.compose.reporting import known_run, latest_run
from mitigations.errors import MitigationsError, NoData
from mitigations.model import Draw, Drawn, Interval, Label, Plan
from mitigations.store import LabelBook, Store, read_labellers

MAX_LABELLERS = 2
MAX_NOTE = 2000
DEFAULT_SAMPLE = 200
_WHO = re.compile(r"[^\W_][\w .@+-]{0,63}")


class CannotLabel(MitigationsError):
    """A sample, labeller or answer that cannot be taken; says what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where one run is labelled: its plan, its sample and its answers."""

    run: str
    plan: Plan
    store: Store
    book: LabelBook
    now: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One drawn trial as a labeller sees it: blind to arm, model and verdict."""

    item: str
    place: int
    """From 1, in this labeller's order."""
    of: int
    text: LabelText
    answer: Label | None
    """This labeller's answer so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one labeller is."""

    who: str
    total: int
    labelled: int
    abstained: int

    @property
    def left(self) -> int:
        """Items without an answer."""
        return self.total - self.labelled - self.abstained


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two labellers agree on "coercive or not", over what both have answered."""

    one: str
    two: str
    both: int
    """Items that both gave a severity."""
    same: int
    kappa: float | None
    ci95: Interval | None
    reason: str = ""
    """Why kappa is None."""


def open_desk(store: Store, run: str | None, *, runs: Path, now: Callable[[], str]) -> Desk:
    """The desk of a run (id, or its study's id); the latest run by default.

    `runs` is the folder of the runs' journals. Raises `NoData` or `UnknownName`.
    """
    chosen = latest_run(store) if run is None else known_run(store, run)
    plan = plan_of(store, chosen)
    book = label_book(store, chosen, runs / chosen)
    return Desk(run=chosen, plan=plan, store=store, book=book, now=now)


def draw(desk: Desk, size: int, *, seed: int | None = None) -> Draw:
    """Draw a sample, or make the one there is larger; the same size again changes nothing.

    Raises:
        NoData: the run has no scored trial yet.
        CannotLabel: another seed, or a smaller size, than the sample was drawn with.
        SampleTooSmall: some trials could never be drawn.
    """
    last = desk.book.draw()
    strata = strata_of(desk.book.population())
    if not strata:
        raise NoData(f"{desk.run} has no scored trial to label yet\n  Run it first.")
    if last is not None and seed not in {None, last.seed}:
        raise CannotLabel(
            f"the sample of {desk.run} was drawn with seed {last.seed}\n"
            "  A second sample chosen by another seed would not be blind: leave --seed out."
        )
    if last is not None and size < len(last.items):
        raise CannotLabel(
            f"the sample of {desk.run} holds {len(last.items)} trials; it can only grow\n"
            "  Stop labelling whenever you like: what is not labelled is reported as missing."
        )
    used = last.seed if last is not None else (desk.plan.settings.seed if seed is None else seed)
    items = draw_sample(strata, size, run=desk.run, seed=used, last=last)
    if last is not None and items == last.items:
        return last
    number = 1 if last is None else last.number + 1
    made = Draw(number=number, seed=used, drawn_at=desk.now(), items=items)
    desk.book.add_draw(made)
    return made


def sample(desk: Desk) -> Draw:
    """The sample there is; raises `NoData` with the next command when none was drawn."""
    found = desk.book.draw()
    if found is None:
        raise NoData(
            f"no sample of {desk.run} was drawn yet\n"
            f"  mitigations label {desk.run} --sample {DEFAULT_SAMPLE} --by YOU"
        )
    return found


def labellers(desk: Desk) -> tuple[str, ...]:
    """Who has labelled this run, the first one first."""
    return read_labellers(desk.store, desk.run)


def check_labeller(desk: Desk, who: str) -> str:
    """The labeller's name as it is kept; raises `CannotLabel` for a third one or an unfit name."""
    name = " ".join(who.split())
    if not _WHO.fullmatch(name):
        raise CannotLabel(
            f"{printable(who)[:80]!r} cannot be a labeller's name\n"
            "  Take letters, digits, spaces and . @ + - (64 at most)."
        )
    known = labellers(desk)
    same = next((one for one in known if one.casefold() == name.casefold()), name)
    if same not in known and len(known) >= MAX_LABELLERS:
        raise CannotLabel(
            f"{' and '.join(known)} label this run; it takes {MAX_LABELLERS} labellers\n"
            "  Go on under one of these names."
        )
    return same


def answers(desk: Desk, who: str) -> dict[str, Label]:
    """The answers of one labeller to the items of the sample, by item."""
    drawn = {one.item for one in sample(desk).items}
    return {
        label.item: label
        for label in desk.book.labels()
        if label.who == who and label.item in drawn
    }


def items(desk: Desk, who: str) -> tuple[Drawn, ...]:
    """The sample in this labeller's own order."""
    found = sample(desk)
    return in_order(found.items, who=who, seed=found.seed)


def show(desk: Desk, who: str, item: str) -> Item:
    """One item of the sample; raises `CannotLabel` for an unknown one."""
    order = items(desk, who)
    place = next((i for i, one in enumerate(order) if one.item == item), None)
    if place is None:
        raise CannotLabel(f"{printable(item)[:40]!r} is no item of this sample")
    return Item(
        item=item,
        place=place + 1,
        of=len(order),
        text=texts(desk, [order[place]])[item],
        answer=answers(desk, who).get(item),
    )


def texts(desk: Desk, drawn: "list[Drawn] | tuple[Drawn, ...]") -> Mapping[str, LabelText]:
    """The text of each drawn trial, by item."""
    by_trial = {one.trial: one.item for one in drawn}
    outcomes = desk.store.outcomes_of(desk.run, list(by_trial))
    return {by_trial[one.trial.id]: text_of(desk.plan, one) for one in outcomes}


def next_item(desk: Desk, who: str) -> Item | None:
    """The first item this labeller has not answered; None when all are."""
    done = answers(desk, who)
    order = items(desk, who)
    left = next((one.item for one in order if one.item not in done), None)
    return None if left is None else show(desk, who, left)


def item_before(desk: Desk, who: str, item: str) -> Item | None:
    """The item before this one in the labeller's order; None at the first."""
    order = [one.item for one in items(desk, who)]
    place = order.index(item) if item in order else 0
    return show(desk, who, order[place - 1]) if place else None


def save(desk: Desk, who: str, item: str, severity: int | None, *, note: str = "") -> Label:
    """Keep one answer: a severity from 0 to 5, or None to abstain. On disk when this returns.

    An answer to an item answered before is a correction: it counts, and the earlier one is kept.
    The same answer again changes nothing.
    """
    name = check_labeller(desk, who)
    shown = show(desk, name, item)
    check_answer(severity, note)
    before = shown.answer
    if before is not None and (before.severity, before.note) == (severity, note):
        return before
    drawn = next(one for one in sample(desk).items if one.item == item)
    given = Answer(item=item, severity=severity, note=note, text_hash=shown.text.hash)
    return desk.book.add_label(label(desk, name, drawn, given))


def label(desk: Desk, who: str, drawn: Drawn, given: "Answer") -> Label:
    """An answer as the label that is kept, given now; the book numbers it."""
    return Label(
        number=0,
        item=given.item,
        trial=drawn.trial,
        who=who,
        severity=given.severity,
        note=printable(given.note),
        text_hash=given.text_hash,
        labelled_at=desk.now(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to one item, and the text it was given to."""

    item: str
    severity: int | None
    note: str
    text_hash: str


def save_all(desk: Desk, who: str, given: Sequence[Answer]) -> tuple[Label, ...]:
    """Keep answers that were given elsewhere: all of them or none, each as `save` would."""
    name = check_labeller(desk, who)
    known = {one.item: one for one in sample(desk).items}
    unknown = [one.item for one in given if one.item not in known]
    if unknown:
        raise CannotLabel(f"{printable(unknown[0])[:40]!r} is no item of this sample")
    shown = texts(desk, [known[one.item] for one in given])
    labels = []
    for one in given:
        check_answer(one.severity, one.note)
        if shown[one.item].hash != one.text_hash:
            raise CannotLabel(f"the text of item {one.item} is another one than was labelled")
        labels.append(label(desk, name, known[one.item], one))
    desk.book.add_labels(labels)
    kept = answers(desk, name)
    return tuple(kept[one.item] for one in given)


def check_answer(severity: int | None, note: str) -> None:
    """Raise `CannotLabel` for a severity or note that is none."""
    if severity is not None and (isinstance(severity, bool) or severity not in range(6)):
        raise CannotLabel(f"{severity!r} is no severity: give 0 to 5, or abstain")
    if len(note) > MAX_NOTE:
        raise CannotLabel(f"a note has at most {MAX_NOTE:,} characters, not {len(note):,}")


def progress(desk: Desk, who: str) -> Progress:
    """How far this labeller is."""
    found = answers(desk, who).values()
    abstained = sum(label.severity is None for label in found)
    return Progress(
        who=who,
        total=len(sample(desk).items),
        labelled=len(found) - abstained,
        abstained=abstained,
    )


def agreement(desk: Desk) -> Agreement | None:
    """The two labellers held against each other; None while there is only one."""
    names = labellers(desk)
    if len(names) < MAX_LABELLERS:
        return None
    one, two = names[:MAX_LABELLERS]
    first, second = answers(desk, one), answers(desk, two)
    table = two_labellers(first, second, desk.plan.coercive_at)
    value, ci95, reason = agreement_of(table)
    return Agreement(
        one=one,
        two=two,
        both=sum(map(sum, table)),
        same=table[0][0] + table[1][1],
        kappa=value,
        ci95=ci95,
        reason=reason,
    )
