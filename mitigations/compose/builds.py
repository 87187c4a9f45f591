"""Which program this is: owner and workers must be the same one."""

import hashlib
from functools import cache
from pathlib import Path

from mitigations import __version__

_ROOT = Path(__file__).parents[2]
_PLAYED = ("runner/**/*.py", "mitigations/model/*.py", "mitigations/study/*.py")
"""What decides how a trial is played and read."""


@cache
def build_id() -> str:
    """The version and a hash over the sources that play a trial."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _PLAYED for path in _ROOT.glob(pattern)):
        digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:8]}"
