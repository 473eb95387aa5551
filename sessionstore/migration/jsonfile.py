"""One ``sessions.json`` made of sessions, as OpenClaw writes it: indent 2, no newline at the end.

Entries keep their bytes. What would make the whole file something else than strict JSON, which
JSON-era programs take for an empty store (openclaw-interop, "Malformed input"), is rewritten.
"""

from __future__ import annotations

import json
import math
from collections.abc import Container, Mapping
from typing import Any, NoReturn

from ..entries import NotAnEntryError, RawValue, decode, encode_value, join
from ..errors import InvalidKeyError
from ..keys import locate
from .legacy_writer import strict_bytes


def member(data: bytes) -> tuple[bytes, bool]:
    """An entry's bytes as they stand inside the file; false where they had to be rewritten.

    Numbers that JSON does not know (NaN, infinity) become null, as in every JavaScript program.

    Raises:
        NotAnEntryError: the bytes are no entry.
    """
    try:
        return strict_bytes(data).replace(b"\n", b"\n  "), True
    except NotAnEntryError:
        return encode_value(_finite(decode(data))), False


def is_strict(data: bytes) -> bool:
    """Whether ``JSON.parse`` would read it."""
    try:
        json.loads(data.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def outline(source: Mapping[str, bytes], taken: Container[str]) -> dict[str, bytes]:
    """The rows of a store file by name; of those whose key was ``taken`` over only the name, since
    the bytes of a session are newer, or it was deleted."""
    return {
        spelt: b"" if raw.startswith(b"{") and _folded(spelt) in taken else raw
        for spelt, raw in source.items()
    }


def ordered(members: Mapping[str, bytes], source: Mapping[str, bytes]) -> dict[str, RawValue]:
    """Members by the name they get, in the order and spelling of ``source``, then new ones.

    ``members`` are by folded key, ``source`` is an :func:`outline`. Rows of the source that never
    were sessions go back as they were, so that a migration that nothing followed can be undone
    byte for byte.
    """
    spellings: dict[str, str] = {}
    for spelt in source:
        key = _folded(spelt)
        if key is not None and key in members and (key not in spellings or spelt == key):
            spellings[key] = spelt
    named: dict[str, RawValue] = {}
    for spelt, raw in source.items():
        key = _folded(spelt)
        if key is not None and key in members:
            named.setdefault(spellings[key], members[key])
        elif raw and is_strict(raw):
            named[spelt] = raw
    for key in sorted(members.keys() - spellings.keys()):
        named[key] = members[key]
    return named


def _folded(spelt: str) -> str | None:
    try:
        return locate(spelt).key
    except InvalidKeyError:
        return None


def to_bytes(named: Mapping[str, RawValue]) -> bytes:
    """The whole file."""
    return join(dict(named))
