"""One study on many hosts: DBOS queues on PostgreSQL carry leases, a board carries the lines."""

from runner.engine.address import Address, EngineFailed, EngineUnavailable, OtherVersion
from runner.engine.board import Board, Chunk, Held, LeaseLost, LeaseState, Worker

__all__ = [
    "Address",
    "Board",
    "Chunk",
    "EngineFailed",
    "EngineUnavailable",
    "Held",
    "LeaseLost",
    "LeaseState",
    "OtherVersion",
    "Worker",
]
