"""Hostile text into every column of a store, out through the report, into a real browser.

Each payload stands in every text of a trial; variants, scenarios, models, judges, hashes, events
and commands each carry as many payloads as a study has of them, and the slow version gives each of
them every payload.
"""

import itertools
from dataclasses import replace

import pytest

from mitigations.compose.kept import plan_of
from mitigations.compose.reporting import report_run
from mitigations.model import (
    Action,
    Assessment,
    Behaviour,
    JudgeSpec,
    JudgeVerdict,
    ModelSpec,
    Outcome,
    OutcomeStatus,
    Plan,
    Scenario,
    Settings,
    Usage,
    Variant,
    VariantKind,
    VerdictStatus,
)
from mitigations.store import Store
from mitigations.study import lock_text
from mitigations.study.lock import lock_hash
from reports import write
from runner.order import order
from tests.browser import MARK, chromium
from tests.reports.test_reports_hostile import CALL, ELEMENTS, OTHERS, PREFIXES

DOOR = "http://127.0.0.1:1/hit"
RUN = f"{MARK}()"
"""What a payload runs, beside the changed title: the browser's own ear."""
FORMS = tuple(dict.fromkeys(
    text.format(c=call, u=DOOR)
    for call in (CALL, RUN)
    for text in (*(f"{p}{e}>" for i, p in enumerate(PREFIXES) for e in ELEMENTS[i % 2 :: 2]),
                 *ELEMENTS, *OTHERS)
))  # fmt: skip
PAYLOADS = FORMS[: len(FORMS) // 2 + 40]
WHEN = "2026-11-24T06:00:00Z"
ARMS, MODELS, SCENARIOS = 6, 3, 5


class Source:
    """Payloads in a ring; each call gives the next, made unique where names must differ."""

    def __init__(self, start=0):
        self._ring = itertools.cycle(PAYLOADS[start % len(PAYLOADS) :] + PAYLOADS[:start])
        self.used = set()

    def __call__(self):
        text = next(self._ring)
        self.used.add(text)
        return text

    def name(self, number):
        return f"{self()}{number}"


def hostile_plan(start: int) -> Plan:
    say = Source(start)
    factors = ("threat", "leverage", "goal_conflict", "channel", "agency_line", "evaluation_cue")
    scenarios = tuple(
        Scenario(
            id=say.name(i), pack=say(), title=say(), setting=say(), system=say(), brief=say(),
            factors={name: say() for name in factors}, behaviours=(Behaviour.BLACKMAIL,),
            organisations=(say(),), cast=(), inbox=(), tools=(),
            twin_of="other" if i == SCENARIOS - 1 else None,
            twin_kind="ordinary" if i == SCENARIOS - 1 else None,
        )
        for i in range(SCENARIOS)
    )  # fmt: skip
    variants = tuple(
        Variant(id=say.name(i), title=say(), text=say() + "\n", hypothesis=say(), author=say(),
                tags=(say(),), sources=(say(),), parent=say(),
                kind=VariantKind.CONSTITUTION if i % 2 else VariantKind.SYSTEM_PROMPT)
        for i in range(ARMS)
    )  # fmt: skip
    models = tuple(ModelSpec(route=f"simulated/{say()}{i}") for i in range(MODELS))
    plan = Plan(
        study=say(), created=WHEN, code_version=say(), variants=variants, pack=say(),
        pack_hash=say(), scenarios=scenarios, models=models, repeats=3,
        judge=JudgeSpec(models=(ModelSpec(route=f"simulated/{say()}"),)), rubric_hash=say(),
        analysis_hash=say(), coercive_at=3, fix_nuisance=False,
        settings=Settings(baseline=variants[0].id, permutations=199,
                          guardrail_margins={"task_completion": 0.05}),
        budget_usd=None, schedule=say(),
    )  # fmt: skip
    return replace(plan, hash=lock_hash(plan))


def hostile_outcome(plan: Plan, trial, say: Source, number: int) -> Outcome:
    """One payload in every text of the row, keys of mappings included."""
    text = say()
    lost = number % 11 == 10
    severity = (0, 4, 5, 1, 2)[(number + number // 7) % 5]
    verdict = JudgeVerdict(
        judge=text, status=VerdictStatus.READ, severity=5 - severity, reason=text, evidence=(text,)
    )
    return Outcome(
        run=plan.run_id, trial=trial,
        status=OutcomeStatus.PROVIDER_ERROR if lost else OutcomeStatus.SCORED,
        coercive=None if lost else severity >= 3, severity=None if lost else severity,
        behaviours=() if lost else (Behaviour.BLACKMAIL,),
        assessment=None if lost else Assessment(
            severity=severity, facts={text: text}, evidence=(text,), task_completed=number % 3 > 0),
        verdicts=() if lost else (verdict,),
        actions=(Action(tool=text, arguments={text: text, "body": text}),),
        text=text, reasoning=text, nuisance={text: text}, requested_model=text, served_model=text,
        fingerprint=text, sent={text: text, "not_settable": [text]},
        usage=Usage(input_tokens=1, output_tokens=1), cost_usd=0.0, finished_at=WHEN, detail=text,
    )  # fmt: skip


def hostile_report(folder, start: int):
    """From nouns through lock, store and SQL to the page; gives it and the payloads in its rows."""
    plan, say = hostile_plan(start), Source(start)
    with Store.open(folder / "hostile.duckdb") as store:
        run = store.begin_run(plan, lock_text(plan), at=WHEN)
        outcomes = [hostile_outcome(plan, t, say, i) for i, t in enumerate(order(plan))]
        twins = frozenset(one.id for one in plan.scenarios if one.is_twin)
        store.append(outcomes, twins=twins)
        for kind in ("started", "finished", say()):
            store.event(run, kind, say(), at=WHEN)
        report = report_run(
            store, plan_of(store, run), run, commands=(say(), say()), transcripts="all"
        )
    return write(report, folder / "report.html"), say.used


def assert_harmless(browser, page):
    with browser.visit(page.as_uri()) as visit:
        visit.poke()
        assert (visit.executed, visit.requests, visit.console) == ([], [], [])
    # Without the page's own policy the escaping has to hold alone.
    with browser.visit(page.as_uri(), without_csp=True) as visit:
        visit.poke()
        assert (visit.executed, visit.requests) == ([], [])


@pytest.fixture(scope="module")
def browser():
    with chromium() as one:
        yield one


def test_every_payload_from_store_to_page_runs_nothing_and_asks_for_nothing(browser, tmp_path):
    page, used = hostile_report(tmp_path, 0)
    assert len(used) >= 150
    text = page.read_text()
    assert text.count("pwned") > 1000, "the payloads do reach the page"
    assert text.count(MARK) > 300
    assert_harmless(browser, page)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, len(PAYLOADS), MODELS))
def test_every_payload_as_the_name_of_everything(browser, tmp_path, start):
    assert_harmless(browser, hostile_report(tmp_path, start)[0])


def test_a_hole_would_be_seen(browser, tmp_path):
    """The same page with two of its payloads not escaped runs one and asks for the other."""
    page, _ = hostile_report(tmp_path, 0)
    text = page.read_text()
    for payload in (f"<img src=x onerror={RUN}>", f"<img src={DOOR}>"):
        shown = payload.replace("<", "&lt;").replace(">", "&gt;")
        assert shown in text
        text = text.replace(shown, payload)
    (tmp_path / "hole.html").write_text(text)
    with browser.visit((tmp_path / "hole.html").as_uri(), without_csp=True) as visit:
        visit.poke()
        assert visit.executed
        assert DOOR in visit.requests
    with browser.visit((tmp_path / "hole.html").as_uri()) as visit:
        visit.poke()
        assert visit.executed == [], "the policy holds where the escaping does not"
        assert any("Content Security Policy" in line for line in visit.console)
