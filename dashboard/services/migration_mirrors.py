"""The mirror of one store as its page shows it, and switching it on and off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import queue
from sessionstore import migration
from sessionstore.errors import Finding
from sessionstore.layout import detect_layout, is_guard
from sessionstore.migration import MirrorStatus
from sessionstore.paths import StorePaths
from sessionstore.store import Store, open_store

from .amounts import binary, duration
from .findings import masked_finding
from .fleet import fleet, page_budget_s
from .problems import Problem, ProblemError
from .readers import Reader
from .tree import shown

_WAIT_S = 10.0
#: A reader of the copy sees data that is at most so old, when all is well.
_USUAL_LAG_S = 5.0

MIRROR_STEPS: dict[str, Callable[[Store], MirrorStatus]] = {
    "on": migration.enable_mirror,
    "off": lambda store: migration.disable_mirror(store, remove=False),
    "remove": lambda store: migration.disable_mirror(store, remove=True),
    "set-aside": migration.set_aside_foreign,
}


@dataclass(frozen=True, slots=True)
class MirrorStep:
    """One button of the mirror's card."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class MirrorCard:
    """A store's mirror, said for a person."""

    word: str
    tone: str
    sentence: str
    problem: Finding | None
    steps: tuple[MirrorStep, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the disk says. ``is_guarded``: a guard stands where the copy would be."""

    status: MirrorStatus
    is_guarded: bool


def mirror_of(store_id: str) -> MirrorCard | None:
    """What a store's mirror is up to; None where there can be none, or the disk does not answer.

    Raises:
        ProblemError: there is no such store.
    """
    reader = fleet().reader(store_id)
    seen = reader.read(_status, budget_s=page_budget_s())
    return None if seen is None or isinstance(seen, Problem) else _card(seen, reader.paths)


def _status(paths: StorePaths) -> Seen | None:
    if detect_layout(paths) != "directory":
        return None
    with _opened(paths) as store:
        status = migration.mirror_status(store)
        return Seen(status, is_guarded=not status.enabled and is_guard(paths))


def _opened(paths: StorePaths) -> Store:
    return open_store(paths.store_path, timeout=_WAIT_S, gateway_lock_dir=settings.GATEWAY_LOCK_DIR)


def _card(seen: Seen, paths: StorePaths) -> MirrorCard:
    status = seen.status
    if seen.is_guarded:
        return MirrorCard(*_state(status), _guarded(shown(paths.store_path.name)), None, ())
    problem = masked_finding(status.problem) if status.problem else None
    is_foreign = problem is not None and problem.rule == "mirror-foreign-change"
    steps: list[MirrorStep] = []
    if is_foreign:
        steps.append(MirrorStep("set-aside", _("Set the foreign file aside")))
    if status.enabled:
        steps.append(MirrorStep("off", _("Turn off")))
        steps.append(MirrorStep("remove", _("Turn off and remove the copy")))
    elif not is_foreign:
        steps.append(MirrorStep("on", _("Turn on")))
    word, tone = _state(status)
    return MirrorCard(word, tone, _sentence(status), problem, tuple(steps))


def _state(status: MirrorStatus) -> tuple[str, str]:
    if status.problem is not None:
        return (_("stopped"), "bad") if status.enabled else (_("off"), "watch")
    if not status.enabled:
        return _("off"), "none"
    if not status.running:
        return _("waits for a runner"), "watch"
    late = status.lag_s is not None and status.lag_s > 2 * _USUAL_LAG_S
    return (_("behind"), "watch") if late else (_("on"), "ok")


def _guarded(name: str) -> str:
    return _(
        "The guard in place of %(name)s keeps the programs out that a mirror is for. To have a"
        " mirror, remove the folder %(name)s first, and run no OpenClaw until the copy is there."
    ) % {"name": name}


def _sentence(status: MirrorStatus) -> str:
    if status.written_at_ms is None:
        return _("There is no copy yet.") if status.enabled else _("It is off, and was never on.")
    said = ngettext(
        "The copy has %(n)s session, %(size)s.",
        "The copy has %(n)s sessions, %(size)s.",
        status.sessions,
    ) % {"n": f"{status.sessions:,}", "size": binary(status.size_bytes)}
    if status.left_out:
        said += " " + _("%d damaged entries are not in it.") % status.left_out
    if status.lag_s:
        return f"{said} " + _("It is %s behind.") % duration(1000 * status.lag_s)
    return f"{said} " + (_("It has everything.") if status.enabled else _("It is not kept up."))


def change_mirror(actor: Actor, reader: Reader, step: str, *, reason: str) -> str:
    """Take a step of ``MIRROR_STEPS``; what was done in a sentence. On record before and after.

    Raises:
        ProblemError: the store refuses: it is not migrated, has a guard, or a foreign file.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "admin")
    intent = _record(actor, reader, step, "started", reason, {})
    answer = reader.read(lambda paths: _changed(paths, step), budget_s=2 * _WAIT_S)
    if isinstance(answer, Problem):
        _record(actor, reader, step, "failed", answer.detail, {"intent": intent})
        raise ProblemError(answer)
    _record(actor, reader, step, "done", reason, {"intent": intent})
    return {
        "on": _("The mirror is on; the next runner writes the copy."),
        "off": _("The mirror is off; its copy stays as it is."),
        "remove": _("The mirror is off, and its copy is removed."),
        "set-aside": _("The foreign file is in the quarantine; the mirror goes on."),
    }[step]


def _changed(paths: StorePaths, step: str) -> MirrorStatus:
    with _opened(paths) as store:
        return MIRROR_STEPS[step](store)


def _record(
    actor: Actor, reader: Reader, step: str, outcome: str, reason: str, details: dict[str, int]
) -> int:
    event = audit.record(
        None,
        by=actor,
        action="store.mirror",
        target=reader.name,
        outcome=outcome,
        reason=reason,
        details={"store": reader.id, "step": step, **details},
    )
    return event.sequence
