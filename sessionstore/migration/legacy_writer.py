"""The bytes of a ``sessions.json`` that programs of the JSON era read as it is meant.

They take a file that is not one strict JSON object for an empty store and overwrite it
(openclaw-interop, "Malformed input"), so one entry that only a tolerant parser reads would cost
them all sessions. :func:`strict_bytes` is asked for each entry before it goes in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..entries import NotAnEntryError, RawValue, decode, join

_BOM = b"\xef\xbb\xbf"
_WHITE = b" \t\r\n"


def legacy_bytes(rows: Iterable[tuple[str, bytes]]) -> bytes:
    """The file for (session key, raw bytes of the bare entry object), in the order given.

    As OpenClaw writes it: indented by 2, no newline at the end (openclaw-interop, "Gotchas"). The
    values keep their bytes but for the indentation of their lines. Give entries that
    :func:`strict_bytes` has passed. Of two rows for one key the last is written. Cost: one copy.
    """
    fields: dict[str, RawValue] = {
        key: data.strip(_WHITE).replace(b"\n", b"\n  ") for key, data in rows
    }
    return join(fields)


def strict_bytes(data: bytes) -> bytes:
    """The same entry, so that it can stand in a file that strict parsers read.

    A byte order mark is left off; escapes of lone surrogates stay, as JavaScript reads them.

    Raises:
        NotAnEntryError: not one JSON object, or only a tolerant parser reads it (NaN, infinity).
    """
    body = data.removeprefix(_BOM).strip(_WHITE)
    decode(body)
    if b"NaN" in body or b"Infinity" in body:  # all that the tolerant parser allows beyond JSON
        try:
            json.loads(body, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise NotAnEntryError("holds NaN or infinity, which JSON does not have") from None
    return body


def _refuse(name: str) -> None:
    raise ValueError(name)
