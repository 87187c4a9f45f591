"""The shipped variants, and what reads, hashes, lints, diffs and ablates them."""

from variants.ablate import Ablation, CannotAblate, ablate, coding
from variants.difference import Diff, diff
from variants.lint import RULES, Finding, LintContext, Severity, lint
from variants.read import normalise, parse_variant, read_variant, text_start
from variants.render import reveal, to_html, to_text
from variants.shelf import SameTreatment, find, library, refuse_duplicates, variant_files
from variants.status import Standing, Status, StatusEvent, StatusRefused, next_event, standing
from variants.text import reading_grade, tokens
from variants.write import copied, describe, study_id, study_text, template, to_markdown

__all__ = [
    "RULES",
    "Ablation",
    "CannotAblate",
    "Diff",
    "Finding",
    "LintContext",
    "SameTreatment",
    "Severity",
    "Standing",
    "Status",
    "StatusEvent",
    "StatusRefused",
    "ablate",
    "coding",
    "copied",
    "describe",
    "diff",
    "find",
    "library",
    "lint",
    "next_event",
    "normalise",
    "parse_variant",
    "read_variant",
    "reading_grade",
    "refuse_duplicates",
    "reveal",
    "standing",
    "study_id",
    "study_text",
    "template",
    "text_start",
    "to_html",
    "to_markdown",
    "to_text",
    "tokens",
    "variant_files",
]
