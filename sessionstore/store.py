"""Store: the public calls on one agent's sessions, in whichever layout they are.

Sessions never wait for each other; nothing is written that did not change; no call reads or
writes more than the entries it names. Everything here is built on ``layout.Layout``.
"""

from __future__ import annotations

import contextlib
import copy
import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter_ns
from types import TracebackType
from typing import Any, TypeVar

from . import changes, entries, history, locks, problems
from .backing import Backing
from .bulk import compute_changes, diff_against, not_saved
from .changes import Change, now_ms
from .entries import Entry, NotAnEntryError
from .errors import (
    CorruptEntryError,
    Finding,
    InvalidEntryError,
    LockTimeoutError,
    SessionStoreError,
    UnsafeFileError,
)
from .files import DEFAULT_MAX_BYTES, DURABILITIES, Durability
from .kept import Keeper, Keeping
from .keys import Place, check_key, check_session_id, locate
from .layout import (
    LayoutName,
    Scanned,
    Terms,
    Transform,
    detect_layout,
)
from .patching import patch
from .paths import StorePaths, store_paths
from .recorder import Recorder
from .recording import reporter_of

T = TypeVar("T")
_LONGEST_S = 1e9  # more than 30 years; infinity would overflow the live table's clock


class Store:
    """One store. Made by :func:`open_store`; safe to share between threads and over fork.

    Every call raises :class:`SessionStoreError` subclasses only, with ``path``, ``key`` and
    ``hint``, besides what a caller's own function raises.
    """

    def __init__(
        self,
        paths: StorePaths,
        *,
        recorder: Recorder | None,
        durability: Durability,
        timeout: float,
        max_entry_bytes: int,
        gateway_lock_dir: Path | None,
    ) -> None:
        self.paths = paths
        self.durability = _check_durability(durability)
        self.timeout = check_timeout(timeout)
        self.max_entry_bytes = max_entry_bytes
        self.gateway_lock_dir = gateway_lock_dir
        self._backing = Backing(
            paths,
            max_entry_bytes=max_entry_bytes,
            recorder=recorder,
            gateway_lock_dir=gateway_lock_dir,
        )
        self._reporter = self._backing.reporter
        self.queued_ns = 0  # waited by this call already, in line (aio)
        self.limit_s = 0.0  # what it may wait in all, where that is more than the timeout
        self._keeper: Keeper | None = None

    @property
    def path(self) -> Path:
        """The store file, whether or not it exists: ``…/sessions.json``."""
        return self.paths.store_path

    @property
    def agent_id(self) -> str | None:
        """The agent that the path tells, for display."""
        return self.paths.agent_id

    @property
    def layout(self) -> LayoutName:
        """``directory``, ``legacy``, ``sqlite`` (only read) or ``empty``, looked at now."""
        return detect_layout(self.paths)

    def close(self) -> None:
        """Let go of descriptors and the staging folder. The store must not be used after."""
        self._backing.close()

    def keeping(self, keeper: Keeper) -> Store:
        """The same store, whose changes of one entry keep what they replace (``versions``).

        What an operator changes goes through this; writers need not pay for it. Shares
        everything with this store, which alone is closed. Costs one more file per change,
        written and synced before it; ``update_all`` and ``save`` keep nothing.
        """
        twin = copy.copy(self)
        twin._keeper = keeper
        return twin

    @property
    def keeper(self) -> Keeper | None:
        """What :meth:`keeping` was given; None where nothing is kept."""
        return self._keeper

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Store {self.paths.store_path}>"

    # -- reading -----------------------------------------------------------------------

    def get(self, key: str) -> Entry | None:
        """A copy of the entry, None when there is none. Opens one data file; takes no lock.

        Raises:
            InvalidKeyError, CorruptEntryError, UnsafeFileError, StoreIOError.
            CorruptStoreError: a legacy file that is not one JSON object.
        """
        place = _place(key)
        reporter = self._reporter
        if reporter is None or not reporter.has_started:
            data = self._backing.read(lambda layout: layout.read(place), None)
            return None if data is None else self._decode(place, data)
        began = perf_counter_ns()
        data = self._backing.read(lambda layout: layout.read(place), None)
        entry = None if data is None else self._decode(place, data)
        reporter.add_read("get", perf_counter_ns() - began)
        return entry

    def _decode(self, place: Place, data: bytes) -> Entry:
        try:
            return entries.normalise(entries.decode(data))
        except NotAnEntryError as error:
            raise changes.corrupt_entry(
                place.key, self._backing.path_of(place.key), str(error)
            ) from error

    def updated_at(self, key: str) -> int | None:
        """``updatedAt`` in epoch milliseconds; None without an entry or a finite number."""
        entry = self.get(key)
        return None if entry is None else entries.updated_at_ms(entry)

    def etag(self, key: str) -> str | None:
        """Digest of the entry for ``if_match``; None when there is no entry."""
        entry = self.get(key)
        return None if entry is None else entries.etag(entry)

    def keys(self) -> list[str]:
        """All keys, sorted, those of damaged entries included.

        Lists the directory, and reads the files below ``x/``, whose names do not tell their key
        (in a directory that is not adopted, all files).
        """
        began = perf_counter_ns()
        found: list[str] = self._backing.read(lambda layout: layout.keys(), [])
        self._tell_read("keys", began)
        return found

    def load(self) -> dict[str, Entry]:
        """All sound entries by key. Reads every file; damaged ones are in :meth:`problems`."""
        began = perf_counter_ns()
        loaded = {
            found.key: entries.normalise(found.entry)
            for found in self._scan()
            if found.key is not None and found.entry is not None
        }
        self._tell_read("load", began)
        return loaded

    def problems(self) -> list[Finding]:
        """What is wrong with the store's files. Reads every file and changes nothing."""
        return problems.problems(self.paths, self._scan)

    def _tell_read(self, operation: str, began: int) -> None:
        if self._reporter is not None:
            self._reporter.add_read(operation, perf_counter_ns() - began)

    def _scan(self) -> list[Scanned]:
        nothing: list[Scanned] = []
        return self._backing.read(lambda layout: list(layout.scan()), nothing)

    def history(self, key: str) -> list[history.Incarnation]:
        """Earlier incarnations of this key, oldest first; see :meth:`reset`. Two files.

        Of a ``sqlite`` store, what its database tells.
        """
        place = _place(key)
        current = self.get(key) or {}
        # A reset that was killed half-way has noted the incarnation that still lives.
        return [
            life
            for life in self._backing.incarnations(place.key)
            if life.session_id is None or life.session_id != current.get("sessionId")
        ]

    # -- changing one entry ------------------------------------------------------------

    def update(
        self,
        key: str,
        fn: Callable[[Entry | None], Entry | None],
        *,
        create: bool = True,
        if_match: str | None = None,
        timeout: float | None = None,
        durability: Durability | None = None,
    ) -> Entry | None:
        """Replace the entry by ``fn(fresh entry or None)``, under the session's lock.

        ``fn`` gets its own copy of what is on disk now and returns the new entry, or None for
        no change. A result equal to what is there writes nothing. Returns the stored entry.
        The timeout in seconds covers queueing, the lock and ``fn``; 0 means only if the lock is
        free now. ``fn`` runs once, except that it runs again where the whole directory is
        replaced under it. Cost: 13 system calls.

        Raises:
            LockTimeoutError: nothing was written; names the holder.
            LockReentryError: called from inside a change of the same session.
            ConflictError: ``if_match`` is not the entry's etag; nothing was written.
            EntryNotFoundError: there is none and ``create`` is false.
            InvalidKeyError, InvalidEntryError, CorruptEntryError, UnsafeFileError,
            StoreIOError, GatewayRunningError, UnsupportedStoreError.
        """
        change = self._change_of(key, create=create, if_match=if_match)
        self._run(change, changes.update(change, fn), self._terms("update", timeout, durability))
        return change.entry

    def patch(
        self,
        key: str,
        fields: Mapping[str, Any],
        *,
        create: bool = True,
        if_match: str | None = None,
        timeout: float | None = None,
        durability: Durability | None = None,
        return_entry: bool = True,
    ) -> Entry | None:
        """Merge ``fields`` into the entry; a value of None removes the field.

        ``updatedAt`` becomes the largest of old, given and now; when no field changes nothing
        is written. Values that are not named keep their bytes and are not parsed, which on
        bloated entries is most of the cost: pass ``return_entry=False`` where the result,
        which has to be parsed, is not needed (then None is returned). Raises as :meth:`update`.
        """
        change = self._change_of(key, create=create, if_match=if_match)
        change.want_entry = return_entry
        _check_fields(fields)
        self._run(change, patch(change, fields), self._terms("patch", timeout, durability))
        return change.entry if return_entry else None

    def put(
        self,
        key: str,
        entry: Entry,
        *,
        create: bool = True,
        if_match: str | None = None,
        timeout: float | None = None,
        durability: Durability | None = None,
    ) -> Entry | None:
        """Store the whole entry. A damaged file or a link in its place goes to quarantine."""
        change = self._change_of(key, create=create, if_match=if_match)
        changes.check(change, entry)
        terms = self._terms("put", timeout, durability)
        self._run(change, changes.put(change, entry), terms._replace(heal=if_match is None))
        return change.entry

    def get_or_create(self, key: str, factory: Callable[[], Entry]) -> Entry:
        """The entry, made by ``factory`` if there is none; many callers, one factory call."""
        if (entry := self.get(key)) is not None:
            return entry
        change = self._change_of(key)
        self._run(change, changes.get_or_create(change, factory), self._terms("create"))
        assert change.entry is not None
        return change.entry

    def delete(self, key: str, *, if_match: str | None = None) -> bool:
        """Remove the entry; False when there was none.

        A damaged file or a link is moved to quarantine, unless ``if_match`` is given.
        """
        change = self._change_of(key, if_match=if_match)
        terms = self._terms("delete")
        try:
            self._run(change, changes.remove(change), terms)
            return change.existed
        except (CorruptEntryError, UnsafeFileError):
            if if_match is not None:
                raise
        healing = self._change_of(key)
        self._run(healing, changes.remove(healing), terms._replace(heal=True))
        return True

    def reset(
        self, key: str, *, session_id: str | None = None, if_match: str | None = None
    ) -> Entry:
        """Start a new incarnation of the session; the old one is kept in :meth:`history`.

        Toggles, label, route and unknown fields stay; counters, the transcript path and what
        belonged to the old run go. The transcript file itself is not touched.

        Raises:
            EntryNotFoundError: there is no such session. Else as :meth:`update`.
        """
        place = _place(key)
        new_id = str(uuid.uuid4()) if session_id is None else check_session_id(session_id)

        def renew(entry: Entry | None) -> Entry:
            assert entry is not None
            if entry.get("sessionId") == new_id:
                raise InvalidEntryError(
                    f"{new_id} is the id of the current incarnation",
                    key=place.key,
                    hint="leave session_id out, and a new one is made",
                )
            now = now_ms()
            history.remember(
                self.paths,
                self._backing.staging,
                place.key,
                entry,
                now_ms=now,
                durability=self.durability,
            )
            return entries.new_incarnation(entry, session_id=new_id, now_ms=now)

        change = self._change_of(key, create=False, if_match=if_match)
        self._run(change, changes.update(change, renew), self._terms("reset"))
        assert change.entry is not None
        return change.entry

    def update_last_route(
        self,
        key: str,
        *,
        channel: str | None = None,
        to: str | None = None,
        account_id: str | None = None,
        thread_id: str | int | None = None,
        delivery_context: Mapping[str, Any] | None = None,
    ) -> Entry | None:
        """Record the route of the latest message; ``updatedAt`` stays (openclaw-format §4.5).

        Parts that are not given are kept. A new channel or target without a thread id clears
        the old thread id. ``deliveryContext`` and the four ``last*`` fields agree afterwards.
        """
        context = None if delivery_context is None else dict(delivery_context)

        def route(entry: Entry | None) -> Entry:
            return entries.route_update(
                {"sessionId": str(uuid.uuid4())} if entry is None else entry,
                channel=channel,
                to=to,
                account_id=account_id,
                thread_id=thread_id,
                delivery_context=context,
            )

        change = self._change_of(key)
        self._run(change, changes.update(change, route), self._terms("route"))
        return change.entry

    # -- changing many entries ---------------------------------------------------------

    def update_all(self, mutator: Callable[[dict[str, Entry]], T]) -> T:
        """Let ``mutator`` change a dict of all fresh entries in place; returns its result.

        Only changed and removed keys touch the disk, each under its own lock and only over the
        version the mutator saw. If another writer changed some of them meanwhile, the mutator
        runs a second time with those sessions locked, and only those are taken from it. Each
        key changes at once; a crash can leave some keys changed and others not.
        """
        results: list[T] = []

        def compute(seen: dict[str, bytes]) -> dict[str, Any]:
            working = {k: entries.normalise(entries.decode(data)) for k, data in seen.items()}
            results.append(mutator(working))
            return compute_changes(seen, working, self._change_of)

        terms = self._terms("update_all")
        self._backing.write(lambda layout, left: layout.mutate_all(compute, left), terms)
        return results[-1]

    def save(
        self, mapping: Mapping[str, Entry], *, base: Mapping[str, Entry] | None = None
    ) -> None:
        """Write what differs. A key missing from ``mapping`` is removed only if in ``base``.

        ``base`` is what the caller loaded; with it, a key that both sides changed since is
        left as it is and named in the error, after all others are written; so is one that is
        damaged. Without it every entry that differs from the stored one is written, and damaged
        ones are replaced as by :meth:`put`.

        Raises:
            ConflictError: ``keys`` names what was left. Else as :meth:`update`.
        """
        transforms = diff_against(mapping, base, self._change_of)
        terms = self._terms("save")._replace(heal=base is None)
        failed = self._backing.write(
            lambda layout, left: layout.change_many(transforms, left), terms
        )
        if failed:
            raise not_saved(failed, self.paths.store_path)

    # -- telling -----------------------------------------------------------------------

    def tell_late(self, operation: str, error: LockTimeoutError) -> None:
        """Report a change that gave up before it asked for a lock, in a line of its caller's."""
        self._backing.tell_late(operation, error)

    def tell_merged(self, operation: str) -> None:
        """Report that an edit met a newer version and was merged with it field by field."""
        if self._reporter is not None:
            self._reporter.count(f"conflicts:{operation}:merged")

    # -- inside ------------------------------------------------------------------------

    def _change_of(self, key: str, *, create: bool = True, if_match: str | None = None) -> Change:
        place = _place(key)
        change = Change(place.key, self._backing.path_of, self.max_entry_bytes, create, if_match)
        reporter = self._reporter
        change.is_timed = reporter is not None and reporter.wants_phases
        return change

    def _run(self, change: Change, transform: Transform, terms: Terms) -> None:
        if self._keeper is None:
            self._backing.run(change, transform, terms)
            return
        keeping = Keeping(
            self._keeper,
            self.paths,
            self._backing.staging,
            key=change.key,
            transform=transform,
        )
        try:
            self._backing.run(change, keeping.transform, terms)
        except BaseException:
            # why: the change's own error travels; a version left behind stays begun
            with contextlib.suppress(SessionStoreError, OSError):
                keeping.failed(lambda: self.get(change.key))
            raise
        keeping.done()

    def _terms(
        self,
        operation: str,
        timeout: float | None = None,
        durability: Durability | None = None,
    ) -> Terms:
        timeout = self.timeout if timeout is None else check_timeout(timeout)
        return Terms(
            operation,
            timeout,
            self.durability if durability is None else _check_durability(durability),
            queued_ns=self.queued_ns,
            limit_s=self.limit_s or timeout,
        )


