"""Locks for ``with`` blocks. Classes, as a generator would cost more than the lock itself."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING

from ..keys import lock_offset

if TYPE_CHECKING:
    from .hold import Hold
    from .storelocks import StoreLocks


class KeyContext:
    """One session's lock."""

    __slots__ = ("_hold", "_key", "_locks", "_offset", "_operation", "_reenter", "_timeout")

    def __init__(
        self,
        locks: StoreLocks,
        key: str,
        operation: str,
        timeout: float,
        *,
        reenter: bool,
        offset: int | None,
    ) -> None:
        self._locks = locks
        self._key = key
        self._operation = operation
        self._timeout = timeout
        self._reenter = reenter
        self._offset = offset

    def __enter__(self) -> Hold:
        self._hold = self._locks.acquire(
            self._key,
            self._operation,
            self._timeout,
            reenter=self._reenter,
            offset=self._offset,
        )
        return self._hold

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._locks.release(self._hold)


class KeysContext:
    """Several sessions' locks, all or none, within one deadline."""

    __slots__ = ("_holds", "_keys", "_locks", "_operation", "_timeout")

    def __init__(
        self, locks: StoreLocks, keys: Iterable[str], operation: str, timeout: float
    ) -> None:
        # Two keys may share an offset: one lock then serves both.
        self._keys = {lock_offset(key): key for key in keys}
        self._locks = locks
        self._operation = operation
        self._timeout = timeout

    def __enter__(self) -> tuple[Hold, ...]:
        holds: list[Hold] = []
        left_s = self._timeout
        try:
            for offset, key in sorted(self._keys.items()):
                hold = self._locks.acquire(key, self._operation, left_s, offset=offset)
                holds.append(hold)
                left_s -= (hold.acquired_ns - hold.asked_ns) / 1e9
        except BaseException:
            _release_all(self._locks, holds)
            raise
        self._holds = holds
        return tuple(holds)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _release_all(self._locks, self._holds)


class StoreContext:
    """Exclusive mode."""

    __slots__ = ("_hold", "_locks", "_operation", "_timeout")

    def __init__(self, locks: StoreLocks, operation: str, timeout: float) -> None:
        self._locks = locks
        self._operation = operation
        self._timeout = timeout

    def __enter__(self) -> Hold:
        self._hold = self._locks.acquire_exclusive(self._operation, self._timeout)
        return self._hold

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._locks.release(self._hold)


def _release_all(locks: StoreLocks, holds: list[Hold]) -> None:
    for hold in reversed(holds):
        locks.release(hold)
