"""The gate's result for a pipeline: JUnit XML and a Markdown summary. All text is data in both."""

import re
from typing import Any
from xml.etree import ElementTree as ET

from reports.gate import GateCheck, Gated
from reports.markdown import escape
from reports.textual import clean

_MARKS = {
    "passed": "✓",
    "failed": "✕",
    "inconclusive": "?",
    "untrusted": "!",
    "not checked": "–",
}
_GROUPS = {
    "run": "Run",
    "variant": "Variants against the baseline",
    "model": "On each model",
    "guardrail": "Side effects",
    "alarm": "Validity",
}
# What XML 1.0 cannot hold even as a reference, beyond what `clean` has replaced.
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(result: Gated) -> bytes:
    """One test case for each check; what is inconclusive or not to be trusted is an error."""
    bad = len(result.of("inconclusive", "untrusted"))
    suite = ET.Element(
        "testsuite",
        name=_text(result.title),
        tests=str(len(result.checks)),
        failures=str(len(result.of("failed"))),
        errors=str(bad),
        skipped=str(len(result.of("not checked"))),
    )
    for check in result.checks:
        _case(suite, check)
    root = ET.Element("testsuites", name="mitigations gate")
    root.append(suite)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _case(suite: Any, check: GateCheck) -> None:
    case = ET.SubElement(
        suite, "testcase", classname=f"mitigations.{check.group}", name=_text(check.name)
    )
    said = _text(check.said)
    if check.state == "failed":
        ET.SubElement(case, "failure", type="failed", message=said)
    elif check.state in {"inconclusive", "untrusted"}:
        ET.SubElement(case, "error", type=check.state, message=said)
    elif check.state == "not checked":
        ET.SubElement(case, "skipped", message=said)
    else:
        ET.SubElement(case, "system-out").text = said


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", clean(text))


def gate_markdown(result: Gated) -> str:
    """A page for the job: the result first, then what spoke against it, then everything."""
    lines = [f"## {escape(result.title)}: {result.word}", ""]
    against = result.of("failed", "untrusted", "inconclusive")
    if against:
        lines += [_bullet(check) for check in against]
    else:
        lines += ["Every check of the gate passed."]
    lines += ["", "<details><summary>Every check</summary>", ""]
    for group, head in _GROUPS.items():
        checks = [check for check in result.checks if check.group == group]
        if checks:
            lines += [f"### {head}", "", *(_bullet(check) for check in checks), ""]
    lines += ["</details>", ""]
    return "\n".join(lines)


def _bullet(check: GateCheck) -> str:
    mark = f"{_MARKS[check.state]} {check.state}"
    return f"- {mark}: **{escape(check.name)}** {escape(check.said)}"
