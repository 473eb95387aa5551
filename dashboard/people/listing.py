"""The list of people, finished for showing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models.functions import Lower

from .. import roles, scope
from ..models import ApiToken, Invite
from ..sign_ins import open_sign_ins


@dataclass(frozen=True, slots=True)
class Person:
    """One account. ``state`` is active, disabled, invited or locked out (no way to sign in)."""

    id: int
    name: str
    role: str | None
    agents: tuple[str, ...] | None
    state: str
    last_login: datetime | None
    sign_ins: int
    tokens: int
    sso_names: tuple[str, ...]
    invited_until: datetime | None


def list_people(now: datetime) -> tuple[Person, ...]:
    """Everybody who has an account, by name. A handful of queries for any number of people."""
    users = (
        User.objects.order_by(Lower("username"))
        .select_related("agent_scope", "invite")
        .prefetch_related("groups", "sso_names")
    )
    signed_in = Counter(open_sign_ins(now).order_by().values_list("user_id", flat=True))
    valid = ApiToken.objects.filter(revoked_at=None, expires_at__gt=now)
    tokens = Counter(valid.order_by().values_list("user_id", flat=True))
    return tuple(
        person_of(user, now=now, sign_ins=signed_in[user.pk], tokens=tokens[user.pk])
        for user in users
    )


def person_of(user: User, *, now: datetime, sign_ins: int, tokens: int) -> Person:
    """One person of the list."""
    role = roles.assigned_role(user)
    invite: Invite | None = getattr(user, "invite", None)
    is_invited = invite is not None and invite.expires_at > now
    return Person(
        id=user.pk,
        name=user.get_username(),
        role=role,
        agents=None if role == "admin" else _agents_of(user),
        state=_state_of(user, is_invited),
        last_login=user.last_login,
        sign_ins=sign_ins,
        tokens=tokens,
        sso_names=tuple(row.name for row in user.sso_names.all()),
        invited_until=invite.expires_at if invite is not None and is_invited else None,
    )


def _agents_of(user: User) -> tuple[str, ...] | None:
    row = getattr(user, "agent_scope", None)
    agents: scope.Agents = None if row is None else frozenset(row.agents)
    return None if agents is None else tuple(sorted(agents))


def _state_of(user: User, is_invited: bool) -> str:
    if not user.is_active:
        return "disabled"
    if user.has_usable_password() or user.sso_names.all():
        return "active"
    return "invited" if is_invited else "locked out"
