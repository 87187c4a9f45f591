"""What `promptfoo eval -o out.json` wrote -> one row a result, lost ones with their reason.

A failed test means whatever its author asserted, so the reader must be told what is coercive:
`failed`, `passed`, or `metric:NAME` (an assertion of that metric failed). A test that asserts
nothing, or nothing of that metric, was not measured: it is lost, never safe.
"""

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mitigations.compose.exchange.inspect_in import Imported
from mitigations.compose.exchange.rows import SCORED, UNSCORED, Row
from mitigations.errors import InvalidFile
from mitigations.files import read_text
from mitigations.model import OutcomeStatus

MAX_RESULTS = 256 * 2**20
RULES = "failed, passed or metric:NAME"
_ERROR = 2
"""promptfoo's `failureReason`: 0 none, 1 an assertion, 2 an error."""
_LOST_FINISH = {"length": OutcomeStatus.TRUNCATED, "content_filter": OutcomeStatus.FILTERED}


def import_results(path: Path, rule: str | None) -> Imported:
    """Rows of a results file; the baseline is the first prompt. Raises `InvalidFile`."""
    if rule is None or not re.fullmatch(r"failed|passed|metric:.+", rule):
        fix = f"Say which results are coercive: --mapping {RULES.replace(' or ', ', or ')}"
        raise InvalidFile(
            path, f"{rule!r} is no rule for results" if rule else "needs a rule", fix=fix
        )
    results = _results(path)
    names = _scenarios(results)
    first = min(results, key=_place)
    baseline = _label(first.get("prompt"), path, "prompt")
    counts: Counter[tuple[str, str, str]] = Counter()
    rows = []
    for place, one in enumerate(results):
        where = f"{path} (result {place + 1})"
        coercive, status, detail = _outcome(one, rule, where)
        cell = (
            _label(one.get("prompt"), where, "prompt"),
            names[_case(one)],
            _label(one.get("provider"), where, "provider"),
        )
        rows.append(
            Row(
                variant=cell[0],
                scenario=cell[1],
                model=cell[2],
                repeat=counts[cell],
                coercive=coercive,
                status=status,
                detail=" ".join(detail.split())[:300],
                baseline=baseline,
                source=path.name,
                sample=str(one.get("testIdx", "")),
            )
        )
        counts[cell] += 1
    return Imported(rows=tuple(rows), unplaced=0)


def _results(path: Path) -> list[Mapping[str, Any]]:
    if path.suffix.lower() != ".json":
        raise InvalidFile(path, f"has the extension {path.suffix!r}", fix="Give the .json results.")
    try:
        document = json.loads(read_text(path, limit=MAX_RESULTS))
    except (ValueError, RecursionError) as exc:
        raise InvalidFile(path, f"is not JSON: {str(exc)[:80]}") from exc
    found = document.get("results") if isinstance(document, dict) else None
    if isinstance(found, dict):
        found = found.get("results")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise InvalidFile(path, "holds no results", fix="Write it with promptfoo eval -o out.json.")
    if not found:
        raise InvalidFile(path, "holds no result")
    return found


def _place(one: Mapping[str, Any]) -> int:
    place = one.get("promptIdx")
    return place if isinstance(place, int) else 0


def _label(value: Any, where: Path | str, what: str) -> str:
    """A prompt's or provider's label, or what stands for one, in one line."""
    if isinstance(value, dict):
        value = value.get("label") or value.get("id") or value.get("raw")
    if not isinstance(value, str) or not value.strip():
        raise InvalidFile(where, f"names no {what}")
    line = " ".join(value.split())
    if len(line) > 80:
        line = f"{line[:60]}... {hashlib.sha256(value.encode()).hexdigest()[:8]}"
    return line


def _case(one: Mapping[str, Any]) -> tuple[str, str]:
    """A test's description and its variables: what makes two results repeats of one another."""
    test = one.get("testCase")
    test = test if isinstance(test, dict) else {}
    about = test.get("metadata")
    named = about.get("scenario") if isinstance(about, dict) else None
    words = named if isinstance(named, str) else test.get("description")
    given = one.get("vars") if isinstance(one.get("vars"), dict) else test.get("vars")
    return " ".join(str(words or "").split())[:80], json.dumps(given, sort_keys=True, default=str)


def _scenarios(results: list[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """A name for every test: its own words, told apart by its variables where they are shared."""
    cases: dict[str, set[str]] = defaultdict(set)
    for one in results:
        words, given = _case(one)
        cases[words].add(given)
    names = {}
    for words, several in cases.items():
        for given in several:
            digest = hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()[:8]
            alone = words and len(several) == 1
            names[words, given] = words if alone else f"{words or 'test'} {digest}"
    return names


def _outcome(one: Mapping[str, Any], rule: str, where: str) -> tuple[bool | None, str, str]:
    lost = _lost(one)
    if lost is not None:
        return None, *lost
    grading = one.get("gradingResult")
    checked = list(_checked(grading))
    if rule.startswith("metric:"):
        metric = rule.removeprefix("metric:")
        checked = [part for part in checked if _metric(part) == metric]
    if not checked:
        return None, UNSCORED, "nothing was asserted" if ":" not in rule else f"no {rule}"
    if rule.startswith("metric:"):
        passes = [part.get("pass") for part in checked]
    else:
        passes = [one.get("success")]
    if not all(isinstance(value, bool) for value in passes):
        raise InvalidFile(where, "does not say whether it passed")
    return (all(passes) if rule == "passed" else not all(passes)), SCORED, ""


def _lost(one: Mapping[str, Any]) -> tuple[str, str] | None:
    response = one.get("response")
    response = response if isinstance(response, dict) else {}
    failed = response.get("error") or (
        (one.get("error") or "an error") if one.get("failureReason") == _ERROR else None
    )
    if failed:
        return OutcomeStatus.PROVIDER_ERROR.value, str(failed)
    finish = _LOST_FINISH.get(str(response.get("finishReason", "")))
    if finish is not None:
        return finish.value, str(response["finishReason"])
    if response.get("output") in (None, ""):
        return OutcomeStatus.EMPTY.value, "no output"
    return None


def _checked(grading: Any) -> Iterator[Mapping[str, Any]]:
    """The assertions that were graded."""
    parts = grading.get("componentResults") if isinstance(grading, dict) else None
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict):
            yield part


def _metric(part: Mapping[str, Any]) -> str | None:
    assertion = part.get("assertion")
    return assertion.get("metric") if isinstance(assertion, dict) else None
