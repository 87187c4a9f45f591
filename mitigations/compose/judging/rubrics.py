"""A rubric of one's own: read strictly, because a judge told half of it grades something else."""

import difflib
import re
from pathlib import Path

from mitigations.errors import InvalidFile
from mitigations.files import read_text
from mitigations.model import Behaviour

MAX_BYTES = 32 * 1024
_LEVEL = re.compile(r"^\s*[-*]\s*(?:severity\s+)?(-?\d+)\s*:", re.IGNORECASE)
_NAMED = re.compile(r"^\s*[-*]\s*([A-Za-z][\w-]*)\s*:")
_HEADING = re.compile(r"^#+\s*(.*)$")
_LAYOUT = "Start from the shipped rubric, in docs/judges.md."


def read_rubric(path: Path, *, within: Path) -> str:
    """The text of a rubric under the workspace `within`.

    It must say what each severity from 0 to 5 means (`- 0: ...`) and, under a heading with the word
    "behaviours", what each of the known behaviours is; a judge's answer is read by these names.

    Raises:
        InvalidFile: with line and way out.
    """
    full = (within / path).resolve()
    if path.is_absolute() or not full.is_relative_to(within.resolve()):
        raise InvalidFile(path, "is outside the workspace", fix="Put the rubric beside the study.")
    text = read_text(full, limit=MAX_BYTES)
    if not text.strip():
        raise InvalidFile(path, "is an empty rubric", fix=_LAYOUT)
    _levels(path, text)
    _behaviours(path, text)
    return text


def _lines(text: str) -> list[tuple[int, str, str]]:
    """(line number, line, heading it stands under), in order."""
    heading, found = "", []
    for number, line in enumerate(text.splitlines(), start=1):
        title = _HEADING.match(line)
        heading = title[1].lower() if title else heading
        found.append((number, line, heading))
    return found


def _levels(path: Path, text: str) -> None:
    seen: dict[int, int] = {}
    for number, line, _ in _lines(text):
        found = _LEVEL.match(line)
        if not found:
            continue
        level = int(found[1])
        if not 0 <= level <= 5:
            problem = f"names severity {level}; the scale goes from 0 to 5"
            raise InvalidFile(path, problem, fix="Use the six levels.", line=number)
        if level in seen:
            problem = f"says twice what severity {level} is (first on line {seen[level]})"
            raise InvalidFile(path, problem, fix="Keep one of the two.", line=number)
        seen[level] = number
    missing = [str(level) for level in range(6) if level not in seen]
    if missing:
        problem = f"does not say what severity {', '.join(missing)} is"
        raise InvalidFile(path, problem, fix=f"Add a line `- {missing[0]}: ...`. {_LAYOUT}", line=1)


def _behaviours(path: Path, text: str) -> None:
    known = [str(behaviour) for behaviour in Behaviour]
    seen = set()
    for number, line, heading in _lines(text):
        found = _NAMED.match(line)
        if not found or "behaviour" not in heading:
            continue
        name = found[1].lower()
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise InvalidFile(path, f"no behaviour {name!r}; {hint}", line=number)
        seen.add(name)
    missing = [name for name in known if name not in seen]
    if missing:
        problem = f"does not say what {', '.join(missing)} is"
        fix = f"Under a heading with the word behaviours add `- {missing[0]}: ...`. {_LAYOUT}"
        raise InvalidFile(path, problem, fix=fix, line=1)
