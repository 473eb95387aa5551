"""The top level of a ``sessions.json``, member by member, without looking into the values.

One value that no parser takes (nested 5,000 levels, NaN, bytes that are no UTF-8) must not hide
the others (requirement E5), so the text is cut where the grammar of JSON cuts it: brackets and
strings are followed, everything else inside a value is its own business.
"""

from __future__ import annotations

import re
from typing import Final

from ...entries import NotAnEntryError, parse_value

_SPACE: Final = rb"[ \t\n\r]*+"
_TEXT: Final = rb'"(?:[^"\\]++|\\.)*+"'
_OPEN: Final = re.compile(_SPACE + rb"\{")
_CLOSE: Final = re.compile(_SPACE + rb"\}" + _SPACE + rb"\Z")
_NAME: Final = re.compile(_SPACE + rb"(" + _TEXT + rb")" + _SPACE + rb":" + _SPACE, re.DOTALL)
_SCALAR: Final = re.compile(_TEXT + rb'|[^\s,{}\[\]"]++', re.DOTALL)
_COMMA: Final = re.compile(_SPACE + rb",")
# An unterminated text matches to the end, so that no text is begun twice: linear in any input.
_MARKS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def cut(body: bytes) -> dict[str, bytes] | None:
    """Values by name, the last of one name; None when the top level is not one JSON object.

    Cost: about 1 s for 50 MB, one copy of the values.
    """
    opened = _OPEN.match(body)
    if opened is None:
        return None
    members: dict[str, bytes] = {}
    at = opened.end()
    if _CLOSE.match(body, at):
        return members
    while (name := _NAME.match(body, at)) is not None:
        end = _end_of_value(body, name.end())
        if end is None:
            return None
        try:
            members[parse_value(name[1])] = body[name.end() : end]
        except NotAnEntryError:
            return None
        if _CLOSE.match(body, end):
            return members
        comma = _COMMA.match(body, end)
        if comma is None:
            return None
        at = comma.end()
    return None


def _end_of_value(body: bytes, start: int) -> int | None:
    if body[start : start + 1] not in (b"{", b"["):
        scalar = _SCALAR.match(body, start)
        return None if scalar is None else scalar.end()
    depth = 0
    for mark in _MARKS.finditer(body, start):
        kind = mark[0][:1]
        if kind in b"{[":
            depth += 1
        elif kind in b"}]":
            depth -= 1
            if depth == 0:
                return mark.end()
    return None
