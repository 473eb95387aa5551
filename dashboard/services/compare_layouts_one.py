"""One session in each form of its store, field by field, masked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from sessionstore.comparing import FORMS, FormName, states_of_key, without_marker
from sessionstore.entries import redact
from sessionstore.errors import Finding

from .compare_layouts import FORM_WORDS, ref_of
from .comparing import Comparison, compare
from .findings import masked_finding
from .fleet import fleet, page_budget_s
from .kept_layouts import compared_now
from .problems import Problem, ProblemError, not_there
from .readers import Reader, refresh_all
from .refs import digest
from .rows import readable
from .tree import shown


@dataclass(frozen=True, slots=True)
class State:
    """The session in one form. ``problem``: why it cannot be read there; ``entry`` is masked."""

    name: str
    word: str
    is_there: bool
    fields: int
    problem: Finding | None
    entry: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Against:
    """Two forms of it side by side."""

    before: str
    after: str
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class LayoutSession:
    """Everything on the page of one session. ``ref`` is empty where it has no page of its own."""

    store_id: str
    store: str
    here: str
    ref: str
    key: str
    title: str
    states: tuple[State, ...]
    pairs: tuple[Against, ...]
    read_at_ms: int


def layout_session(store_id: str, ref: str) -> LayoutSession:
    """Read one session in each form now.

    Raises:
        ProblemError: there is no such store, or no form has the session.
    """
    reader = fleet().reader(store_id)
    key = _key_behind(reader, ref)
    found = reader.read(lambda paths: states_of_key(paths, key), budget_s=page_budget_s())
    if isinstance(found, Problem):
        raise ProblemError(found)
    if not found:
        raise _gone()
    entries = {
        name: without_marker(state)
        for name, state in found.items()
        if not isinstance(state, Finding)
    }
    names = [name for name in FORMS if name in entries]
    pairs = [
        Against(
            str(FORM_WORDS[before]),
            str(FORM_WORDS[after]),
            compare(entries[before], entries[after]),
        )
        for at, before in enumerate(names)
        for after in names[at + 1 :]
    ]
    return LayoutSession(
        store_id=reader.id,
        store=reader.name,
        here=ref,
        ref=ref_of(reader, key) if reader.row(key) is not None else "",
        key=shown(key),
        title=readable(shown(key)),
        states=tuple(_state(name, found.get(name)) for name in FORMS),
        pairs=tuple(pairs),
        read_at_ms=time.time_ns() // 1_000_000,
    )


def _state(name: FormName, state: dict[str, Any] | Finding | None) -> State:
    is_entry = isinstance(state, dict)
    return State(
        name=name,
        word=str(FORM_WORDS[name]),
        is_there=state is not None,
        fields=len(state) if isinstance(state, dict) else 0,
        problem=masked_finding(state) if isinstance(state, Finding) else None,
        entry=redact(state) if is_entry else None,
    )


def _key_behind(reader: Reader, ref: str) -> str:
    """The raw key: from the index, else from the comparison, which has keys of every form."""
    refresh_all([reader], budget_s=page_budget_s())
    key = reader.key_of(ref)
    if key is not None:
        return key
    kept = compared_now(reader, budget_s=page_budget_s())
    if isinstance(kept, Problem):
        raise ProblemError(kept)
    found = next((row.key for row in kept[0].rows if digest(row.key) == ref), None)
    if found is None:
        raise _gone()
    return found


def _gone() -> ProblemError:
    return not_there(
        _("No form of this store has a session with this id."),
        _("Compare the layouts again."),
    )
