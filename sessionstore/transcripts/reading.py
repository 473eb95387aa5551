"""Reading a transcript page by page, newest first by default; text as it stands, not masked.

Pages are found by byte offsets, so a file of a gigabyte costs what its last page costs. What is
shown anywhere has to be masked by whoever shows it (:func:`sessionstore.entries.redact`).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..entries import Entry, NotAnEntryError, decode
from ..paths import StorePaths
from ..treefiles import Reader
from .branches import Branch, branch_of
from .lines import (
    MAX_LINE_BYTES,
    PAGE_BYTES,
    RawLine,
    Stretch,
    line_at,
    lines_before,
    lines_from,
)
from .opening import open_transcript

LineState = Literal["entry", "damaged", "long", "part", "unfinished", "blank"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line at bytes ``start`` to ``end``; ``value`` only where it is an ``entry``.

    ``damaged``: no JSON object, and ``problem`` says where. ``long``: over the limit, not read.
    ``part``: one end of it was not met. ``unfinished``: the last line, without an end and no
    object yet.
    """

    start: int
    end: int
    state: LineState
    value: Entry | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines, oldest first. ``older`` and ``newer`` are offsets of the pages beside it.

    ``older`` is for ``before``, ``newer`` for ``after``; None where there is nothing more.
    ``branch`` is None where all lines were asked for.
    """

    lines: tuple[Line, ...]
    start: int
    end: int
    size_bytes: int
    older: int | None
    newer: int | None
    branch: Branch | None


def read_page(
    paths: StorePaths,
    place: Path,
    *,
    before: int | None = None,
    after: int | None = None,
    count: int = 50,
    active_branch: bool = True,
) -> Page:
    """Read the lines that end by byte ``before``, or begin at ``after``; the last ones by default.

    ``active_branch`` leaves out what the conversation left behind; where the branch cannot be told
    (see :mod:`.branches`), all lines are given and ``branch`` says so.

    Raises:
        FileNotFoundError, UnsafeFileError, StoreIOError: as :func:`open_transcript`.
    """
    with open_transcript(paths, place) as reader:
        branch = branch_of(reader) if active_branch else None
        if branch is not None and branch.state == "tree":
            stretch, older, newer = _of_branch(reader, branch, before, after, count)
        else:
            stretch, older, newer = _of_all(reader, before, after, count)
        return Page(
            lines=tuple(map(_parsed, stretch.lines)),
            start=stretch.start,
            end=stretch.end,
            size_bytes=reader.size_bytes,
            older=older,
            newer=newer,
            branch=branch,
        )


_Found = tuple[Stretch, int | None, int | None]


def _of_all(reader: Reader, before: int | None, after: int | None, count: int) -> _Found:
    size = reader.size_bytes
    if after is not None:
        stretch = lines_from(reader, after, count=count)
    else:
        stretch = lines_before(reader, size if before is None else before, count=count)
    older = stretch.start if stretch.start > 0 else None
    newer = stretch.end if stretch.end < size else None
    return stretch, older, newer


def _of_branch(
    reader: Reader, branch: Branch, before: int | None, after: int | None, count: int
) -> _Found:
    starts = [start for start, _ in branch.spans]
    if after is not None:
        first = bisect_left(starts, after)
        last = min(first + count, len(starts))
    else:
        ends = [end for _, end in branch.spans]
        last = len(ends) if before is None else bisect_right(ends, before)
        first = max(0, last - count)
    first, last = _within_page(branch.spans, first, last, from_end=after is None)
    spans = branch.spans[first:last]
    if not spans:
        ends_before, starts_after = branch.spans[-1][1], starts[0]
        return Stretch((), 0, 0), ends_before if last else None, None if last else starts_after
    lines = tuple(line_at(reader, start, end) for start, end in spans)
    older = spans[0][0] if first > 0 else None
    newer = spans[-1][1] if last < len(starts) else None
    return Stretch(lines, spans[0][0], spans[-1][1]), older, newer


def _within_page(
    spans: Sequence[tuple[int, int]], first: int, last: int, *, from_end: bool
) -> tuple[int, int]:
    """As many of these lines as a page may read, one at least; ``from_end`` keeps the last."""
    left = PAGE_BYTES
    order = range(last - 1, first - 1, -1) if from_end else range(first, last)
    for count, at in enumerate(order):
        size = spans[at][1] - spans[at][0]
        left -= size if size <= MAX_LINE_BYTES else 0  # a longer one is not read out
        if left < 0 and count:
            return (at + 1, last) if from_end else (first, at)
    return first, last


def _parsed(raw: RawLine) -> Line:
    if raw.text is None:
        return Line(raw.start, raw.end, "part" if raw.is_part else "long")
    if not raw.text.strip():
        return Line(raw.start, raw.end, "blank")
    try:
        return Line(raw.start, raw.end, "entry", decode(raw.text))
    except NotAnEntryError as error:
        if not raw.is_ended:
            return Line(raw.start, raw.end, "unfinished")
        return Line(raw.start, raw.end, "damaged", problem=str(error))
