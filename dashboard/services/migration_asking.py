"""Ask for a migration, its undoing, or a look before: what is refused, and what is asked again.

The library never refuses a plan for being old. Whoever starts a run from a page has read a preview,
so here the store is looked at once more first, and where sessions have another way now than the
preview shows, that is said and asked again.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.jobs.seeing import visible_jobs
from dashboard.models import Job, StorePlan
from dashboard.models.jobs import FINISHED
from sessionstore import migration
from sessionstore.migration import MigrationPlan, RollbackPlan
from sessionstore.paths import StorePaths

from .change_stores import opened_for_change
from .migration_plans import Moved, find_kept, moved_since
from .migration_summaries import must_choose
from .migration_words import MIGRATE, kind_title
from .migration_work import CHECK, KINDS, RUN, UNDO, WAIT_S
from .problems import Problem, ProblemError
from .readers import Reader
from .tree import shown

LOOK_BUDGET_S = 5.0
_RUNNABLE = frozenset({"migrated", "merged"})
_MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody chose for the stores of a run. ``digests`` are those of the previews."""

    digests: Mapping[str, str]
    guard: bool
    understood: bool
    reason: str


class PreviewMovedError(ProblemError):
    """Sessions are not as the preview shows them; ``job`` looks at the store again."""

    def __init__(self, moved: Moved, job: Job) -> None:
        self.job = job
        self.new, self.gone, self.other = (
            tuple(shown(key) for key in keys[:_MOST_TOLD])
            for keys in (moved.new, moved.gone, moved.other)
        )
        said = ngettext(
            "%(count)s session changed since the preview, review it.",
            "%(count)s sessions changed since the preview, review them.",
            moved.count,
        ) % {"count": f"{moved.count:,}"}
        super().__init__(
            Problem(
                _("The store is not as the preview shows it"),
                f"{said} {_('Nothing was started.')}",
                _("A new preview is being made; look at it and start from there."),
                409,
            )
        )


def ask_check(actor: Actor, readers: Sequence[Reader], kind: str) -> Job:
    """Have stores looked at; where that is about to happen anyway, that job is the answer.

    Raises:
        RefusedError: the role does not allow it, or the console is read-only.
    """
    if len(readers) == 1 and (job := job_at(readers[0].id)) is not None and job.kind == CHECK:
        return job
    title = _("Check %s before a migration") % _names(readers)
    return queue.ask(actor, kind=CHECK, title=title, params={"kind": kind}, items=_items(readers))


