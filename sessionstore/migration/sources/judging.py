"""Whether some bytes are an entry that can be kept, and why not. Nothing here looks at a disk."""

from __future__ import annotations

from typing import NamedTuple

from ...entries import Entry, NotAnEntryError, decode_exactly, parse_value, updated_at_ms


class Judged(NamedTuple):
    """A sound entry, or the ``reason`` why it cannot be taken over.

    ``is_object`` is false for what was never meant as an entry (``5``, ``null``, a list).
    """

    entry: Entry | None
    updated_at_ms: int = 0
    reason: str = ""
    is_object: bool = True


def judge(data: bytes, max_bytes: int) -> Judged:
    """Look at one value's bytes. Cost: one parse of them."""
    if not data.lstrip(b" \t\r\n").startswith(b"{"):
        return _judge_other(data)
    if len(data) > max_bytes:
        return Judged(None, reason=f"has {len(data):,} bytes of at most {max_bytes:,}")
    try:
        entry, exact = decode_exactly(data)
    except NotAnEntryError as error:
        return Judged(None, reason=str(error))
    if not exact:
        return Judged(
            None, reason="holds a number that JSON cannot carry (NaN, Infinity or out of range)"
        )
    return Judged(entry, updated_at_ms(entry) or 0)


def _judge_other(data: bytes) -> Judged:
    """A JSON value of another type was never an entry; anything else is a damaged one."""
    try:
        value = parse_value(data)
    except NotAnEntryError as error:
        return Judged(None, reason=str(error))
    kinds = {list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    kind = kinds.get(type(value), "a number")
    return Judged(None, reason=f"holds {kind}, not an object", is_object=False)
