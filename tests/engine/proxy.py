"""A TCP proxy that a test cuts: it drops connections, or keeps them and passes nothing on."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum


class Cut(Enum):
    """What the network does."""

    NONE = "passes everything on"
    DROPPED = "closes what is open and whatever comes"
    SILENT = "accepts, acknowledges, passes nothing on, says nothing"


class Proxy:
    """Between whoever connects to `port` and a server on this machine. Set `cut` at any time."""

    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._cut = Cut.NONE
        self._loop = asyncio.new_event_loop()
        self._healed, self._down = asyncio.Event(), asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self.accepted = 0
        self.port = 0

    def cut(self, how: Cut) -> None:
        """From now on the network does this."""
        self._loop.call_soon_threadsafe(self._set, how)

    def _set(self, how: Cut) -> None:
        self._cut = how
        self._healed.clear()
        if how is Cut.NONE:
            self._healed.set()
        if how is Cut.DROPPED:
            for writer in self._open:
                writer.transport.abort()

    async def serve(self, up: threading.Event) -> None:
        self._healed.set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        up.set()
        await self._down.wait()
        server.close()
        self._set(Cut.DROPPED)
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._join(reader, writer))
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        far: asyncio.StreamWriter | None = None
        self._open.add(writer)
        try:
            if self._cut is Cut.DROPPED:
                return
            await self._healed.wait()
            back, far = await asyncio.open_connection("127.0.0.1", self._behind)
            self._open.add(far)
            ways = [self._pump(reader, far), self._pump(back, writer)]
            tasks = [asyncio.ensure_future(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            return
        finally:
            for end in (writer, far):
                if end is not None:
                    self._open.discard(end)
                    end.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self._healed.wait()
            sink.write(data)
            await sink.drain()

    def run(self, up: threading.Event) -> None:
        """The thread's work."""
        self._loop.run_until_complete(self.serve(up))
        self._loop.run_until_complete(asyncio.sleep(0))  # aborted transports close
        self._loop.close()

    def end(self) -> None:
        """Take everything down."""
        self._loop.call_soon_threadsafe(self._down.set)


@contextmanager
def proxy(behind: int) -> Iterator[Proxy]:
    """The proxy, on a thread of its own."""
    made, up = Proxy(behind), threading.Event()
    thread = threading.Thread(target=made.run, args=(up,))
    thread.start()
    assert up.wait(10)
    try:
        yield made
    finally:
        made.end()
        thread.join(10)
