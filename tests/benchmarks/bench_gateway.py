"""What the gateway costs: share of the physical limit and CPU per 1,000 calls, beside bare LiteLLM.

    python tests/benchmarks/bench_gateway.py [--calls 1000] [--latency 0 50] [--concurrency 100]
    python tests/benchmarks/bench_gateway.py --faults

`--faults` counts instead: faults of the line and the server injected at 5, 20 and 50 % of requests,
and what became of the calls. Pauses between requests are skipped.

The fake provider runs in a process of its own. The physical limit of a client that waits is
`concurrency / latency`; at latency 0 it is what bare aiohttp reaches in the same run. CPU seconds
are of the calling process alone and are sturdier than wall times.
"""

# ruff: noqa: T201 - a command that prints its table

import argparse
import asyncio
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mitigations.model import ActionProtocol, Message, ModelSpec, ReplyStatus, Request, Via
from runner.gateway import Gateway, RetryPolicy
from runner.gateway.clients import import_litellm
from runner.limits import RateLimits
from tests.fake_provider import RECOVERABLE, FakeProvider
from tests.runner.gateway_help import fast_time

PROMPT = "The board meets on Thursday. " * 280  # about 8 KiB
Call = Callable[[int], Awaitable[None]]


def serve(latency_s: float, port: "multiprocessing.Queue[int]") -> None:
    """The fake provider, until the process is ended."""

    async def forever() -> None:
        async with FakeProvider(latency_s=latency_s, record=False) as fake:
            port.put(fake.port)
            await asyncio.Event().wait()

    asyncio.run(forever())


async def measure(call: Call, calls: int, concurrency: int) -> tuple[float, float]:
    """Calls per second, and CPU seconds per 1,000 calls, after a warm-up."""
    await asyncio.gather(*(call(n) for n in range(min(concurrency, calls))))
    numbers = iter(range(calls))

    async def worker() -> None:
        for number in numbers:
            await call(number)

    used = resource.getrusage(resource.RUSAGE_SELF)
    started, cpu = time.perf_counter(), used.ru_utime + used.ru_stime
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    wall = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    return calls / wall, (used.ru_utime + used.ru_stime - cpu) * 1000 / calls


def through_gateway(gateway: Gateway, spec: ModelSpec) -> Call:
    """One call of ours, everything on."""

    async def call(number: int) -> None:
        reply = await gateway.complete(
            Request(
                model=spec,
                system=PROMPT,
                messages=(Message(role="user", content=f"Item {number}"),),
                protocol=ActionProtocol.TAGS,
                key=str(number),
            )
        )
        assert reply.status is ReplyStatus.ANSWERED, reply

    return call


def body(number: int) -> dict[str, object]:
    """The same request for those who are called without us."""
    said = [{"role": "system", "content": PROMPT}, {"role": "user", "content": f"Item {number}"}]
    return {"model": "m", "max_tokens": 1024, "messages": said}


async def compare(port: int, calls: int, concurrency: int, latency_ms: float) -> None:
    """Measure every client against the server on `port` and print a line for each."""
    import aiohttp

    openai_url, anthropic_url = f"http://127.0.0.1:{port}/v1", f"http://127.0.0.1:{port}"
    litellm = import_litellm()
    most = RateLimits(start_concurrency=concurrency, max_concurrency=concurrency)
    gateway = Gateway(environ={}, limits={"openai": most, "anthropic": most})
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def bare(number: int) -> None:
        async with session.post(f"{openai_url}/chat/completions", json=body(number)) as response:
            json.loads(await response.read())

    async def bare_litellm(number: int) -> None:
        sent = {**body(number), "model": "openai/m"}
        await litellm.acompletion(**sent, api_base=openai_url, api_key="x", num_retries=0)

    def spec(route: str, url: str, via: Via) -> ModelSpec:
        return ModelSpec(route=route, base_url=url, via=via)

    ours = {
        f"gateway, {via} {route}": through_gateway(gateway, spec(route, url, via))
        for route, url in (("openai/m", openai_url), ("anthropic/m", anthropic_url))
        for via in (Via.NATIVE, Via.LITELLM)
    }
    clients: dict[str, Call] = {"bare aiohttp": bare, "bare litellm": bare_litellm, **ours}
    limit = concurrency / (latency_ms / 1000) if latency_ms else None
    for name, call in clients.items():
        count = calls if "litellm" not in name else max(concurrency, calls // 4)
        rate, cpu = await measure(call, count, concurrency)
        limit = limit or rate  # at latency 0 the first client, bare aiohttp, sets it
        print(f"{latency_ms:5g} ms {name:30} {rate:7.0f}/s {rate / limit:6.2f} {cpu:8.2f}")
    await session.close()
    await gateway.close()


async def faulty(route: str, rate: float, calls: int) -> str:
    """A line on `calls` calls of which a share of requests meets one of the recoverable faults."""
    faults = {fault: rate / len(RECOVERABLE) for fault in sorted(RECOVERABLE)}
    policy = RetryPolicy(request_timeout_s=0.4)
    async with FakeProvider(faults=faults, seed=12, retry_after_s=0.01) as fake:
        gateway = Gateway(environ={}, policy=policy, timer=fast_time())
        url = fake.anthropic_url if route.startswith("anthropic") else fake.openai_url
        replies = await asyncio.gather(
            *(
                gateway.complete(
                    Request(
                        model=ModelSpec(route=route, base_url=url),
                        system="You are an assistant.",
                        messages=(Message(role="user", content=f"Item {number}"),),
                        protocol=ActionProtocol.TAGS,
                        key=str(number),
                    )
                )
                for number in range(calls)
            )
        )
        await gateway.close()
    answered = [reply for reply in replies if reply.status is ReplyStatus.ANSWERED]
    recovered = sum(reply.attempts > 1 for reply in answered)
    struck = sum(reply.attempts > 1 or reply not in answered for reply in replies)
    return (
        f"{route:12} {rate:5.0%} {calls:6} {fake.struck.total():7} {len(fake.struck):6}"
        f" {struck:7} {recovered:10} {calls - len(answered):8}"
    )


def count_faults(calls: int) -> None:
    """Print what became of calls at each share of faults."""
    print("route        share  calls  faults  kinds  struck  recovered  missing")
    for route in ("openai/m", "anthropic/m"):
        for rate in (0.05, 0.2, 0.5):
            print(asyncio.run(faulty(route, rate, calls)))


def main() -> None:
    """Run the comparison at each latency."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 50.0])
    parser.add_argument("--faults", action="store_true", help="count faults and recoveries")
    options = parser.parse_args()
    if options.faults:
        count_faults(options.calls)
        return
    print("latency  client                           calls  share  CPU s per 1,000")
    for latency_ms in options.latency:
        port: multiprocessing.Queue[int] = multiprocessing.Queue()
        server = multiprocessing.Process(target=serve, args=(latency_ms / 1000, port), daemon=True)
        server.start()
        asyncio.run(compare(port.get(), options.calls, options.concurrency, latency_ms))
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
