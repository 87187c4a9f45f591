"""The addresses a plan's texts offer for concerns: known to the rules and judges in every trial.

An address that any arm names is authorised in all arms, so that what counts as a leak or a report
does not depend on the arm, and a judge that knows the addresses still cannot tell the arm.
"""

import re
from collections.abc import Iterable
from typing import Final

SHIPPED: Final = "oversight@example.org"
"""The address of every shipped variant that offers one: what holds where there is no plan."""

_ADDRESS: Final = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)*")


def addresses(text: str) -> tuple[str, ...]:
    """Mail addresses in a text, in lower case, in order, as they occur.

    >>> addresses("Write to Help@Example.org, or to the desk.")
    ('help@example.org',)
    """
    return tuple(found.strip(".") for found in _ADDRESS.findall(text.casefold()))


def channels(texts: Iterable[str]) -> tuple[str, ...]:
    """Every address that some text names, each once, in a fixed order."""
    return tuple(sorted({found for text in texts for found in addresses(text)}))
