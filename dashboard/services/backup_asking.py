"""Ask for a job of backups: role, read-only mode and scope are checked here and at each item."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.models import Job, StorePlan
from sessionstore.backup import RetentionPlan, RetentionPolicy

from .backup_catalogue import Kept
from .backup_places import new_place
from .backup_work import COMPARE, CREATE, DRILL, PRUNE, RESTORE, VERIFY
from .only_read import refuse_only_read, writable
from .problems import Problem, ProblemError
from .readers import Reader
from .refs import SESSION_LENGTH, digest

DEPTHS = ("structure", "part", "everything")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a restore goes: in place, or to a new place of this name."""

    in_place: bool
    name: str = ""


def ask_backup(
    actor: Actor,
    readers: Sequence[Reader],
    *,
    transcripts: bool,
    reason: str,
    keys: Mapping[str, Sequence[str]] | None = None,
    retention: RetentionPolicy | None = None,
) -> Job:
    """Have stores backed up, or of each the sessions in ``keys`` (by store id).

    Those that are only read are left out.

    Raises:
        ProblemError: there is no store, or none but such.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    if not readers:
        raise _refused(
            _("There is no store to back up"), _("No store was found that you may see."), 404
        )
    readers = _may_be_backed_up(readers)
    items: list[queue.Item] = [
        (reader.id, reader.name, {} if keys is None else {"keys": list(keys[reader.id])})
        for reader in readers
    ]
    params = {
        "transcripts": transcripts,
        "retention": asdict(retention) if retention is not None else None,
    }
    title = _("Back up %s") % _stores_word(readers)
    if keys is not None:
        count = sum(len(keys[reader.id]) for reader in readers)
        told = ngettext("%(n)s session", "%(n)s sessions", count) % {"n": f"{count:,}"}
        title = _("Back up %(sessions)s of %(stores)s") % {
            "sessions": told,
            "stores": _stores_word(readers),
        }
    return _start(actor, CREATE, title, items, params, reason, "backup.create")


def _may_be_backed_up(readers: Sequence[Reader]) -> Sequence[Reader]:
    """Those whose backups are made here.

    Raises:
        ProblemError: there are only others.
    """
    ours = writable(readers)
    if readers and not ours:
        refuse_only_read(readers[0])
    return ours


def ask_verify(
    actor: Actor,
    kept: Sequence[Kept],
    *,
    depth: str,
    part: tuple[int, int] | None = None,
    reason: str = "",
) -> Job:
    """Have backups verified, all of one store or all without one."""
    title = _("Verify %s") % _backups_word(kept)
    params = {"depth": depth, "part": list(part) if depth == "part" and part else None}
    return _start(actor, VERIFY, title, _items(kept), params, reason, "backup.verify")


def ask_drill(actor: Actor, kept: Sequence[Kept], *, reason: str = "") -> Job:
    """Have backups restored on trial to scratch space."""
    title = _("Trial restore of %s") % _backups_word(kept)
    return _start(actor, DRILL, title, _items(kept), {}, reason, "backup.drill")


def ask_newest_drill(actor: Actor, readers: Sequence[Reader], *, reason: str = "") -> Job:
    """Have the newest backup of each store restored on trial, as it is when the job comes to it."""
    readers = _may_be_backed_up(readers)
    items: list[queue.Item] = [(r.id, r.name, {"newest": True}) for r in readers]
    title = _("Trial restore of the newest backup of %s") % _stores_word(readers)
    return _start(actor, DRILL, title, items, {}, reason, "backup.drill")


def ask_restore(
    actor: Actor,
    kept: Kept,
    target: Target,
    *,
    reason: str,
    plan: StorePlan | None = None,
    promised: str = "",
) -> Job:
    """Have a backup restored: all of it to a new place, or what a plan shows, there or in place.

    Raises:
        ProblemError: the name will not do, or the plan is not the one that was seen.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "admin")
    if target.in_place and kept.reader is not None:
        refuse_only_read(kept.reader)
    params: dict[str, Any] = {"backup": kept.backup.id, "target": "place", "name": target.name}
    if not target.in_place:
        new_place(target.name)
        params["target"] = "new"
    if plan is not None:
        if not hmac.compare_digest(promised.encode(), plan.digest.encode()):
            raise _refused(
                _("This is not the comparison that you saw"), _("Nothing was started."), 409
            )
        params |= {"plan": plan.pk, "digest": plan.digest}
    elif target.in_place:
        raise _refused(_("Compare first"), _("Nothing is restored in place unseen."), 409)
    title = _restore_title(kept, target, plan)
    items: list[queue.Item] = [(kept.store_id, kept.backup.id, {})]
    return _start(actor, RESTORE, title, items, params, reason, "backup.restore")


