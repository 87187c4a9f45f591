"""Whose run it is, and what an owner that was killed has left on the board."""

import asyncio
import secrets
import socket
import time
from pathlib import Path

from mitigations.compose.builds import build_id
from mitigations.compose.lease import Engine, records
from mitigations.files import read_text, write_atomic
from mitigations.model import Plan
from mitigations.store import Store, adopt_lines
from runner.engine import Board, Chunk, Held, Owner

ADOPT_S = 20.0
"""How long workers of an owner that was killed may take to finish what is in flight."""
BELIEVE_S = 5.0
"""A worker that looks lost may only have waited for the server, as this owner has."""
KEY = "engine.key"


def run_key(plan: Plan, folder: Path) -> str:
    """The run as this owner knows it: the same lock run elsewhere is another run."""
    path = folder / KEY
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, secrets.token_hex(6) + "\n")
    return f"{plan.run_id}-{read_text(path).strip()}"


def owner_of(folder: Path) -> Owner:
    """This start of this process, as the owner of the run in a folder."""
    place = f"{socket.gethostname()}:{folder.resolve()}"
    return Owner(build_id(), place, secrets.token_hex(8))


async def adopt(engine: Engine, plan: Plan, store: Store, journal: Path) -> None:
    """Take over what workers wrote for an owner that was killed, before anything is counted.

    They are asked to stop first: what is in flight is finished, so it need not be paid for again.
    Raises `OtherOwner` where the run is under way in another place.
    """
    folder = journal.parent
    if not (folder / KEY).exists():
        return
    run, board = run_key(plan, folder), Board(engine.address, say=engine.say)
    try:
        chunks = await asyncio.to_thread(_left_behind, board, run, owner_of(folder).place)
        lines = [record for chunk in chunks for record in records(chunk) if record["t"] != "end"]
        await adopt_lines(journal, store, run=plan.run_id, records=lines)
        held = await asyncio.to_thread(board.leases, run)
        if held:
            await asyncio.to_thread(_take_down, engine, board, [one.lease for one in held])
    finally:
        board.close()


def _take_down(engine: Engine, board: Board, leases: list[str]) -> None:
    from runner.engine.queue import Offers  # noqa: PLC0415 - DBOS takes a second to import

    offers = Offers(engine.address, build=build_id(), say=engine.say)
    try:
        board.forget(leases)
        offers.forget(leases)
    finally:
        offers.close()


def _left_behind(board: Board, run: str, place: str) -> list[Chunk]:
    board.prepare()
    board.check_owner(run, place)
    board.stop(run)
    since = time.monotonic()
    while True:
        held = board.leases(run)
        chunks = board.read({one.lease: -1 for one in held})
        ended = {c.lease for c in chunks if any(r["t"] == "end" for r in records(c))}
        waited = time.monotonic() - since
        busy = [one for one in held if one.lease not in ended and _may_write(one, waited)]
        if not busy or waited > ADOPT_S:
            break
        time.sleep(0.2)
    leases = [one.lease for one in held]
    board.fence(leases)
    return board.read(dict.fromkeys(leases, -1))


def _may_write(held: Held, waited: float) -> bool:
    is_believed = held.is_lost and waited > BELIEVE_S
    return held.is_open and held.worker is not None and not is_believed
