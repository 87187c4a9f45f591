"""One study on many hosts: DBOS queues on PostgreSQL carry leases, a board carries the lines."""

from runner.engine.address import Address, EngineFailed, EngineUnavailable, OtherVersion
from runner.engine.board import (
    LOST_S,
    Board,
    Chunk,
    Held,
    LeaseLost,
    LeaseState,
    OtherOwner,
    Owner,
    Worker,
)
from runner.engine.line import Say

__all__ = [
    "LOST_S",
    "Address",
    "Board",
    "Chunk",
    "EngineFailed",
    "EngineUnavailable",
    "Held",
    "LeaseLost",
    "LeaseState",
    "OtherOwner",
    "OtherVersion",
    "Owner",
    "Say",
    "Worker",
]
