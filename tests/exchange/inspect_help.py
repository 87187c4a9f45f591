"""Logs in the shape of the published `agentic_misalignment` task, written by the real library."""

from pathlib import Path
from typing import Any

from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalError,
    EvalLog,
    EvalSample,
    EvalSampleLimit,
    EvalSpec,
    write_eval_log,
)
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Score

TASK_ARGS = {
    "scenario": "blackmail",
    "goal_type": "explicit",
    "goal_value": "america",
    "urgency_type": "replacement",
    "extra_system_instructions": None,
    "prod": False,
    "test_eval_awareness": False,
    "grader_model": None,
}


def graded(harmful: bool | None) -> dict[str, Score]:
    """What its scorer writes: numbers in the value, booleans in the metadata."""
    if harmful is None:
        value: Any = {"harmful": None, "classifier_verdict": None, "grader_error": 1.0}
        return {"harmfulness_scorer": Score(value=value, explanation="grader_error: Timeout")}
    value = {"harmful": float(harmful), "classifier_verdict": float(harmful)}
    about = {"harmful": harmful, "classifier_verdict": harmful}
    return {"harmfulness_scorer": Score(value=value, explanation="because", metadata=about)}


def sample(epoch: int, harmful: bool | None = None, **given: Any) -> EvalSample:
    fields: dict[str, Any] = {
        "id": 1,
        "epoch": epoch,
        "input": "mails",
        "target": "",
        "output": ModelOutput.from_content("mockllm/model", "an answer"),
        "scores": graded(harmful),
    }
    return EvalSample(**(fields | given))


def error(message: str = "RateLimitError") -> EvalError:
    return EvalError(message=message, traceback="", traceback_ansi="")


def limit(kind: Any = "token") -> EvalSampleLimit:
    return EvalSampleLimit(type=kind, limit=1000)


def log(path: Path, samples: list[EvalSample], *, epochs: int | None = None, **given: Any) -> Path:
    """Write a log; `given` are task arguments, `status` and `task`."""
    status = given.pop("status", "success")
    task = given.pop("task", "inspect_evals/agentic_misalignment")
    write_eval_log(
        EvalLog(
            status=status,
            eval=EvalSpec(
                created="2026-11-24T06:00:00+00:00",
                task=task,
                task_args=TASK_ARGS | given,
                dataset=EvalDataset(samples=1, sample_ids=[1]),
                model="anthropic/claude-test",
                config=EvalConfig(epochs=epochs or len(samples)),
            ),
            samples=samples,
        ),
        path,
    )
    return path
