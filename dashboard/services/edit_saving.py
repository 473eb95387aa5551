"""Saving what a form or an action page asks for: at once, or as what a job takes along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dashboard.acting import Actor
from sessionstore.editing import ABSENT

from . import changing
from .changing import Saved
from .edit_form import Typed, Wanted
from .edit_look import look_at
from .edit_opened import Opened, Seen, digest_of


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants done to one session: an edit, or an action with its parameters."""

    store_id: str
    ref: str
    key: str = field(repr=False)
    wanted: Wanted | None = None
    action: str = ""
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    if_match: str | None = None
    reason: str = ""


def carry(actor: Actor, asked: Request, *, wait_s: float, job_id: int | None = None) -> Saved:
    """Do it now, waiting so long for the lock.

    Raises:
        ProblemError: as :func:`changing.save` and :func:`changing.act`; nothing was written.
    """
    if asked.wanted is None:
        return changing.act(
            actor,
            asked.store_id,
            asked.key,
            asked.action,
            asked.params,
            reason=asked.reason,
            wait_s=wait_s,
            if_match=asked.if_match,
            job_id=job_id,
        )
    wanted = asked.wanted
    look = look_at(asked.store_id, asked.ref, key=asked.key)
    return changing.save(
        actor,
        asked.store_id,
        asked.key,
        wanted.edits(look.entry or {}),
        reason=asked.reason,
        wait_s=wait_s,
        create=wanted.opened.creates,
        any_field=wanted.any_field,
        choices=dict.fromkeys(wanted.follows, "mine"),
        opened=_seen_besides(wanted),
        job_id=job_id,
    )


def _seen_besides(wanted: Wanted) -> dict[str, Any]:
    """Values that the page showed, so that it can be told which of them others changed."""
    seen = wanted.opened.seen.items()
    return {name: each.value for name, each in seen if not each.digest}


def packed(asked: Request) -> dict[str, Any]:
    """What a job needs to do it later, as JSON. Of the store's content it holds digests only."""
    if asked.wanted is None:
        return {
            "ref": asked.ref,
            "action": asked.action,
            "params": dict(asked.params),
            "if_match": asked.if_match,
        }
    opened = asked.wanted.opened
    return {
        "ref": opened.ref,
        "edits": [_packed(typed, opened.place) for typed in asked.wanted.typed],
        "follows": list(asked.wanted.follows),
        "any_field": asked.wanted.any_field,
        "creates": opened.creates,
    }


def _packed(typed: Typed, place: str) -> list[Any]:
    seen = typed.seen
    digest = seen.digest
    if not digest and seen.value is not ABSENT:
        digest = digest_of(typed.name, seen.value, place=place)
    return [typed.name, digest, *([] if typed.yours is ABSENT else [typed.yours])]


def unpacked(store_id: str, key: str, params: Mapping[str, Any], *, reason: str) -> Request:
    """The inverse of :func:`packed`."""
    if "action" in params:
        return Request(
            store_id,
            params["ref"],
            key,
            action=params["action"],
            params=params["params"],
            if_match=params["if_match"],
            reason=reason,
        )
    typed = tuple(
        Typed(name, Seen(digest=digest), yours[0] if yours else ABSENT)
        for name, digest, *yours in params["edits"]
    )
    seen = {each.name: each.seen for each in typed}
    opened = Opened(store_id, params["ref"], None, seen, creates=params["creates"])
    wanted = Wanted(opened, typed, tuple(params["follows"]), any_field=bool(params["any_field"]))
    return Request(store_id, params["ref"], key, wanted, reason=reason)
