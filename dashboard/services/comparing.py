"""Two states of an entry side by side, field by field, masked and cut to what a page can show.

Long values are shown from where they differ. A value that is masked on both sides may differ
all the same; then that is said, and nothing else about it.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from sessionstore.editing import ABSENT, same
from sessionstore.entries import Entry, redact

from .refs import SESSION_LENGTH, digest
from .tree import shown, visible

MAX_FIELDS = 200
MAX_LINES = 60
MAX_LINE = 600
_COMPARED_LINES = 200
_AROUND = 3
_BEFORE_IN_LINE = 80
_PLAIN_NAME = re.compile(r"(?!x-)[A-Za-z][A-Za-z0-9_.-]{0,63}")
_TIMES = range(10**12, 10**13)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a value's JSON; ``changed``: the other side does not have it there.

    ``fold`` is how many lines it stands for that are not shown; it has no text then.
    """

    text: str
    changed: bool = False
    fold: int = 0


@dataclass(frozen=True, slots=True)
class Side:
    """A value as it is shown; ``there`` is False where the field is not set.

    ``at_ms`` is set where the value is a time. ``cut``: the whole is somewhere else.
    """

    there: bool
    lines: tuple[Line, ...] = ()
    size_bytes: int = 0
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
    changed = set(differ)  # made once: a hostile entry has names by the ten thousand
    alike = [shown(name)[:MAX_LINE] for name in names if name not in changed]
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
    start = max(0, first - _AROUND)
    inside = 0
    if first == 0 and all(len(lines) == 1 for lines in present):
        inside = max(0, _first_difference([lines[0] for lines in present]) - _BEFORE_IN_LINE)
    windows = [lines[start : start + _COMPARED_LINES] for lines in texts]
    return [
        _side(value, texts[at], list(_folded(windows, at)), start=start, inside=inside)
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


def _changed(own: list[str], other: list[str]) -> set[int]:
    """Lines of one side that the other does not have."""
    blocks = difflib.SequenceMatcher(None, own, other, autojunk=False).get_matching_blocks()
    kept = {line for block in blocks for line in range(block.a, block.a + block.size)}
    return set(range(len(own))) - kept


def _folded(windows: Sequence[list[str]], at: int) -> Iterator[Line]:
    """The lines of one side around what the next side, for the last the first, does not have."""
    own, other = windows[at], windows[(at + 1) % len(windows)]
    changed = _changed(own, other) if len(own) > 1 and other else set()
    near = {line + off for line in changed for off in range(-_AROUND, _AROUND + 1)}
    hidden = 0
    for line, text in enumerate(own):
        if changed and line not in near:
            hidden += 1
            continue
        if hidden:
            yield Line("", fold=hidden)
            hidden = 0
        yield Line(text, line in changed)
    if hidden:
        yield Line("", fold=hidden)


def _side(value: Any, text: list[str], lines: list[Line], *, start: int, inside: int) -> Side:
    if value is ABSENT:
        return Side(there=False)
    shown_lines = [_cut(line, inside) for line in lines[:MAX_LINES]]
    left = len(text) - start - sum(line.fold or 1 for line in shown_lines)
    if skipped := min(start, len(text)):
        shown_lines.insert(0, Line("", fold=skipped))
    if left > 0:
        ends_folded = bool(shown_lines) and shown_lines[-1].fold
        left += shown_lines.pop().fold if ends_folded else 0
        shown_lines.append(Line("", fold=left))
    is_time = isinstance(value, int) and value in _TIMES
    return Side(
        there=True,
        lines=tuple(shown_lines),
        size_bytes=sum(len(line.encode("utf-8", "surrogatepass")) for line in text),
        cut=any(line.fold or "…" in line.text[:1] + line.text[-1:] for line in shown_lines),
        at_ms=value if is_time else None,
    )


def _cut(line: Line, inside: int) -> Line:
    begins = "…" if inside else ""
    ends = "…" if len(line.text) > inside + MAX_LINE else ""
    return replace(line, text=f"{begins}{visible(line.text[inside : inside + MAX_LINE])}{ends}")
