"""How far an item is that is long by itself, and whether it is to break off on the way.

The code of a kind calls :func:`report` as often as it likes; the row is written twice a second at
most. What it raises has to end the item, which is begun again later or never, so a kind calls it
only where its work may be left as it is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import OperationalError
from django.db.models.functions import Now

from dashboard.models import Job, JobItem
from dashboard.models.jobs import RUNNING
from dashboard.services.tree import shown

from .claiming import Hold, LeaseLostError
from .progress import WRITE_EVERY_S

_log = logging.getLogger(__name__)


class StopItemError(Exception):
    """The item is to break off: somebody asked to "pause" or "cancel", or the runner is to stop.

    Not a failure. Code between here and the runner must let it pass.
    """

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted
        super().__init__(wanted)


class Parts:
    """What the item at hand tells. Used by the thread that runs the item."""

    def __init__(self, hold: Hold, item_id: int, stopping: Callable[[], bool]) -> None:
        self._hold = hold
        self._item_id = item_id
        self._stopping = stopping
        self._written_s = 0.0
        self._measured: tuple[int, str] | None = None

    def report(self, done: int, total: int, name: str, *, unit: str, may_stop: bool) -> None:
        """Write it down, if it is time to, and look whether to break off."""
        now_s = time.monotonic()
        is_new = (total, unit) != self._measured
        if now_s - self._written_s < WRITE_EVERY_S and not is_new:
            return
        self._written_s = now_s
        try:
            wanted = self._write(done, total, name, is_new=is_new)
        except OperationalError as error:  # the next one is due in half a second
            _log.warning("no progress could be written: %s", type(error).__name__)
            return
        self._measured = (total, unit)
        if may_stop and (wanted or self._stopping()):
            raise StopItemError(wanted or "stop")

    def _write(self, done: int, total: int, name: str, *, is_new: bool) -> str:
        hold = self._hold
        mine = Job.objects.filter(pk=hold.job_id, owner=hold.owner, state=RUNNING)
        wanted = mine.values_list("wanted", flat=True).first()
        if wanted is None:
            raise LeaseLostError(f"job {hold.job_id}")
        begun = {"part_since": Now(), "part_from": done} if is_new else {}
        JobItem.objects.filter(pk=self._item_id).update(
            part_done=done, part_total=total, part_name=shown(name)[:500], part_at=Now(), **begun
        )
        return wanted


_current: ContextVar[Parts | None] = ContextVar("item_parts", default=None)


@contextmanager
def told_by(parts: Parts) -> Iterator[None]:
    """Let what is called inside tell how far it is."""
    token = _current.set(parts)
    try:
        yield
    finally:
        _current.reset(token)


def report(done: int, total: int, name: str, *, unit: str = "", may_stop: bool = True) -> None:
    """Say how far the item at hand is; outside of a job nobody hears it.

    ``name`` is what it is at, ``unit`` what ``done`` and ``total`` count: a rate is measured
    within one unit. With ``may_stop`` False nothing but a lost lease breaks off.

    Raises:
        StopItemError: the item is to break off here.
        LeaseLostError: the job is not this runner's any more.
    """
    parts = _current.get()
    if parts is not None:
        parts.report(done, total, name, unit=unit, may_stop=may_stop)