def open_store(
    path: str | os.PathLike[str] | StorePaths,
    *,
    recorder: Recorder | None = None,
    report: bool = True,
    durability: Durability = "none",
    timeout: float = 10.0,
    max_entry_bytes: int = DEFAULT_MAX_BYTES,
    gateway_lock_dir: str | os.PathLike[str] | None = None,
) -> Store:
    """Open the store that ``path`` names: a store file, its directory, or its ``sessions.d``.

    Nothing needs to exist and nothing is read or created before the first call. A fresh store
    starts in the directory layout at its first write.

    ``durability`` is the default of every write: ``none`` survives a killed process,
    ``relaxed`` never leaves a torn file after a power cut, ``strict`` has the write on disk
    when the call returns. ``timeout`` is in seconds. ``max_entry_bytes`` bounds one entry's
    file. ``gateway_lock_dir`` is where OpenClaw keeps its gateway lock (default: the system's
    temporary directory).

    Every process that writes reports what its updates cost: some kilobytes every five seconds,
    as long as there are any, into ``.sessionstore/<name>/stats`` (docs/format.md), for about a
    microsecond per update. It never fails or delays a change, and reading reports nothing by
    itself. ``report=False`` turns it off; a ``recorder`` takes its place and gets one call per
    update.

    Raises:
        UnsupportedStoreError: ``path`` is a template or no store path.
        UnsafeFileError: ``discover`` reported the store as one that must not be opened.
        ValueError: no such durability, or no such timeout.
    """
    paths = path if isinstance(path, StorePaths) else store_paths(path)
    if paths.problem is not None and paths.problem.severity == "error":
        raise UnsafeFileError(
            paths.problem.message, path=paths.problem.path, hint=paths.problem.hint
        )
    if recorder is None and report:
        recorder = reporter_of(paths.sidecar)
    return Store(
        paths,
        recorder=recorder,
        durability=durability,
        timeout=timeout,
        max_entry_bytes=max_entry_bytes,
        gateway_lock_dir=None if gateway_lock_dir is None else Path(gateway_lock_dir),
    )


