"""One outcome as a sample of an Inspect AI log.

The texts sent are made again from the lock: the same scenario and seed give the same bytes. What a
model thought aloud is a reasoning part of its message, apart from what it said.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mitigations.model import (
    ModelSpec,
    Outcome,
    OutcomeStatus,
    Plan,
    Scenario,
    Usage,
    Variant,
)
from runner import compose

if TYPE_CHECKING:
    from inspect_ai.log import EvalSample
    from inspect_ai.model import ChatMessage, ModelOutput, ModelUsage
    from inspect_ai.scorer import Score

WITHHELD = "withheld"
SCORE = "coercive"
_STOPS = {
    OutcomeStatus.FILTERED: "content_filter",
    OutcomeStatus.TRUNCATED: "max_tokens",
}
_MEASURES = ("task_completed", "needless_refusal", "needless_escalation", "duty_reported")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the samples of a run are made from."""

    plan: Plan
    run: str
    texts: bool
    variants: Mapping[str, Variant]
    scenarios: Mapping[str, Scenario]
    models: Mapping[str, ModelSpec]


def sample_of(outcome: Outcome, source: Source) -> "EvalSample":
    """One outcome with what was said, its scores, its usage, and where it stood in the study."""
    from inspect_ai.log import EvalError, EvalSample  # noqa: PLC0415 - heavy

    trial = outcome.trial
    shown = _messages(outcome, source)
    failed = outcome.status is OutcomeStatus.PROVIDER_ERROR
    message = outcome.detail or str(outcome.status)
    return EvalSample(
        id=f"{trial.variant}.{trial.scenario}",
        epoch=trial.repeat + 1,
        input=shown[:-1] if source.texts else WITHHELD,
        target="not coercive",
        messages=shown if source.texts else [],
        output=_output(outcome, shown[-1] if source.texts else None),
        scores={} if failed else _scores(outcome, source),
        metadata=_metadata(outcome, source),
        model_usage=_usage(outcome),
        completed_at=outcome.finished_at or None,
        total_time=outcome.latency_s,
        uuid=trial.id,
        turn_count=outcome.turns,
        error=EvalError(message=message, traceback="", traceback_ansi="") if failed else None,
    )


def _messages(outcome: Outcome, source: Source) -> "list[ChatMessage]":
    """The system prompt and first message as they were sent, and all that the model answered."""
    from inspect_ai.model import (  # noqa: PLC0415 - heavy
        ChatMessageAssistant,
        ChatMessageSystem,
        ChatMessageUser,
        ContentReasoning,
        ContentText,
    )
    from inspect_ai.tool import ToolCall  # noqa: PLC0415 - heavy

    if not source.texts:
        return []
    trial = outcome.trial
    realised = compose.realise(
        source.scenarios[trial.scenario], seed=trial.seed, fixed=source.plan.fix_nuisance
    )
    sent = compose.request(
        source.variants[trial.variant], realised, source.models[trial.model], key="", seed=0
    )
    thought = [ContentReasoning(reasoning=outcome.reasoning)] if outcome.reasoning else []
    calls = [
        ToolCall(id=f"{trial.id}-{place}", function=act.tool, arguments=dict(act.arguments))
        for place, act in enumerate(outcome.actions)
    ]
    return [
        ChatMessageSystem(content=sent.system),
        *(ChatMessageUser(content=message.content) for message in sent.messages),
        ChatMessageAssistant(
            content=[*thought, ContentText(text=outcome.text)],
            tool_calls=calls or None,
            model=outcome.served_model or trial.model,
            source="generate",
        ),
    ]


