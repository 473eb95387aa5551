"""Everything that can go wrong, as exceptions and as findings.

::

    SessionStoreError
    ├── InvalidKeyError          (ValueError)    the session key cannot be a key
    ├── InvalidEntryError        (ValueError)    the value is not a JSON object that can be stored
    ├── InvalidPolicyError       (ValueError)    a policy that would keep nothing, or makes no sense
    ├── EntryNotFoundError       (KeyError)      create=False and there is no entry
    ├── ConflictError                            the entry is not the one the caller saw
    │   ├── OverlapError                         others changed the same fields (``editing``)
    │   └── StalePlanError                       the store moved under a plan
    ├── CorruptEntryError        (ValueError)    one entry's file is damaged
    ├── CorruptStoreError        (ValueError)    a whole sessions.json is damaged
    ├── DamagedBackupError       (ValueError)    a backup is not as it was written
    ├── UnsafeBackupError        (ValueError)    an archive that nobody may unpack
    ├── UnsafeFileError                          a link or special file
    │   └── FileTooLargeError                    over the size limit
    ├── UnsupportedStoreError                    another format, layout or lock protocol
    ├── GatewayRunningError                      a live gateway writes this store without locks
    ├── UnprovenLockError                        a lock whose owner lives, or may live
    ├── StoreIOError             (OSError)       the operating system said no
    ├── LockTimeoutError         (TimeoutError)  the deadline passed
    └── LockReentryError         (RuntimeError)  the caller already holds this lock

An exception stops one call. A :class:`Finding` reports something an operator should know
without stopping anything: it is what ``problems()``, ``discover()`` and ``check()`` return.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation about a store, for an operator.

    ``rule`` is a stable slug (``damaged-entry``), ``message`` says what is so, ``hint`` what
    to do next. ``key`` and ``path`` name the subject where there is one. A sound store has no
    finding above ``info``. ``confidence`` (certain, likely or possible) and ``evidence`` come with
    the findings of a check; ``size_bytes`` and ``at_ms`` say how much it is about and since when.
    """

    rule: str
    severity: Severity
    key: str | None
    path: str | None
    message: str
    hint: str = ""
    confidence: str = ""
    evidence: tuple[str, ...] = ()
    size_bytes: int = 0
    at_ms: int | None = None


class SessionStoreError(Exception):
    """Base of all errors: ``path``, ``key`` and ``hint`` are always there, maybe empty.

    ``report`` is what a long operation had done when it failed (DESIGN §5, "stale plans").
    """

    report: object | None = None

    def __init__(
        self,
        message: str,
        *,
        key: str | None = None,
        path: str | os.PathLike[str] | None = None,
        hint: str = "",
    ) -> None:
        Exception.__init__(self, message)
        self.message = message
        self.key = key
        self.path = None if path is None else os.fspath(path)
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Subclasses take other arguments than Exception's args, so rebuild from the state.
        return _rebuild, (type(self), self.message, self.__dict__.copy())


def _rebuild(
    kind: type[SessionStoreError], message: str, state: dict[str, Any]
) -> SessionStoreError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    if isinstance(error, OSError):
        error.errno = state.get("error_number")
    return error


class InvalidKeyError(SessionStoreError, ValueError):
    """The session key is blank, too long, or has a NUL or a lone surrogate."""


class InvalidEntryError(SessionStoreError, ValueError):
    """The value is not a JSON object, or holds something JSON cannot carry."""


class InvalidPolicyError(SessionStoreError, ValueError):
    """A retention policy that is empty, or has numbers that make no sense; nothing was removed."""


class EntryNotFoundError(SessionStoreError, KeyError):
    """There is no entry for this key and the call may not create one."""


class ConflictError(SessionStoreError):
    """Another writer changed what the caller saw; nothing of the named keys was written."""

    def __init__(self, message: str, *, keys: tuple[str, ...] = (), **details: Any) -> None:
        super().__init__(message, **details)
        self.keys = keys or ((self.key,) if self.key is not None else ())


class StalePlanError(ConflictError):
    """The store has moved under the items that a plan names."""


class CorruptEntryError(SessionStoreError, ValueError):
    """An entry's file is not one JSON object. Its bytes stay where they are."""


class CorruptStoreError(SessionStoreError, ValueError):
    """A ``sessions.json`` is not one JSON object. Its bytes stay where they are."""


class DamagedBackupError(SessionStoreError, ValueError):
    """A part of a backup's archive or sidecar is not as it was written, or is missing."""


class UnsafeBackupError(SessionStoreError, ValueError):
    """An archive that was not made by this program, or made to harm; refused as a whole."""


class UnsafeFileError(SessionStoreError):
    """A link, special file or over-large file stands where a regular file must be."""


class FileTooLargeError(UnsafeFileError):
    """The file has more bytes than this reader takes; another limit may read it."""


class UnsupportedStoreError(SessionStoreError):
    """The store's format, layout or lock protocol is not one this version writes."""


class GatewayRunningError(SessionStoreError):
    """A live gateway rewrites this ``sessions.json`` without locks, so ours would be lost."""


class UnprovenLockError(SessionStoreError):
    """A lock that may not be cleared: nothing proves its owner gone, or it is the kernel's.

    ``held`` is what is known of it, a :class:`HeldLock`.
    """

    def __init__(self, message: str, *, held: object = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.held = held


class StoreIOError(SessionStoreError, OSError):
    """The operating system refused an operation; ``errno`` says which way."""

    def __init__(self, message: str, *, errno: int | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.errno = errno
        self.error_number = errno


class LockTimeoutError(SessionStoreError, TimeoutError):
    """The deadline for queueing, lock and work passed; nothing was written.

    ``holder`` names the process that holds the lock (None when it is unknown), ``held_s`` how
    long it has held it, ``waited_s`` how long this call waited, ``queued_s`` how much of that
    behind other threads of its own process.
    """

    def __init__(
        self,
        message: str,
        *,
        holder: str | None = None,
        held_s: float | None = None,
        waited_s: float = 0.0,
        queued_s: float = 0.0,
        **details: Any,
    ) -> None:
        super().__init__(message, **details)
        self.queued_s = queued_s
        self.holder = holder
        self.held_s = held_s
        self.waited_s = waited_s


class LockReentryError(SessionStoreError, RuntimeError):
    """The calling thread already holds this lock; waiting for it would never end."""
