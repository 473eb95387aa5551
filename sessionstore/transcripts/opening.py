"""Opening a transcript for reading: folder by folder from one that is known, through no link."""

from __future__ import annotations

from pathlib import Path

from ..errors import UnsafeFileError
from ..files import close_directory, open_directory, real_path
from ..paths import StorePaths
from ..treefiles import Reader


def open_transcript(paths: StorePaths, place: Path) -> Reader:
    """Open the file that :func:`find_transcript` found; the caller closes it.

    What was put in its way since (a link, a special file) is refused. A file with several names
    is opened; its status says so.

    Raises:
        FileNotFoundError: it is gone.
        UnsafeFileError: it lies elsewhere, or is no regular file reached through real folders.
        StoreIOError: the system refused.
    """
    anchor, parts = _anchored(paths, place)
    fd = open_directory(anchor, named=True)
    try:
        for part in parts[:-1]:
            inner = open_directory(part, dir_fd=fd)
            close_directory(fd)
            fd = inner
        return Reader(parts[-1], dir_fd=fd)
    finally:
        close_directory(fd)


def _anchored(paths: StorePaths, place: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder to begin at, and the names from there to the file."""
    home = Path(real_path(paths.store_path.parent))
    real = Path(real_path(place.parent)) / place.name
    if real != home and real.is_relative_to(home):
        return home, real.relative_to(home).parts
    agents = home.parent.parent
    parts = real.relative_to(agents).parts if real.is_relative_to(agents) else ()
    is_usual = (home.name, agents.name, parts[1:2]) == ("sessions", "agents", ("sessions",))
    if is_usual and len(parts) == 3:
        return agents, parts
    raise UnsafeFileError(
        f"{place.name} is not in a folder of sessions that may be read",
        path=place,
        hint="look at sessionFile of the session's entry",
    )
