"""Packages that only some commands need."""

from importlib.util import find_spec

from mitigations.errors import ModelUnavailable


def needed(package: str, extra: str) -> None:
    """Say how to install what is missing; raises `ModelUnavailable`."""
    if find_spec(package) is None:
        raise ModelUnavailable(
            f"this needs the package {package.replace('_', '-')}, which is not installed\n"
            f"  pip install 'mitigations[{extra}]'"
        )
