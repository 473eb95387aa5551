"""One lock: as it is now, in words, and as a text to send to somebody who can help."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils.translation import gettext as _

from dashboard.live import stamp_of
from sessionstore.locks import HeldLock

from .fleet import fleet
from .locks_look import StoreLook, look_at_locks
from .locks_rows import LockRow, WaiterRow, lock_row
from .problems import ProblemError, not_there
from .readers import Reader

MOST_WAITERS = 100


@dataclass(frozen=True, slots=True)
class LockPage:
    """One look at one lock. ``row`` is None when it is not held any more."""

    store_id: str
    store: str
    row: LockRow | None
    read_at_ms: int

    @property
    def waiters(self) -> tuple[WaiterRow, ...]:
        """Who waits, the longest first; as many as a page can show."""
        waiters = self.row.waiters if self.row else ()
        return tuple(sorted(waiters, key=lambda waiter: -waiter.waited_s))[:MOST_WAITERS]

    @property
    def stamp(self) -> str:
        """The digest of what is on the screen."""
        if self.row is None:
            return stamp_of("gone")
        waits = [(waiter.pid, int(waiter.waited_s)) for waiter in self.row.waiters]
        return stamp_of(self.row.id, self.row.verdict, int(self.row.held_s), waits)


@dataclass(frozen=True, slots=True)
class FoundLock:
    """A lock as the store's own code knows it, with where it was found."""

    reader: Reader
    lock: HeldLock | None
    look: StoreLook


def find_lock(store_id: str, ident: str, *, is_live: bool = False) -> FoundLock:
    """Look for the lock that goes by this id; ``lock`` is None when it is not held any more.

    Raises:
        ProblemError: there is no such store, or its locks cannot be looked at now.
    """
    reader = fleet().reader(store_id)
    look = look_at_locks([reader], is_live=is_live)[reader.id]
    if not isinstance(look, StoreLook):
        raise ProblemError(look)
    lock = next((lock for lock in look.locks if lock.id == ident), None)
    return FoundLock(reader, lock, look)


def lock_page(store_id: str, ident: str, *, is_live: bool = False) -> LockPage:
    """The page of one lock.

    Raises:
        ProblemError: there is no such store, or its locks cannot be looked at now.
    """
    found = find_lock(store_id, ident, is_live=is_live)
    row = None if found.lock is None else lock_row(found.reader, found.lock)
    return LockPage(store_id, found.reader.name, row, found.look.at_ms)


def not_held(page: LockPage) -> ProblemError:
    """The answer for a lock that is not held any more."""
    return not_there(
        _("This lock of %s is not held any more, or its holder has let go and taken it anew.")
        % page.store,
        _("Open the list of locks to see what is held now."),
    )


def support_text(page: LockPage) -> str:
    """Everything about a lock as plain text, masked; empty when it is not held."""
    return "" if page.row is None else "\n".join(_lines(page, page.row))


def _lines(page: LockPage, row: LockRow) -> Iterator[str]:
    yield _("Lock report of sessionstore, looked at %s") % _time(page.read_at_ms)
    facts = (
        (_("Store"), row.store),
        (_("Lock"), f"{row.kind_word}: {row.what}"),
        (_("Session key"), row.key),
        (_("File"), row.path),
        (_("Verdict"), f"{row.word} ({row.verdict})"),
        (_("Holder"), row.program or _("unknown program")),
        (_("Host"), row.host or _("unknown")),
        (_("Process"), str(row.pid) if row.pid else _("unknown")),
        (_("Process started"), _time(row.started_at_ms) if row.started_at_ms else _("unknown")),
        (_("Container"), row.container),
        (_("Operation"), row.operation),
        (_("Held for"), row.held_words if row.limit_percent is None else row.limit_words),
        (_("Held since"), _time(row.since_ms) if row.is_since_known else _("unknown")),
    )
    yield from (f"{name}: {value}" for name, value in facts if value)
    yield from _listed(_("Evidence for this verdict:"), row.evidence)
    yield from _listed(_("Evidence against it:"), row.against)
    yield _("Waiters: %d") % len(row.waiters)
    for waiter in page.waiters:
        yield (
            f"  {waiter.program} {waiter.pid} @ {waiter.host}, {waiter.operation}: {waiter.words}"
        )
    if len(row.waiters) > len(page.waiters):
        yield _("  and %d more") % (len(row.waiters) - len(page.waiters))


def _listed(title: str, lines: tuple[str, ...]) -> Iterator[str]:
    if lines:
        yield title
        yield from (f"  - {line}" for line in lines)


def _time(at_ms: int) -> str:
    try:
        moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return _("not a time")
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
