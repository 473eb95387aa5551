"""The same store for programs on an event loop.

``open_store`` is a plain call; every method of the result is a coroutine that runs the
blocking call in a worker thread. Functions handed to it (``fn``, ``factory``, ``mutator``) are
plain functions and run in that thread.

Changes of one session wait in line for one thread, in the order of the calls, so that callers of
a hot session stop neither other sessions nor reads. A timeout counts from the call, its time in
line included.

Cancelling a coroutine does not stop a write that has begun: it finishes in its thread, whole or
not at all, and the lock is released. One that has not begun leaves the line.
"""

from __future__ import annotations

import asyncio
import copy
import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from .. import store as blocking
from ..editing import Choice
from ..entries import Entry
from ..errors import Finding
from ..files import DEFAULT_MAX_BYTES, Durability
from ..history import Incarnation
from ..kept import Keeper, Version
from ..keys import check_key
from ..layout import LayoutName
from ..locks import HeldLock
from ..maintenance import (
    TAKE_BACK_S,
    MaintenancePlan,
    MaintenancePolicy,
    MaintenanceReport,
    check,
    maintain,
    plan_maintenance,
    take_back,
)
from ..maintenance.plan_shapes import Progress
from ..metrics import StoreStats, stats
from ..paths import StorePaths
from ..recorder import Recorder
from ..store import Store
from ..versions import find_version, undo, versions
from .lines import Call, Lines

P = ParamSpec("P")
T = TypeVar("T")

_OPERATIONS = {"get_or_create": "create", "update_last_route": "route", "take_back": "update"}
"""Names that reports have for methods, where they are not the method's."""

READERS = 4
"""Threads for reads of one entry and looks at locks, which wait for nobody."""
GENERAL = 8
"""Threads for calls on the whole store."""


