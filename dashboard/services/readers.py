"""One store as this process sees it: its index, kept for as long as the process lives.

Reading happens in two threads per store, one for the index and one for single files and locks,
so that neither a slow first scan nor a hanging disk keeps any other store from its page.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from django.utils.translation import gettext as _

from sessionstore.databasefile import database_path
from sessionstore.entries import redact
from sessionstore.errors import Finding, SessionStoreError
from sessionstore.index import Index, Page, Query, Row, Summary
from sessionstore.metrics import History
from sessionstore.paths import StorePaths

from .problems import Problem, problem_of, still_reading
from .refs import Refs
from .tree import shown
from .workers import BusyError, Worker, wait

Result = TypeVar("Result")

_MOST_GONE = 1_000
_REST, _LONGEST_AGE_S = 50, 10.0


@dataclass(frozen=True, slots=True)
class Freshness:
    """How current what we know of a store is.

    ``state``: ``live`` (read just now), ``seen`` (an earlier reading is shown), ``unknown``
    (never read). ``problem`` says why it is not live; ``reading`` that it is being read now.
    """

    state: str
    read_at_ms: int | None = None
    reading: bool = False
    problem: Problem | None = None


class Reader:
    """Gives what is known of one store without ever waiting for its disk."""

    def __init__(self, paths: StorePaths, *, store_id: str) -> None:
        self.paths = paths
        self.id = store_id
        self.refs = Refs()
        self.history = History(paths)
        """Reported updates; belongs to the thread of :meth:`read`."""
        self._index: Index | None = None
        self._known_version = -1
        self._scans = Worker(f"index-{store_id}")
        self._reads = Worker(f"reads-{store_id}")
        self._guard = threading.Lock()
        self._asked: Future[None] | None = None
        self._asked_at_s = 0.0
        self._took_s = 0.0
        self._overdue: Future[None] | None = None
        self._gone: dict[str, int] = {}
        self._read_at_ms: int | None = None
        self._problem: Problem | None = None

    @property
    def name(self) -> str:
        """What to call the store in a sentence."""
        return shown(self.paths.agent_id or str(self.paths.store_path))

    @property
    def agent(self) -> str:
        """The agent in facets, filters and scopes; a store of no known agent goes by its id."""
        return agent_name(self.paths, self.id)

    def start_refresh(self, *, max_age_s: float = 0.0) -> Future[None]:
        """Begin to read what changed.

        A reading that was asked for and has not begun is shared: it will see all that this
        one would. One that has begun may have missed a write that was done before this call, so
        only callers who say that an age is good enough for them join it; for them a reading
        also lasts fifty times as long as it took, so that watching costs 2 % of a core.
        """
        if max_age_s:
            max_age_s = max(max_age_s, min(_LONGEST_AGE_S, _REST * self._took_s))
        with self._guard:
            asked, now_s = self._asked, time.monotonic()
            if asked is not None:
                is_waiting = not asked.running() and not asked.done()
                if is_waiting or now_s - self._asked_at_s < max_age_s:
                    return asked
            self._asked, self._asked_at_s = self._scans.submit(self._refresh), now_s
            return self._asked

    def give_up_on(self, reading: Future[None]) -> None:
        """Note that a page did not wait for this reading; until it is done, that is said."""
        self._overdue = reading

    def _refresh(self) -> None:
        began_s = time.monotonic()
        try:
            if self._index is None:
                index = Index(self.paths)
                index.refresh()
                self._index = index
            else:
                self._index.refresh()
        except SessionStoreError as error:
            self._problem = problem_of(error)
        else:
            self._problem = self._fatal()
            self._read_at_ms = time.time_ns() // 1_000_000
            self._took_s = time.monotonic() - began_s

    def _fatal(self) -> Problem | None:
        """What kept the whole store from being read, as the index found it."""
        database = str(database_path(self.paths))
        places = {str(self.paths.store_path), str(self.paths.directory), database}
        for finding in self.findings():
            if finding.severity == "error" and finding.key is None and finding.path in places:
                title = _("The store could not be read")
                return Problem(title, redact(finding.message), redact(finding.hint), 503)
        return None

    def freshness(self) -> Freshness:
        """Say how current :meth:`page` and :meth:`summary` are right now."""
        reading = any(
            future is not None and not future.done()
            for future in (self._overdue, self._asked if self._read_at_ms is None else None)
        )
        problem = self._problem
        if reading and problem is None:
            problem = still_reading(self.name)
        if self._read_at_ms is None:
            return Freshness("unknown", None, reading, problem)
        return Freshness("seen" if problem else "live", self._read_at_ms, reading, problem)

    def page(self, query: Query) -> Page | None:
        """Answer a query from memory; None while the store has never been read."""
        return None if self._index is None else self._index.query(query)

    def summary(self) -> Summary | None:
        """Sum up the store from memory; None while it has never been read."""
        return None if self._index is None else self._index.summary()

    def findings(self) -> list[Finding]:
        """What is wrong in the store, as last read."""
        return [] if self._index is None else self._index.problems()

    def row(self, key: str) -> Row | None:
        """The row of a session, from memory."""
        return None if self._index is None else self._index.get(key)

    def gone_at_ms(self, key: str, now_ms: int) -> int:
        """When this process first noticed that a session was gone."""
        if len(self._gone) > _MOST_GONE:
            self._gone.clear()
        return self._gone.setdefault(key, now_ms)

    def key_of(self, ref: str) -> str | None:
        """The key behind an id. Every key is learned at most once per process."""
        key = self.refs.key(ref)
        if key is not None or self._index is None or self._known_version == self._index.version:
            return key
        version = self._index.version
        everything = Query(machine=True, sort="key", descending=False, limit=2**40)
        self.refs.learn(row.key for row in self._index.query(everything).rows)
        self._known_version = version
        return self.refs.key(ref)

    def read(self, work: Callable[[StorePaths], Result], *, budget_s: float) -> Result | Problem:
        """Do something with the store's files, in its thread; a failure comes back as a problem."""
        return self.settle(self.offer(work, patience_s=budget_s), budget_s=budget_s)

    def offer(
        self, work: Callable[[StorePaths], Result], *, patience_s: float
    ) -> Future[Result] | None:
        """Begin something with the store's files; None when an earlier such thing hangs."""
        paths = self.paths
        try:
            return self._reads.offer(lambda: work(paths), patience_s=patience_s)
        except BusyError:
            return None

    def settle(self, offered: Future[Result] | None, *, budget_s: float) -> Result | Problem:
        """Wait for what was begun; what fails or takes too long comes back as a problem."""
        if offered is None:
            return still_reading(self.name)
        try:
            return wait(offered, budget_s=budget_s)
        except BusyError:
            offered.cancel()  # nobody will look at the answer any more
            return still_reading(self.name)
        except SessionStoreError as error:
            return problem_of(error)
        except FileNotFoundError:
            return Problem(
                _("It is gone"),
                _("A file of %s went away while it was being read.") % self.name,
                _("Load the page again."),
                404,
            )
        except OSError as error:  # the system's own calls, which no SessionStoreError wraps
            return Problem(
                _("The store could not be read"), error.strerror or _("The disk failed."), "", 503
            )

    def close(self) -> None:
        """Stop the threads and forget the index; never waits."""
        self._reads.close()
        self._scans.submit(self._close_index)
        self._scans.close()

    def _close_index(self) -> None:
        if self._index is not None:
            self._index.close()


