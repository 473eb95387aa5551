"""What an entry becomes when a version is brought back into it, and what of it was compared."""

from __future__ import annotations

from collections.abc import Sequence

from sessionstore import entries
from sessionstore.editing import ABSENT
from sessionstore.entries import Entry

_NOT_RESTORED = "updatedAt"
"""When a session was last active is a fact, which bringing back an old value does not change."""


def restored(source: Entry, fresh: Entry | None, fields: Sequence[str] | None) -> Entry:
    """What a restore of these fields, or of all, makes of the entry that is there now."""
    entry = dict(source) if fields is None else _with(fresh or {}, source, fields)
    if fresh is not None and _NOT_RESTORED in fresh:
        entry[_NOT_RESTORED] = fresh[_NOT_RESTORED]
    return entry


def compared_etag(entry: Entry | None, fields: Sequence[str] | None) -> str:
    """The etag of what a restore would replace; "" where there is no session.

    Only of these fields, or of all but ``updatedAt``: a writer who touches nothing else is no
    reason to look again, and a busy session could never be restored.
    """
    if entry is None:
        return ""
    names = entry.keys() - {_NOT_RESTORED} if fields is None else entry.keys() & set(fields)
    return entries.etag({name: entry[name] for name in names})


def _with(fresh: Entry, source: Entry, fields: Sequence[str]) -> Entry:
    merged = dict(fresh)
    for name in fields:
        value = source.get(name, ABSENT)
        if value is ABSENT:
            merged.pop(name, None)
        else:
            merged[name] = value
    return merged
