"""The entries of many sessions, one after the other: masked, or as they are.

Read as they are sent, some hundred at a time, so that an export of any size needs little memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from sessionstore.entries import redact

from .bulk_effects import Read, read_all
from .bulk_selection import Picked, readers_of
from .problems import Problem, ProblemError
from .readers import Reader
from .tree import shown

BUDGET_S = 60.0

Exported = Iterator[dict[str, Any]]


def exported(picked: Sequence[Picked], *, masked: bool) -> Exported:
    """Each session with its entry, or with what kept it from being read.

    Which stores may be read is settled before this returns: what it gives is read later, when
    the request and its agent scope are over.
    """
    readers = readers_of({one.store_id for one in picked})
    return _exported(picked, readers, masked=masked)


def _exported(picked: Sequence[Picked], readers: dict[str, Reader], *, masked: bool) -> Exported:
    deadline = time.monotonic() + BUDGET_S
    for store_id in dict.fromkeys(one.store_id for one in picked):
        some = [one for one in picked if one.store_id == store_id]
        reader = readers.get(store_id)
        if reader is None:
            yield from (_unread(one) for one in some)
            continue
        yield from (_unread(one) for one in some if one.key is None)
        keys = {at: one.key for at, one in enumerate(some) if one.key is not None}
        try:
            for at, read in read_all(reader, keys, deadline):
                yield _about(reader, some[at], keys[at], read, masked=masked)
        except ProblemError as error:  # too late for another answer: the last line says it
            yield {"store_id": store_id, "problem": _told(error.problem)}


def _about(reader: Reader, one: Picked, key: str, read: Read, *, masked: bool) -> dict[str, Any]:
    about: dict[str, Any] = {
        "store_id": one.store_id,
        "agent": reader.name,
        "ref": one.ref,
        "key": str(redact(key)) if masked else key,
    }
    if read is None:
        return about | {"problem": "gone"}
    if isinstance(read, Problem):
        return about | {"problem": _told(read)}
    return about | {"entry": redact(read) if masked else read}


def _unread(one: Picked) -> dict[str, Any]:
    return {"store_id": one.store_id, "ref": one.ref, "problem": shown(one.why) or "gone"}


def _told(problem: Problem) -> str:
    return f"{problem.title}. {problem.detail}"
