"""`mitigations analyze`: anyone's counts or trials, by the same statistics and calculators."""

from mitigations.compose.analysing.answering import Request, answer, written

__all__ = ["Request", "answer", "written"]
