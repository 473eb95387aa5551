"""The checks of the overview. Each is one sentence on what is known, never on what is hoped.

Thresholds: free disk under twice the store is watched, under once it is bad, since migration
and backup need room for both; a single file is watched from 1 MiB and bad from 10 MiB, where
lock timeouts are on record; a wait is watched from 1 s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessionstore.locks import HeldLock

from .stores import StoreList, StoreRow

WATCH_FILE_BYTES = 1 << 20
BAD_FILE_BYTES = 10 << 20
WATCH_WAIT_S = 1.0
BAD_WAIT_S = 5.0  # half of the wait limit that gateways use
UNEXPLAINED = frozenset({"owner-gone", "pid-reused", "unreadable", "unexplained"})


@dataclass(frozen=True, slots=True)
class Check:
    """One sentence. ``state`` is ok, watch, bad or unknown; ``page`` and ``query`` lead to the proof."""

    name: str
    state: str
    sentence: str
    detail: str = ""
    page: str = ""
    query: str = ""
    checked_at_ms: int | None = None


def all_checks(stores: StoreList) -> Iterator[Check]:
    """Run every check on one look at the stores."""
    if stores.problem is not None:
        told = stores.problem
        yield Check(
            "state-directory", "bad", f"{told.title}: {told.detail}", told.hint,
            "stores", "", stores.read_at_ms,
        )
        return
    for check in _CHECKS:
        yield from check(stores)
    yield from _not_yet()


def _found(stores: StoreList) -> Iterator[Check]:
    count = len(stores.opened)
    if not count:
        yield _told(stores, "stores", "watch", _("No store was found below %s.") % stores.state_dir)
        return
    sentence = ngettext("%(n)d store was found.", "%(n)d stores were found.", count) % {"n": count}
    unlisted = [row.name for row in stores.opened if row.origin == "discovered"]
    detail = ""
    if unlisted:
        detail = _("Of no configured agent: %s.") % _names(unlisted)
    yield _told(stores, "stores", "ok", sentence, detail)


def _readable(stores: StoreList) -> Iterator[Check]:
    failed = [row for row in stores.opened if row.freshness.problem and not row.freshness.reading]
    for row in failed:
        problem = row.freshness.problem
        assert problem is not None
        yield _told(
            stores, "unreadable", "bad", f"{row.name}: {problem.detail}", problem.hint
        )
    if stores.skipped:
        names = _names([row.name for row in stores.skipped])
        sentence = ngettext(
            "%(n)d place is not opened: %(names)s.",
            "%(n)d places are not opened: %(names)s.",
            len(stores.skipped),
        ) % {"n": len(stores.skipped), "names": names}
        yield _told(stores, "skipped", "watch", sentence, _("Links, escapes and unreadable folders; the list says why."))
    if not failed and not stores.skipped and stores.opened:
        yield _told(stores, "unreadable", "ok", _("Every store could be read."))


def _reading(stores: StoreList) -> Iterator[Check]:
    names = [row.name for row in stores.opened if row.freshness.reading]
    if names:
        sentence = _("Still reading: %s. Figures below are without what is not read yet.")
        yield _told(stores, "reading", "watch", sentence % _names(names))


def _damaged(stores: StoreList) -> Iterator[Check]:
    findings = [f for row in stores.opened for f in row.findings if f.severity == "error"]
    if findings:
        sentence = ngettext(
            "%(n)d entry or file is damaged.", "%(n)d entries or files are damaged.", len(findings)
        ) % {"n": len(findings)}
        yield Check(
            "damaged", "bad", sentence, findings[0].message,
            "sessions", "damaged=yes&machine=yes", stores.read_at_ms,
        )
    elif _is_known(stores):
        yield _told(stores, "damaged", "ok", _("No entry is damaged."), page="sessions")


def _layouts(stores: StoreList) -> Iterator[Check]:
    both = [row.name for row in stores.opened if row.layout == "both"]
    legacy = [row for row in stores.opened if row.layout == "legacy"]
    if both:
        sentence = _("Both layouts are on disk: %s. The directory counts; the file is not read.")
        yield _told(stores, "both-layouts", "watch", sentence % _names(both))
    if legacy:
        sentence = ngettext(
            "%(n)d store is still one sessions.json: %(names)s.",
            "%(n)d stores are still one sessions.json each: %(names)s.",
            len(legacy),
        ) % {"n": len(legacy), "names": _names([row.name for row in legacy])}
        biggest = max((row.files.legacy_bytes or 0 for row in legacy if row.files), default=0)
        state = "bad" if biggest >= BAD_FILE_BYTES else "watch"
        yield _told(stores, "layout", state, sentence, _file_detail(biggest))
    elif not both and _is_known(stores):
        yield _told(stores, "layout", "ok", _("Every store keeps one file per session."))


def _file_detail(biggest: int) -> str:
    if biggest >= WATCH_FILE_BYTES:
        return _("The largest is %.1f MiB; lock timeouts are on record from 1 MiB, hangs from 10 MiB.") % (
            biggest / (1 << 20)
        )
    return _("Every write there rewrites the whole file, and sessions wait for each other.")


def _locks(stores: StoreList) -> Iterator[Check]:
    if any(row.locks is None for row in stores.opened):
        yield _told(stores, "locks", "unknown", _("Locks could not be looked at in every store."))
        return
    held = [lock for row in stores.opened for lock in row.held]
    odd = [lock for lock in held if lock.verdict in UNEXPLAINED]
    if odd:
        sentence = ngettext(
            "%(n)d lock has no living owner that is known.",
            "%(n)d locks have no living owner that is known.",
            len(odd),
        ) % {"n": len(odd)}
        yield _told(stores, "unexplained-locks", "watch", sentence)
    yield _told(stores, "locks", "ok", _held_sentence(held))
    yield from _waits(stores, held)


def _held_sentence(held: list[HeldLock]) -> str:
    if not held:
        return _("No lock is held right now.")
    oldest = max((lock.held_s or 0.0 for lock in held), default=0.0)
    return ngettext(
        "%(n)d lock is held right now, for %(age).1f s.",
        "%(n)d locks are held right now, the oldest for %(age).1f s.",
        len(held),
    ) % {"n": len(held), "age": oldest}


def _waits(stores: StoreList, held: list[HeldLock]) -> Iterator[Check]:
    waits = [waiter.waited_s or 0.0 for lock in held for waiter in lock.waiters]
    if not waits:
        yield _told(stores, "waits", "ok", _("Nobody waits for a lock right now."))
        return
    longest = max(waits)
    state = "bad" if longest >= BAD_WAIT_S else "watch" if longest >= WATCH_WAIT_S else "ok"
    sentence = ngettext(
        "%(n)d writer waits for a lock, for %(age).1f s.",
        "%(n)d writers wait for a lock, the longest for %(age).1f s.",
        len(waits),
    ) % {"n": len(waits), "age": longest}
    yield _told(stores, "waits", state, sentence)


def _disk(stores: StoreList) -> Iterator[Check]:
    known = [(row, row.disk) for row in stores.opened if row.disk is not None]
    if not known:
        return
    tightest, disk = min(known, key=lambda pair: pair[1].free_bytes)
    size = sum(row.bytes or 0 for row in stores.opened)
    free = disk.free_bytes
    state = "ok" if free > 2 * size else "watch" if free > size else "bad"
    values = {"free": _gib(free), "size": _gib(size)}
    if state == "ok":
        sentence = _("%(free)s of disk are free, more than twice the %(size)s that the stores use.")
    else:
        sentence = _("Only %(free)s of disk are free for %(size)s of stores; migration and backup need room for both.")
    yield _told(stores, "disk", state, sentence % values)
    if any(disk.read_only for _row, disk in known):
        yield _told(stores, "read-only-disk", "watch", _("A store is on a file system mounted read-only."))


def _gib(size: int) -> str:
    if size >= 1 << 30:
        return f"{size / (1 << 30):.1f} GiB"
    return f"{size / (1 << 20):.1f} MiB"


def _network(stores: StoreList) -> Iterator[Check]:
    known = [(row, row.disk) for row in stores.opened if row.disk is not None and row.disk.kind]
    remote = [f"{row.name} ({disk.kind})" for row, disk in known if disk.is_network]
    if remote:
        sentence = _("On a network file system, where locks of other hosts may not be seen: %s.")
        yield _told(stores, "file-system", "watch", sentence % _names(remote))
    elif known:
        kinds = ", ".join(sorted({disk.kind for _row, disk in known}))
        yield _told(stores, "file-system", "ok", _("Every store is on a local file system (%s).") % kinds)


def _modes(stores: StoreList) -> Iterator[Check]:
    known = [row for row in stores.opened if row.files is not None]
    open_ones = [row.name for row in known if row.files and row.files.open_to_others]
    if open_ones:
        sentence = _("Other users of this machine can open session files of: %s.")
        hint = _("chmod 600 the files and 700 the folders; session metadata names people and chats.")
        yield _told(stores, "modes", "watch", sentence % _names(open_ones), hint)
    elif known:
        yield _told(stores, "modes", "ok", _("Only the owner can open the session files."))


_CHECKS: tuple[Callable[[StoreList], Iterator[Check]], ...] = (
    _found, _readable, _reading, _damaged, _layouts, _locks, _disk, _network, _modes,
)


def _not_yet() -> Iterator[Check]:
    """What this console does not look at yet. Grey is honest; green would be a promise."""
    yield Check("write-latency", "unknown", _("Write and lock latency: not measured yet."))
    yield Check("timeouts", "unknown", _("Lock timeouts in the last hour: not counted yet."))
    yield Check("orphans", "unknown", _("Transcripts without a session: not checked yet."))
    yield Check("backup", "unknown", _("Last verified backup: not checked yet."))
    yield Check("restore", "unknown", _("Last proven restore: not checked yet."))


def _told(
    stores: StoreList, name: str, state: str, sentence: str, detail: str = "", page: str = "stores"
) -> Check:
    return Check(name, state, sentence, detail, page, "", stores.read_at_ms)


def _is_known(stores: StoreList) -> bool:
    return any(row.sessions is not None for row in stores.opened)


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else _("%(shown)s and %(n)d more") % {"shown": shown, "n": len(names) - 5}