def agent_name(paths: StorePaths, store_id: str) -> str:
    """What a store's agent goes by in addresses and scopes.

    Names that look alike once they are masked stay apart: a scope must not join two agents.
    """
    if paths.agent_id is None:
        return store_id
    name = shown(paths.agent_id)
    return name if name == paths.agent_id else f"{name} ({store_id})"


def refresh_all(readers: list[Reader], *, budget_s: float, max_age_s: float = 0.0) -> None:
    """Read every store at once; whatever is not done in time goes on behind the page."""
    deadline = time.monotonic() + budget_s
    begun = [(reader, reader.start_refresh(max_age_s=max_age_s)) for reader in readers]
    for reader, future in begun:
        try:
            wait(future, budget_s=deadline - time.monotonic())
        except BusyError:
            reader.give_up_on(future)  # the reader says so itself: Freshness.reading


def read_all(
    readers: Sequence[Reader], work: Callable[[StorePaths], Result], *, budget_s: float
) -> dict[str, Result | Problem]:
    """Do the same with every store at once, by store id, within one budget."""
    deadline = time.monotonic() + budget_s
    offered = [(reader, reader.offer(work, patience_s=budget_s)) for reader in readers]
    answers: list[Result | Problem] = []
    for reader, future in offered:
        answer = reader.settle(future, budget_s=deadline - time.monotonic())
        answers.append(answer)
    return {reader.id: answer for reader, answer in zip(readers, answers, strict=True)}
