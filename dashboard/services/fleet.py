"""Every store below the state directory, found anew for each page and kept by id.

What leaves here obeys the agent scope (:mod:`dashboard.scope`): a store outside of it is as if it
were not there. What is kept here, and what other requests share, is of all stores.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from sessionstore.errors import Finding, SessionStoreError, StoreIOError
from sessionstore.files import real_path
from sessionstore.paths import StorePaths, discover

from .. import scope
from . import pace
from .problems import Problem, not_there, problem_of, still_reading
from .readers import Reader, agent_name, refresh_all
from .refs import store_id
from .workers import BusyError, Worker

LIVE_AGE_S = 1.0
"""How old a reading a live part may share with others. Whoever opens a page gets a new one."""


def page_budget_s() -> float:
    """How long a page waits for disks before it says "still reading"."""
    return float(settings.PAGE_WAIT_S)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A store that was found and is not opened, with why."""

    id: str
    paths: StorePaths
    finding: Finding

    @property
    def agent(self) -> str:
        """The agent in scopes, as :attr:`Reader.agent`."""
        return agent_name(self.paths, self.id)


@dataclass(frozen=True, slots=True)
class Scan:
    """What one look at the state directory found."""

    state_dir: str
    at_ms: int
    readers: tuple[Reader, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    problem: Problem | None = None


class Fleet:
    """The stores of one state directory. One per process; safe to use from many threads."""

    def __init__(self, state_dir: Path | None, store_template: str | None) -> None:
        self.state_dir = state_dir
        self._template = store_template
        self._looks = Worker("discover")
        self._guard = threading.Lock()
        self._readers: dict[str, Reader] = {}
        self._last: tuple[float, Scan] | None = None

    @property
    def state_dir_text(self) -> str:
        """The state directory as text, empty when none is set."""
        return "" if self.state_dir is None else str(self.state_dir)

    def scan(self, *, budget_s: float | None = None) -> Scan:
        """Find the stores in scope. Never raises: what went wrong is in the result."""
        return _in_scope(self._scan(page_budget_s() if budget_s is None else budget_s))

    def _scan(self, budget_s: float) -> Scan:
        at_ms = time.time_ns() // 1_000_000
        if self.state_dir is None:
            return Scan("", at_ms, problem=_no_state_dir())
        shown = str(self.state_dir)
        try:
            found = self._looks.call(self._find, budget_s=budget_s)
        except BusyError:
            known = tuple(self._readers.values())
            return Scan(shown, at_ms, known, problem=still_reading(shown))
        except FileNotFoundError:
            return Scan(shown, at_ms, problem=_nothing_at(shown))
        except SessionStoreError as error:
            return Scan(shown, at_ms, problem=problem_of(error))
        return self._sort_out(shown, at_ms, found)

    def _find(self) -> list[tuple[str, StorePaths]]:
        assert self.state_dir is not None
        return [
            (_real(paths), paths)
            for paths in discover(self.state_dir, store_template=self._template)
        ]

    def _sort_out(self, shown: str, at_ms: int, found: list[tuple[str, StorePaths]]) -> Scan:
        readers: list[Reader] = []
        skipped: list[Skipped] = []
        with self._guard:
            for real, paths in found:
                finding = paths.problem
                if finding is not None and finding.severity == "error":
                    skipped.append(Skipped(store_id(f"skipped:{paths.store_path}"), paths, finding))
                else:
                    readers.append(self._reader(store_id(real), paths))
            for gone in self._readers.keys() - {reader.id for reader in readers}:
                self._readers.pop(gone).close()
        return Scan(shown, at_ms, tuple(readers), tuple(skipped))

    def _reader(self, ident: str, paths: StorePaths) -> Reader:
        known = self._readers.get(ident)
        if known is None:
            known = self._readers[ident] = Reader(paths, store_id=ident)
        known.paths = paths
        return known

    def reader(self, ident: str) -> Reader:
        """The store of that id, from memory when it is known.

        One outside the scope takes the same way, and so the same time, as one that is not there.

        Raises:
            ProblemError: there is no such store.
        """
        known = self.known(ident)
        if known is None:
            self._scan(page_budget_s())
            known = self.known(ident)
        if known is None:
            raise not_there(
                _("There is no store with this id below the state directory any more."),
                _("Open the list of agents and stores and choose one that is there."),
            )
        return known

    def known(self, ident: str) -> Reader | None:
        """The store of that id if an earlier look has found it and the scope has it."""
        known = self._readers.get(ident)
        return known if known is not None and scope.allows(known.agent) else None

    def refreshed(self, *, budget_s: float | None = None, max_age_s: float = 0.0) -> Scan:
        """Find the stores in scope and read what changed in each, within one budget for both.

        With ``max_age_s`` a look that another request had so lately is good enough.
        """
        budget_s = page_budget_s() if budget_s is None else budget_s
        began = time.monotonic()
        max_age_s *= pace.stretch()
        last = self._last
        if last is not None and began - last[0] < max_age_s:
            everything = last[1]
        else:
            everything = self._scan(budget_s)
            self._last = began, everything
        scan = _in_scope(everything)
        left_s = budget_s - (time.monotonic() - began)
        refresh_all(list(scan.readers), budget_s=left_s, max_age_s=max_age_s)
        return scan

    def close(self) -> None:
        """Stop every thread; never waits."""
        self._looks.close()
        for reader in self._readers.values():
            reader.close()


def _in_scope(scan: Scan) -> Scan:
    return replace(
        scan,
        readers=tuple(reader for reader in scan.readers if scope.allows(reader.agent)),
        skipped=tuple(skipped for skipped in scan.skipped if scope.allows(skipped.agent)),
    )


def _real(paths: StorePaths) -> str:
    try:
        return os.path.join(real_path(paths.store_path.parent), paths.store_path.name)
    except StoreIOError:
        return str(paths.store_path)


def _no_state_dir() -> Problem:
    return Problem(
        _("No state directory is set"),
        _(
            "Neither SESSIONSTORE_STATE_DIR nor OPENCLAW_STATE_DIR is set, "
            "and ~/.openclaw is not there."
        ),
        _("Start the console with STATE_DIR=/path/to/state make run."),
        404,
    )


def _nothing_at(path: str) -> Problem:
    return Problem(
        _("The state directory is not there"),
        _("Nothing is at %s.") % path,
        _("Check the path in SESSIONSTORE_STATE_DIR, and that its disk is mounted."),
        404,
    )


_current: tuple[tuple[int, Path | None, str | None], Fleet] | None = None
_current_guard = threading.Lock()


def fleet() -> Fleet:
    """The fleet of this process and of the state directory that is set now.

    Made anew after a fork, whose child has no threads, and when the setting changes.
    """
    global _current
    wanted = (os.getpid(), settings.STATE_DIR, settings.STORE_TEMPLATE)
    with _current_guard:
        if _current is None or _current[0] != wanted:
            if _current is not None and _current[0][0] == wanted[0]:
                _current[1].close()
            _current = (wanted, Fleet(settings.STATE_DIR, settings.STORE_TEMPLATE))
        return _current[1]


def below_state(text: str) -> str:
    """A text with paths that begin at the state directory, which the page names once."""
    root = fleet().state_dir_text
    return text.replace(f"{root}/", "") if root else text
