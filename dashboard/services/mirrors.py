"""Keep up the mirrors that are switched on: one thread per such store, in the job runner's process.

Of several runners one mirrors a store, by the library's own lock; the others wait idle, and one of
them takes over when it dies. A mirror that fails is begun again by the next look.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

from django.conf import settings

from sessionstore.errors import SessionStoreError
from sessionstore.migration import Mirror, is_mirrored
from sessionstore.paths import StorePaths
from sessionstore.store import open_store

from .fleet import fleet

_log = logging.getLogger(__name__)

LOOK_EVERY_S = 3.0
_FOUND_S = 30.0
_END_S = 10.0


@dataclass(slots=True)
class _Running:
    thread: threading.Thread
    stop: threading.Event = field(default_factory=threading.Event)


class Mirrors:
    """Looks which stores are mirrored, and runs a thread for each until told to stop."""

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mirrors", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End every mirror; what is pending is written by whoever takes over."""
        self._stopping.set()
        self._thread.join(_END_S)

    def _run(self) -> None:
        try:
            while True:
                try:
                    self._look()
                except SessionStoreError as error:
                    _log.warning("mirrors could not be looked at: %s", type(error).__name__)
                if self._stopping.wait(LOOK_EVERY_S):
                    return
        finally:
            for running in self._running.values():
                running.stop.set()
            for running in self._running.values():
                running.thread.join(_END_S)

    def _look(self) -> None:
        wanted = {
            reader.id: reader.paths
            for reader in fleet().scan(budget_s=_FOUND_S).readers
            if _is_on(reader.paths)
        }
        for store_id, running in list(self._running.items()):
            if store_id not in wanted or not running.thread.is_alive():
                running.stop.set()
                running.thread.join(_END_S)
                del self._running[store_id]
        for store_id, paths in wanted.items():
            if store_id not in self._running:
                self._running[store_id] = _begin(store_id, paths)


def _is_on(paths: StorePaths) -> bool:
    try:
        return is_mirrored(paths)
    except SessionStoreError:
        return False  # its page says what is wrong with it


def _begin(store_id: str, paths: StorePaths) -> _Running:
    stop = threading.Event()
    thread = threading.Thread(
        target=_mirror, args=(paths, stop), name=f"mirror-{store_id}", daemon=True
    )
    thread.start()
    return _Running(thread, stop)


def _mirror(paths: StorePaths, stop: threading.Event) -> None:
    try:
        with open_store(paths.store_path, gateway_lock_dir=settings.GATEWAY_LOCK_DIR) as store:
            Mirror(store).run(stop)
    except SessionStoreError as error:
        _log.warning("a mirror ended: %s", type(error).__name__)
