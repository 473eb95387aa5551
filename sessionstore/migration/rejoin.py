"""The ``sessions.json`` of a rollback: staged, read back, and put in the directory's place.

In exclusive mode only sessions that changed since are staged again; then the file comes into
place, the parent is synced, and only then the directory is renamed away: as long as it is there it
counts, and the file beside it is known as our own copy by ``runs/rollback.json``, which is written
before.
"""

from __future__ import annotations

import hashlib
import stat

from ..changes import now_ms
from ..entries import RawValue, encode
from ..errors import SessionStoreError, StalePlanError, StoreIOError
from ..files import (
    digest_of,
    exchange,
    io_error,
    move_into,
    read_file,
    remove_file,
    rename_new,
    status_of,
    write_new,
)
from ..legacyfile import MAX_STORE_BYTES
from ..opened import OpenDirectory
from .guard import has_directory_there
from .guarding import is_guard
from .jsonfile import member, ordered, to_bytes
from .ours import ROLLBACK_NAME, own_digests
from .resume import live_marker
from .returning import returning_rows
from .sessions import Sessions
from .shapes import Progress, RollbackPlan
from .sources.storefile import parse
from .wording import sessions as sessions_in_words
from .workspace import FILE_NAME, GUARD_NAME, Workspace


class Rollback:
    """One rollback: the staged file and what it was made of."""

    def __init__(self, work: Workspace, plan: RollbackPlan) -> None:
        self.work = work
        self.plan = plan
        marker = live_marker(work.paths)
        if marker is None:
            raise StalePlanError(
                f"{work.directory_name} is not there any more",
                path=work.paths.directory,
                hint="plan the rollback again",
            )
        self.source = returning_rows(work.paths, marker).rows
        self.sessions = Sessions(OpenDirectory(work.paths))
        self.sha256 = ""
        self.set_aside = plan.set_aside_as
        if status_of(self.set_aside, dir_fd=work.home_fd) is not None:
            self.set_aside = work.free_name(work.directory_name)

    def stage(self, progress: Progress | None) -> None:
        """Read every session and write the file, where nobody sees it."""
        self.sessions.refresh(progress)
        moved = self.sessions.changed_since(dict(self.plan.etags))
        if moved:
            raise StalePlanError(
                f"{sessions_in_words(len(moved))} changed since the rollback was planned; nothing "
                "was changed",
                keys=tuple(moved),
                path=self.work.paths.directory,
                hint="plan it again and look at the difference",
            )
        self._write(progress)

    def _write(self, progress: Progress | None = None) -> None:
        members = {key: member(data)[0] for key, data in self.sessions.data.items()}
        named = ordered(members, self.source)
        data = to_bytes(named)
        remove_file(FILE_NAME, dir_fd=self.work.fd)
        try:
            write_new(FILE_NAME, data, dir_fd=self.work.fd, sync="strict")
        except OSError as error:
            if isinstance(error, SessionStoreError):
                raise
            raise io_error("write", self.work.path / FILE_NAME, error) from error
        self.sha256 = hashlib.sha256(data).hexdigest()
        self._verify(named, progress)
        self._note()

    def _verify(self, named: dict[str, RawValue], progress: Progress | None) -> None:
        data = read_file(FILE_NAME, dir_fd=self.work.fd, max_bytes=MAX_STORE_BYTES)
        fields = parse(data).members  # tolerant: a source may have had names that are no text
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise self._differs()
        for number, (name, raw) in enumerate(named.items(), 1):
            if bytes(fields.get(name, b"")) != bytes(raw):
                raise self._differs()
            if progress is not None:
                progress(len(named) + number, 2 * len(named), name)
        if len(fields) != len(named):
            raise self._differs()

    def _differs(self) -> StoreIOError:
        return StoreIOError(
            f"{self.work.path / FILE_NAME} does not read back as it was written",
            path=self.work.path / FILE_NAME,
            hint="the store is as it was; check the disk, then try again",
        )

    def _note(self) -> None:
        """Write down what the file is, so that a half-done rollback is never imported."""
        note = {
            "run": self.work.run_id,
            "sha256": self.sha256,
            "sessions": len(self.sessions.data),
            "setAside": self.set_aside,
            "at": now_ms(),
        }
        try:
            self.work.staging.put(
                encode(note),
                ROLLBACK_NAME,
                to_fd=self.work.runs_fd,
                durability="strict",
                created=True,
            )
        except OSError as error:
            if isinstance(error, SessionStoreError):
                raise
            raise io_error("write", self.work.path.parent / ROLLBACK_NAME, error) from error

    def switch(self) -> None:
        """Exclusive mode: stage what changed since, put the file in place, move the directory.

        Each round but the last stages outside of it, so that few sessions are left to it.
        """
        for last in (False, False, False, True):
            with self.work.alone_with_store("rollback"):
                changed = self.sessions.refresh()
                if changed and last:
                    self._write()
                if last or not changed:
                    self._put_in_place()
                    return
            self._write()

    def _put_in_place(self) -> None:
        work = self.work
        if has_directory_there(work):
            self._replace_guard()
        else:
            self._keep_foreign()
            rename_new(FILE_NAME, work.store_name, dir_fd=work.fd, to_fd=work.home_fd)
        work.sync_home()
        rename_new(work.directory_name, self.set_aside, dir_fd=work.home_fd)
        work.sync_home()

    def _replace_guard(self) -> None:
        """Swap file and guard at once; a guard that somebody put something into is kept."""
        work = self.work
        if not is_guard(work.paths):
            rename_new(work.store_name, work.free_name(work.store_name), dir_fd=work.home_fd)
        elif exchange(FILE_NAME, work.store_name, from_fd=work.fd, to_fd=work.home_fd):
            return
        else:
            move_into(work.store_name, GUARD_NAME, from_fd=work.home_fd, to_fd=work.fd)
        rename_new(FILE_NAME, work.store_name, dir_fd=work.fd, to_fd=work.home_fd)

    def _keep_foreign(self) -> None:
        """A ``sessions.json`` that somebody else wrote is kept; a copy of our own only goes."""
        work = self.work
        status = status_of(work.store_name, dir_fd=work.home_fd)
        if status is None:
            return
        if stat.S_ISREG(status.st_mode):
            digest = digest_of(work.store_name, dir_fd=work.home_fd)
            if digest in own_digests(work.paths):
                remove_file(work.store_name, dir_fd=work.home_fd)
                return
        rename_new(work.store_name, work.free_name(work.store_name), dir_fd=work.home_fd)
