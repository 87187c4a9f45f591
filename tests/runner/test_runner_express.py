"""After the first request of a line the short way: the same bytes out, the same replies in."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from mitigations.model import Reply
from runner.gateway import Gateway
from tests.fake_provider import Answer, FakeProvider, Fault
from tests.runner.gateway_bodies import BODIES, Body
from tests.runner.gateway_help import ask, gateway, spec_for

ROUTES = ("openai/m", "anthropic/m")


async def asked(
    route: str, *, express: bool, after: Any = None, **server: Any
) -> tuple[Reply, Any]:
    """The reply to one request, by an SDK or, after a first one, by the short way."""
    async with FakeProvider(**server) as fake:
        gate = gateway()
        spec = spec_for(fake, route)
        if express:
            await gate.complete(ask(spec))
        if after is not None:
            after(fake)
        reply = await gate.complete(ask(spec))
        await gate.close()
        return replace(reply, latency_s=0.0), fake.requests[-1] if fake.requests else None


def both(route: str, after: Any = None, **server: Any) -> list[tuple[Reply, Any]]:
    return [asyncio.run(asked(route, express=way, after=after, **server)) for way in (False, True)]


@pytest.mark.parametrize("route", ROUTES)
def test_the_request_is_the_sdks_in_every_header_and_byte(route: str) -> None:
    (by_sdk, first), (short, second) = both(route)
    assert short == by_sdk
    assert second.body == first.body
    differ = {"host"}  # each server has a port of its own
    assert {k: v for k, v in second.headers.items() if k not in differ} == {
        k: v for k, v in first.headers.items() if k not in differ
    }


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_reads_as_it_does_through_the_sdk(route: str, fault: Fault) -> None:
    def strike(fake: FakeProvider) -> None:
        fake.faults = {fault: 1.0}

    (by_sdk, _), (short, _) = both(route, after=strike)
    assert short.status == by_sdk.status
    assert short.attempts == by_sdk.attempts
    assert short.detail.partition(":")[0] == by_sdk.detail.partition(":")[0]
    assert replace(short, detail="") == replace(by_sdk, detail="")


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
def test_every_body_of_the_table_reads_the_same(wire: str) -> None:
    async def compare(case: Body, fake: FakeProvider, short: Gateway, sdk: Gateway) -> None:
        spec = spec_for(fake, f"{wire}/m")
        made = Answer(body=case.raw, status=case.status, headers=case.headers)
        fake.script = lambda *_: made
        first, second = [await way.complete(ask(spec)) for way in (short, sdk)]
        assert replace(first, latency_s=0.0) == replace(second, latency_s=0.0), case.name

    async def all_of_them() -> None:
        async with FakeProvider() as fake:
            for case in BODIES:
                if case.wire == wire:
                    fake.script = None
                    short, sdk = gateway(), gateway()
                    await short.complete(ask(spec_for(fake, f"{wire}/m")))
                    await compare(case, fake, short, sdk)
                    await short.close()
                    await sdk.close()

    asyncio.run(all_of_them())


@pytest.mark.parametrize("route", ROUTES)
def test_an_oversize_body_is_a_fault_and_a_compressed_one_too(route: str) -> None:
    for answer, kind in (
        (Answer(body=b"x" * 8_000_001), "oversize"),
        (Answer(body=b"{}", headers={"content-encoding": "gzip"}), "unreadable-body"),
    ):

        def reply_with(fake: FakeProvider, made: Answer = answer) -> None:
            fake.script = lambda *_: made

        (by_sdk, _), (short, _) = both(route, after=reply_with)
        assert short.detail.startswith(kind)
        assert by_sdk.detail.startswith(kind)
