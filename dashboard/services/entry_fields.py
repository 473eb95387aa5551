"""An entry's fields, each with its meaning, its value as a person reads it, and what it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from sessionstore.keys import fold

from .field_spec import FieldSpec
from .field_table import FIELDS, GROUPS, UNKNOWN, spec_of
from .tree import Node, child, number, pointer_if_masked, tree_of, visible

MAX_TEXT = 400
MAX_FIELDS = 400


@dataclass(frozen=True, slots=True)
class Field:
    """One field, finished. ``kind`` is that of its value when the table's does not fit it.

    ``meaning`` is what its value does, of a field that has only some. ``on_form``: operators may
    change it. ``pointer`` is where it stands when it is a text that is masked.
    """

    name: str
    anchor: str
    words: str
    kind: str
    text: str
    at_ms: int | None = None
    amount: int | float | None = None
    tree: Node | None = None
    size_bytes: int = 0
    ref: str = ""
    odd: bool = False
    cut: bool = False
    meaning: str = ""
    on_form: bool = False
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Fields that belong together."""

    name: str
    title: str
    fields: tuple[Field, ...]


def groups_of(
    entry: dict[str, Any], *, now_ms: int, refs: Callable[[str], str]
) -> tuple[FieldGroup, ...]:
    """Explain a masked entry. ``refs`` gives the id of a session that a field names."""
    sorted_in: dict[str, list[Field]] = {}
    names = sorted(entry, key=lambda name: name not in FIELDS)[:MAX_FIELDS]
    places = {name: place for place, name in enumerate(entry)}
    for name in names:
        spec, pointer = spec_of(name), child("", name, places[name])
        field = _field(name, entry[name], spec, pointer, refs)
        sorted_in.setdefault(spec.group, []).append(field)
    if left := len(entry) - len(names):
        words = _("An entry normally has some dozens; all of them are in the JSON download.")
        rest = Field("…", "field-more", words, "text", _("%s more fields") % f"{left:,}")
        sorted_in.setdefault(UNKNOWN.group, []).append(rest)
    order = {name: at for at, name in enumerate(FIELDS)}
    return tuple(
        FieldGroup(
            group, str(title), tuple(sorted(fields, key=lambda f: (order.get(f.name, 999), f.name)))
        )
        for group, title in GROUPS
        if (fields := sorted_in.get(group))
    )


def _field(
    name: str, value: Any, spec: FieldSpec, pointer: str, refs: Callable[[str], str]
) -> Field:
    kind = _kind(value, spec.kind)
    common: dict[str, Any] = {
        "name": visible(name[:MAX_TEXT]),
        "anchor": f"field-{visible(name[:100])}".replace(" ", "_"),
        "words": str(spec.words),
        "kind": kind,
        "odd": bool(spec.kind) and kind != spec.kind,
        "meaning": _meaning(spec, value),
        "on_form": bool(spec.section),
        "pointer": pointer_if_masked(value, pointer),
    }
    if kind == "time":
        return Field(**common, text="", at_ms=int(value))
    if kind in ("count", "tokens", "milliseconds", "cost"):
        return Field(**common, text=number(value), amount=value)
    if kind == "group":
        size = len(json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace"))
        return Field(**common, text="", tree=tree_of(value, pointer=pointer), size_bytes=size)
    if kind == "key":
        return Field(**common, text=visible(value[:MAX_TEXT]), ref=_ref(value, refs))
    text = visible(value) if isinstance(value, str) else _plain(value)
    return Field(**common, text=text[:MAX_TEXT], size_bytes=len(text), cut=len(text) > MAX_TEXT)


def _meaning(spec: FieldSpec, value: Any) -> str:
    for choice in spec.choices:
        if type(choice.value) is type(value) and choice.value == value:
            return str(choice.words)
    return ""


def _kind(value: Any, expected: str) -> str:
    """The table's kind if the value can be that, else what the value is."""
    if isinstance(value, dict | list):
        return "group"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "flag" if expected != "choice" else "choice"
    if isinstance(value, int | float):
        is_number = expected in ("time", "count", "tokens", "milliseconds", "cost")
        is_finite = value == value and abs(value) < 2**63
        return expected if is_number and is_finite else "number"
    return expected if expected in ("text", "choice", "id", "key", "path") else "text"


def _plain(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    return json.dumps(value)


def _ref(key: str, refs: Callable[[str], str]) -> str:
    try:
        return refs(fold(key))
    except ValueError:
        return ""
