"""Reading one store in each of its forms, whichever of them counts."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from .. import adoption, entryfiles
from ..databasefile import database_path, holds_sessions
from ..entries import Entry, NotAnEntryError, decode
from ..errors import Finding, SessionStoreError
from ..files import DEFAULT_MAX_BYTES, status_of
from ..keys import locate
from ..layout import Scanned
from ..legacyfile import LegacyFile, read_legacy_file
from ..opened import Directory, OpenDirectory
from ..paths import StorePaths
from ..sqlitestore import SqliteStore
from .shapes import FORMS, FormName

_MOST_SCANS = 50


class LegacyForm:
    """``sessions.json``, held in memory as the file has it."""

    name: FormName = "legacy"

    def __init__(self, paths: StorePaths) -> None:
        self.path = paths.store_path
        status = status_of(self.path)
        self.is_there = status is not None and not stat.S_ISDIR(status.st_mode)
        self._file: LegacyFile | None = None

    def load(self) -> None:
        """Read the file. Raises as ``read_legacy_file``."""
        if self.is_there:
            self._file = read_legacy_file(str(self.path))

    def scan(self) -> Iterator[Scanned]:
        """Read the file; every key once."""
        self.load()
        if self._file is not None:
            yield from self._file.scan()

    def entry(self, key: str) -> Entry | None:
        """One entry of what :meth:`scan` read."""
        data = None if self._file is None else self._file.entry(key)
        return None if data is None else decode(data)


class DirectoryForm:
    """``sessions.d``, ours or another program's of the same names."""

    name: FormName = "directory"

    def __init__(self, paths: StorePaths, *, max_entry_bytes: int) -> None:
        self.path = paths.directory
        self._max_bytes = max_entry_bytes
        self._opened: OpenDirectory | None = None
        self._scans = 0
        if status_of(self.path) is not None:
            self._opened = Directory(paths).current()

    @property
    def is_there(self) -> bool:
        """Whether there is one that holds sessions, or is ours and may be empty."""
        opened = self._opened
        return opened is not None and (opened.marked or any(True for _ in self.scan()))

    def scan(self) -> Iterator[Scanned]:
        """Every file once."""
        opened = self._opened
        if opened is None:
            return iter(())
        if opened.marked:
            return entryfiles.scan_adopted(opened, self._max_bytes)
        return adoption.scan_unadopted(opened, self._max_bytes)

    def entry(self, key: str) -> Entry | None:
        """One entry as it is now; None too where finding it would take one scan too many."""
        opened = self._opened
        if opened is None:
            return None
        if opened.marked:
            data = entryfiles.read_entry(opened, locate(key), self._max_bytes)
        elif self._scans < _MOST_SCANS:
            self._scans += 1
            data = adoption.read_unadopted(opened, key, self._max_bytes)
        else:
            return None
        return None if data is None else decode(data)


class SqliteForm:
    """OpenClaw's database."""

    name: FormName = "sqlite"

    def __init__(self, paths: StorePaths, *, max_entry_bytes: int) -> None:
        self.path = database_path(paths)
        self.store = SqliteStore(paths, max_entry_bytes=max_entry_bytes)
        self.is_there = holds_sessions(paths)

    def scan(self) -> Iterator[Scanned]:
        """Every row once."""
        return self.store.scan() if self.is_there else iter(())

    def entry(self, key: str) -> Entry | None:
        """One entry as it is now."""
        return self.store.get(key) if self.is_there else None


def form_of(name: FormName, paths: StorePaths, max_entry_bytes: int) -> AnyForm:
    """That form of a store, there or not."""
    if name == "legacy":
        return LegacyForm(paths)
    if name == "directory":
        return DirectoryForm(paths, max_entry_bytes=max_entry_bytes)
    return SqliteForm(paths, max_entry_bytes=max_entry_bytes)


AnyForm = LegacyForm | DirectoryForm | SqliteForm


def states_of_key(
    paths: StorePaths, key: str, *, max_entry_bytes: int = DEFAULT_MAX_BYTES
) -> dict[FormName, Entry | Finding]:
    """One session in each form that has it: its entry, or why that cannot be read.

    Reads the whole ``sessions.json``, else one file and one row.

    Raises:
        InvalidKeyError: no session has such a key.
    """
    folded = locate(key).key
    found: dict[FormName, Entry | Finding] = {}
    for name in FORMS:
        try:
            form = form_of(name, paths, max_entry_bytes)
            if isinstance(form, LegacyForm):
                form.load()
            entry = form.entry(folded)
        except FileNotFoundError:
            continue
        except NotAnEntryError as error:
            found[name] = Finding("damaged-entry", "error", folded, None, str(error))
        except SessionStoreError as error:
            found[name] = failure(error)
        else:
            if entry is not None:
                found[name] = entry
    return found


def failure(error: SessionStoreError) -> Finding:
    """Why a form could not be read."""
    return Finding("unreadable", "error", error.key, error.path, error.message, error.hint)
