"""How each action is carried out on a store; what it does to the entry is in ``actions``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from sessionstore import entries, transcripts
from sessionstore.editing import merging
from sessionstore.entries import Entry
from sessionstore.errors import (
    ConflictError,
    CorruptEntryError,
    EntryNotFoundError,
    SessionStoreError,
    UnsafeFileError,
)
from sessionstore.keys import check_session_id
from sessionstore.store import Store

from .actions import effect_of, fields_of
from .carrying import Work
from .change_records import Task
from .change_rules import checker, refuse_unknown_fields, rows_with
from .readers import Reader

_TRIES = 10


def work_for(task: Task, params: Mapping[str, Any], *, if_match: str | None) -> Work:
    """The work of an action; ``if_match`` limits it to the entry of that etag."""
    if task.action == "delete":
        return _Delete(task, params, if_match).work()
    if task.action == "reset":
        return _Reset(task, params, if_match).work()
    if task.action in ("set_field", "clear_field"):
        refuse_unknown_fields([params["name"]])
    return _edit(task, params, if_match)


def _edit(task: Task, params: Mapping[str, Any], if_match: str | None) -> Work:
    check, said = checker(task.reader, task.key), [""]

    def change(fresh: Entry | None) -> Entry | None:
        effect = effect_of(task.action, params, fresh or {}, now_ms=_now_ms())
        said[0] = effect.skip
        return merging(task.key, effect.edits, check=check)(fresh)

    def run(store: Store) -> object:
        return store.update(task.key, change, create=False, if_match=if_match)

    return Work(run, fields=fields_of(task.action, params), skipped=lambda: said[0])


class _Ending:
    """An action that ends an incarnation: its transcript is set aside as OpenClaw does it.

    The archive's name is in the version before anything happens, so the undo finds the file
    whenever the process dies; a transcript is only ever moved after the entry has changed.
    """

    reason: transcripts.ArchiveReason

    def __init__(self, task: Task, params: Mapping[str, Any], if_match: str | None) -> None:
        self.task = task
        self.if_match = if_match
        self.wanted = bool(params.get("archive_transcript", True))
        self.note: dict[str, Any] = {}
        self.left = ""

    def work(self) -> Work:
        return Work(self.run, note=self.note, after=self.after)

    def run(self, store: Store) -> object:
        """End the incarnation that was looked at, and no other; look again where it moved."""
        for tries_left in reversed(range(_TRIES)):
            entry = self.looked_at(store)
            try:
                return self.end(store, entries.etag(entry))
            except ConflictError:
                if self.if_match is not None or not tries_left:
                    raise
        raise AssertionError("the loop ends by returning or raising")

    def end(self, store: Store, etag: str) -> object:
        """End the session, if it is still the entry of this etag."""
        raise NotImplementedError

    def looked_at(self, store: Store) -> Entry:
        """The entry as it is, with what will happen to its transcript noted."""
        entry = store.get(self.task.key)
        if entry is None:
            raise EntryNotFoundError(
                f"there is no session {self.task.key!r}", key=self.task.key, path=store.path
            )
        if self.if_match is not None and entries.etag(entry) != self.if_match:
            raise ConflictError(
                f"session {self.task.key!r} has changed since it was looked at; nothing was done",
                key=self.task.key,
                path=store.path,
                hint="look at it again and repeat the step",
            )
        self.note.clear()
        if self.wanted:
            self._plan_transcript(entry)
        return entry

    def _plan_transcript(self, entry: Entry) -> None:
        paths = self.task.reader.paths
        found = transcripts.find_transcript(paths, self.task.key, entry)
        name = transcripts.archivable(paths, found)
        if name is None:
            self.left = _("Its transcript is locked and stays.") if found.locked else ""
        elif other := shares_transcript(self.task.reader, self.task.key, entry):
            self.left = _("Its transcript stays: %s uses it too.") % other
        else:
            archived = transcripts.archive_name(name, self.reason, at_ms=_now_ms())
            self.note["transcript"] = [name, archived]

    def after(self) -> Sequence[str]:
        if "transcript" not in self.note:
            return [self.left] if self.left else []
        name, archived = self.note["transcript"]
        try:
            moved = transcripts.set_aside(self.task.reader.paths, name, archived)
        except SessionStoreError as error:
            return [_("Its transcript stays where it is: %s") % entries.redact(error.message)]
        if not moved:
            return [_("Its transcript was gone already.")]
        return [_("Its transcript is kept as %s.") % entries.redact(archived)]


class _Delete(_Ending):
    reason = "deleted"
    set_aside = False

    def work(self) -> Work:
        return replace(super().work(), skipped=self.said)

    def said(self) -> str:
        """What happened where there was no entry to keep a version of."""
        if not self.set_aside:
            return ""
        return _("It could not be read; its file was moved to quarantine as it was.")

    def run(self, store: Store) -> object:
        try:
            return super().run(store)
        except (CorruptEntryError, UnsafeFileError):
            if self.if_match is not None:
                raise
        self.set_aside = True
        return store.delete(self.task.key)  # to quarantine, as it is

    def end(self, store: Store, etag: str) -> object:
        return store.delete(self.task.key, if_match=etag)


class _Reset(_Ending):
    reason = "reset"

    def __init__(self, task: Task, params: Mapping[str, Any], if_match: str | None) -> None:
        super().__init__(task, params, if_match)
        asked = params.get("session_id")
        self.session_id = check_session_id(asked) if asked else None

    def end(self, store: Store, etag: str) -> object:
        return store.reset(self.task.key, session_id=self.session_id, if_match=etag)


def shares_transcript(reader: Reader, key: str, entry: Entry) -> str:
    """The key of another session with the same session id, as far as the index knows.

    Raises:
        ProblemError: the store was never read yet, so nobody can tell.
    """
    session_id = entry.get("sessionId")
    rows = rows_with(reader, session_id) if isinstance(session_id, str) else ()
    other = next((r.key for r in rows if r.session_id == session_id and r.key != key), "")
    return str(entries.redact(other))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