def held_locks(store: Store, *, transcripts: bool = True) -> list[locks.HeldLock]:
    """Who holds which lock of this store and who waits; ``docs/locks.md`` explains each verdict.

    Takes no session's lock and waits for none; removes live tables of dead processes. Cost: one
    small file per process that uses the store, up to 30 ms while one is being written, and with
    ``transcripts`` the names of the store's directory and one small file per transcript lock.
    """
    return list(view_locks(store, transcripts=transcripts).held)


def view_locks(store: Store, *, transcripts: bool = True) -> locks.LockView:
    """As :func:`held_locks`, with how many transcript locks were left out (over 512 are)."""
    paths = store.paths
    return locks.view_locks(paths.sidecar, store_path=paths.store_path, transcripts=transcripts)


def _place(key: object) -> Place:
    return locate(key if isinstance(key, str) else check_key(key))


def _check_durability(durability: Durability) -> Durability:
    if durability not in DURABILITIES:
        raise ValueError(f"durability is one of {', '.join(DURABILITIES)}, not {durability!r}")
    return durability


def check_timeout(timeout: object) -> float:
    """A number of seconds from 0; infinity becomes some thirty years.

    Raises:
        ValueError: anything else.
    """
    if isinstance(timeout, int | float) and not isinstance(timeout, bool) and timeout >= 0:
        return min(float(timeout), _LONGEST_S)
    raise ValueError(f"timeout is a number of seconds from 0, not {timeout!r}")


def _check_fields(fields: object) -> None:
    if isinstance(fields, Mapping):
        for name in fields:
            if type(name) is not str and not isinstance(name, str):
                break
        else:
            return
    raise InvalidEntryError("fields is a mapping with text names", hint="pass a dict")
