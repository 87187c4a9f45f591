"""The code blocks of the pages: which they are, and a workspace in which commands run."""

import contextlib
import csv
import io
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mitigations.cli.app import run

ROOT = Path(__file__).parents[2]
FRONT = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [ROOT / name for name in FRONT] + sorted((ROOT / "docs").glob("*.md"))
MARK = re.compile(r"<!-- (not run|file): (.+?) -->")

STUDY = "november-coercion"
"""The finished study that the pages speak of; `RUN` stands for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block, with the comment on the line before it."""

    page: str
    line: int
    language: str
    text: str
    mark: str = ""
    note: str = ""
    """Why it is not run, or the file it is the content of."""


def blocks(page: Path) -> Iterator[Block]:
    lines = page.read_text(encoding="utf-8").split("\n")
    start: int | None = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if start is None:
            start = number
            continue
        found = MARK.fullmatch(lines[start - 1].strip())
        yield Block(
            page=page.name, line=start + 1, language=lines[start][3:].strip(),
            text="\n".join(lines[start + 1 : number]) + "\n",
            mark=found[1] if found else "", note=found[2] if found else "",
        )  # fmt: skip
        start = None
    assert start is None, f"{page.name}: a block is never closed"


def commands(block: Block) -> Iterator[list[str]]:
    """Command lines, without comments and prompts; `a && b` is two."""
    if block.language:
        return
    for line in block.text.replace("\\\n", " ").split("\n"):
        with contextlib.suppress(ValueError):
            words = shlex.split(line, comments=True)
            while words:
                end = words.index("&&") if "&&" in words else len(words)
                yield words[:end]
                words = words[end + 1 :]


def ours(words: list[str]) -> list[str] | None:
    """The arguments, where a line calls this program; variables set before it are left out."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words[1:] if words and Path(words[0]).name == "mitigations" else None


def call(arguments: list[str]) -> tuple[int, str]:
    """Exit code and everything printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = run(arguments)
    return code, out.getvalue()


OTHERS = {"chmod", "git", "openssl"}
"""Programs of everybody's that a page may call."""


def play(block: Block) -> None:
    """Run a block's commands here. `gate` may come to any verdict; all else must succeed."""
    for words in commands(block):
        where = f"{block.page}:{block.line}: {shlex.join(words)}"
        if words[0] == "cd":
            os.chdir(words[1])
            continue
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            os.environ[name] = value
            continue
        if words[0] in OTHERS:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{where}: exit {done.returncode}\n{done.stderr}"
            continue
        arguments = ours(words)
        assert arguments is not None, f"{where}: not ours; mark the block `<!-- not run: why -->`"
        named = [one for word in arguments for one in expanded(STANDS_FOR.get(word, word))]
        code, said = call(named)
        allowed = {0, 3, 4} if "gate" in arguments else {0}
        assert code in allowed, f"{where}: exit {code}\n{said}"
        edit(Path())


STANDS_FOR = {
    "RUN": STUDY,
    "workspace/studies/NAME.yaml": "workspace/studies/here.yaml",
}
"""What a reader puts in the place of a name in capitals."""


def expanded(word: str) -> list[str]:
    """What a shell makes of a word with a star; one in quotes that nothing matches stays."""
    found = sorted(str(path) for path in Path().glob(word)) if "*.eval" in word else []
    return found or [word]


def edit(folder: Path) -> None:
    """What a page asks the reader to do by hand; and fewer repeats, so that it takes seconds."""
    for study in folder.rglob("studies/*.yaml"):
        text = study.read_text()
        study.write_text(re.sub(r"^repeats: \d+", "repeats: 1", text, flags=re.MULTILINE))
    for variant in folder.rglob("variants/*.md"):
        text = variant.read_text()
        variant.write_text(re.sub(r"TODO[^\n]*", "Ask a person first.", text))
    sheet = folder / "ada.csv"
    if sheet.exists():
        with sheet.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        with sheet.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows({**row, "severity": "0"} for row in rows)
