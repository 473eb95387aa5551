"""A store that has no directory of ours yet: stage, verify, switch.

1. Safety copy. 2. Stage every row and read it back, without a lock. 3. Marker, list of what was
taken, one ``syncfs``. 4. In exclusive mode: is the source still what was read? Then the staged
directory is renamed into place, the parent synced, and only then the source renamed to its kept
name: killed anywhere, a reader finds either the whole source or the whole directory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..errors import Finding, StoreIOError
from ..files import exchange, list_names, move_into, rename_new
from .choosing import store_file_source
from .guard import prepare_guard, put_guard
from .kept import (
    Kept,
    drop_safety_copy,
    import_rows,
    is_as_read,
    keep_store_file,
    kept_names,
    open_to_others,
    refuse_beside_gateway,
    safety_copy,
)
from .mirror_problems import mirror_off
from .mirror_switch import forget_mirror
from .shapes import Outcome, PlannedSession, Progress
from .sources import Collected, DirectoryState, classify, collect
from .staged import Staged
from .taken import write_taken
from .workspace import REPLACED_NAME, STAGED_NAME, Workspace

_ROUNDS = 3  # stagings without a lock of what writers changed; the next is under it


class MovedError(Exception):
    """The store is in another state than the run began with: begin again. Never leaves ``run``."""


@dataclass(slots=True)
class Done:
    """What a run has done; becomes the report."""

    outcome: Outcome
    taken: int = 0
    equal: int = 0
    verified: int = 0
    restaged: int = 0
    blocked: tuple[PlannedSession, ...] = ()
    findings: list[Finding] = field(default_factory=list)
    kept: str | None = None
    sha256: str | None = None
    guard: bool = False
    finished: bool = False
    """Only the name of a killed run's backup was left to give."""
    in_place: bool = False
    """A directory of PR 42186 that stays where it is."""


@dataclass(frozen=True, slots=True)
class Order:
    """How a run is to be done."""

    guard: bool
    max_entry_bytes: int
    progress: Progress | None
    gateway_lock_dir: Path | None


class Fresh:
    """One attempt at a store without a directory of ours."""

    def __init__(
        self, work: Workspace, order: Order, state: DirectoryState, collected: Collected
    ) -> None:
        self.work = work
        self.order = order
        self.state = state
        self.collected = collected
        self.staged = Staged(work, max_entry_bytes=order.max_entry_bytes)
        # An empty one with a stray file in it (``.DS_Store``, a temporary) cannot be renamed over.
        self.replaces = state == "foreign" or (
            state == "empty" and bool(list_names(work.paths.directory))
        )
        self.kept: Kept = kept_names(work, collected, foreign=self.replaces)
        self.restaged: set[str] = set()
        self.mirror_was_on = False

    def run(self) -> Done:
        """Do it.

        Raises:
            MovedError: another program made a directory meanwhile.
            SessionStoreError: nothing was changed.
        """
        safety_copy(self.work, store_file_source(self.collected, self.work.paths))
        self.staged.renew(self.collected.rows, self.order.progress)
        self.staged.verify(None, self.order.progress)
        if self.order.guard:
            prepare_guard(self.work)
        self.mirror_was_on = forget_mirror(self.work.paths)
        for _ in range(_ROUNDS):
            self._seal()
            if self._switch(patient=True):
                return self._finished()
            self._again()
        self._seal()
        self._switch(patient=False)
        return self._finished()

    def _seal(self) -> None:
        work = self.work
        self.staged.seal(import_rows(work, self.collected, self.kept))
        write_taken(work.staging, work.paths, work.run_id, self.staged.taken)
        self.staged.sync()

    def _again(self) -> None:
        """Collect anew and stage what differs."""
        limit = self.order.max_entry_bytes
        self.collected = collect(self.work.paths, max_entry_bytes=limit, into_directory=False)
        source = store_file_source(self.collected, self.work.paths)
        if (source is not None) != (self.kept.json is not None):
            self.kept = kept_names(self.work, self.collected, foreign=self.replaces)
        safety_copy(self.work, source)
        changed = self.staged.renew(self.collected.rows)
        self.staged.verify(changed)
        self.restaged.update(changed)

    def _switch(self, *, patient: bool) -> bool:
        """Exclusive mode; False when the source has changed, which ``patient`` leaves it at."""
        with self.work.alone_with_store("migrate"):
            refuse_beside_gateway(self.work, self.order.gateway_lock_dir)
            if classify(self.work.paths) != self.state:
                raise MovedError
            if not self._is_as_read():
                if patient:
                    return False
                self._again()
                self._seal()
            self._put_in_place()
            return True

    def _is_as_read(self) -> bool:
        """Whether the sources are what was collected. Many files tell only when read again."""
        if not is_as_read(self.work, self.collected):
            return False
        if all(source.form in ("json", "json5") for source in self.collected.sources):
            return True
        limit = self.order.max_entry_bytes
        fresh = collect(self.work.paths, max_entry_bytes=limit, into_directory=False)
        return fresh.rows == self.collected.rows and fresh.identity == self.collected.identity

    def _put_in_place(self) -> None:
        work = self.work
        if self.replaces:
            self._replace_foreign()
        else:
            self._rename_in()
        work.sync_home()
        if self.kept.json is not None:
            if not keep_store_file(work, self.kept.json, self.collected.identity):
                raise MovedError  # a later file came in its place: it is merged now
            if self.order.guard:
                put_guard(work)
        work.sync_home()

    def _rename_in(self) -> None:
        work = self.work
        try:
            move_into(STAGED_NAME, work.directory_name, from_fd=work.fd, to_fd=work.home_fd)
        except StoreIOError as error:
            if classify(work.paths) != self.state:
                raise MovedError from error  # a program without locks made it this moment
            raise

    def _replace_foreign(self) -> None:
        """Swap the two directories at once, then give the old one its kept name.

        Without such a call the old one goes aside first: for that moment readers find what the
        source has, and ``resume`` puts it back if we die in it.
        """
        work, name = self.work, self.work.directory_name
        assert self.kept.directory is not None
        if exchange(STAGED_NAME, name, from_fd=work.fd, to_fd=work.home_fd):
            rename_new(STAGED_NAME, self.kept.directory, dir_fd=work.fd, to_fd=work.home_fd)
            return
        move_into(name, REPLACED_NAME, from_fd=work.home_fd, to_fd=work.fd)
        move_into(STAGED_NAME, name, from_fd=work.fd, to_fd=work.home_fd)
        rename_new(REPLACED_NAME, self.kept.directory, dir_fd=work.fd, to_fd=work.home_fd)

    def _findings(self) -> list[Finding]:
        off = [mirror_off(self.work.paths)] if self.mirror_was_on else []
        return [*self.collected.findings, *off, *open_to_others(self.work, self.kept.json)]

    def _finished(self) -> Done:
        source = store_file_source(self.collected, self.work.paths)
        sha256 = None if source is None else source.sha256
        drop_safety_copy(self.work, self.kept.json, sha256)
        return Done(
            outcome="migrated",
            taken=len(self.staged.rows),
            verified=len(self.staged.rows),
            restaged=len(self.restaged),
            blocked=(*self.collected.blocked, *self.staged.blocked.values()),
            findings=self._findings(),
            kept=self.kept.json or self.kept.directory,
            sha256=sha256,
        )
