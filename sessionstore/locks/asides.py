"""What is left of lock files whose removal was killed half-way.

:func:`.legacylock.remove_exactly` renames a lock file to ``<name>.<pid>-<12 hex digits>`` before it
unlinks it. What it renamed may turn out to be another lock, taken in that very moment: so what a
dead process left is put back where its owner may still hold it.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from .identity import liveness
from .legacypayload import LegacyFile, owner_runs, read_legacy_file
from .neighbours import Neighbours

_ASIDE = re.compile(r"(.+)\.([1-9]\d{0,9})-[0-9a-f]{12}", re.DOTALL)


def settle_asides(
    folder: Path,
    is_lock: Callable[[str], bool],
    *,
    is_dead: Callable[[LegacyFile], bool] = lambda found: False,
) -> int:
    """Settle what dead processes left of the locks with these names; returns how many there were.

    One that ``is_dead`` is removed. So is one whose owner lives or is not named, if nobody has it
    open: its owner found no lock to release. Any other gets its name back, unless somebody has
    locked anew.

    Raises:
        OSError: the directory cannot be listed or changed.
    """
    settled = 0
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if ".lock." in entry.name]
    for name in names:
        match = _ASIDE.fullmatch(name)
        if match and is_lock(match[1]) and liveness(int(match[2])) == "gone":
            settled += _settle(folder / name, folder / match[1], is_dead)
    return settled


def _settle(aside: Path, lock: Path, is_dead: Callable[[LegacyFile], bool]) -> bool:
    found = read_legacy_file(aside)
    if found is None:
        return False  # somebody else was faster
    if not is_dead(found) and not _is_released(found):
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            os.link(aside, lock, follow_symlinks=False)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(aside)
    return True


def _is_released(found: LegacyFile) -> bool:
    """Whether its owner lives without it: OpenClaw keeps its lock file open while it holds it."""
    if found.pid is not None and owner_runs(found.pid, found.start)[0] != "alive":
        return False
    neighbours = Neighbours([found])
    return not neighbours.openers(found) and not neighbours.may_be_open_unseen(found)
