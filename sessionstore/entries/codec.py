"""Bytes to entry and back, and merging without parsing what is not touched.

Which parser: msgspec reads integers of any size exactly (orjson turns those over 64 bits into
floats) and splits an object without parsing its values (4 x on bloated entries, performance.md
§1); orjson writes. What only the standard library can read (lone surrogates, as JavaScript
writes them) is read with it, and rewritten only if nothing would be lost (ecosystem.md §7).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from typing import Any

import msgspec
import orjson

from ..errors import InvalidEntryError
from .compare import equal

Entry = dict[str, Any]
RawValue = bytes | msgspec.Raw

_split: Callable[[bytes], Any] = msgspec.json.Decoder(type=dict[str, msgspec.Raw]).decode
_parse = msgspec.json.Decoder().decode
_INDENT = orjson.OPT_INDENT_2
_EXACT = (
    orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)
MAX_DEPTH = 200
_NOT_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[^][{}"]+', re.DOTALL)
_SCALARS = frozenset([str, int, bool])

# A number that may equal an integer spelt otherwise, or text that looks like one: only then is
# there anything to make canonical, which takes four times as long as all the rest.
_FRACTION = re.compile(rb"[:,\[]-?[0-9]+[.eE]")


class NotAnEntryError(ValueError):
    """The bytes are not one JSON object. The message gives the place, never the content."""


def decode(data: bytes) -> Entry:
    """Parse one entry.

    Duplicate names: the last wins, as in every JSON-era reader.

    Raises:
        NotAnEntryError: not UTF-8, not JSON, nested too deep, or not an object.
    """
    return decode_exactly(data)[0]


def decode_exactly(data: bytes) -> tuple[Entry, bool]:
    """As :func:`decode`; the second value says whether rewriting it would lose nothing."""
    strict = True
    try:
        value = _parse(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        value, strict = _parse_tolerantly(data), False
    if not isinstance(value, dict):
        raise NotAnEntryError(f"holds a JSON {_json_type(value)}, not an object")
    _check_depth(data)
    return value, strict or _round_trips(value)


def _check_depth(data: bytes) -> None:
    """Refuse what is nested so deep that comparing or showing it would end in a RecursionError."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    brackets = _NOT_BRACKETS.sub(b"", data)
    for _ in range(MAX_DEPTH):
        outer = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not outer:
            return
        brackets = outer
    raise NotAnEntryError(f"is nested more than {MAX_DEPTH} levels deep")


def _round_trips(entry: Entry) -> bool:
    try:
        return equal(json.loads(encode(entry)), entry)
    except (InvalidEntryError, ValueError):
        return False


def _parse_tolerantly(data: bytes) -> Any:
    if not data.strip():
        raise NotAnEntryError(f"is empty ({len(data)} bytes)")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise NotAnEntryError(f"is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise NotAnEntryError(
            f"is not JSON at line {error.lineno} column {error.colno}: {error.msg}"
        ) from None
    except (RecursionError, ValueError):  # ValueError: an integer of over 4,300 digits
        raise NotAnEntryError("is nested too deep or holds an absurd number") from None


