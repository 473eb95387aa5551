"""Where the demo state lives: one directory per user in the temporary place, ours alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path


class DemoPlaceError(RuntimeError):
    """The demo's directory cannot be used: another user's, a link, or busy."""


def default_place() -> Path:
    """Return the demo's directory of this user."""
    return Path(tempfile.gettempdir()) / f"sessionstore-demo-{os.geteuid()}"


def claim(place: Path) -> int:
    """Make ``place`` ours until the returned descriptor is closed.

    Anybody can make a directory of this name in the temporary place first, hence the checks.
    """
    with contextlib.suppress(FileExistsError):  # what is there is checked next
        place.mkdir(mode=0o700)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise DemoPlaceError(f"{place} is not a directory; remove it or set TMPDIR")
    if found.st_uid != os.geteuid():
        raise DemoPlaceError(f"{place} belongs to another user; set TMPDIR")
    place.chmod(0o700)
    descriptor = os.open(
        place / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise DemoPlaceError(f"another demo is running in {place}; stop it or set TMPDIR") from None
    return descriptor


def emptied_state_dir(place: Path) -> Path:
    """Return the state directory inside a claimed place, empty."""
    state_dir = place / "state"
    if state_dir.exists():
        shutil.rmtree(state_dir)
    state_dir.mkdir(mode=0o700)
    return state_dir
