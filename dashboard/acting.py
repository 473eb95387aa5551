"""Who asks for a change and from where, in a form that outlives the request.

A job carries on what somebody asked for minutes ago, and the API acts for the owner of a token:
audit, versions and jobs take an :class:`Actor`, never a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.auth.models import User

from . import scope
from .addresses import client_address
from .requests import ConsoleRequest

if TYPE_CHECKING:
    from .models import Job


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, the role they had, and the way they came.

    ``via`` is "console", "api <prefix of the token>", "job <number>" or "command". ``agents`` is
    the agent scope, None for all.
    """

    user_id: int | None
    name: str
    role: str
    address: str = ""
    request_id: str = ""
    via: str = "console"
    agents: frozenset[str] | None = None


def actor_of(request: ConsoleRequest) -> Actor:
    """The person behind a request that has passed the access check."""
    assert isinstance(request.user, User)
    return Actor(
        user_id=request.user.pk,
        name=request.user.get_username(),
        role=request.role or "",
        address=client_address(request),
        request_id=request.request_id,
        via=getattr(request, "via", "console"),
        agents=scope.current(),
    )


def actor_of_job(job: Job) -> Actor:
    """The person who asked for a job, as they were when they asked."""
    return Actor(
        user_id=job.actor_id,
        name=job.actor,
        role=job.role,
        address=job.address,
        request_id=job.request_id,
        via=f"job {job.pk}",
        agents=None if job.agents is None else frozenset(job.agents),
    )
