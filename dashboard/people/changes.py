"""Changes of accounts: one at a time, never from a stale form, never without an admin left.

Each change and its audit event are one transaction, so there is no change without its record.
What takes rights away ends the person's sign-ins: the next one begins with a new session.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from .. import audit, roles, scope, sign_ins, sso
from ..acting import Actor
from ..live import stamp_of
from ..models import AgentScope, SignIn, SsoName
from ..services.problems import Problem, ProblemError, not_there
from . import invites


@dataclass(frozen=True, slots=True)
class Access:
    """What an account may do: its role, and its agents, None for all."""

    role: roles.Role | None
    agents: scope.Agents

    def told(self) -> dict[str, object]:
        """As the audit keeps it."""
        return {"role": self.role or "", "agents": told(self.agents)}


def access_of(user: User) -> Access:
    """Read an account's role and agents, also where it is disabled."""
    role = roles.assigned_role(user)
    return Access(role, None if role is None else roles.agents_of(user, role))


def account_stamp(user: User) -> str:
    """Digest what a form about an account was made from; another stamp means it has changed."""
    access = access_of(user)
    return stamp_of(user.pk, user.get_username(), access.role, told(access.agents), user.is_active)


def told(agents: scope.Agents) -> list[str] | str:
    """Agents as they are written down."""
    return "all" if agents is None else sorted(agents)


def make(username: str, access: Access, *, password: str | None, by: Actor) -> User:
    """Make an account; without a password it waits for an invite link.

    The password must have been validated.

    Raises:
        ProblemError: somebody has made an account of that name meanwhile.
    """
    try:
        with transaction.atomic():
            user = User.objects.create_user(username=username, password=password)
            _give(user, access)
            audit.record(None, action="user.make", target=username, details=access.told(), by=by)
    except IntegrityError:
        title = _("There is an account of this name already")
        text = _("Somebody made “%s” a moment ago.") % username
        raise ProblemError(Problem(title, text, _("Choose another name."), 409)) from None
    return user


def change_access(user_id: int, access: Access, *, stamp: str, by: Actor) -> int:
    """Give an account another role or other agents; return how many sign-ins that has ended.

    Raises:
        ProblemError: the form is stale, the account is gone, or no admin would be left.
    """
    with _changing(user_id, stamp) as user:
        before = access_of(user)
        if before == access:
            return 0
        _give(user, access)
        _refuse_without_admin()
        ended = _end_sign_ins(user, _("an admin changed what you may do."))
        details = {"before": before.told(), "after": access.told(), "sign-ins ended": ended}
        name = user.get_username()
        audit.record(None, action="user.access", target=name, details=details, by=by)
    return ended


def enable(user_id: int, *, stamp: str, by: Actor) -> None:
    """Let a disabled account sign in again."""
    _set_active(user_id, stamp=stamp, by=by, is_active=True)


def disable(user_id: int, *, stamp: str, by: Actor) -> None:
    """Keep an account and let nobody use it: no sign-in, no API token.

    Raises:
        ProblemError: the form is stale, the account is gone, or no admin would be left.
    """
    _set_active(user_id, stamp=stamp, by=by, is_active=False)


def _set_active(user_id: int, *, stamp: str, by: Actor, is_active: bool) -> None:
    with _changing(user_id, stamp) as user:
        user.is_active = is_active
        user.save(update_fields=["is_active"])
        _refuse_without_admin()
        if not is_active:
            _end_sign_ins(user, _("your account was disabled."))
            invites.withdraw(user)  # enabling the account must not bring the link back
        action = "user.enable" if is_active else "user.disable"
        audit.record(None, action=action, target=user.get_username(), by=by)


def delete(user_id: int, *, stamp: str, by: Actor) -> str:
    """Remove an account with its tokens and sign-ins; the audit keeps its name. Returns the name.

    Raises:
        ProblemError: the form is stale, the account is gone, or no admin would be left.
    """
    with _changing(user_id, stamp) as user:
        name = user.get_username()
        audit.record(None, action="user.delete", target=name, details=access_of(user).told(), by=by)
        user.delete()
        _refuse_without_admin()
    return name


def remove_sso_name(row: SsoName, *, by: Actor) -> None:
    """Have a name of the proxy sign nobody in, and end the sign-ins it has made.

    Raises:
        ProblemError: no admin would be left who can sign in.
    """
    with _one_change():
        name, account = row.name, row.user.get_username()
        row.delete()
        _refuse_without_admin()
        made = SignIn.objects.filter(user=row.user, sso_name=name)
        sign_ins.end(made, _("the proxy’s name for you was taken out."), timezone.now())
        details = {"proxy names": name}
        audit.record(None, action="user.sso-remove", target=account, details=details, by=by)


@contextmanager
def _one_change() -> Iterator[None]:
    """Hold the lock of all accounts.

    One for all: two admins who demote each other at the same moment must not both succeed. On
    SQLite the transaction itself is the lock, on PostgreSQL the row of the admins' group is.
    """
    with transaction.atomic():
        Group.objects.get_or_create(name="admin")
        Group.objects.select_for_update().get(name="admin")
        yield


@contextmanager
def _changing(user_id: int, stamp: str) -> Iterator[User]:
    """Hold the lock, and the account if it still is as the form has shown it."""
    with _one_change():
        user = User.objects.select_for_update().filter(pk=user_id).first()
        if user is None:
            raise not_there(_("This account is gone."), _("Go back to the list of people."))
        if account_stamp(user) != stamp:
            title = _("The account has changed meanwhile")
            cause = _("What this form showed of “%s” is not so any more, so nothing was changed.")
            step = _("Open the account again, look at what it is now, and repeat the step.")
            raise ProblemError(Problem(title, cause % user.get_username(), step, 409))
        yield user


def _give(user: User, access: Access) -> None:
    if access.role is not None:
        roles.assign_role(user, access.role)
    if access.agents is None or access.role == "admin":
        AgentScope.objects.filter(user=user).delete()
    else:
        agents = sorted(access.agents)
        AgentScope.objects.update_or_create(user=user, defaults={"agents": agents})
    # Whatever was cached of the old role and scope must not be read again.
    user.refresh_from_db()


def _end_sign_ins(user: User, because: str) -> int:
    return sign_ins.end(SignIn.objects.filter(user=user), because, timezone.now())


def working_admins() -> list[User]:
    """Admins who can sign in: an invited one without a password yet cannot."""
    is_admin = Q(is_superuser=True) | Q(groups__name="admin")
    admins = User.objects.filter(is_admin, is_active=True).distinct()
    return [user for user in admins if user.has_usable_password() or _comes_by_sso(user)]


def _comes_by_sso(user: User) -> bool:
    return sso.is_on() and user.sso_names.exists()


def _refuse_without_admin() -> None:
    """Stop a change, and so take it back, that would leave nobody who can undo it."""
    if not working_admins():
        title = _("Nobody would be left to manage this console")
        cause = _("This is the last admin who can sign in, so nothing was changed.")
        raise ProblemError(Problem(title, cause, _("Make another admin first."), 409))
