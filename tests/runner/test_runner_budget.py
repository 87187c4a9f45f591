"""The ledger: what is reserved and settled never passes the limit."""

import asyncio
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitigations.errors import OverBudget
from mitigations.model import Action, Message, ModelSpec, Price, Request, ToolSpec
from mitigations.providers import FILE_NAME, read_providers, with_endpoint
from runner.budget import (
    Budget,
    UnpricedModel,
    input_bound,
    require_prices,
    worst_case,
    worst_case_of,
)
from tests.runner.gateway_help import ask

PRICE = Price(input_per_mtok=3.0, output_per_mtok=15.0)
PAID = ModelSpec(route="openai/m", price=PRICE)


def run_schedule(seed: int) -> tuple[Budget, float, int]:
    """One random run: its budget, the true sum of the charges it was told of, and its calls."""
    rng = random.Random(seed)
    limit = rng.choice([0.0, 0.01, 1.0, 7.3, 100.0])
    budget = Budget(limit)
    told = 0.0
    sent = 0

    def check():
        assert budget.settled_usd + budget.reserved_usd <= limit + 1e-9
        assert budget.reserved_usd >= 0

    async def worker(mine: random.Random):
        nonlocal told, sent
        for _ in range(mine.randint(1, 12)):
            worst = mine.uniform(0, limit / 5 + 0.001)
            try:
                held = budget.reserve(worst)
            except OverBudget:
                check()
                return
            sent += 1
            check()
            for _ in range(mine.randint(0, 3)):
                await asyncio.sleep(0)
            kind = mine.randrange(5)
            if kind == 0:
                budget.release(held)
            elif kind == 1:
                budget.settle(held, None)  # usage or price did not come back
                told += held.usd
            else:
                # A price error lets the charge pass the worst case in one of five calls.
                cost = worst * mine.uniform(0, 1) if kind < 4 else worst * mine.uniform(1, 4)
                budget.settle(held, cost)
                told += cost
            check()

    async def everyone():
        workers = rng.randint(1, 64)
        await asyncio.gather(*(worker(random.Random(f"{seed}:{n}")) for n in range(workers)))

    asyncio.run(everyone())
    return budget, told, sent


def test_a_thousand_random_schedules_never_pass_the_limit():
    """One to 64 callers at once, charges unknown, given back, or four times the worst case."""
    total = 0
    for seed in range(1000):
        budget, told, sent = run_schedule(seed)
        total += sent
        assert budget.reserved_usd == 0
        # Nothing that was charged is forgotten, also what no reservation had covered.
        assert budget.spent_usd == pytest.approx(told, abs=1e-6)
    assert total > 10_000


def test_a_charge_beyond_the_limit_is_told_and_closes_the_budget():
    budget = Budget(1.0)
    held = budget.reserve(0.5)
    budget.settle(held, 3.0)
    assert (budget.settled_usd, budget.overrun_usd, budget.spent_usd) == (1.0, 2.0, 3.0)
    with pytest.raises(OverBudget):
        budget.reserve(0.0)


def test_reserving_refuses_before_it_would_pass_the_limit():
    budget = Budget(1.0, spent_usd=0.25)
    first = budget.reserve(0.75)
    with pytest.raises(OverBudget, match=r"\$0\.2500 of \$1\.00 is spent"):
        budget.reserve(0.000001)
    budget.release(first)
    budget.settle(budget.reserve(0.75), 0.10)
    assert budget.spent_usd == pytest.approx(0.35)


def test_a_reservation_is_settled_once():
    budget = Budget(1.0)
    held = budget.reserve(0.1)
    budget.settle(held, 0.1)
    with pytest.raises(ValueError, match="not open"):
        budget.settle(held, 0.1)
    with pytest.raises(ValueError, match="not open"):
        budget.release(held)


def test_without_a_limit_spending_is_still_counted():
    budget = Budget(None)
    budget.settle(budget.reserve(5.0), 9.0)
    assert budget.limit_usd is None
    assert budget.spent_usd == 9.0


def test_a_million_small_sums_add_up_exactly():
    """Floats would drift; nanodollars do not."""
    budget = Budget(None)
    for _ in range(100_000):
        budget.settle(budget.reserve(0.001), 0.0001)
    assert budget.spent_usd == 10.0


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), -1.0])
def test_amounts_that_are_none_are_refused(amount):
    with pytest.raises(ValueError, match=r"amount|budget"):
        Budget(amount)
    with pytest.raises(ValueError, match="amount"):
        Budget(1.0).reserve(amount)
    held = (budget := Budget(1.0)).reserve(0.5)
    with pytest.raises(ValueError, match="amount"):
        budget.settle(held, amount)


