"""Files that Python runs at every start, without an import, held against a list.

A `.pth` file in site-packages can hold code; that is how litellm 1.82.8 took keys. Usage:
`python .ci/pth.py ENVIRONMENT...`, each the folder of one. It looks at files and runs none. Exit 1
names what is new.
"""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

LIST = Path(__file__).with_name("pth-allowed.txt")
HOOKS = ("sitecustomize.py", "usercustomize.py", "sitecustomize", "usercustomize")


def allowed() -> dict[str, set[str]]:
    """File name to the hashes it may have."""
    found: dict[str, set[str]] = {}
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            digest, name = line.split()
            found.setdefault(name, set()).add(digest)
    return found


def unexpected(folder: Path) -> Iterator[str]:
    """What a site-packages folder holds beyond the list."""
    known = allowed()
    for path in sorted(folder.glob("*.pth")):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest not in known.get(path.name, ()) and not _only_folders(content):
            yield f"{path}: runs at every start of Python and is not on the list\n  {digest}"
    for name in HOOKS:
        if (folder / name).exists():
            yield f"{folder / name}: runs at every start of Python"


def _only_folders(content: bytes) -> bool:
    """Lines that name folders are no code; `site` runs those that start with `import`."""
    try:
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return False
    return all(Path(line).is_dir() for line in map(str.strip, lines) if line)


def main(environments: list[str]) -> int:
    """Check the environments; gives the exit code."""
    faults = []
    for name in environments:
        root = Path(name)
        folders = [*root.glob("lib*/python*/site-packages"), *root.glob("Lib/site-packages")]
        if not folders:
            faults.append(f"{name}: has no site-packages that could be looked at")
        faults += [fault for folder in folders for fault in unexpected(folder)]
    print("\n".join(faults) or "No file runs at the start of Python but the listed ones.")  # noqa: T201
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
