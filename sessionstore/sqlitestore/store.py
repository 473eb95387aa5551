"""One agent's sessions in OpenClaw's database, read only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from .. import databasefile
from ..databasefile import Database, database_path
from ..entries import Entry, NotAnEntryError, decode, etag, updated_at_ms
from ..errors import (
    CorruptEntryError,
    FileTooLargeError,
    Finding,
    InvalidKeyError,
    SessionStoreError,
    Severity,
    UnsupportedStoreError,
)
from ..files import DEFAULT_MAX_BYTES
from ..keys import Place, locate
from ..layout import Scanned
from ..paths import StorePaths
from .rows import Found, each_row, rows_of_key
from .schemas import Schema, schema_of
from .windows import Window, windows_of

REFUSED = -1
REFUSED_RULE = "refused-entry"
_HINT = "the database belongs to OpenClaw and is not changed here"


class SqliteStore:
    """Reads ``openclaw-agent.sqlite``; implements ``layout.Readable``. Safe between threads.

    Each call opens the database and closes it again, about a millisecond. It waits 0.25 s at most
    for a lock, and holds none for longer than it takes to read 50 ms worth of rows.

    Every call raises:
        LockTimeoutError: another process has the database locked.
        UnsupportedStoreError: its ``user_version`` is not known.
        CorruptStoreError, UnsafeFileError, StoreIOError.
    """

    name: Literal["sqlite"] = "sqlite"

    def __init__(self, paths: StorePaths, *, max_entry_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.paths = paths
        self.path = database_path(paths)
        self.max_entry_bytes = max_entry_bytes

    @contextmanager
    def _opened(self) -> Iterator[tuple[Database, Schema] | None]:
        """The database and its form; None where there is none."""
        try:
            databasefile.check_file(self.path)
        except FileNotFoundError:
            yield None
            return
        with databasefile.opened(self.path, max_entry_bytes=self.max_entry_bytes) as database:
            yield database, schema_of(database, self.path)

    @property
    def version(self) -> int | None:
        """``user_version`` of a known form; None where there is no database."""
        with self._opened() as found:
            return None if found is None else found[1].version

    def keys(self) -> list[str]:
        """All keys, folded and sorted, those of damaged entries included."""
        with self._opened() as found:
            if found is None:
                return []
            rows = each_row(*found, self.path, keys_only=True)
            return sorted({key for row in rows if (key := folded(row.key)) is not None})

    def read(self, place: Place) -> bytes | None:
        """The bytes of one entry; None when there is none.

        Raises:
            FileTooLargeError: it is over the limit.
            CorruptEntryError: what is stored there is no text.
        """
        with self._opened() as found:
            rows = [] if found is None else rows_of_key(*found, place.key)
        claims = [row for row in rows if folded(row.key) == place.key]
        if not claims:
            return None
        best = max(claims, key=_rank)
        if best.is_too_long or len(_bytes(best)) > self.max_entry_bytes:
            raise FileTooLargeError(
                f"the entry of {place.key!r} is over {self.max_entry_bytes} bytes",
                key=place.key,
                path=self.path,
                hint="allow larger entries to read it",
            )
        if not isinstance(best.entry, bytes):
            raise CorruptEntryError(
                f"the entry of {place.key!r} is no text", key=place.key, path=self.path, hint=_HINT
            )
        return best.entry

    def scan(self) -> Iterator[Scanned]:
        """Every key once; rows that are no entry, and other spellings, come as findings."""
        for row in self.rows():
            if row.key is None or row.problem is not None:
                yield row
                continue
            try:
                yield Scanned(row.key, row.data, entry=decode(row.data))
            except NotAnEntryError as error:
                yield Scanned(row.key, b"", self.damaged(row.key, str(error)))

    def rows(self) -> Iterator[Scanned]:
        """As :meth:`scan`, but not parsed: ``entry`` is None and damage is not noticed."""
        with self._opened() as found:
            if found is None:
                return
            odd: list[tuple[str, object]] = []
            for row in each_row(*found, self.path):
                key = folded(row.key)
                if key is not None and row.key != key.encode():
                    odd.append((key, row.key))
                    continue
                yield self._read(row)
                if key is not None and row.valid == REFUSED:
                    yield Scanned(None, b"", self._refused(key))
        for key, spelt in odd:
            yield from self._odd_row(key, spelt)

    def _odd_row(self, key: str, spelt: object) -> Iterator[Scanned]:
        """A row whose key is spelt in another way than keys are: it counts if no other does."""
        with self._opened() as found:
            rows = [] if found is None else rows_of_key(*found, key)
        best = max((row for row in rows if folded(row.key) == key), key=_rank, default=None)
        if best is not None and best.key == spelt:
            yield self._read(best)
        elif best is not None:
            yield Scanned(None, b"", self._finding("duplicate-key", spelt, f"is {key!r} as well"))

    def _read(self, row: Found) -> Scanned:
        """One row, or why it cannot be an entry."""
        key = folded(row.key)
        if key is None:
            return Scanned(None, b"", self._finding("invalid-key", row.key, "is no session key"))
        data = _bytes(row)
        if row.is_too_long or len(data) > self.max_entry_bytes:
            why = f"is over {self.max_entry_bytes} bytes"
            return Scanned(key, b"", self._finding("unsafe-file", row.key, why, key=key))
        return Scanned(key, data)

    def _refused(self, key: str) -> Finding:
        """That the program has checked the entry and does not take it; we read it all the same."""
        why = "was checked by OpenClaw, which refuses its entry (entry_valid is -1)"
        return self._finding(REFUSED_RULE, key.encode(), why, key=key)

    def damaged(self, key: str, why: str) -> Finding:
        """That what is stored for a key is no entry."""
        return self._finding("damaged-entry", key.encode(), why, key=key)

    def get(self, key: str) -> Entry | None:
        """One entry, exactly as the database has it.

        Raises:
            InvalidKeyError, CorruptEntryError, FileTooLargeError.
        """
        data = self.read(locate(key))
        try:
            return None if data is None else decode(data)
        except NotAnEntryError as error:
            raise CorruptEntryError(
                f"the entry of {key!r} {error}", key=key, path=self.path, hint=_HINT
            ) from error

    def updated_at(self, key: str) -> int | None:
        """``updatedAt`` of the entry, which counts and not the column beside it (§9.3)."""
        entry = self.get(key)
        return None if entry is None else updated_at_ms(entry)

    def etag(self, key: str) -> str | None:
        """Digest of the entry; None when there is none."""
        entry = self.get(key)
        return None if entry is None else etag(entry)

    def history(self, key: str) -> list[Window]:
        """Every incarnation of this key that the database knows, the present one included."""
        place = locate(key)
        with self._opened() as found:
            if found is None:
                return []
            spelt = [row.key for row in rows_of_key(*found, place.key)]
            keys = [text.decode() for text in spelt if isinstance(text, bytes)]
            matching = [text for text in keys if folded(text.encode()) == place.key]
            return windows_of(*found, matching[0] if matching else place.key)

    def problems(self) -> list[Finding]:
        """What is wrong with the database or rows of it. Reads every row, changes nothing."""
        try:
            return [one.problem for one in self.scan() if one.problem is not None]
        except SessionStoreError as error:
            rule = "unsupported-store" if isinstance(error, UnsupportedStoreError) else "unreadable"
            path = error.path or str(self.path)
            return [Finding(rule, "error", error.key, path, error.message, error.hint)]

    def _finding(self, rule: str, spelt: object, why: str, *, key: str | None = None) -> Finding:
        """What is wrong with one row."""
        severity: Severity = "error" if rule in ("damaged-entry", "unsafe-file") else "warning"
        shown = ascii(spelt[:80]) if isinstance(spelt, bytes) else "without a text as its key"
        return Finding(rule, severity, key, str(self.path), f"the row {shown} {why}", _HINT)


def read_only_error(paths: StorePaths) -> UnsupportedStoreError:
    """Why nothing of such a store is written."""
    path: Path = database_path(paths)
    return UnsupportedStoreError(
        f"the sessions of this agent are in {path.name}, which is only read",
        path=path,
        hint="OpenClaw 2026.8 and later refuse to start beside other session files: "
        "change the session through the gateway",
    )


def folded(spelt: object) -> str | None:
    """The session key that a stored key is; None when it is none."""
    if not isinstance(spelt, bytes):
        return None
    try:
        return locate(spelt.decode()).key
    except (InvalidKeyError, UnicodeDecodeError):
        return None


def _bytes(row: Found) -> bytes:
    return row.entry if isinstance(row.entry, bytes) else b""


def _rank(row: Found) -> tuple[bool, int, str]:
    """Which spelling of a key counts: the right one, then the newest, then by its own text."""
    key = row.key if isinstance(row.key, bytes) else b""
    newest = row.updated_at if isinstance(row.updated_at, int) else 0
    return key.decode(errors="replace") == folded(key), newest, repr(key)