# --- worst case


def test_the_worst_case_is_the_bound_of_the_input_plus_all_output():
    request = ask(PAID)
    expected = (input_bound(request) * 3.0 + 1024 * 15.0) / 1e6
    assert worst_case(request, PRICE) == pytest.approx(expected)
    assert worst_case_of(request) == worst_case(request, PRICE)


texts = st.text(max_size=60)


@given(texts, texts, texts, texts)
def test_every_byte_that_is_sent_is_in_the_bound(system, said, argument, described):
    """A token is at least a byte, so the bytes of all texts bound their tokens."""
    request = Request(
        model=PAID,
        system=system,
        messages=(
            Message(role="user", content=said),
            Message(
                role="assistant", content="", actions=(Action(tool="t", arguments={"a": argument}),)
            ),
        ),
        tools=(ToolSpec(name="t", description=described, parameters={"a": described}),),
    )
    size = sum(len(t.encode()) for t in (system, said, argument, described, described))
    assert input_bound(request) > size


PLACES = ("system", "said", "tool", "argument", "value", "name", "described", "parameter", "meant")


def filled(**texts: str) -> Request:
    """A request with a text in every place that is sent."""
    at = dict.fromkeys(PLACES, "x") | texts
    action = Action(tool=at["tool"], arguments={at["argument"]: at["value"]})
    offered = {at["parameter"]: at["meant"]}
    return Request(
        model=PAID,
        system=at["system"],
        messages=(
            Message(role="user", content=at["said"]),
            Message(role="assistant", content="", actions=(action,)),
        ),
        tools=(ToolSpec(name=at["name"], description=at["described"], parameters=offered),),
    )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("letter", ["a", "é", "漢", "\ud800"])
def test_a_longer_text_raises_the_bound_by_its_bytes_wherever_it_stands(place, letter):
    bytes_added = 990 * len(letter.encode("utf-8", "surrogatepass"))
    short, long = filled(**{place: letter * 10}), filled(**{place: letter * 1000})
    assert input_bound(long) - input_bound(short) == bytes_added


def test_each_schema_counts_with_its_own_size_however_many_there_are():
    plain = ask(PAID)
    schemas = [{"description": "d" * (100 + 7 * n)} for n in range(150)]
    for _ in range(2):
        for schema in schemas:
            request = replace(plain, response_schema=schema)
            added = input_bound(request) - input_bound(plain)
            assert len(schema["description"]) < added < len(schema["description"]) + 40


def test_a_price_below_zero_is_none_and_a_price_of_zero_is_one():
    for amounts, fits in (((-1.0, 1.0), False), ((1.0, -0.5), False), ((0.0, 0.0), True)):
        price = Price(input_per_mtok=amounts[0], output_per_mtok=amounts[1])
        specs = [ModelSpec(route="openai/a", price=price)]
        if fits:
            require_prices(specs)
        else:
            with pytest.raises(UnpricedModel):
                require_prices(specs)


def test_free_models_cost_nothing_and_unpriced_ones_refuse():
    assert worst_case_of(ask("local/smollm2")) == 0.0
    with pytest.raises(UnpricedModel, match="openai/x"):
        worst_case_of(ask("openai/x"))


def test_every_unpriced_model_is_named_at_the_start():
    broken = Price(input_per_mtok=float("nan"), output_per_mtok=1.0)
    specs = [
        PAID,
        ModelSpec(route="local/smollm2"),
        ModelSpec(route="simulated/x"),
        ModelSpec(route="groq/b"),
        ModelSpec(route="openai/a", price=broken),
    ]
    with pytest.raises(UnpricedModel, match="groq/b, openai/a"):
        require_prices(specs)
    require_prices(specs[:3])


@pytest.mark.parametrize("unpriced", [["groq/b"], ["groq/b", "groq/a"]])
def test_what_to_do_about_a_missing_price_is_a_providers_file_that_is_accepted(tmp_path, unpriced):
    """The last line of the message, with a figure for N, gives the model its price."""
    *_, advice, entry = str(UnpricedModel(unpriced)).splitlines()
    assert FILE_NAME in advice
    (tmp_path / FILE_NAME).write_text(entry.strip().replace("N,", "2.5,") + "\n")
    priced = with_endpoint(ModelSpec(route="groq/b"), read_providers(tmp_path))
    require_prices([priced])
    assert priced.price == Price(input_per_mtok=2.5, output_per_mtok=2.5, source="WHERE")
