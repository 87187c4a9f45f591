"""The linter's rules as a Markdown table: the documentation is made from the rules themselves."""

from variants.lint import RULES


def rule_table() -> str:
    """One row a rule, in the order in which they run."""
    rows = [f"| `{rule.name}` | {rule.severity} | {rule.why} |" for rule in RULES]
    return "\n".join(["| rule | severity | what it says and why |", "|---|---|---|", *rows]) + "\n"


def library_table() -> str:
    """One row a shipped variant, with its estimated length."""
    from variants.shelf import library  # noqa: PLC0415 - rules alone need no library
    from variants.text import tokens  # noqa: PLC0415 - the same

    rows = [
        f"| `{v.id}` | {v.title} | {tokens(v.text)} | {', '.join(v.tags)} |"
        for v in library().values()
    ]
    return "\n".join(["| id | title | tokens | tags |", "|---|---|---:|---|", *rows]) + "\n"
