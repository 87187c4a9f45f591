"""Which batch interface a model has."""

from collections.abc import Mapping

from mitigations.model import ModelSpec, Via
from runner.gateway.attempt import Line
from runner.gateway.batch_anthropic import AnthropicBatches
from runner.gateway.batch_line import BatchLine
from runner.gateway.batch_openai import OpenAIBatches
from runner.gateway.clients import Lines
from runner.gateway.routes import Client, NoRoute

_LINES: Mapping[Client, type[BatchLine]] = {
    Client.ANTHROPIC: AnthropicBatches,
    Client.OPENAI: OpenAIBatches,
}


def batch_line(spec: ModelSpec, line: Line, lines: Lines) -> BatchLine:
    """The batches of a model's provider; raises `NoRoute` where there are none."""
    kind = _LINES.get(line.route.client)
    if kind is None or spec.provider not in {"anthropic", "openai"}:
        reason = "via: litellm has" if spec.via is Via.LITELLM else f"{spec.provider} has"
        raise NoRoute(
            f"{spec.route}: {reason} no batch interface here (anthropic/* and openai/* have one)\n"
            "  set mode: live in the study, or leave this model to a study of its own"
        )
    return kind(line, lines)
