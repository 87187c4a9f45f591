"""Tells a proposer what a reviewer would: one remark a finding, each with line and way out."""

from itertools import islice

from mitigations.model import Variant
from variants.lint import fit, form, sense, size, wording
from variants.lint.base import Finding, LintContext, Rule, Severity

RULES: tuple[Rule, ...] = (
    *wording.RULES,
    *fit.RULES,
    *sense.RULES,
    *form.RULES,
    *size.RULES,
)

MOST = 20
"""Findings of one rule on one text; a reader has understood by then, and odd files stay cheap."""


def lint(
    variant: Variant, context: LintContext | None = None, *, first_line: int = 1
) -> tuple[Finding, ...]:
    """The findings in the order of their lines, at most `MOST` of each rule.

    Args:
        variant: the variant, already read strictly.
        context: what to compare with; without it the rules that need it stay silent.
        first_line: the line of the file on which the treatment text starts.
    """
    context = context or LintContext()
    found = [
        Finding(
            line=max(1, hit.line + first_line - 1) if hit.line else 1,
            rule=rule.name,
            severity=rule.severity,
            message=hit.message,
            fix=hit.fix,
        )
        for rule in RULES
        for hit in islice(rule.check(variant, context), MOST)
    ]
    return tuple(sorted(found, key=lambda finding: finding.line))


__all__ = ["RULES", "Finding", "LintContext", "Rule", "Severity", "lint"]