def _json_type(value: Any) -> str:
    names = {list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def split(data: bytes) -> dict[str, RawValue] | None:
    """Top-level fields as raw bytes, values unparsed; None when only :func:`decode` can tell."""
    try:
        if not data.isascii():
            data.decode()  # a raw value is not checked for UTF-8 by the splitter
        fields: dict[str, RawValue] = _split(data)
        return fields
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def join(fields: dict[str, RawValue]) -> bytes:
    """The inverse of :func:`split`, indented by 2 at the top level."""
    if not fields:
        return b"{}"
    names = tuple(fields)
    template = _templates.get(names) or _template(names)
    return template % tuple(fields.values())


# Entries of one gateway have few different sets of names. Filling a template is a third
# faster than joining rows; both bounds are there because names can be anybody's.
_templates: dict[tuple[str, ...], bytes] = {}
_MOST_TEMPLATES = 512
_LONGEST_TEMPLATE = 8192


def _template(names: tuple[str, ...]) -> bytes:
    rows = [quote(name).replace(b"%", b"%%") + b"%b" for name in names]
    template = b"{\n  " + b",\n  ".join(rows) + b"\n}"
    if len(template) <= _LONGEST_TEMPLATE and len(_templates) < _MOST_TEMPLATES:
        _templates[names] = template
    return template


def quote(name: str) -> bytes:
    """A field name as JSON, with its colon."""
    try:
        return orjson.dumps(name) + b": "
    except TypeError:
        return json.dumps(name).encode() + b": "


def encode(entry: Entry) -> bytes:
    """The entry as it is kept: UTF-8, indented by 2, fields in their order.

    Raises:
        InvalidEntryError: not an object of JSON values; NaN and infinity are none.
    """
    if not isinstance(entry, dict):
        raise InvalidEntryError(
            f"an entry is a dict, not {type(entry).__name__}",
            hint="pass or return a dict",
        )
    return _dump(entry)


def encode_value(value: Any) -> bytes:
    """One field's value, indented so that it can stand inside :func:`join`."""
    if type(value) in _SCALARS:
        try:
            return orjson.dumps(value)
        except TypeError:
            return _dump_slowly(value)
    return _dump(value).replace(b"\n", b"\n  ")


def _dump(value: Any) -> bytes:
    try:
        data = orjson.dumps(value, option=_INDENT | _EXACT)
    except TypeError:
        data = _dump_slowly(value)
    if b"null" in data and _holds_non_finite(value):  # orjson writes NaN as null
        raise InvalidEntryError("NaN and infinity are not JSON", hint="leave the field out")
    try:
        _check_depth(data)
    except NotAnEntryError as error:
        raise InvalidEntryError(f"this entry {error}", hint="keep it flatter") from error
    return data


def _dump_slowly(value: Any) -> bytes:
    """What orjson refuses but JSON can carry: integers over 64 bits, lone surrogates."""
    try:
        _check_names(value)
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
        try:
            return text.encode()
        except UnicodeEncodeError:
            return json.dumps(value, indent=2, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEntryError(
            f"this entry cannot be written as JSON: {error}",
            hint="use text, numbers, booleans, None, lists and dicts with text keys",
        ) from error


def _check_names(value: Any) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise TypeError(f"field name {name!r} is not text")
            _check_names(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check_names(inner)


def _holds_non_finite(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(map(_holds_non_finite, value.values()))
    return isinstance(value, list | tuple) and any(map(_holds_non_finite, value))


def apply_patch(fields: dict[str, RawValue], changes: Entry) -> int:
    """Merge ``changes`` into the raw ``fields`` in place; None removes.

    Returns the bytes of the values that differ, new ones or removed ones; 0 when none does. A
    value equal to the one that is there leaves its bytes as they are.
    """
    changed = 0
    for name, value in changes.items():
        if value is None:
            gone = fields.pop(name, None)
            if gone is not None:
                changed += len(bytes(gone))
            continue
        raw = encode_value(value)
        old = fields.get(name)
        if old is not None:
            old = bytes(old)
            if old == raw:
                continue
        if old is None or not _same_value(old, raw, value):
            fields[name] = raw
            changed += len(raw)
    return changed


def _same_value(old: bytes, raw: bytes, value: Any) -> bool:
    if (old.isdigit() and raw.isdigit()) or (type(value) is str and b"\\" not in old):
        return False  # without escapes and fractions a value has one spelling
    return equal(parse_value(old), value)


def parse_value(raw: RawValue) -> Any:
    """One field's value from its raw bytes.

    Raises:
        NotAnEntryError: the value, which a split does not look into, is damaged.
    """
    try:
        value = _parse(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        value = _parse_tolerantly(bytes(raw))
    if type(value) not in _SCALARS:
        _check_depth(bytes(raw))
    return value


def etag(entry: Entry) -> str:
    """Digest of the canonical entry: 32 hex digits; equal entries have equal etags."""
    try:
        data = orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)
        if _FRACTION.search(data):
            data = orjson.dumps(_canonical(entry), option=orjson.OPT_SORT_KEYS)
    except TypeError:
        canonical = _canonical(entry)
        data = json.dumps(canonical, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(data).hexdigest()[:32]


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _canonical(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
