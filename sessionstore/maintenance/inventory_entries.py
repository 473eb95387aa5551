"""The sessions of a store as facts: each entry opened once, and let go of at once.

Memory: a few hundred bytes per session in the directory layout; a legacy store is one file, which
is read whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..adoption import scan_unadopted
from ..entries import Entry, encode_value, etag, is_finite_number, split, updated_at_ms
from ..entryfiles import scan_adopted
from ..errors import InvalidEntryError, StoreIOError
from ..index.kinds import kind_of, rest_of_key
from ..keys import file_name
from ..layout import Scanned, detect_layout
from ..legacyfile import read_legacy_file
from ..opened import Directory
from ..paths import StorePaths
from ..transcripts import is_session_id
from .prompt_texts import blobs_of
from .shapes import EntryFacts

WEIGHED_BYTES = 1024
"""Smaller fields are not weighed."""

FUTURE_SLACK_MS = 5 * 60_000
_SECONDS = range(10**8, 10**11)
"""As milliseconds these are 1970 to 1973, as seconds 1973 to 5138: nobody had sessions then."""

_TRIES = 3


def scan(paths: StorePaths, max_entry_bytes: int) -> Iterator[Scanned]:
    """Everything that is or should be an entry, in the layout that is there now. Takes no lock.

    Raises:
        SessionStoreError: the store as a whole cannot be read.
        FileNotFoundError: it went away meanwhile.
    """
    layout = detect_layout(paths)
    if layout == "legacy":
        yield from read_legacy_file(str(paths.store_path)).scan()
    elif layout == "directory":
        yield from _scan_directory(paths, max_entry_bytes)


def _scan_directory(paths: StorePaths, max_entry_bytes: int) -> Iterator[Scanned]:
    directory = Directory(paths)
    opened = directory.current()
    if opened is None:
        raise FileNotFoundError(paths.directory)
    look = scan_adopted if opened.marked else scan_unadopted
    yield from look(opened, max_entry_bytes)
    if not directory.is_still(opened):
        raise FileNotFoundError(paths.directory)


def scan_settled(paths: StorePaths, max_entry_bytes: int) -> Iterator[Scanned | None]:
    """As :func:`scan`; None says that the layout moved and that all before it counts no more.

    Raises:
        SessionStoreError: as :func:`scan`, or the layout keeps moving.
    """
    for _ in range(_TRIES):
        try:
            yield from scan(paths, max_entry_bytes)
            return
        except FileNotFoundError:
            yield None
    raise StoreIOError(
        f"the layout of {paths.store_path} keeps changing",
        path=paths.store_path,
        hint="another program replaces sessions.d; try again",
    )


def facts_of(found: Scanned, paths: StorePaths, *, is_legacy: bool, at_ms: int) -> EntryFacts:
    """What the rules need to know of one sound entry."""
    entry, key = found.entry or {}, found.key or ""
    place = paths.store_path.name if is_legacy else f"{paths.directory.name}/{file_name(key)}"
    return EntryFacts(
        key=key,
        etag=etag(entry),
        path=place,
        size_bytes=len(found.data),
        updated_at_ms=updated_at_ms(entry),
        session_id=_session_id(entry),
        kind=kind_of(rest_of_key(key), entry.get("chatType")),
        chat_type=_chat_type(entry),
        status=_text(entry, "status").strip().lower(),
        label=_text(entry, "label").strip(),
        parent_key=_text(entry, "spawnedBy") or _text(entry, "parentSessionKey"),
        session_file=_text(entry, "sessionFile"),
        pinned=is_finite_number(entry.get("pinnedAt")),
        has_failover_override=_is_failed_over(entry),
        weights=weights_of(found.data, entry),
        odd=odd_fields(entry, at_ms),
        blobs=blobs_of(entry),
    )


def odd_fields(entry: Entry, at_ms: int) -> Mapping[str, str]:
    """What is wrong with the fields that everything else depends on, by field, in one word."""
    found: dict[str, str] = {}
    if word := _odd_time(entry.get("updatedAt"), at_ms):
        found["updatedAt"] = word
    session_id = entry.get("sessionId")
    if session_id is None or session_id == "":
        found["sessionId"] = "missing"
    elif not is_session_id(session_id):
        found["sessionId"] = "invalid"
    named = entry.get("sessionFile")
    if named is not None and not isinstance(named, str):
        found["sessionFile"] = "not-text"
    return found


def _odd_time(value: Any, at_ms: int) -> str:
    if value is None:
        return "missing"
    if isinstance(value, str):
        return "text"
    if not is_finite_number(value):
        return "no-number"
    if value < 0:
        return "negative"
    if int(value) in _SECONDS:
        return "seconds"
    return "future" if value > at_ms + FUTURE_SLACK_MS else ""


def weights_of(data: bytes, entry: Entry) -> Mapping[str, int]:
    """Bytes by top-level field, of fields of at least 1 KiB."""
    if len(data) < WEIGHED_BYTES:
        return {}
    fields = split(data)
    sizes = (
        {name: len(bytes(raw)) for name, raw in fields.items()}
        if fields is not None
        else {name: _size_of(value) for name, value in entry.items()}
    )
    return {name: size for name, size in sizes.items() if size >= WEIGHED_BYTES}


def _size_of(value: Any) -> int:
    try:
        return len(encode_value(value))
    except InvalidEntryError:
        return len(repr(value))  # NaN and the like, in a legacy file; close enough to weigh it


def _session_id(entry: Entry) -> str | None:
    value = entry.get("sessionId")
    return value if isinstance(value, str) and value else None


def _text(entry: Entry, name: str) -> str:
    value = entry.get(name)
    return value if isinstance(value, str) else ""


def _chat_type(entry: Entry) -> str:
    origin = entry.get("origin")
    inner = origin if isinstance(origin, dict) else {}
    return _text(entry, "chatType") or _text(inner, "chatType")


def _is_failed_over(entry: Entry) -> bool:
    return entry.get("modelOverride") is not None and entry.get("modelOverrideSource") == "auto"
