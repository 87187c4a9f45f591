"""`mitigations check`: what is wrong with files, by file, line and fix."""

from mitigations.compose.checking.files import check_paths, read_script

__all__ = ["check_paths", "read_script"]
