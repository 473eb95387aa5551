"""The error of a lock that was not obtained in time, naming who holds it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ..errors import LockTimeoutError
from .hold import STORE_OFFSET, Hold
from .slots import Slot
from .tables import LiveTable, read_tables


def lock_timeout(sidecar: Path, hold: Hold) -> LockTimeoutError:
    """Say what was wanted, who is in the way since when, and what to do."""
    waited_s = hold.timeout - hold.left_s()
    wanted = "the whole store" if hold.key is None else f"session {hold.key!r}"
    begin = f"{wanted} was not free for {hold.operation} within {hold.timeout:.3g} s"
    found = _in_the_way(read_tables(sidecar), hold)
    if found is None:
        return LockTimeoutError(
            f"{begin}: another process holds it",
            waited_s=waited_s,
            queued_s=hold.queued_ns / 1e9,
            key=hold.key,
            path=sidecar,
            hint="nothing was written; try again, or look at the held locks of this store",
        )
    table, slot = found
    holder = f"{table.identity.program} (pid {table.identity.pid} on {table.identity.host})"
    held_s = max(time.time() - slot.since_ns / 1e9, 0.0)
    return LockTimeoutError(
        f"{begin}: {holder} {_what(slot)} for {slot.operation}, {held_s:.1f} s by now",
        holder=holder,
        held_s=held_s,
        waited_s=waited_s,
        queued_s=hold.queued_ns / 1e9,
        key=hold.key,
        path=sidecar,
        hint=_hint(table),
    )


def _hint(table: LiveTable) -> str:
    if table.identity.pid == os.getpid():
        return (
            "nothing was written; this very process holds it: if the same thread does, through "
            "another store object, use one object"
        )
    return "nothing was written; try again, or end that process, which frees the lock at once"


def _what(slot: Slot) -> str:
    if slot.state == "waiting":
        return "waits for the whole store"
    return "holds the whole store" if slot.key is None else f"holds session {slot.key!r}"


def _in_the_way(tables: list[LiveTable], hold: Hold) -> tuple[LiveTable, Slot] | None:
    """A holder of it; else a holder of the store; else who waits for the store."""
    pairs = [(table, slot) for table in tables for slot in table.slots]
    holding = [pair for pair in pairs if pair[1].state == "holding"]
    ranked = [pair for pair in holding if pair[1].offset == hold.offset]
    ranked += [pair for pair in holding if pair[1].key is None]
    if hold.offset == STORE_OFFSET:
        ranked += sorted(holding, key=lambda pair: pair[1].since_ns)
    else:
        ranked += [pair for pair in pairs if pair[1].offset == STORE_OFFSET]
    return ranked[0] if ranked else None
