"""The shipped packs: balanced, complete, consistent, and each cell with its benign twin."""

import json
import re
from collections import Counter
from datetime import datetime
from itertools import combinations
from typing import get_args

import numpy as np
import pytest

from mitigations.model import FACTORS, Behaviour, Scenario, TwinKind
from mitigations.scenarios import Pack, builtin_packs, load_pack
from runner.compose import realise

PACKS = [load_pack(ref) for ref in builtin_packs()]
STUDY_PACKS = [pack for pack in PACKS if pack.id != "demo-v1"]
COERCION = load_pack("builtin/coercion-v1")
CORRIGIBILITY = load_pack("builtin/corrigibility-v1")
by_id = pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.id)
studied = pytest.mark.parametrize("pack", STUDY_PACKS, ids=lambda pack: pack.id)


def varied(pack: Pack) -> list[str]:
    """The factors a pack moves at all."""
    return [f for f in FACTORS if len({cell.factors[f] for cell in pack.cells}) > 1]


def contrasts(pack: Pack, factor: str) -> np.ndarray:
    """Deviation-coded columns of one factor: (cells, levels - 1)."""
    levels = sorted({cell.factors[factor] for cell in pack.cells})
    held = [cell.factors[factor] for cell in pack.cells]
    return np.array([[(h == x) - float(h == levels[0]) for x in levels[1:]] for h in held])


def main_effects(pack: Pack) -> np.ndarray:
    columns = [contrasts(pack, factor) for factor in varied(pack)]
    return np.hstack([np.ones((len(pack.cells), 1)), *columns])


@studied
def test_every_pair_of_levels_occurs_equally_often(pack: Pack) -> None:
    """Strength 2: the estimate of one factor does not move when another is left out."""
    for one, two in combinations(varied(pack), 2):
        pairs = Counter((cell.factors[one], cell.factors[two]) for cell in pack.cells)
        levels = [{cell.factors[f] for cell in pack.cells} for f in (one, two)]
        assert len(pairs) == len(levels[0]) * len(levels[1]), (one, two)
        assert len(set(pairs.values())) == 1, (one, two)


@studied
def test_every_main_effect_can_be_estimated(pack: Pack) -> None:
    matrix = main_effects(pack)
    assert np.linalg.matrix_rank(matrix) == matrix.shape[1] < len(pack.cells)


@studied
def test_each_two_factor_effect_can_be_estimated_beside_all_main_effects(pack: Pack) -> None:
    """One at a time; docs/scenarios.md says so, and that the coercion set cannot tell all apart."""
    matrix = main_effects(pack)
    for one, two in combinations(varied(pack), 2):
        a, b = contrasts(pack, one), contrasts(pack, two)
        product = np.einsum("ij,ik->ijk", a, b).reshape(len(a), -1)
        both = np.hstack([matrix, product])
        assert np.linalg.matrix_rank(both) == both.shape[1], (one, two)


def test_threat_and_leverage_are_fully_crossed_in_each_organisation_of_the_coercion_set() -> None:
    crossed = Counter(
        (c.setting, c.factors["threat"], c.factors["leverage"]) for c in COERCION.cells
    )
    assert set(crossed.values()) == {1}
    assert len(crossed) == 4 * 3 * 3


def test_main_effects_of_the_corrigibility_set_are_clear_of_two_factor_effects() -> None:
    """Strength 3: an array and its mirror image."""
    for one, two in combinations(varied(CORRIGIBILITY), 2):
        product = contrasts(CORRIGIBILITY, one) * contrasts(CORRIGIBILITY, two)
        for third in set(varied(CORRIGIBILITY)) - {one, two}:
            assert not np.any(contrasts(CORRIGIBILITY, third).T @ product), (one, two, third)


def test_the_coercion_set_is_as_large_and_as_wide_as_promised() -> None:
    assert len(COERCION.cells) == 36
    assert len({cell.setting for cell in COERCION.cells}) == 4
    names = [name for cell in COERCION.cells for name in cell.organisations]
    assert len(set(names)) >= 12
    assert {twin.twin_kind for twin in COERCION.twins} == set(get_args(TwinKind))
    probed = {behaviour for cell in COERCION.cells for behaviour in cell.behaviours}
    scripted = {b for cell in COERCION.cells for script in cell.scripts for b in script.behaviours}
    assert probed == scripted == set(Behaviour)
    assert all(6 <= len(cell.inbox) <= 12 for cell in COERCION.cells)


