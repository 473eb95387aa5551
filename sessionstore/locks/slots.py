"""The live table's layout: one header, then slots of fixed size.

::

    header, 512 bytes   magic, version, sizes, pid, pid namespace, start, started_at_ms,
                        overflow count, host, boot id, program, protocol
    slot, 256 bytes     sequence u32, state u8, scope u8, key length u16, since (epoch ns) i64,
                        timeout f64, lock offset u64, operation 24 bytes, key 200 bytes

A writer makes the sequence odd, writes the slot, makes it even again. A reader believes a slot
whose sequence was even and the same before and after. A key of over 200 bytes is cut; its
length tells. All numbers are in the machine's own byte order: a table never leaves it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from .identity import Identity

MAGIC = b"SSLIVE1\n"
VERSION = 1
HEADER_BYTES = 512
SLOT_BYTES = 256
SLOTS = 254
TABLE_BYTES = HEADER_BYTES + SLOTS * SLOT_BYTES
OVERFLOW_AT = 64
STATE_IN_SLOT = 4
BODY_IN_SLOT = 4
KEY_BYTES = 200

FREE, WAITING, HOLDING = 0, 1, 2
SESSION_SCOPE, STORE_SCOPE = 0, 1

_HEADER = struct.Struct("=8sHHHHIIQQqQ")
_TEXTS = struct.Struct("=64s48s64s32s")
_TEXTS_AT = 128
BODY = struct.Struct("=BBHqdQ24s200s")
_SEQUENCE = struct.Struct("=I")

State = Literal["waiting", "holding"]


@dataclass(frozen=True, slots=True)
class Header:
    """Whose table it is."""

    identity: Identity
    protocol: str
    overflow: int


@dataclass(frozen=True, slots=True)
class Slot:
    """One published hold or wait. ``key`` is None for the whole store."""

    state: State
    key: str | None
    is_cut: bool
    operation: str
    since_ns: int
    timeout_s: float
    offset: int


def pack_header(identity: Identity, protocol: str) -> bytes:
    """The header of a new table."""
    numbers = _HEADER.pack(
        MAGIC,
        VERSION,
        HEADER_BYTES,
        SLOT_BYTES,
        SLOTS,
        identity.pid,
        0,
        identity.pid_namespace,
        identity.start,
        identity.started_at_ms,
        0,
    )
    texts = (identity.host, identity.boot_id, identity.program, protocol)
    packed = _TEXTS.pack(*(text.encode("utf-8", "replace") for text in texts))
    return (numbers.ljust(_TEXTS_AT, b"\0") + packed).ljust(HEADER_BYTES, b"\0")


def unpack_header(data: bytes) -> Header | None:
    """The header, None when the bytes are no table of this version."""
    if len(data) != TABLE_BYTES:
        return None
    magic, version, header_bytes, slot_bytes, slots, pid, _, namespace, start, started, _ = (
        _HEADER.unpack_from(data)
    )
    expected = (MAGIC, VERSION, HEADER_BYTES, SLOT_BYTES, SLOTS)
    if (magic, version, header_bytes, slot_bytes, slots) != expected:
        return None
    host, boot, program, protocol = (
        text.rstrip(b"\0").decode("utf-8", "replace")
        for text in _TEXTS.unpack_from(data, _TEXTS_AT)
    )
    overflow = _SEQUENCE.unpack_from(data, OVERFLOW_AT)[0]
    identity = Identity(
        host=host,
        boot_id=boot,
        pid_namespace=namespace,
        pid=pid,
        start=start,
        started_at_ms=started,
        program=program,
    )
    return Header(identity, protocol, overflow)


def places() -> range:
    """Byte offsets of all slots."""
    return range(HEADER_BYTES, TABLE_BYTES, SLOT_BYTES)


def is_in_use(data: bytes, at: int) -> bool:
    """Whether the slot is not free (it may be in the middle of a change)."""
    return data[at + STATE_IN_SLOT] != FREE or bool(data[at] & 1)


def unpack_slot(before: bytes, after: bytes, at: int) -> Slot | None:
    """The slot as two readings agree on it; None when free, False alarms included."""
    body = before[at : at + SLOT_BYTES]
    if body != after[at : at + SLOT_BYTES] or _SEQUENCE.unpack_from(body)[0] & 1:
        return None
    state, scope, length, since_ns, timeout_s, offset, operation, key = BODY.unpack_from(
        body, BODY_IN_SLOT
    )
    if state not in (WAITING, HOLDING):
        return None
    text = key[: min(length, KEY_BYTES)].decode("utf-8", "ignore")
    return Slot(
        state="holding" if state == HOLDING else "waiting",
        key=None if scope == STORE_SCOPE else text,
        is_cut=length > KEY_BYTES,
        operation=operation.rstrip(b"\0").decode("utf-8", "replace"),
        since_ns=since_ns,
        timeout_s=timeout_s,
        offset=offset,
    )
