"""Whom a job acts for: the person who asked, with no more than they may do right now.

Looked up before every item. A job that was asked for an hour ago stops at its next item when the
person has been removed, has lost the role or an agent, or when the API token they came with has
been revoked; it never gains what they were given since.
"""

from __future__ import annotations

from dataclasses import replace

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from dashboard import roles, scope
from dashboard.acting import Actor, actor_of_job
from dashboard.models import ApiToken, Job, JobStore

from .kinds import Kind

_TOKEN = "api "  # noqa: S105  # how a job's ``via`` begins when it came through the API


class NoLongerAllowedError(Exception):
    """The person may not have this done any more; the text is the sentence that says why."""


def actor_for(job: Job, kind: Kind) -> Actor:
    """The person of a job as they are now.

    Raises:
        NoLongerAllowedError: they may not have this done any more.
    """
    asked = actor_of_job(job)
    if asked.user_id is None:  # asked for by a command, by whoever has this machine
        return asked
    user = User.objects.filter(pk=asked.user_id, is_active=True).first()
    if user is None:
        raise NoLongerAllowedError(_("The account of %s is no longer active.") % job.actor)
    _check_token(job)
    now = roles.role_of(user)
    role = roles.lesser(now, job.role) or ""
    if not roles.includes(role, kind.role):
        raise NoLongerAllowedError(
            _("%(name)s no longer has the role that this asks for: %(role)s.")
            % {"name": job.actor, "role": kind.role}
        )
    agents = scope.both(asked.agents, roles.agents_of(user, now))
    _check_stores(job, agents)
    return replace(asked, role=role, agents=agents)


def _check_token(job: Job) -> None:
    prefix = job.via.removeprefix(_TOKEN)
    if prefix == job.via:
        return
    if not ApiToken.objects.filter(prefix=prefix, revoked_at=None).exists():
        raise NoLongerAllowedError(_("The API token that asked for this was revoked."))


def _check_stores(job: Job, agents: frozenset[str] | None) -> None:
    if agents is None:
        return
    outside = JobStore.objects.filter(job=job).exclude(agent__in=agents).first()
    if outside is not None:
        raise NoLongerAllowedError(
            _("%(name)s may no longer see the agent %(agent)s.")
            % {"name": job.actor, "agent": outside.agent}
        )
