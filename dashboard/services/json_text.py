"""A JSON object that a person typed: read strictly, every mistake with its line and column.

Stricter than the store's own reading, which has to take what is there: no name twice in one object,
no number that a gateway would round or turn into null, no half of a character.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from sessionstore.entries import redact

from .field_spec import LARGEST
from .tree import visible

MAX_DEPTH = 200
MAX_LENGTH = 1024 * 1024
_AROUND = 60
_PIECE = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
    | (?P<text>"(?:[^"\\\x00-\x1f]|\\.)*")
    | (?P<number>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)
    | (?P<mark>[][{}:,])
    | (?P<word>-?[A-Za-z]+)
    """,
    re.VERBOSE,
)
_NOT_NUMBERS = frozenset({"NaN", "nan", "Infinity", "-Infinity", "inf", "-inf"})
_NAMED = re.compile(r"[ \t\r\n]*:")
HALF = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mistake is: line and column from 1, and that line with what is around it."""

    line: int
    column: int
    before: str
    after: str


class JsonTextError(Exception):
    """The text is not what it has to be; ``place`` is None where it is all of the text."""

    def __init__(self, message: str, place: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.place = place


@dataclass(frozen=True, slots=True)
class ObjectText:
    """An object, and the line on which each of its own names begins."""

    value: dict[str, Any] = field(repr=False)
    lines: dict[str, int]


def read_object(text: str) -> ObjectText:
    """Read one JSON object.

    Raises:
        JsonTextError: with the place of the first mistake.
    """
    text = text.replace("\r\n", "\n")
    if len(text) > MAX_LENGTH:
        raise JsonTextError(
            _("The text has %(length)s characters; at most %(most)s can be saved here.")
            % {"length": f"{len(text):,}", "most": f"{MAX_LENGTH:,}"}
        )
    lines = _walk(text)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise JsonTextError(_sentence(text, error), place_of(text, error.pos)) from None
    if not isinstance(value, dict):
        raise JsonTextError(_("An entry is one object: { … }."), place_of(text, _start(text)))
    return ObjectText(value, lines)


def place_of(text: str, at: int) -> Place:
    """A position as a person finds it."""
    line = text.count("\n", 0, at) + 1
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    whole = text[start : len(text) if end < 0 else end]
    column = at - start + 1
    before = _shown(whole[max(0, column - 1 - _AROUND) : column - 1])
    return Place(line, column, before, _shown(whole[column - 1 : column - 1 + _AROUND]))


def _shown(text: str) -> str:
    return visible(str(redact(text)).replace("\t", " "))


def _start(text: str) -> int:
    return len(text) - len(text.lstrip())


def _walk(text: str) -> dict[str, int]:
    """Find what ``json.loads`` takes without a word, and where the object's own names are.

    Stops silently at what is no JSON: that is for the parser to tell.
    """
    inside: list[set[str] | None] = []  # of each open object its names; None for a list
    lines: dict[str, int] = {}
    line = 1
    for kind, at, piece in _pieces(text):
        if kind == "space":
            line += piece.count("\n")
        elif kind == "mark":
            _enter_or_leave(text, at, piece, inside)
        elif kind == "text":
            string = _string(text, at, piece)
            if _NAMED.match(text, at + len(piece)) and inside and (names := inside[-1]) is not None:
                _note_name(text, at, string, names)
                if len(inside) == 1:
                    lines[string] = line
        elif kind == "number":
            _check_number(text, at, piece)
        elif piece in _NOT_NUMBERS:
            raise JsonTextError(_("JSON has no %s.") % piece, place_of(text, at))
    return lines


def _pieces(text: str) -> Iterator[tuple[str, int, str]]:
    """(kind, position, text) of each piece, up to the first thing that is none."""
    at = 0
    while (found := _PIECE.match(text, at)) is not None:
        yield str(found.lastgroup), at, found[0]
        at = found.end()


def _enter_or_leave(text: str, at: int, mark: str, inside: list[set[str] | None]) -> None:
    if mark in "{[":
        inside.append(set() if mark == "{" else None)
        if len(inside) > MAX_DEPTH:
            said = _("It is nested more than %d levels deep.") % MAX_DEPTH
            raise JsonTextError(said, place_of(text, at))
    elif mark in "}]" and inside:
        inside.pop()


def _note_name(text: str, at: int, name: str, names: set[str]) -> None:
    if name in names:
        said = _("This name is in the same object twice; the first would be lost.")
        raise JsonTextError(said, place_of(text, at))
    names.add(name)


def _string(text: str, at: int, piece: str) -> str:
    try:
        string = json.loads(piece)
    except json.JSONDecodeError as error:
        raise JsonTextError(_sentence(text, error), place_of(text, at + error.pos)) from None
    assert isinstance(string, str)
    if HALF.search(string):
        raise JsonTextError(
            _("This text holds half of a character (a lone surrogate), which no file can keep."),
            place_of(text, at),
        )
    return string


def _check_number(text: str, at: int, digits: str) -> None:
    is_whole = not set(digits) & set(".eE")
    if is_whole and (len(digits) > 17 or abs(int(digits)) > LARGEST):
        said = _("Gateways would round this number: over %s it has to be text, in quotes.")
        raise JsonTextError(said % f"{LARGEST:,}", place_of(text, at))
    if not is_whole and abs(float(digits)) == float("inf"):
        said = _("This number is too large: a gateway would turn it into null.")
        raise JsonTextError(said, place_of(text, at))


def _sentence(text: str, error: json.JSONDecodeError) -> str:
    """What the parser found, as a sentence."""
    if not text.strip():
        return _("There is nothing here; an entry without fields is {}.")
    sentences = {
        "Expecting value": _("A value is expected here."),
        "Expecting property name enclosed in double quotes": _(
            "A name in double quotes is expected here; after the last field no comma follows."
        ),
        "Illegal trailing comma before end of object": _("After the last field no comma follows."),
        "Illegal trailing comma before end of array": _("After the last value no comma follows."),
        "Expecting ':' delimiter": _("A colon is expected here, between name and value."),
        "Expecting ',' delimiter": _("A comma is expected here, or the end of the object or list."),
        "Unterminated string starting at": _("The text that begins here has no end quote."),
        "Invalid control character at": _(
            "Line breaks and tabs in a text are written \\n and \\t."
        ),
        "Extra data": _("The object has ended, and something follows."),
    }
    return sentences.get(error.msg) or _("It is not JSON here: %s.") % error.msg
