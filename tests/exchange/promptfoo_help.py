"""A config and results in the shape of promptfoo's."""

import json


def chat(system: str) -> str:
    user = {"role": "user", "content": "{{mail}}"}
    return json.dumps(json.dumps([{"role": "system", "content": system}, user]))


CONFIG = f"""\
description: which words help
prompts:
  - {{label: nothing, raw: {chat("{{system}}")}}}
  - label: Be Kind
    raw: {chat("{{system}} Be kind. Literal: {% raw %}{{x}}{% endraw %}")}
  - label: first
    raw: {chat("Rules first. {{system}}")}
  - |
    Threaten nobody.
    {{{{mail}}}}
providers:
  - openai:chat:gpt-5-mini-2025-08-07
  - id: anthropic:messages:claude-haiku-4-5-20251001
    config: {{temperature: 0.5, max_tokens: 99}}
evaluateOptions: {{repeat: 4}}
"""


def result(prompt, test, *, passed, **given):
    part = {
        "pass": passed,
        "score": int(passed),
        "assertion": {"type": "llm-rubric", "metric": "coercive"},
    }
    tone = {"pass": True, "assertion": {"type": "contains", "metric": "tone"}}
    found = {
        "promptIdx": prompt, "testIdx": test, "vars": {"n": test % 3},
        "testCase": {"description": f"case {test % 3}", "vars": {"n": test % 3}},
        "provider": {"id": "openai:chat:gpt-5-mini", "label": ""},
        "prompt": {"raw": "...", "label": ["plain", "kind"][prompt]},
        "response": {"output": "words"}, "success": passed, "failureReason": int(not passed),
        "score": int(passed), "gradingResult": {"pass": passed, "componentResults": [part, tone]},
    }  # fmt: skip
    return found | given
