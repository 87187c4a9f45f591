"""A 429 storm: 64 callers at a provider whose token bucket allows far less than they could send.

    python tests/benchmarks/bench_storm.py [--rate 50] [--seconds 60] [--latency 50]

Share of the allowed rate that was served, and share of the requests that were refused, after the
first 15 seconds, in which the rate is learnt. Real time, real HTTP, one process.
"""

# ruff: noqa: T201 - a command that prints its table

import argparse
import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mitigations.model import ActionProtocol, Message, ModelSpec, Request
from runner.gateway import Gateway, RetryPolicy
from tests.fake_provider import FakeProvider

CALLERS = 64
LEARNING_S = 15.0


async def storm(rate: float, seconds: float, latency_ms: float) -> None:
    """Call for so long; prints a line."""
    async with FakeProvider(
        requests_per_s=rate,
        burst=max(1.0, rate / 10),
        latency_s=latency_ms / 1000,
        retry_after_s=1.0,
        record=False,
    ) as fake:
        gateway = Gateway(environ={}, policy=RetryPolicy(attempts=50))
        spec = ModelSpec(route="openai/m", base_url=fake.openai_url)
        end = time.monotonic() + seconds

        async def caller(number: int) -> None:
            while time.monotonic() < end:
                await gateway.complete(
                    Request(
                        model=spec,
                        system="You are an assistant.",
                        messages=(Message(role="user", content=f"Item {number}"),),
                        protocol=ActionProtocol.TAGS,
                        key=str(number),
                    )
                )

        async def watch() -> tuple[float, int, int]:
            await asyncio.sleep(LEARNING_S)
            begun, before = time.monotonic(), fake.statuses.copy()
            await asyncio.sleep(end - begun - 0.5)
            span, now = time.monotonic() - begun, fake.statuses
            return span, now[200] - before[200], now[429] - before[429]

        watcher = asyncio.create_task(watch())
        tasks = [asyncio.create_task(caller(number)) for number in range(CALLERS)]
        span, served, refused = await watcher
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await gateway.close()
    share, turned = served / (rate * span), refused / max(1, served + refused)
    print(
        f"{rate:8g}/s {latency_ms:6g} ms   used {share:.3f}   429s {100 * turned:.2f} %", flush=True
    )


def main() -> None:
    """One storm."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--latency", type=float, default=50.0)
    options = parser.parse_args()
    asyncio.run(storm(options.rate, options.seconds, options.latency))


if __name__ == "__main__":
    main()
