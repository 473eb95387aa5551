"""Show one masked value to an admin who says why: written to the audit before it is read out.

What is written down is who, why, and the place of the value; never the value, its length or
its digest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from dashboard import audit
from dashboard.acting import Actor
from sessionstore import entries
from sessionstore.paths import StorePaths
from sessionstore.store import open_store

from .entry_tags import tag_of
from .fleet import fleet, page_budget_s
from .pointers import GoneError, Step, alone, masked_steps, steps_to, value_at
from .problems import Problem, ProblemError, not_there
from .session import key_behind
from .tree import shown, visible

ACTION = "session.reveal"
LONGEST = 100_000
"""How many characters of a value are shown; a longer one is cut and says so."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in an entry and what stands there, told without the value.

    ``state``: ``masked`` (can be revealed), ``group`` (has members, of which some may be
    masked), ``open`` (not masked, so every page shows it) or ``gone``. ``by_position``: a step
    on the way is a number, which may lead elsewhere once the entry has changed.
    """

    store_id: str
    ref: str
    store_name: str
    agent: str
    key: str
    pointer: str
    steps: tuple[str, ...]
    state: str
    tag: str
    by_position: bool


@dataclass(frozen=True, slots=True)
class Revealed:
    """One value in the open. ``cut`` is how many characters are not shown.

    ``escaped``: control and direction characters in it are written out. ``changed``: the entry
    is not the one that the question was asked about. ``event`` is the number in the audit.
    """

    place: Place
    text: str = field(repr=False)
    cut: int
    escaped: bool
    changed: bool
    event: int


def look_at(store_id: str, ref: str, pointer: str) -> Place:
    """Say what stands at a place in an entry.

    Raises:
        ProblemError: there is no such store or session, or it cannot be read.
    """
    return _looked(store_id, ref, pointer)[0]


def reveal(
    actor: Actor, store_id: str, ref: str, pointer: str, *, reason: str, tag: str
) -> Revealed:
    """Read one masked value out, after this was written to the audit.

    ``tag`` is the entry's when the person was asked. A place that goes by positions is only
    sure in the same entry; a field that goes by its name is read as it is now.

    Raises:
        ProblemError: nothing was read out: no such session, not masked, gone, or moved.
    """
    place, value = _looked(store_id, ref, pointer)
    intent = _note(actor, place, reason, "started")
    problem = _why_not(place, tag)
    if problem is not None:
        _note(actor, place, reason, "refused", intent=intent, why=problem.detail)
        raise ProblemError(problem)
    text = visible(value[:LONGEST])
    return Revealed(
        place=place,
        text=text,
        cut=max(0, len(value) - LONGEST),
        escaped=text != value[:LONGEST],
        changed=place.tag != tag,
        event=_note(actor, place, reason, "done", intent=intent),
    )


def _note(actor: Actor, place: Place, reason: str, outcome: str, **more: Any) -> int:
    """Write down who asks for which value and why; gives the number of the event."""
    about = {
        "store": place.store_id,
        "agent": place.agent,
        "key": place.key,
        "field": "/".join(("", *place.steps)),
        "via": actor.via,
    }
    event = audit.record(
        None,
        by=actor,
        action=ACTION,
        target=f"{place.store_name}: {place.key}",
        outcome=outcome,
        reason=reason,
        details=about | more,
    )
    return event.sequence


def _looked(store_id: str, ref: str, pointer: str) -> tuple[Place, Any]:
    """The place and the raw value there, from one reading."""
    key = key_behind(store_id, ref)
    reader = fleet().reader(store_id)
    entry = reader.read(lambda paths: _entry(paths, key), budget_s=page_budget_s())
    if isinstance(entry, Problem):
        raise ProblemError(entry)
    if entry is None:
        raise not_there(
            _("The session %s has been deleted.") % shown(key),
            _("Search the list of sessions; a reset session has a new entry."),
        )
    try:
        steps = steps_to(entry, pointer)
        value, state = value_at(entry, steps), _state(entry, steps)
    except GoneError:
        steps, value, state = [], None, "gone"
    place = Place(
        store_id=store_id,
        ref=ref,
        store_name=reader.name,
        agent=reader.agent,
        key=shown(key),
        pointer=pointer,
        steps=tuple(shown(str(step)) for step in steps),
        state=state,
        tag=tag_of(store_id, key, entries.etag(entry)),
        by_position="~2" in pointer or any(isinstance(step, int) for step in steps),
    )
    return place, value


def _entry(paths: StorePaths, key: str) -> dict[str, Any] | None:
    with open_store(paths.store_path) as store:
        return store.get(key)


def _state(entry: dict[str, Any], steps: list[Step]) -> str:
    value = value_at(entry, steps)
    if isinstance(value, dict | list):
        return "group"
    around = entries.redact(alone(entry, steps))
    return "open" if value_at(around, masked_steps(steps)) == value else "masked"


def _why_not(place: Place, tag: str) -> Problem | None:
    if place.state == "gone":
        detail = _("There is no such field in the entry now; it was removed, or never there.")
    elif place.state == "group":
        detail = _("This is a group of values; each masked one in it is revealed on its own.")
    elif place.state == "open":
        detail = _("This value is not masked; the session's pages show it.")
    elif place.by_position and place.tag != tag:
        detail = _("The entry was changed since, so another value may stand at this position.")
    else:
        return None
    return Problem(_("Nothing was revealed"), detail, _("Open the session and look again."), 409)
