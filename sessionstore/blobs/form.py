"""The text of a folded entry: large values replaced by references, and back to the same bytes.

A folded entry begins with a field of a reserved name, so that telling costs one look at its first
bytes, and nothing in an entry that does not begin so is ever taken for a reference. What begins
so by itself is refused before it is written. Folding cuts values out of the text and expanding
puts them back, so every byte between them, spacing included, is the same afterwards.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from ..entries import RawValue, split

THRESHOLD: Final = 4096
"""Values from this many bytes are kept as blobs (requirements B15)."""

HEAD_NAME: Final = b'"$sessionstore:folded"'
_HEAD: Final = b'{\n  "$sessionstore:folded": 1,'
_HEAD_FORM: Final = re.compile(rb'\{\s*"\$sessionstore:folded"\s*:\s*1\s*,')
_HEAD_BYTES: Final = 64

_REF_NAME: Final = b'"$sessionstore:blob"'
_REF_FORM: Final = re.compile(
    rb'\{\s*"\$sessionstore:blob"\s*:\s*"([0-9a-f]{64})"\s*,'
    rb'\s*"bytes"\s*:\s*([1-9][0-9]{0,11})\s*\}'
)

STAYS: Final = frozenset(
    [
        "sessionId",
        "updatedAt",
        "chatType",
        "channel",
        "provider",
        "lastChannel",
        "lastProvider",
        "deliveryContext",
        "origin",
        "label",
        "displayName",
        "subject",
        "groupChannel",
        "room",
        "status",
        "model",
        "modelProvider",
        "totalTokens",
        "totalTokensFresh",
        "contextTokens",
        "archivedAt",
        "pinnedAt",
        "abortedLastRun",
        "modelOverrideSource",
        "modelOverride",
        "providerOverride",
        "thinkingLevel",
        "fastMode",
        "verboseLevel",
        "traceLevel",
        "reasoningLevel",
        "elevatedLevel",
        "ttsAuto",
        "execHost",
        "execSecurity",
        "execAsk",
        "execNode",
        "responseUsage",
        "authProfileOverride",
        "agentRuntimeOverride",
        "groupActivation",
        "sendPolicy",
        "queueMode",
        "queueDebounceMs",
        "queueCap",
        "queueDrop",
    ]
)
"""What lists show stays in the entry whatever its size, since lists never open a blob."""


class BlobError(Exception):
    """A folded entry that cannot be expanded. The text completes "<path of the entry> …"."""


class Known(NamedTuple):
    """A value that was expanded, and the reference that stood for it."""

    value: bytes
    reference: bytes


class Cut(NamedTuple):
    """One value that folding takes out: where it is, and its reference."""

    start: int
    value: bytes
    reference: bytes
    name: str


Fetch = Callable[[str, int], bytes]
"""From a SHA-256 in hex and a size to the blob's bytes; raises :class:`BlobError`."""


def is_folded(data: bytes) -> bool:
    """Whether this is the text of a folded entry. Looks at the first bytes only."""
    return data.find(HEAD_NAME, 0, _HEAD_BYTES) >= 0 and _HEAD_FORM.match(data) is not None


def expand(data: bytes, fetch: Fetch, *, max_bytes: int) -> tuple[bytes, list[Known]]:
    """The entry that a folded text stands for, byte for byte, and what was put into it.

    Sizes are added up before a blob is opened, so a small file cannot name a large sum.

    Raises:
        BlobError: a blob is missing or damaged, or the whole is over ``max_bytes``.
    """
    head = _HEAD_FORM.match(data)
    assert head is not None
    found = list(_REF_FORM.finditer(data, head.end()))
    if len(found) != data.count(_REF_NAME):
        raise BlobError("holds a reference to a blob that is none")
    total = len(data) + sum(int(one[2]) for one in found)
    if total > max_bytes:
        raise BlobError(f"would have {total:,} bytes of at most {max_bytes:,}")
    parts, known, at = [b"{"], [], head.end()
    for one in found:
        value = fetch(one[1].decode(), int(one[2]))
        known.append(Known(value, one[0]))
        parts += [data[at : one.start()], value]
        at = one.end()
    parts.append(data[at:])
    return b"".join(parts), known


def fold(data: bytes, known: list[Known]) -> tuple[bytes, list[Cut]] | None:
    """The folded text of an entry, and its cuts; None where nothing is cut.

    ``known`` are values that the file before held: their references are taken over, unhashed.
    Blobs of the other cuts have to be there before the text is written.
    """
    if _REF_NAME in data or not data.startswith(b"{") or (fields := split(data)) is None:
        return None
    cuts = _cuts(data, fields, known)
    if not cuts:
        return None
    parts, at = [_HEAD], 1
    for cut in cuts:
        parts += [data[at : cut.start], cut.reference]
        at = cut.start + len(cut.value)
    parts.append(data[at:])
    folded = b"".join(parts)
    return (folded, cuts) if _is_sound(folded, cuts) else None


def _cuts(data: bytes, fields: dict[str, RawValue], known: list[Known]) -> list[Cut]:
    cuts, at = [], 1
    for name, raw in fields.items():
        if memoryview(raw).nbytes < THRESHOLD:
            continue
        value = bytes(raw)
        start = _position(data, value, at)
        if start < 0:
            continue  # a name that comes twice: its value is found by no order
        at = start + len(value)
        if name not in STAYS:
            cuts.append(Cut(start, value, _reference(value, known), name))
    return cuts


def _position(data: bytes, value: bytes, start: int) -> int:
    """Where the value stands. Searching for its beginning is quicker than for all of it."""
    begins = value[:48]
    while (start := data.find(begins, start)) >= 0 and not data.startswith(value, start):
        start += 1
    return start


def _reference(value: bytes, known: list[Known]) -> bytes:
    for one in known:
        if one.value == value:
            return one.reference
    return reference_to(hashlib.sha256(value).hexdigest(), len(value))


def reference_to(sha256: str, size: int) -> bytes:
    """The reference that stands for a value of this digest and size, indented as a field is."""
    written = b'{\n    %b: "%b",\n    "bytes": %d\n  }'
    return written % (_REF_NAME, sha256.encode(), size)


def target_of(reference: bytes) -> tuple[str, int]:
    """Digest and size in a reference."""
    found = _REF_FORM.fullmatch(reference)
    assert found is not None
    return found[1].decode(), int(found[2])


def _is_sound(folded: bytes, cuts: list[Cut]) -> bool:
    """Whether each reference became the value of its field, and not a part of another's."""
    fields = split(folded)
    return fields is not None and all(
        bytes(fields.get(cut.name, b"")) == cut.reference for cut in cuts
    )


def has_large_values(data: bytes) -> bool:
    """Whether folding this entry would cut anything."""
    return len(data) >= THRESHOLD and fold(data, []) is not None


def digests_in(data: bytes) -> list[tuple[str, int]]:
    """Digest and size of every reference in a file's bytes, whatever kind of file it is."""
    return [(one[1].decode(), int(one[2])) for one in _REF_FORM.finditer(data)]
