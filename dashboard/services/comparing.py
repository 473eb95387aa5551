"""Two states of an entry side by side, field by field, masked and cut to what a page can show.

Long values are shown from where they differ. A value that is masked on both sides may differ
all the same; then that is said, and nothing else about it.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from sessionstore.editing import ABSENT, same
from sessionstore.entries import Entry, redact

from .refs import SESSION_LENGTH, digest
from .tree import shown, visible

MAX_FIELDS = 200
MAX_LINES = 60
MAX_LINE = 600
_BEFORE_DIFFERENCE = 3
_BEFORE_IN_LINE = 80
_PLAIN_NAME = re.compile(r"(?!x-)[A-Za-z][A-Za-z0-9_.-]{0,63}")
_TIMES = range(10**12, 10**13)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a value's JSON; ``changed``: the other side does not have it there."""

    text: str
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """A value as it is shown; ``there`` is False where the field is not set.

    ``skipped`` lines that are the same stand before the first one, ``left`` after the last.
    ``at_ms`` is set where the value is a time. ``cut``: the whole is somewhere else.
    """

    there: bool
    lines: tuple[Line, ...] = ()
    size_bytes: int = 0
    skipped: int = 0
    left: int = 0
    cut: bool = False
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """One field in both states. ``hidden``: they differ, but both look alike once masked."""

    id: str
    name: str
    before: Side
    after: Side
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """The fields that differ, the names of those that do not, and how many are left out."""

    pairs: tuple[Pair, ...] = ()
    same: tuple[str, ...] = ()
    more: int = 0

    @property
    def count(self) -> int:
        """How many fields differ."""
        return len(self.pairs) + self.more


def compare(before: Entry | None, after: Entry | None) -> Comparison:
    """Compare two states of an entry; None is one without any field."""
    old, new = before or {}, after or {}
    names = [*old, *(name for name in new if name not in old)]
    differ = [n for n in names if not same(old.get(n, ABSENT), new.get(n, ABSENT))]
    alike = [shown(name)[:MAX_LINE] for name in names if name not in set(differ)]
    pairs = [pair(n, old.get(n, ABSENT), new.get(n, ABSENT)) for n in differ[:MAX_FIELDS]]
    return Comparison(tuple(pairs), tuple(alike), max(0, len(differ) - MAX_FIELDS))


def pair(name: str, before: Any, after: Any) -> Pair:
    """One field in two states; either may be :data:`ABSENT`."""
    texts = [_lines(name, before), _lines(name, after)]
    hidden = bool(texts[0]) and texts[0] == texts[1]
    old, new = _sides((before, after), texts)
    return Pair(field_id(name), shown(name)[:MAX_LINE], old, new, hidden)


def sides(name: str, values: Sequence[Any]) -> list[Side]:
    """Several states of one field, all shown from the first place where any of them differs."""
    return _sides(values, [_lines(name, value) for value in values])


def _sides(values: Sequence[Any], texts: Sequence[list[str]]) -> list[Side]:
    present = [lines for lines in texts if lines]
    first = _first_difference(present)
    start = max(0, first - _BEFORE_DIFFERENCE)
    inside = 0
    if first == 0 and all(len(lines) == 1 for lines in present):
        inside = max(0, _first_difference([lines[0] for lines in present]) - _BEFORE_IN_LINE)
    windows = [lines[start : start + MAX_LINES] for lines in texts]
    return [
        _side(
            value,
            texts[at],
            tuple(_cut(windows[at], _changed(windows, at), inside)),
            skipped=start,
        )
        for at, value in enumerate(values)
    ]


def whole_values(before: Entry | None, after: Entry | None, *, field: str = "") -> dict[str, Any]:
    """For programs: what differs, with both masked values uncut; a side not set is left out.

    ``field`` limits it to the one of that id, whether it differs or not.
    """
    old, new = before or {}, after or {}
    found: dict[str, Any] = {}
    for name in [*old, *(name for name in new if name not in old)]:
        was, is_now = old.get(name, ABSENT), new.get(name, ABSENT)
        if field_id(name) == field if field else not same(was, is_now):
            both = (("before", was), ("after", is_now))
            found[shown(name)] = {
                side: redact(value, name=name) for side, value in both if value is not ABSENT
            }
    return found


def field_id(name: str) -> str:
    """What a field goes by in addresses and forms: its name if that is harmless, else a digest."""
    if _PLAIN_NAME.fullmatch(name) and shown(name) == name:
        return name
    return f"x-{digest(name)[:SESSION_LENGTH]}"


def names_by_id(names: Iterable[str]) -> dict[str, str]:
    """The fields behind ids of addresses and forms."""
    return {field_id(name): name for name in names}


def _lines(name: str, value: Any) -> list[str]:
    """A value as lines of masked JSON, none of which may be shown as it is; empty when absent."""
    if value is ABSENT:
        return []
    return json.dumps(redact(value, name=name), ensure_ascii=False, indent=2, default=str).split(
        "\n"
    )


def _first_difference(texts: Sequence[Sequence[str]]) -> int:
    """How far all of them are the same; 0 where there is nothing to compare with."""
    if len(texts) < 2:
        return 0
    columns = zip(*texts, strict=False)
    return sum(1 for _column in takewhile(lambda column: len(set(column)) == 1, columns))


def _changed(windows: Sequence[list[str]], at: int) -> set[int]:
    """Lines that the next window does not have; the last window is compared with the first."""
    own, other = windows[at], windows[(at + 1) % len(windows)]
    if len(own) < 2 or not other:
        return set()
    blocks = difflib.SequenceMatcher(None, own, other, autojunk=False).get_matching_blocks()
    kept = {line for block in blocks for line in range(block.a, block.a + block.size)}
    return set(range(len(own))) - kept


def _cut(window: list[str], changed: set[int], inside: int) -> Iterator[Line]:
    for at, text in enumerate(window):
        ends = "…" if len(text) > inside + MAX_LINE else ""
        begins = "…" if inside else ""
        part = visible(text[inside : inside + MAX_LINE])
        yield Line(f"{begins}{part}{ends}", at in changed)


def _side(value: Any, text: list[str], lines: tuple[Line, ...], *, skipped: int) -> Side:
    if value is ABSENT:
        return Side(there=False)
    size = sum(len(line.encode("utf-8", "surrogatepass")) for line in text)
    left = max(0, len(text) - skipped - len(lines))
    is_time = isinstance(value, int) and value in _TIMES
    return Side(
        there=True,
        lines=lines,
        size_bytes=size,
        skipped=min(skipped, len(text)),
        left=left,
        cut=bool(left or skipped) or any("…" in line.text[:1] + line.text[-1:] for line in lines),
        at_ms=value if is_time else None,
    )
