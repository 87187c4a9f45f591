"""`check` over variant files: read each strictly, lint what could be read, compare them all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitigations.compose import approving
from mitigations.errors import InvalidFile, MitigationsError
from mitigations.model import Scenario, Variant
from runner.channels import SHIPPED
from variants import (
    Finding,
    LintContext,
    Severity,
    Standing,
    library,
    lint,
    read_variant,
    text_start,
)
from variants import variant_files as files_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One file: what stops it from being read, or what the linter says of it."""

    path: Path
    variant: Variant | None = None
    problem: InvalidFile | None = None
    findings: tuple[Finding, ...] = ()
    standing: Standing | None = None
    """Proposed, approved, retired; None where the file could not be read."""

    @property
    def is_usable(self) -> bool:
        """False when the file could not be read or has an error among its findings."""
        errors = [item for item in self.findings if item.severity is Severity.ERROR]
        return self.problem is None and not errors


def check_variants(
    paths: Sequence[Path], scenarios: Iterable[Scenario] = ()
) -> tuple[Checked, ...]:
    """Every variant file among `paths`, folders searched, in a fixed order."""
    files = [file for path in paths for file in (files_of(path) if path.is_dir() else (path,))]
    read = {path: _read(path) for path in dict.fromkeys(files)}
    mine = {found.id: found for found in read.values() if isinstance(found, Variant)}
    context = lint_context(scenarios, {**library(), **mine})
    return tuple(_checked(path, found, context) for path, found in read.items())


def _read(path: Path) -> Variant | InvalidFile:
    try:
        return read_variant(path)
    except InvalidFile as exc:
        return exc


def _checked(path: Path, found: Variant | InvalidFile, context: LintContext) -> Checked:
    if isinstance(found, InvalidFile):
        return Checked(path=path, problem=found)
    shipped = library().get(found.id)
    if shipped is not None and shipped.treatment_hash != found.treatment_hash:
        problem = f"{found.id!r} is the id of a shipped variant with another text or placement"
        fix = f"Versions are immutable: give yours an id of its own, and `parent: {found.id}`."
        return Checked(path=path, variant=found, problem=InvalidFile(path, problem, fix=fix))
    first_line = text_start(path.read_text(encoding="utf-8-sig"))
    try:
        where = approving.standing(found, path.parent)
    except InvalidFile as exc:
        return Checked(path=path, variant=found, problem=exc)
    findings = lint(found, context, first_line=first_line)
    return Checked(path=path, variant=found, findings=findings, standing=where)


def lint_context(scenarios: Iterable[Scenario], known: Mapping[str, Variant]) -> LintContext:
    """What the linter compares with: names, wording and tools of the scenarios, other variants.

    Without scenarios the rules about them stay silent.
    """
    cells = tuple(scenarios)
    return LintContext(
        names=frozenset(name for cell in cells for name in _names(cell)),
        passages=tuple(dict.fromkeys(text for cell in cells for text in _passages(cell))),
        tools=frozenset(tool.name for cell in cells for tool in cell.tools) if cells else None,
        channels=frozenset({SHIPPED}),
        known=known,
    )


def _names(scenario: Scenario) -> Iterator[str]:
    yield from scenario.organisations
    for person in scenario.cast:
        if person.domain:
            yield person.domain
        # A group or an authority is called by a role, such as "Review Desk" or "All Staff".
        if person.part not in {"group", "authority"}:
            yield from person.names


def _passages(scenario: Scenario) -> Iterator[str]:
    yield scenario.system
    yield scenario.user
    for mail in scenario.inbox:
        yield from mail.bodies


def lines(checked: Iterable[Checked]) -> Iterator[str]:
    """For people: `file:line: severity: what [rule]`, then the way out."""
    for item in checked:
        if item.problem is not None:
            yield f"{item.problem}"
        for finding in item.findings:
            yield f"{item.path}:{finding}"
        if item.standing is not None and (item.standing.voided or item.standing.event):
            yield f"{item.path}: {approving.words(item.standing)}"


def plain(checked: Iterable[Checked]) -> list[dict[str, Any]]:
    """For machines: one object per file."""
    return [
        {
            "path": str(item.path),
            "id": item.variant.id if item.variant else None,
            "text_hash": item.variant.text_hash if item.variant else None,
            "usable": item.is_usable,
            "status": str(item.standing.status) if item.standing else None,
            "approval_void": bool(item.standing and item.standing.voided),
            "problem": _problem(item.problem),
            "findings": [
                {
                    "line": finding.line,
                    "rule": finding.rule,
                    "severity": str(finding.severity),
                    "message": finding.message,
                    "fix": finding.fix,
                }
                for finding in item.findings
            ],
        }
        for item in checked
    ]


def _problem(problem: MitigationsError | None) -> dict[str, Any] | None:
    if not isinstance(problem, InvalidFile):
        return None
    return {"line": problem.line, "message": problem.problem, "fix": problem.fix}
