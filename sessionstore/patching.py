"""``patch``: merge fields into an entry without parsing what they do not name."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter_ns
from typing import Any

from . import entries
from .changes import ROUTED, Change, corrupt_entry, encoded, now_ms, reread, routed
from .entries import Entry, NotAnEntryError, RawValue
from .errors import InvalidEntryError
from .layout import New, Transform


def patch(change: Change, fields: Mapping[str, Any]) -> Transform:
    """Merge fields; None removes. Values that are not named are not even parsed."""
    given = dict(fields)
    touch = "updatedAt" in given
    updated_at = given.pop("updatedAt", None)
    is_routed = not given.keys().isdisjoint(ROUTED)

    def transform(old: bytes | None) -> New:
        raw = None if old is None or change.if_match is not None else entries.split(old)
        if old is None or raw is None:
            return _patch_whole(change, old, given, updated_at, touch=touch)
        change.existed = True
        old_id = raw.get("sessionId", b"null")
        try:
            changed_bytes = entries.apply_patch(raw, given)
            if not changed_bytes and not touch:
                change.entry = reread(old) if change.want_entry else None
                return None
            if is_routed:
                _apply_rules(raw, given, old_id)
            raw["updatedAt"] = b"%d" % _latest(raw.get("updatedAt"), updated_at)
            change.changed_bytes = changed_bytes or len(raw["updatedAt"])
            if change.is_timed:
                change.merged_ns = perf_counter_ns()
            data = entries.join(raw)
            change.entry = reread(data) if change.want_entry else None
        except NotAnEntryError as error:
            raise corrupt_entry(change.key, change.path, str(error)) from error
        except InvalidEntryError as error:
            error.key, error.path = change.key, change.path
            raise
        return change.finish(data)

    return transform


def _latest(old: RawValue | None, given: Any) -> int:
    latest = now_ms()
    if old is not None:
        before = _time_of(bytes(old))
        if before > latest:
            latest = before
    if given is not None and entries.is_finite_number(given) and given > latest:
        latest = int(given)
    return latest


def _time_of(raw: bytes) -> int:
    if raw.isdigit() and len(raw) < 20:
        return int(raw)
    value = entries.parse_value(raw)
    return int(value) if entries.is_finite_number(value) else 0


def _apply_rules(raw: dict[str, RawValue], given: Entry, old_id: RawValue) -> None:
    """Bring the fields that depend on each other into agreement, leaving all others raw."""
    fields = {name: entries.parse_value(raw[name]) for name in raw.keys() & ROUTED}
    settled = entries.settle_delivery(fields, set(given) & entries.NORMALISED_FIELDS)
    settled = entries.normalise(settled)
    is_same = entries.equal(entries.parse_value(old_id), settled.get("sessionId"))
    if not is_same and "sessionFile" not in given:
        settled = {name: value for name, value in settled.items() if name != "sessionFile"}
    for name in fields.keys() - settled.keys():
        del raw[name]
    for name, value in settled.items():
        if name not in fields or not entries.equal(fields[name], value):
            raw[name] = entries.encode_value(value)


def _patch_whole(
    change: Change, old: bytes | None, given: Entry, updated_at: Any, *, touch: bool
) -> New:
    """The same merge on the parsed entry: for new entries, ``if_match`` and odd JSON."""
    entry, exact = change.read(old)
    before = {} if entry is None else routed(entry)
    merged = entries.merged(
        {**(entry or {}), **given}, {n: None for n, v in given.items() if v is None}
    )
    if entry is not None and not touch and entries.equal(merged, entry):
        change.entry = entry
        return None
    change.check_exact(exact)
    if "sessionFile" not in given:
        merged = entries.drop_stale_file(before, merged)
    merged = entries.normalise(
        entries.settle_delivery(merged, set(given) & entries.NORMALISED_FIELDS)
        if entry is not None
        else merged
    )
    old_time = None if entry is None else entries.updated_at_ms(entry)
    merged["updatedAt"] = _latest(None if old_time is None else b"%d" % old_time, updated_at)
    change.entry = merged
    change.changed_bytes = _bytes_of(given) if entry is not None else 0
    if change.is_timed:
        change.merged_ns = perf_counter_ns()
    return change.finish(encoded(change, merged))


def _bytes_of(given: Entry) -> int:
    return sum(len(entries.encode_value(value)) for value in given.values() if value is not None)
