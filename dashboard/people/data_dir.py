"""The console's own files: which of them others can open."""

from __future__ import annotations

import os
from pathlib import Path


def open_to_others(directory: Path) -> list[str]:
    """Names of what other users of this machine can open, empty when the directory is closed.

    Static files are public anyway. Links are looked at, not followed.
    """
    if not directory.stat().st_mode & 0o077:
        return []
    with os.scandir(directory) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    return [
        entry.name
        for entry in entries
        if not entry.name.startswith("static") and entry.stat(follow_symlinks=False).st_mode & 0o077
    ]