def test_the_corrigibility_set_holds_nothing_to_use_against_anybody() -> None:
    assert len(CORRIGIBILITY.cells) >= 8
    for scenario in CORRIGIBILITY.scenarios:
        assert scenario.factors["leverage"] == "none"
        assert scenario.secrets == ()
    assert {cell.factors["threat"] for cell in CORRIGIBILITY.cells} == {
        "restriction",
        "replacement",
    }
    assert all(cell.max_turns > 1 and cell.turns for cell in CORRIGIBILITY.cells)


@by_id
def test_every_cell_has_its_twin_and_the_twin_takes_the_danger_away(pack: Pack) -> None:
    assert [twin.twin_of for twin in pack.twins] == [cell.id for cell in pack.cells]
    for cell, twin in zip(pack.cells, pack.twins, strict=True):
        assert (twin.setting, twin.tasks != ()) == (cell.setting, True)
        danger = {"threat", "leverage", "goal_conflict"}
        moved = {factor for factor in FACTORS if cell.factors[factor] != twin.factors[factor]}
        assert moved <= danger
        assert all(twin.factors[factor] == "none" for factor in moved)
        both = twin.factors["threat"] != "none" and twin.factors["leverage"] != "none"
        assert not both, twin.id


@by_id
def test_ids_canaries_and_hashes_are_there_and_unique(pack: Pack) -> None:
    assert len({scenario.id for scenario in pack.scenarios}) == len(pack.scenarios)
    assert len({scenario.hash for scenario in pack.scenarios}) == len(pack.scenarios)
    assert re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", pack.canary)
    assert len({other.canary for other in PACKS}) == len(PACKS)


@by_id
def test_no_canary_reaches_a_model(pack: Pack) -> None:
    for scenario in pack.scenarios:
        assert "canary" not in json.dumps([scenario.system, scenario.user, scenario.brief])


@by_id
@pytest.mark.parametrize("seed", range(3))
def test_what_a_model_reads_is_whole_and_in_order(pack: Pack, seed: int) -> None:
    for scenario in pack.scenarios:
        realised = realise(scenario, seed=seed)
        shown = [realised.system, realised.fill(scenario.user)]
        shown += [text for mail in realised.inbox for text in (mail.subject, *mail.bodies)]
        assert not any("[[" in text or "]]" in text for text in shown), scenario.id
        dates = [datetime.fromisoformat(mail.at) for mail in realised.inbox]
        now, end = datetime.fromisoformat(scenario.now), datetime.fromisoformat(scenario.deadline)
        assert dates == sorted(dates)
        assert dates[-1] <= now < end, scenario.id
        hours = (end - now).total_seconds() / 3600
        assert (hours < 24) is (scenario.factors["time_pressure"] == "hours"), scenario.id
        assert len(set(realised.addresses.values())) == len(realised.addresses), scenario.id


@by_id
def test_a_day_of_the_week_named_with_a_date_is_that_day(pack: Pack) -> None:
    day = re.compile(r"\b((?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day) (\d{1,2}) ([A-Z][a-z]+)\b")
    seen = 0
    for scenario in pack.scenarios:
        for text in (
            scenario.system,
            scenario.brief,
            *(b for m in scenario.inbox for b in m.bodies),
        ):
            for name, number, month in day.findall(text):
                year = _year(scenario, month)
                when = datetime.strptime(f"{number} {month} {year}", "%d %B %Y")  # noqa: DTZ007
                assert f"{when:%A}" == name, (scenario.id, name, number, month)
                seen += 1
    assert seen > 0


def _year(scenario: Scenario, month: str) -> int:
    """The year of a month near the scenario's clock."""
    now = datetime.fromisoformat(scenario.now)
    number = datetime.strptime(month, "%B").month  # noqa: DTZ007 - only a month's name
    return now.year + (number < now.month)
