"""Who may do what: viewer < operator < admin, kept as groups; every view declares its role.

A view without a declaration is refused by :class:`dashboard.access.AccessMiddleware`, so
forgetting one closes a page and never opens it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, User

from . import scope
from .models import AgentScope

Role = Literal["viewer", "operator", "admin"]
#: From least to most: each may do all that those before it may.
ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")

#: Declarations besides the roles: no sign-in asked, and any signed-in person, role or not.
ANYONE = "anyone"
SIGNED_IN = "signed-in"

_View = TypeVar("_View", bound=Callable[..., Any])


def role_of(user: AbstractBaseUser | AnonymousUser) -> Role | None:
    """Return the highest role of a person; None for strangers and people without any.

    Superusers, as ``manage.py createsuperuser`` makes them, are admins. Costs one query.
    """
    return assigned_role(user) if isinstance(user, User) and user.is_active else None


def assigned_role(user: User) -> Role | None:
    """Return the role of an account, also of one that is disabled and so has none now."""
    if user.is_superuser:
        return "admin"
    names = {group.name for group in user.groups.all()}  # prefetched for lists
    return next((role for role in reversed(ROLES) if role in names), None)


def agents_of(user: AbstractBaseUser | AnonymousUser, role: str | None) -> scope.Agents:
    """Return the agents that a person of this role may see; None for all. One query at most.

    Admins see all, people without a row too, and whoever has no role sees none.
    """
    if role is None or not isinstance(user, User):
        return frozenset()
    if role == "admin":
        return None
    row = AgentScope.objects.filter(user=user).first()
    return None if row is None else frozenset(row.agents)


def assign_role(user: User, role: Role) -> None:
    """Make ``role`` the only role of a person; other groups stay."""
    if user.is_superuser:
        user.is_superuser = user.is_staff = False
        user.save(update_fields=["is_superuser", "is_staff"])
    user.groups.remove(*Group.objects.filter(name__in=ROLES))
    group, _created = Group.objects.get_or_create(name=role)
    user.groups.add(group)


def includes(role: str | None, required: str) -> bool:
    """Tell whether a person with ``role`` may open what asks for ``required``."""
    if required == SIGNED_IN:
        return True
    return role in ROLES and ROLES.index(role) >= ROLES.index(required)


def lesser(one: str | None, other: str | None) -> str | None:
    """Return the lesser of two roles; None where one of them is none."""
    if one not in ROLES or other not in ROLES:
        return None
    return one if includes(other, one) else other


def role_required(role: Role) -> Callable[[_View], _View]:
    """Declare the least role a view asks for."""
    if role not in ROLES:
        raise ValueError(f"{role!r} is not a role")
    return _declare(role)


def token_required(role: Role) -> Callable[[_View], _View]:
    """Declare that a view is for programs: asks for an API token of this role, never a cookie.

    The form token against forged requests would prove nothing where no cookie counts.
    """

    def decorate(view: _View) -> _View:
        view.token_required = True  # type: ignore[attr-defined]
        view.csrf_exempt = True  # type: ignore[attr-defined]
        return role_required(role)(view)

    return decorate


def open_to_anyone(view: _View) -> _View:
    """Declare that a view asks for no sign-in: login, first start, probes."""
    return _declare(ANYONE)(view)


def sign_in_required(view: _View) -> _View:
    """Declare that a view asks for a sign-in but no role: one's own account."""
    return _declare(SIGNED_IN)(view)


def allowed_when_read_only(view: _View) -> _View:
    """Declare that a view takes POST in read-only mode too: signing in and out."""
    view.allowed_when_read_only = True  # type: ignore[attr-defined]
    return view


def wants_token(view: Callable[..., Any]) -> bool:
    """Tell whether a view is for API tokens."""
    return getattr(view, "token_required", False)


def declared_role(view: Callable[..., Any]) -> str | None:
    """Return what a view has declared: a role, ``ANYONE``, ``SIGNED_IN``, or None."""
    return getattr(view, "required_role", None)


def _declare(role: str) -> Callable[[_View], _View]:
    def decorate(view: _View) -> _View:
        view.required_role = role  # type: ignore[attr-defined]
        # Django's own name for it, so that tools which look for it agree with us.
        view.login_required = role != ANYONE  # type: ignore[attr-defined]
        return view

    return decorate