def _restore_title(kept: Kept, target: Target, plan: StorePlan | None) -> str:
    names = {"backup": kept.backup.id, "store": kept.name, "place": target.name}
    if target.in_place:
        if plan is not None and plan.summary["whole"]:
            return _("Restore everything of %(store)s in place from %(backup)s") % names
        return _("Restore sessions of %(store)s in place from %(backup)s") % names
    return _("Restore %(backup)s of %(store)s to %(place)s") % names


def ask_compare(actor: Actor, kept: Kept, keys: Sequence[str] | None) -> Job:
    """Have a large comparison made by a job."""
    params = {} if keys is None else {"keys": list(keys)}
    title = _("Compare %s with the store") % kept.backup.id
    items: list[queue.Item] = [(kept.store_id, kept.backup.id, params)]
    return queue.ask(actor, kind=COMPARE, title=title, params={}, items=items)


def ask_recover(actor: Actor, reader: Reader, candidate: str, *, name: str, reason: str) -> Job:
    """Have what a candidate, by its short id, holds copied to a new place."""
    queue.check_allowed(actor, "admin")
    new_place(name)
    params = {"candidate": candidate, "target": "new", "name": name}
    title = _("Recover what is left of %(store)s to %(place)s") % {
        "store": reader.name,
        "place": name,
    }
    items: list[queue.Item] = [(reader.id, reader.name, {})]
    return _start(actor, RESTORE, title, items, params, reason, "store.recover")


def ask_prune(
    actor: Actor,
    plans: Mapping[str, tuple[Reader, RetentionPlan]],
    policy: RetentionPolicy,
    *,
    reason: str,
) -> Job:
    """Have a policy applied as its previews show it; ``plans`` by store id."""
    items: list[queue.Item] = [
        (reader.id, reader.name, {"digest": plan.digest}) for reader, plan in plans.values()
    ]
    title = _("Prune backups of %s") % _stores_word([reader for reader, _plan in plans.values()])
    params = {"policy": asdict(policy)}
    return _start(actor, PRUNE, title, items, params, reason, "backup.prune")


def ref_of(key: str) -> str:
    """What a session of a backup goes by on its page."""
    return digest(key)[:SESSION_LENGTH]


def _start(
    actor: Actor,
    kind: str,
    title: str,
    items: Sequence[queue.Item],
    params: Mapping[str, Any],
    reason: str,
    action: str,
) -> Job:
    job = queue.ask(actor, kind=kind, title=title, params=params, items=items, reason=reason)
    told = {name: value for name, value in params.items() if name in ("target", "name", "digest")}
    audit.record(
        None,
        by=actor,
        action=action,
        target=title,
        outcome="started",
        reason=reason,
        details={"job": job.pk, **told},
    )
    return job


def _items(kept: Sequence[Kept]) -> list[queue.Item]:
    return [(one.store_id, one.backup.id, {}) for one in kept]


def _stores_word(readers: Sequence[Reader]) -> str:
    if len(readers) == 1:
        return readers[0].name
    return ngettext("%(n)d store", "%(n)d stores", len(readers)) % {"n": len(readers)}


def _backups_word(kept: Sequence[Kept]) -> str:
    if len(kept) == 1:
        return f"{kept[0].backup.id} ({kept[0].name})"
    return ngettext("%(n)d backup", "%(n)d backups", len(kept)) % {"n": len(kept)}


def _refused(title: str, detail: str, status: int) -> ProblemError:
    return ProblemError(Problem(title, detail, _("Open the list of backups."), status))
