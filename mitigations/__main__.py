"""The console script, and `python -m mitigations`."""

import sys
from pathlib import Path


def main() -> None:
    """Run the command line; every expected error is one to three lines and its own exit code."""
    if sys.path and sys.path[0] in {"", str(Path.cwd())} and not _is_checkout(Path.cwd()):
        # `python -m` puts the working folder first: a user's own stats.py would shadow ours.
        del sys.path[0]
    from mitigations.cli.app import run  # noqa: PLC0415 - only after the path is clean

    sys.exit(run(sys.argv[1:]))


def _is_checkout(folder: Path) -> bool:
    """Our own source tree, where the working folder is the right one to import from."""
    return folder == Path(__file__).resolve().parents[1]


if __name__ == "__main__":
    main()