class AsyncStore:
    """One store on an event loop; see :class:`sessionstore.Store` for each call."""

    def __init__(self, store: blocking.Store) -> None:
        self.blocking = store
        self._lines = Lines()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="sessionstore-read")
        self._threads = ThreadPoolExecutor(GENERAL, thread_name_prefix="sessionstore")

    @property
    def path(self) -> Path:
        """The store file, whether or not it exists."""
        return self.blocking.path

    @property
    def agent_id(self) -> str | None:
        """The agent that the path tells, for display."""
        return self.blocking.agent_id

    def keeping(self, keeper: Keeper) -> AsyncStore:
        """See :meth:`Store.keeping`. A plain call; close only the store itself."""
        twin = copy.copy(self)
        twin.blocking = self.blocking.keeping(keeper)
        return twin

    @property
    def keeper(self) -> Keeper | None:
        """What :meth:`keeping` was given; None where nothing is kept."""
        return self.blocking.keeper

    async def layout(self) -> LayoutName:
        """``directory``, ``legacy`` or ``empty``, looked at now."""
        return await self._read(lambda: self.blocking.layout)

    async def get(self, key: str) -> Entry | None:
        """See :meth:`Store.get`."""
        return await self._read(self.blocking.get, key)

    async def updated_at(self, key: str) -> int | None:
        """See :meth:`Store.updated_at`."""
        return await self._read(self.blocking.updated_at, key)

    async def etag(self, key: str) -> str | None:
        """See :meth:`Store.etag`."""
        return await self._read(self.blocking.etag, key)

    async def keys(self) -> list[str]:
        """See :meth:`Store.keys`."""
        return await self._run(self.blocking.keys)

    async def load(self) -> dict[str, Entry]:
        """See :meth:`Store.load`."""
        return await self._run(self.blocking.load)

    async def problems(self) -> list[Finding]:
        """See :meth:`Store.problems`."""
        return await self._run(self.blocking.problems)

    async def history(self, key: str) -> list[Incarnation]:
        """See :meth:`Store.history`."""
        return await self._read(self.blocking.history, key)

    async def update(
        self,
        key: str,
        fn: Callable[[Entry | None], Entry | None],
        *,
        create: bool = True,
        if_match: str | None = None,
        timeout: float | None = None,
        durability: Durability | None = None,
    ) -> Entry | None:
        """See :meth:`Store.update`."""
        return await self._change(
            Store.update,
            timeout,
            key,
            fn,
            create=create,
            if_match=if_match,
            durability=durability,
        )

    async def patch(
        self,
        key: str,
        fields: Mapping[str, Any],
        *,
        create: bool = True,
        if_match: str | None = None,
        timeout: float | None = None,
        durability: Durability | None = None,
        return_entry: bool = True,
    ) -> Entry | None:
        """See :meth:`Store.patch`."""
        return await self._change(
            Store.patch,
            timeout,
            key,
            fields,
            create=create,
            if_match=if_match,
            durability=durability,
            return_entry=return_entry,
        )

    async def put(
        self,
        key: str,
        entry: Entry,
        *,
        create: bool = True,
        if_match: str | None = None,
        timeout: float | None = None,
        durability: Durability | None = None,
    ) -> Entry | None:
        """See :meth:`Store.put`."""
        return await self._change(
            Store.put,
            timeout,
            key,
            entry,
            create=create,
            if_match=if_match,
            durability=durability,
        )

    async def get_or_create(self, key: str, factory: Callable[[], Entry]) -> Entry:
        """See :meth:`Store.get_or_create`."""
        return await self._change(Store.get_or_create, None, key, factory)

    async def delete(self, key: str, *, if_match: str | None = None) -> bool:
        """See :meth:`Store.delete`."""
        return await self._change(Store.delete, None, key, if_match=if_match)

    async def reset(
        self, key: str, *, session_id: str | None = None, if_match: str | None = None
    ) -> Entry:
        """See :meth:`Store.reset`."""
        return await self._change(Store.reset, None, key, session_id=session_id, if_match=if_match)

    async def update_last_route(
        self,
        key: str,
        *,
        channel: str | None = None,
        to: str | None = None,
        account_id: str | None = None,
        thread_id: str | int | None = None,
        delivery_context: Mapping[str, Any] | None = None,
    ) -> Entry | None:
        """See :meth:`Store.update_last_route`."""
        return await self._change(
            Store.update_last_route,
            None,
            key,
            channel=channel,
            to=to,
            account_id=account_id,
            thread_id=thread_id,
            delivery_context=delivery_context,
        )

    async def update_all(self, mutator: Callable[[dict[str, Entry]], T]) -> T:
        """See :meth:`Store.update_all`."""
        return await self._change_many(Store.update_all, mutator)

    async def save(
        self, mapping: Mapping[str, Entry], *, base: Mapping[str, Entry] | None = None
    ) -> None:
        """See :meth:`Store.save`."""
        await self._change_many(Store.save, mapping, base=base)

    async def versions(self, key: str) -> list[Version]:
        """See :func:`sessionstore.versions`."""
        return await self._run(versions, self.blocking, key)

    async def undo(
        self,
        version_id: str,
        *,
        choices: Mapping[str, Choice] | None = None,
        still: Callable[[str, Any], bool] | None = None,
        check: Callable[[Entry | None, Entry], None] | None = None,
        timeout: float | None = None,
    ) -> Entry | None:
        """See :func:`sessionstore.undo`."""
        version = await self._read(find_version, self.blocking, version_id)

        def take_back(store: Store, key: str) -> Entry | None:
            return undo(store, version_id, choices=choices, still=still, check=check)

        return await self._change(take_back, timeout, version.key)

    async def held_locks(self, *, transcripts: bool = True) -> list[HeldLock]:
        """See :func:`sessionstore.held_locks`."""
        return await self._read(blocking.held_locks, self.blocking, transcripts=transcripts)

    async def stats(self, *, window: float | tuple[int, int]) -> StoreStats:
        """See :func:`sessionstore.stats`."""
        return await self._run(stats, self.blocking, window=window)

    async def check(self, *, rules: Collection[str] | None = None) -> list[Finding]:
        """See :func:`sessionstore.check`."""
        return await self._run(check, self.blocking, rules=rules)

    async def plan_maintenance(self, policy: MaintenancePolicy) -> MaintenancePlan:
        """See :func:`sessionstore.plan_maintenance`."""
        return await self._run(plan_maintenance, self.blocking, policy)

    async def maintain(
        self,
        plan: MaintenancePlan,
        *,
        progress: Progress | None = None,
        take_back_s: float = TAKE_BACK_S,
        by: str = "",
        reason: str = "",
        run_id: str | None = None,
    ) -> MaintenanceReport:
        """See :func:`sessionstore.maintain`; ``progress`` is called in the worker thread."""
        return await self._run(
            maintain,
            plan,
            progress=progress,
            take_back_s=take_back_s,
            by=by,
            reason=reason,
            run_id=run_id,
            gateway_lock_dir=self.blocking.gateway_lock_dir,
        )

    async def take_back(
        self, run_id: str, *, items: Collection[str] | None = None, by: str = ""
    ) -> MaintenanceReport:
        """See :func:`sessionstore.take_back`."""
        return await self._run(take_back, self.blocking, run_id, items=items, by=by)

    async def close(self) -> None:
        """Let begun and waiting calls finish, then let go of threads and descriptors."""
        for pool in (self._lines, self._readers, self._threads):
            await asyncio.to_thread(pool.shutdown)
        self.blocking.close()

    async def __aenter__(self) -> AsyncStore:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(call, *args, **kwargs))

    async def _read(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, partial(call, *args, **kwargs))

    async def _change(
        self,
        method: Callable[Concatenate[Store, str, P], T],
        timeout: float | None,
        key: str,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        limit_s = self.blocking.timeout if timeout is None else blocking.check_timeout(timeout)
        call = Call(
            check_key(key),
            limit_s,
            self.path,
            lambda left_s: method(self._within(left_s, call), key, *args, **kwargs),
        )
        operation = _OPERATIONS.get(method.__name__, method.__name__)
        call.on_late = partial(self.blocking.tell_late, operation)
        self._lines.add(call)
        return await _result(call)

    async def _change_many(
        self, method: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        call = Call(
            None,
            self.blocking.timeout,
            self.path,
            lambda left_s: method(self._within(left_s, call), *args, **kwargs),
        )
        call.on_late = partial(self.blocking.tell_late, method.__name__)
        self._threads.submit(call.run)
        return await _result(call)

    def _within(self, timeout: float, call: Call[Any]) -> Store:
        """The same store, locks and descriptors with another default timeout."""
        store = copy.copy(self.blocking)
        store.timeout = timeout
        store.queued_ns = call.queued_ns
        store.limit_s = call.limit_s
        return store


async def _result(call: Call[T]) -> T:
    if not call.limit_s:
        return await asyncio.wrap_future(call.future)
    timer = asyncio.get_running_loop().call_later(call.limit_s, call.give_up)
    try:
        return await asyncio.wrap_future(call.future)
    finally:
        timer.cancel()


def open_store(
    path: str | os.PathLike[str] | StorePaths,
    *,
    recorder: Recorder | None = None,
    report: bool = True,
    durability: Durability = "none",
    timeout: float = 10.0,
    max_entry_bytes: int = DEFAULT_MAX_BYTES,
    gateway_lock_dir: str | os.PathLike[str] | None = None,
) -> AsyncStore:
    """As :func:`sessionstore.open_store`; a plain call, needs no running loop."""
    return AsyncStore(
        blocking.open_store(
            path,
            recorder=recorder,
            report=report,
            durability=durability,
            timeout=timeout,
            max_entry_bytes=max_entry_bytes,
            gateway_lock_dir=gateway_lock_dir,
        )
    )
