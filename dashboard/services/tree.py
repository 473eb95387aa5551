"""A masked JSON value as nodes to draw: folded, bounded in depth, number and length.

What is cut says how large it is; the whole value is at the field's own JSON address.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sessionstore.entries import MASK, redact

MAX_NODES = 1500
MAX_DEPTH = 24
MAX_TEXT = 600
OPEN_UP_TO = 12


@dataclass(frozen=True, slots=True)
class Node:
    """One value. ``kind`` is object, list, text, number, word (true, false, null) or cut.

    ``pointer`` is where a text stands that is masked, wholly or in part.
    """

    name: str
    kind: str
    text: str
    size: int
    children: tuple[Node, ...] = ()
    open: bool = False
    cut: str = ""
    pointer: str = ""


class _Budget:
    def __init__(self) -> None:
        self.left = MAX_NODES


def tree_of(value: Any, *, name: str = "", pointer: str = "") -> Node:
    """Nodes of a value that :func:`sessionstore.entries.redact` has masked already.

    ``pointer`` is where the value stands in its entry.
    """
    return _node(name, value, 0, _Budget(), pointer)


def child(pointer: str, name: str, place: int) -> str:
    """The pointer (RFC 6901) to a member, by its masked name and its place beside the others.

    A name that is masked itself is never quoted: its step is ``~2`` and the place.
    """
    step = f"~2{place}" if MASK in name else name.replace("~", "~0").replace("/", "~1")
    return f"{pointer}/{step}"


def pointer_if_masked(value: Any, pointer: str) -> str:
    """The pointer of a text in which something is masked; empty for every other value."""
    return pointer if isinstance(value, str) and MASK in value else ""


def _node(name: str, value: Any, depth: int, budget: _Budget, pointer: str) -> Node:
    budget.left -= 1
    if isinstance(value, dict):
        return _branch(name, "object", list(value.items()), depth, budget, pointer)
    if isinstance(value, list | tuple):
        named = [(str(at), item) for at, item in enumerate(value)]
        return _branch(name, "list", named, depth, budget, pointer)
    if isinstance(value, str):
        cut = f"{len(value):,}" if len(value) > MAX_TEXT else ""
        here = pointer_if_masked(value, pointer)
        return Node(name, "text", visible(value[:MAX_TEXT]), len(value), cut=cut, pointer=here)
    if value is None or isinstance(value, bool):
        return Node(name, "word", json.dumps(value), 0)
    return Node(name, "number", number(value), 0)


def _branch(
    name: str,
    kind: str,
    items: list[tuple[str, Any]],
    depth: int,
    budget: _Budget,
    pointer: str,
) -> Node:
    if depth >= MAX_DEPTH:
        return Node(name, "cut", "", len(items), cut="depth")
    children = []
    for place, (inner, value) in enumerate(items):
        if budget.left <= 0:
            break
        at = child(pointer, inner, place)
        children.append(_node(visible(inner[:MAX_TEXT]), value, depth + 1, budget, at))
    left_out = len(items) - len(children)
    return Node(
        name=name,
        kind=kind,
        text="",
        size=len(items),
        children=tuple(children),
        open=depth == 0 or (depth == 1 and len(items) <= OPEN_UP_TO),
        cut=f"{left_out:,}" if left_out else "",
    )


def number(value: int | float) -> str:
    """A number's digits; one too long to be a figure is cut."""
    if isinstance(value, int) and value.bit_length() > 4000:
        return f"a whole number of {value.bit_length():,} bits"
    return json.dumps(value)


def visible(text: str) -> str:
    """Text with control and direction characters written out, so none can disguise a value."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in "\n\u200c\u200d" else c.encode("unicode_escape").decode()
        for c in text
    )


def masked(text: str) -> str:
    """Text with secrets masked, for whoever escapes it in another way than :func:`visible`."""
    return str(redact(text))


def shown(text: str) -> str:
    """Text of a store or of a file name as it may be shown: masked, nothing disguised."""
    return visible(masked(text))
