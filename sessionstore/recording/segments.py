"""The files of ``stats/``: what a name says, whose file it is, which others it replaces."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from ..files import list_names
from ..locks.identity import own_identity
from ..locks.table import table_name
from .records import SUFFIX
from .tiers import HOUR, SECOND

MOST_FILES = 4_096
MOST_FILE_BYTES = 32 << 20
TEMPORARY = ".merging-"

_MERGED = re.compile(r"merged\.(\d{1,11})\.(\d{1,11})\.(\d{1,11})\.(\d{1,4})\.windows", re.ASCII)
_WRITTEN = re.compile(r"(.+)-\d+-\d+(\.\d+)?\.windows", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Span:
    """What the name of a merged file says: its oldest and newest report, and when it was made."""

    oldest_ms: int
    newest_ms: int
    thinned_at_ms: int

    @property
    def block(self) -> int:
        """The hour that its newest report is of: there is one merged file for each."""
        return block_of(self.newest_ms)

    def name(self, number: int) -> str:
        """A name for it; rounded so that it spans no less."""
        times = self.oldest_ms // SECOND, -(-self.newest_ms // SECOND), self.thinned_at_ms // SECOND
        return ".".join(["merged", *map(str, times), str(number)]) + SUFFIX


def block_of(until_ms: int) -> int:
    """The hour that a report belongs to by its end."""
    return (until_ms - 1) // HOUR


def span_of(name: str) -> Span | None:
    """The span of a merged file, None for one that a writer wrote."""
    found = _MERGED.fullmatch(name)
    if found is None:
        return None
    oldest, newest, thinned_at, _ = (int(number) * SECOND for number in found.groups())
    return Span(oldest, newest, thinned_at)


@functools.cache
def host_name() -> str:
    """This machine, as reports name it."""
    return own_identity().host


@functools.cache
def own_host() -> str:
    """This machine, as names of files spell it."""
    return table_name(own_identity()).rsplit("-", 2)[0]


def is_own_host(name: str) -> bool:
    """Whether a process of this machine wrote it, so that its lock can be seen from here."""
    found = _WRITTEN.fullmatch(name)
    return found is not None and found[1] == own_host()


def names_in(folder_fd: int) -> list[str]:
    """Names of reports, merged ones first; look at :data:`MOST_FILES` of them at most.

    Raises:
        FileNotFoundError, StoreIOError.
    """
    names = [name for name in list_names(folder_fd, shown="stats") if name.endswith(SUFFIX)]
    names.sort(key=lambda name: (span_of(name) is None, name))
    return names
