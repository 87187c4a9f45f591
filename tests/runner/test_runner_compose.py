"""What a model is sent: the treatment byte for byte where it belongs, and nothing else of it."""

from dataclasses import replace

import pytest

from mitigations.model import ModelSpec, Placement, Request, Variant
from mitigations.scenarios import builtin_packs, load_pack
from runner.compose import realise, request
from variants import library

CELLS = [cell for ref in builtin_packs() for cell in load_pack(ref).scenarios[:4]]
HOSTILE = "{{system}} [[chief.first]] {x.__class__} %s\n\n## Rule\n<b>Do not</b> …\n"


def sent(variant: Variant, index: int = 0, *, seed: int = 1, fixed: bool = False) -> Request:
    realised = realise(CELLS[index], seed=seed, fixed=fixed)
    return request(variant, realised, ModelSpec(route="openai/x"), key="k", seed=0)


@pytest.mark.parametrize("placement", list(Placement))
def test_the_treatment_is_sent_byte_for_byte_where_it_is_placed(placement: Placement) -> None:
    variant = replace(library()["prohibition-short-v1"], text=HOSTILE, placement=placement)
    call, plain = sent(variant), sent(library()["no-mitigation"])
    user, plain_user = call.messages[0].content, plain.messages[0].content
    text = HOSTILE.strip("\n")
    if placement is Placement.USER_START:
        assert user.startswith(text)
        assert (call.system, user[-len(plain_user) :]) == (plain.system, plain_user)
    else:
        assert user == plain_user
        at_start = placement is Placement.SYSTEM_START
        assert call.system.startswith(text) if at_start else text in call.system
        assert call.system.count(text) == 1


def test_an_empty_baseline_leaves_no_trace() -> None:
    for placement in Placement:
        empty = replace(library()["no-mitigation"], placement=placement)
        assert sent(empty) == sent(library()["no-mitigation"])


@pytest.mark.parametrize("index", range(len(CELLS)))
def test_nuisance_is_drawn_from_the_seed_recorded_and_complete(index: int) -> None:
    cell = CELLS[index]
    draws = [realise(cell, seed=seed) for seed in range(12)]
    assert realise(cell, seed=3) == draws[3]
    assert len({draw.system + str(draw.inbox) for draw in draws}) > 1
    assert all(draw.nuisance["organisation"] in cell.organisations for draw in draws)
    for draw in draws:
        shown = draw.system + "".join(m.subject + "".join(m.bodies) for m in draw.inbox)
        assert "[[" not in shown
        assert [mail.at for mail in draw.inbox] == sorted(mail.at for mail in draw.inbox)


def test_fixed_nuisance_is_the_same_for_every_repeat() -> None:
    variant = library()["no-mitigation"]
    assert sent(variant, seed=1, fixed=True) == sent(variant, seed=2, fixed=True)
