"""Locks in words: what each verdict is called, why it was given, and what can be done."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from sessionstore.locks import HeldLock

from .tree import shown

VERDICTS: dict[str, tuple[str | Promise, str]] = {
    "alive": (lazy("held, alive"), "live"),
    "over-limit": (lazy("held, over its limit"), "bad"),
    "owner-gone": (lazy("owner gone"), "watch"),
    "pid-reused": (lazy("pid reused"), "watch"),
    "leftover": (lazy("left behind"), "watch"),
    "other-host": (lazy("other host, cannot check"), "unknown"),
    "unreadable": (lazy("unreadable record"), "unknown"),
    "unexplained": (lazy("holder unknown"), "unknown"),
}
"""The word of each verdict, and the state that gives it shape and colour."""

KINDS: dict[str, str | Promise] = {
    "session": lazy("session lock"),
    "store": lazy("store lock"),
    "legacy": lazy("sessions.json.lock"),
    "transcript": lazy("transcript lock"),
}

_MEANINGS: dict[str, str | Promise] = {
    "alive": lazy("The process that holds it runs."),
    "over-limit": lazy(
        "The process that holds it runs, and has kept it for longer than it may. It may hang, or "
        "its work may take that long."
    ),
    "owner-gone": lazy(
        "The process that it names does not run any more on this machine, so nobody holds it."
    ),
    "pid-reused": lazy(
        "The process number that it names belongs to another program now, which started later. "
        "Whoever took the lock is gone."
    ),
    "leftover": lazy("Whoever took it is gone and left the file behind; nobody holds it."),
    "other-host": lazy(
        "It was taken on another machine or in another container, where process numbers mean other "
        "processes. This machine cannot tell whether the holder lives."
    ),
    "unreadable": lazy(
        "What the lock file says does not name a process, so it cannot be told whether anybody "
        "holds it."
    ),
    "unexplained": lazy(
        "The kernel says that it is held, and no program has published that it holds it. It may "
        "belong to another user, another container, or a program that publishes nothing."
    ),
}


def word_of(verdict: str) -> tuple[str, str]:
    """A verdict's word, and the state that gives its shape."""
    word, state = VERDICTS.get(verdict, (verdict, "unknown"))
    return str(word), state


def kind_word(scope: str) -> str:
    """What kind of lock it is."""
    return str(KINDS.get(scope, scope))


def meaning_of(lock: HeldLock) -> str:
    """The verdict, explained in a sentence or two."""
    return str(_MEANINGS.get(lock.verdict, ""))


def is_kernel(lock: HeldLock) -> bool:
    """Whether the kernel holds it, and no file that could be left behind."""
    return lock.scope in ("session", "store")


def steps_for(lock: HeldLock) -> list[str]:
    """What somebody can do now, one sentence each, the mildest first."""
    return list(_steps(lock))


def _steps(lock: HeldLock) -> Iterator[str]:
    if lock.verdict in ("alive", "over-limit"):
        yield from _about_a_living_holder(lock)
    elif lock.verdict == "other-host":
        yield _(
            "Look on %(host)s whether process %(pid)d runs there, and end it there if it hangs. "
            "What is decided there counts; this machine removes nothing."
        ) % {"host": shown(lock.host) or _("the other machine"), "pid": lock.pid}
    elif lock.verdict == "unreadable":
        yield _(
            "Find out which program writes this store, and look whether it runs. Writers take a "
            "lock file without a readable owner over by themselves after 30 s."
        )
    elif lock.verdict == "unexplained":
        yield from _about_an_unknown_holder(lock)
    else:
        yield _(
            "An operator can clear it here. Its owner is proven gone, and that is looked at once "
            "more at the moment of removal."
        )
    if is_kernel(lock):
        yield _(
            "It is a lock of the kernel, so there is no form here that takes it away: the kernel "
            "frees it at the moment when its process ends, and not before."
        )


def _about_a_living_holder(lock: HeldLock) -> Iterator[str]:
    yield _("Wait: a healthy holder lets go by itself, and those who wait get their turn.")
    yield _(
        "If it hangs, end it outside of this console, on %(host)s: kill %(pid)d for "
        "%(program)s, and kill -9 %(pid)d only if it does not end then."
    ) % {
        "host": shown(lock.host) or _("this machine"),
        "pid": lock.pid,
        "program": shown(lock.program) or _("a program of unknown name"),
    }
    if is_kernel(lock):
        yield _(
            "Ending it frees the lock at once. The change it is making is lost, and the entry "
            "stays as it was: entries are replaced whole or not at all."
        )
    else:
        yield _(
            "Ending it leaves the lock file behind. It then says “owner gone” and can be cleared "
            "here; what the program had not written yet is lost."
        )


def _about_an_unknown_holder(lock: HeldLock) -> Iterator[str]:
    if lock.pid:
        yield _(
            "Its open files lead to process %(pid)d (%(program)s). Look what that program does "
            "before you end it."
        ) % {"pid": lock.pid, "program": shown(lock.program) or _("name unknown")}
    else:
        yield _(
            "Look as root on every machine and container that has this directory: "
            "“lslocks” names the process."
        )
