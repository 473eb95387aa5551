"""Which sessions a bulk action is about: rows that somebody ticked, or all that match right now.

Either way the keys are fixed here, once. What changes in the list afterwards changes no selection.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from sessionstore.index import Row

from .asking import ask
from .fleet import fleet, page_budget_s
from .problems import Problem, ProblemError
from .readers import Reader, refresh_all
from .rows import SessionRow, session_row
from .vocabulary import Wanted

MOST = 5_000
"""The most sessions of one selection: a plan is read by people, and computed while one waits."""

_ROW = re.compile(r"([0-9a-f]{12})-([0-9a-f]{16}|[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Picked:
    """One session of a selection. Without a key there is nothing to change; ``why`` says why."""

    store_id: str
    ref: str
    key: str | None = None
    row: Row | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """Sessions in the order of the list, and what was known about the list when they were picked.

    ``late`` names stores that did not answer, so that theirs are not in it. ``hidden_machine``
    counts machine sessions that the list did not show, and that are therefore not in it either.
    """

    picked: tuple[Picked, ...]
    late: tuple[str, ...] = ()
    hidden_machine: int = 0


def ticked(ids: Sequence[str], wanted: Wanted) -> Selection:
    """The rows of these ids, as the list named them. ``wanted`` is what the list showed.

    A machine session is left alone unless the list showed machine sessions.

    Raises:
        ProblemError: no row, too many, or something that no list of ours contains.
    """
    found = [_ROW.fullmatch(ident) for ident in dict.fromkeys(ids)]
    pairs = [(match[1], match[2]) for match in found if match is not None]
    if len(pairs) != len(found):
        raise malformed()
    check_count(len(pairs))
    readers = readers_of({store_id for store_id, _ref in pairs})
    refresh_all(list(readers.values()), budget_s=page_budget_s())
    return Selection(
        tuple(_pick(readers.get(store_id), store_id, ref, wanted) for store_id, ref in pairs)
    )


def matching(wanted: Wanted, *, store_id: str | None) -> Selection:
    """Every session that the list shows on all its pages at this moment.

    Raises:
        ProblemError: none, too many, or no such store.
    """
    asked = ask(wanted, store_id, with_locks=wanted.locked)
    check_count(asked.matched)
    hidden = sum(asked.pages[r.id].hidden_machine for r in asked.chosen if r.id in asked.pages)
    return Selection(
        picked=tuple(_of_row(reader, row) for reader, row in asked.found(0, asked.matched)),
        late=tuple(r.name for r in asked.chosen if r.freshness().state != "live"),
        hidden_machine=0 if wanted.locked else hidden,
    )


def again(picked: Iterable[Picked]) -> Selection:
    """The same sessions as they are now; one that had no key then has none now."""
    listed = list(picked)
    readers = readers_of({one.store_id for one in listed})
    refresh_all(list(readers.values()), budget_s=page_budget_s())
    return Selection(tuple(_again(readers.get(one.store_id), one) for one in listed))


def rows_of(selection: Selection) -> list[SessionRow]:
    """The picked sessions as the list shows them; those that have gone are left out."""
    now_ms = time.time_ns() // 1_000_000
    readers = readers_of({one.store_id for one in selection.picked})
    return [
        session_row(readers[one.store_id], one.row, now_ms=now_ms)
        for one in selection.picked
        if one.row is not None and one.store_id in readers
    ]


def check_count(count: int) -> None:
    """Refuse a selection of nothing, and one of more than a plan may have.

    Raises:
        ProblemError: with what to do instead.
    """
    if count == 0:
        raise ProblemError(
            Problem(
                _("No session is selected"),
                _("A plan is about at least one session, and this selection is empty."),
                _("Go back, tick the sessions you mean, and choose the action again."),
                422,
            )
        )
    if count > MOST:
        raise ProblemError(
            Problem(
                _("Too many sessions at once"),
                _("The selection has %(count)s sessions; a plan takes at most %(most)s.")
                % {"count": f"{count:,}", "most": f"{MOST:,}"},
                _("Narrow the list down, for example by agent or age, and do it in parts."),
                422,
            )
        )


def readers_of(store_ids: set[str]) -> dict[str, Reader]:
    """Those of the stores that are there and may be seen, by id."""
    found = {}
    for store_id in store_ids:
        try:
            found[store_id] = fleet().reader(store_id)
        except ProblemError:
            continue  # its sessions are told apart one by one: see _no_store
    return found


def _pick(reader: Reader | None, store_id: str, ref: str, wanted: Wanted) -> Picked:
    if reader is None:
        return Picked(store_id, ref, why=_no_store())
    key = reader.key_of(ref)
    row = reader.row(key) if key is not None else None
    if row is None:
        return Picked(store_id, ref, why=_("It is not there any more."))
    if row.machine and not wanted.machine and row.kind not in wanted.kinds:
        why = _("It is a machine session, and the list did not show those.")
        return Picked(store_id, ref, row=row, why=why)
    return _of_row(reader, row)


def _again(reader: Reader | None, one: Picked) -> Picked:
    if reader is None:
        return replace(one, key=None, row=None, why=_no_store())
    row = reader.row(one.key) if one.key is not None else None
    if row is None:
        return replace(one, row=None, why=one.why or _("It is not there any more."))
    return _of_row(reader, row)


def _of_row(reader: Reader, row: Row) -> Picked:
    ref = reader.refs.of(row.key)
    if not row.has_key:
        why = _("Its file is damaged: which session it holds cannot be told.")
        return Picked(reader.id, ref, row=row, why=why)
    return Picked(reader.id, ref, row.key, row)


def _no_store() -> str:
    return _("Its store is not there any more, or is outside of your scope.")


def malformed() -> ProblemError:
    """The refusal of a form that is not one of ours."""
    return ProblemError(
        Problem(
            _("This selection cannot be read"),
            _("It names rows in a form that no list of this console uses."),
            _("Go back, reload the list, and select the sessions again."),
            400,
        )
    )
