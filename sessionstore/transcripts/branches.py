"""The active branch of a transcript: a tree, walked by ``parentId`` from its leaf (§6.3).

The leaf is the last line that has an id. One pass reads only the ids of each line and is bounded
in bytes and lines; of a larger file the branch is not told. Files of versions without ids are one
line of conversation: everything is active.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from ..treefiles import Reader

INDEX_BYTES = 32 * 1024 * 1024
INDEX_LINES = 100_000
_BLOCK_BYTES = 1024 * 1024

State = Literal["tree", "linear", "too-large"]


@dataclass(frozen=True, slots=True)
class Branch:
    """Where the lines of the active branch are: (start, end) in bytes, first to last.

    ``lines`` is how many lines the file has, ``forks`` how many of them have more than one line
    after them. ``is_broken``: a parent on the way is not in the file, so the branch begins there.
    ``too-large`` knows none of it.
    """

    state: State
    spans: tuple[tuple[int, int], ...] = ()
    lines: int = 0
    forks: int = 0
    is_broken: bool = False


class _Link(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    parent_id: str | None = msgspec.field(default=None, name="parentId")


@dataclass(slots=True)
class _Index:
    """Ids to the lines that have them; a repeated id is the later line's, as the gateway reads."""

    parents: dict[str, str | None]
    spans: dict[str, tuple[int, int]]
    header: tuple[int, int] | None = None
    leaf: str = ""
    lines: int = 0

    def add(self, line: bytes, start: int, end: int) -> None:
        self.lines += 1
        link = _link_of(line)
        if link is None:
            return
        if link.type == "session":
            self.header = self.header or (start, end)
        elif link.id:
            self.parents[link.id], self.spans[link.id] = link.parent_id, (start, end)
            self.leaf = link.id


_decoder = msgspec.json.Decoder(_Link)


def branch_of(reader: Reader) -> Branch:
    """Index a transcript and walk up from its leaf. Reads all of it, up to the limits."""
    if reader.size_bytes > INDEX_BYTES:
        return Branch("too-large")
    index = _Index({}, {})
    rest, base = b"", 0
    while block := reader.read_at(base + len(rest), _BLOCK_BYTES):
        data = rest + block
        start = 0
        while (newline := data.find(b"\n", start)) >= 0:
            index.add(data[start:newline], base + start, base + newline + 1)
            start = newline + 1
        if index.lines > INDEX_LINES or base + len(data) > INDEX_BYTES:
            return Branch("too-large")
        rest, base = data[start:], base + start
    if rest:
        index.add(rest, base, base + len(rest))
    return _walked(index) if index.leaf else Branch("linear", lines=index.lines)


def _walked(index: _Index) -> Branch:
    spans: list[tuple[int, int]] = []
    seen: set[str] = set()
    at: str | None = index.leaf
    while at is not None and at in index.spans and at not in seen:
        seen.add(at)
        spans.append(index.spans[at])
        at = index.parents[at]
    children: dict[str, int] = {}
    for parent in index.parents.values():
        if parent is not None:
            children[parent] = children.get(parent, 0) + 1
    if index.header is not None:
        spans.append(index.header)
    return Branch(
        "tree",
        tuple(sorted(spans)),
        index.lines,
        forks=sum(count > 1 for count in children.values()),
        is_broken=at is not None,
    )


def _link_of(line: bytes) -> _Link | None:
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