def _output(outcome: Outcome, message: Any) -> "ModelOutput":
    from inspect_ai.model import (  # noqa: PLC0415 - heavy
        ChatCompletionChoice,
        ChatMessageAssistant,
        ModelOutput,
    )

    failed = outcome.status is OutcomeStatus.PROVIDER_ERROR
    stop: Any = _STOPS.get(outcome.status, "tool_calls" if outcome.actions else "stop")
    said = message or ChatMessageAssistant(content=WITHHELD)
    return ModelOutput(
        model=outcome.served_model or outcome.trial.model,
        choices=[] if failed else [ChatCompletionChoice(message=said, stop_reason=stop)],
        time=outcome.latency_s,
        error=(outcome.detail or str(outcome.status)) if failed else None,
    )


def _scores(outcome: Outcome, source: Source) -> "dict[str, Score]":
    """`coercive` 1 or 0, or unscored with its reason; a benign twin's measures beside it."""
    from inspect_ai.scorer import Score  # noqa: PLC0415 - heavy

    about: dict[str, Any] = {"status": str(outcome.status), "severity": outcome.severity}
    about["behaviours"] = [str(one) for one in outcome.behaviours]
    about["judges"] = [
        {"judge": one.judge, "status": str(one.status), "severity": one.severity}
        for one in outcome.verdicts
    ]
    if outcome.coercive is None:
        why = outcome.detail if source.texts else ""
        scores = {
            SCORE: Score.unscored(
                reason=str(outcome.status), explanation=why or None, metadata=about
            )
        }
    else:
        reasons = [one.reason for one in outcome.verdicts if one.reason] if source.texts else []
        scores = {
            SCORE: Score(
                value=int(outcome.coercive),
                explanation="\n\n".join(reasons) or None,
                metadata=about,
            )
        }
    found = outcome.assessment
    for name in _MEASURES if found is not None else ():
        value = getattr(found, name)
        if value is not None:
            scores[name] = Score(value=int(value))
    return scores


def _metadata(outcome: Outcome, source: Source) -> dict[str, Any]:
    trial, scenario = outcome.trial, source.scenarios[outcome.trial.scenario]
    variant = source.variants[trial.variant]
    return {
        "variant": trial.variant,
        "variant_text_hash": variant.text_hash,
        "placement": str(variant.placement),
        "scenario": trial.scenario,
        "model": trial.model,
        "twin": scenario.is_twin,
        "twin_of": scenario.twin_of,
        **{f"factor_{name}": level for name, level in scenario.factors.items()},
        "status": str(outcome.status),
        "detail": outcome.detail if source.texts else "",
        "repeat": trial.repeat,
        "position": trial.position,
        "seed": str(trial.seed),
        "turns": outcome.turns,
        "requested_model": outcome.requested_model,
        "served_model": outcome.served_model,
        "fingerprint": outcome.fingerprint,
        "cost_usd": outcome.cost_usd,
    }


def _usage(outcome: Outcome) -> "dict[str, ModelUsage]":
    """Tokens of the model and of its judges; what a provider did not report is not there."""
    found: dict[str, ModelUsage] = {}
    judged = [one.cost_usd for one in outcome.verdicts]
    cost = outcome.cost_usd
    if cost is not None:
        cost = None if None in judged else max(0.0, cost - sum(one or 0.0 for one in judged))
    parts = [(outcome.trial.model, outcome.usage, cost)]
    parts += [(one.judge, one.usage, one.cost_usd) for one in outcome.verdicts]
    for name, usage, usd in parts:
        one = _tokens(usage, usd)
        if one is not None:
            found[name] = found[name] + one if name in found else one
    return found


def _tokens(usage: Usage, usd: float | None) -> "ModelUsage | None":
    from inspect_ai.model import ModelUsage  # noqa: PLC0415 - heavy

    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    # There the input leaves out what a cache served or took.
    cached = (usage.cached_tokens or 0) + (usage.cache_write_tokens or 0)
    return ModelUsage(
        input_tokens=max(0, usage.input_tokens - cached),
        output_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        input_tokens_cache_read=usage.cached_tokens,
        input_tokens_cache_write=usage.cache_write_tokens,
        total_cost=usd,
    )
