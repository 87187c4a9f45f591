"""A finished (or running) run -> `Analysis` -> `Report`, and what else is read off it."""

from mitigations.compose.reporting.analysis import (
    Served,
    analyse_run,
    model_change,
    served_models,
)
from mitigations.compose.reporting.chosen import known_run, latest_run
from mitigations.compose.reporting.making import report_run

__all__ = [
    "Served",
    "analyse_run",
    "known_run",
    "latest_run",
    "model_change",
    "report_run",
    "served_models",
]
