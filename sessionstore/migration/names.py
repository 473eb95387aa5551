"""Whether the file names of a plan can collide on this volume.

They cannot: an ordinary key has no upper-case letter, so of its file name only the escapes
``%2F``, ``%5C`` and ``%3A`` have any, and a ``%`` of the key itself is always ``%25``. Two
different keys therefore differ in more than case (``keys.inline_name``); every other key's name
is hex.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import Finding
from ..files import status_of
from ..paths import StorePaths
from .shapes import PlannedSession


def check_names(paths: StorePaths, sessions: Iterable[PlannedSession]) -> Finding:
    """Say how many file names there are, that none collide, and what this volume does.

    Cost: two ``lstat``.
    """
    names = [session.file_name for session in sessions if session.file_name]
    collisions = len(names) - len({name.casefold() for name in names})
    folds = folds_case(paths.store_path.parent)
    volume = {
        True: "this volume takes upper and lower case for the same",
        False: "this volume tells upper from lower case",
        None: "what this volume does with upper and lower case cannot be told yet",
    }[folds]
    return Finding(
        "case-check",
        "error" if collisions else "info",
        None,
        paths.directory.name,
        f"{len(names)} file names, {_of_which(collisions)} from another only by case; {volume}",
    )


def _of_which(collisions: int) -> str:
    if collisions > 1:
        return f"{collisions} of which differ"
    return f"{collisions or 'none'} of which differs"


def folds_case(folder: Path) -> bool | None:
    """Whether a directory is on a volume that folds case; None where no name tells.

    Looks up the directory's own name, or an ancestor's, in the other case. Changes nothing.
    """
    for path in (folder, *folder.parents):
        twin = path.with_name(path.name.swapcase()) if path.name else path
        status = status_of(path)
        if twin == path or status is None:
            continue
        other = status_of(twin)
        return other is not None and _place_of(other) == _place_of(status)
    return None


def _place_of(status: os.stat_result) -> tuple[int, int]:
    return (status.st_dev, status.st_ino)
