"""What a look at a store is made of. Values only; plans and reports: ``plan_shapes``.

Times are epoch milliseconds, ages and retentions seconds, sizes bytes. Paths are relative to the
store's folder where they are inside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..blobs import Blob
from ..errors import Finding
from ..paths import StorePaths
from ..transcripts import FileKind as FileKind

Confidence = Literal["certain", "likely", "possible"]


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """One session as a look at the store found it. ``updated_at_ms`` is None without a finite one.

    ``weights`` are bytes by top-level field, of fields of at least 1 KiB. ``transcripts`` are names
    of files in the store's folder that belong to it (primary, topic, sidecars).

    ``odd`` says by field what is wrong with it, in one word: ``updatedAt`` missing, text, seconds,
    future, negative or no-number (``seconds``: ``updated_at_ms`` is the value as it stands, so it
    is no time of this age); ``sessionId`` missing or invalid; ``sessionFile`` see
    :mod:`.inventory_links`. ``transcript`` is the file that counts: a name in the store's folder,
    a whole path elsewhere, empty where there is none; ``expected`` the name it would have.
    ``blobs`` are paths of prompt texts that it names, relative to the store's folder.
    """

    key: str
    etag: str
    path: str
    size_bytes: int
    updated_at_ms: int | None
    session_id: str | None
    kind: str
    chat_type: str = ""
    status: str = ""
    label: str = ""
    parent_key: str = ""
    session_file: str = ""
    pinned: bool = False
    has_failover_override: bool = False
    weights: Mapping[str, int] = field(default_factory=dict)
    transcripts: tuple[str, ...] = ()
    odd: Mapping[str, str] = field(default_factory=dict)
    transcript: str = ""
    expected: str = ""
    blobs: tuple[str, ...] = ()

    @property
    def active_at_ms(self) -> int | None:
        """``updated_at_ms`` where it is a time that can be believed, else None."""
        return None if "updatedAt" in self.odd else self.updated_at_ms


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file beside the store. ``session_id`` and ``archived_at_ms`` come from its name.

    ``is_locked``: a transcript's ``.lock`` is there, or a living process has the staging folder.
    ``is_referenced``: an entry of this store names it, or is likely to come back to it (see
    :class:`Inventory`). ``content`` of a small transcript is ``empty`` or ``header-only``.
    ``verdict`` of a lock file is that of :class:`HeldLock`. A folder (staging, one set aside) has
    the bytes of the files in it.
    """

    name: str
    kind: FileKind
    size_bytes: int
    modified_at_ms: int
    mode: int
    uid: int
    session_id: str | None = None
    archived_at_ms: int | None = None
    is_locked: bool = False
    is_referenced: bool = False
    is_folder: bool = False
    content: str = ""
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """One of the store's folders: its own, ``sessions.d``, the side area, our sidecar."""

    name: str
    mode: int
    uid: int


@dataclass(frozen=True, slots=True)
class Inventory:
    """One look at everything of a store, at ``at_ms``. ``unreadable`` could not be looked at.

    ``files`` are by path relative to the store's folder, entries included. ``active_keys`` are
    locked or awaited now; ``total_bytes`` is ``st_size`` of all files counted for the disk budget
    (DESIGN §5), archives included, what is in our own sidecar not.

    ``keys_of`` is which sessions a file belongs to. ``other_ids`` are session ids that something
    besides an entry of this store names: another store in the same folder, an older
    ``sessions.json`` beside the directory, an earlier incarnation; their files count as referenced.
    ``backups`` and ``backup_bytes`` are what is at the usual place of this agent's backups.
    ``collisions`` are names of agents that mean the same agent. Without ``is_listed`` the names in
    the store's folder are not known, so that nothing can be called missing. ``is_open_to_others``:
    the modes of the folders down to the store's, from the state directory, let other users in.
    ``loose_blobs`` (docs/format.md §12) are in place, referred to by no file and taken up by nobody
    for five minutes; None: a file could not be read, so nobody knows.
    """

    paths: StorePaths
    at_ms: int
    layout: str
    entries: Mapping[str, EntryFacts]
    files: Mapping[str, FileFacts]
    problems: tuple[Finding, ...] = ()
    unreadable: tuple[Finding, ...] = ()
    active_keys: frozenset[str] = frozenset()
    total_bytes: int = 0
    folders: Mapping[str, FolderFacts] = field(default_factory=dict)
    keys_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    other_ids: frozenset[str] = frozenset()
    backups: int = 0
    backup_bytes: int = 0
    collisions: tuple[tuple[str, ...], ...] = ()
    is_listed: bool = True
    is_open_to_others: bool = True
    loose_blobs: tuple[Blob, ...] | None = ()

    @property
    def is_complete(self) -> bool:
        """Whether every entry could be read: only then is a file that none names an orphan."""
        return not self.unreadable and not any(
            one.severity == "error" and one.rule != "unsupported-store" for one in self.problems
        )