def ask_migration(actor: Actor, readers: Sequence[Reader], choice: Choice) -> Job:
    """Have stores migrated as their previews show it.

    Raises:
        PreviewMovedError: sessions have another way now than a preview shows.
        ProblemError: there is no such preview, a gateway runs, or a choice is missing.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "admin")
    for reader in readers:
        kept = _preview(reader, MIGRATE, choice.digests.get(reader.id, ""))
        if kept.outcome not in _RUNNABLE:
            raise _refused(_("There is nothing to migrate"), kept.summary["sentence"])
        _check_choice(reader, kept.summary, choice)
        _check_fresh(actor, reader, kept, choice)
    params = {"guard": choice.guard, "understood": choice.understood}
    return _start(actor, RUN, kind_title(MIGRATE, _names(readers)), readers, choice, params)


def ask_rollback(actor: Actor, reader: Reader, *, digest: str, reason: str) -> Job:
    """Have the migration of a store undone.

    Raises:
        As :func:`ask_migration`.
    """
    queue.check_allowed(actor, "admin")
    choice = Choice({reader.id: digest}, guard=False, understood=True, reason=reason)
    kept = _preview(reader, "rollback", digest)
    if kept.outcome == "refused":
        raise _refused(_("There is nothing to undo"), kept.summary["sentence"])
    _check_fresh(actor, reader, kept, choice)
    return _start(actor, UNDO, kind_title("rollback", reader.name), [reader], choice, {})


def job_at(store_id: str) -> Job | None:
    """The migration, undoing or look at a store that runs or waits, whoever asked for it."""
    jobs = visible_jobs().filter(stores__store_id=store_id, kind__in=KINDS)
    return jobs.exclude(state__in=FINISHED).order_by("created_at", "pk").first()


def _start(
    actor: Actor,
    kind: str,
    title: str,
    readers: Sequence[Reader],
    choice: Choice,
    params: Mapping[str, object],
) -> Job:
    for reader in readers:
        if (other := job_at(reader.id)) is not None and other.kind != CHECK:
            raise _refused(
                _("Somebody was faster"),
                _("%(who)s has asked for this already: job %(id)d, %(title)s.")
                % {"who": other.actor, "id": other.pk, "title": other.title},
                _("Look at that job."),
            )
    job = queue.ask(
        actor,
        kind=kind,
        title=title,
        params={**params, "digests": dict(choice.digests)},
        items=_items(readers),
        reason=choice.reason,
    )
    audit.record(
        None,
        by=actor,
        action="migration.start" if kind == RUN else "rollback.start",
        target=title,
        outcome="done",
        reason=choice.reason,
        details={"job": job.pk, **params, "digests": dict(choice.digests)},
    )
    return job


def _preview(reader: Reader, kind: str, digest: str) -> StorePlan:
    kept = find_kept(reader.id, kind)
    if kept is None or not hmac.compare_digest(digest.encode(), kept.digest.encode()):
        raise _refused(
            _("This is not the preview that you saw"),
            _("Another one was made meanwhile, or it is older than a day. Nothing was started."),
            _("Look at the store's page as it is now, and start from there."),
        )
    return kept


def _check_choice(reader: Reader, summary: Mapping[str, object], choice: Choice) -> None:
    if summary["gateway_pid"] is not None:
        raise _gateway_runs(int(str(summary["gateway_pid"])))
    if summary["must_choose"] and not choice.understood:
        raise ProblemError(
            Problem(
                _("A choice is missing"),
                _("Who reads %s has to be looked at before it is migrated.") % reader.name,
                _("Read what each program would do, and say that you have read it."),
                422,
            )
        )


def _gateway_runs(pid: int) -> ProblemError:
    return _refused(
        _("A gateway is running"),
        _("An OpenClaw gateway uses this state directory, process %d. Nothing was started.") % pid,
        _("Stop the gateway, check again, and start from there."),
    )


def _check_fresh(actor: Actor, reader: Reader, kept: StorePlan, choice: Choice) -> None:
    """Look once more; a store too large to look at within a page's time is looked at by the job."""
    look = _migration_now if kept.kind == MIGRATE else _rollback_now
    offered = reader.offer(lambda paths: look(reader, paths), patience_s=LOOK_BUDGET_S)
    plan = reader.settle(offered, budget_s=LOOK_BUDGET_S)
    if isinstance(plan, Problem):
        if plan.status != 503:
            raise ProblemError(plan)
        return
    if isinstance(plan, MigrationPlan):
        if plan.gateway_pid is not None:
            raise _gateway_runs(plan.gateway_pid)
        _check_choice(reader, {"gateway_pid": None, "must_choose": must_choose(plan)}, choice)
    moved = moved_since(kept, plan)
    if moved.count or _outcome(plan) != kept.outcome:
        raise PreviewMovedError(moved, ask_check(actor, [reader], kept.kind))


def _outcome(plan: MigrationPlan | RollbackPlan) -> str:
    if isinstance(plan, MigrationPlan):
        return plan.outcome
    return "rolled_back" if plan.possible else "refused"


def _migration_now(reader: Reader, paths: StorePaths) -> MigrationPlan:
    with opened_for_change(reader, WAIT_S) as store:
        return migration.plan_migration(store)


def _rollback_now(reader: Reader, paths: StorePaths) -> RollbackPlan:
    with opened_for_change(reader, WAIT_S) as store:
        return migration.plan_rollback(store)


def _items(readers: Sequence[Reader]) -> list[queue.Item]:
    return [(reader.id, reader.name, {}) for reader in readers]


def _names(readers: Sequence[Reader]) -> str:
    if len(readers) == 1:
        return readers[0].name
    return ngettext("%(n)d store", "%(n)d stores", len(readers)) % {"n": len(readers)}


def _refused(title: str, detail: str, hint: str = "") -> ProblemError:
    return ProblemError(Problem(title, f"{detail}", hint or _("Open the store's page."), 409))
