"""Text from outside made printable: what every format does before its own escaping."""

import re

# C0 and C1 controls but tab and newline, lone surrogates, noncharacters, and the marks that turn
# the direction of the text around them ("Trojan Source").
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\u202a-\u202e\u2066-\u2069]"
)


def clean(text: str) -> str:
    """The text with every unprintable character shown as U+FFFD.

    >>> clean("a" + chr(0) + "b") == "a" + chr(0xFFFD) + "b"
    True
    """
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n"))
