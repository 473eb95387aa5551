"""API tokens: made once, shown once, kept as a hash, and never more than their owner is now.

A token is ``sst_<8 hex digits>_<43 characters>``. The part before the second underscore is its
prefix: people see it in lists and in the audit, and it finds the row. Only the whole token, which
is compared in constant time, proves anything.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from . import audit, roles, scope, throttling, token_limits
from .acting import Actor
from .addresses import client_address
from .models import ApiToken
from .refusals import RefusedError
from .services.problems import Problem, ProblemError
from .services.tree import masked

LONGEST = timedelta(days=365)
USUAL = timedelta(days=90)
_SEEN_STEP = timedelta(minutes=1)
_TOKEN = re.compile(r"(sst_[0-9a-f]{8})_[A-Za-z0-9_-]{43}")
_HEADER = re.compile(r"bearer +(\S+)", re.IGNORECASE)
_PREFIX_LENGTH = len("sst_") + 8
_NOBODYS_DIGEST = "0" * 64


class TokenError(Exception):
    """A request without a token that counts. ``status`` is 401, or 429 with seconds to wait."""

    def __init__(self, reason: str, *, status: int = 401, wait_s: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Standing:
    """What a token may do right now."""

    role: str | None
    agents: scope.Agents


def issue(
    owner: User,
    *,
    name: str,
    role: str,
    agents: Iterable[str] | None = None,
    lifetime: timedelta = USUAL,
    by: Actor | None = None,
    now: datetime | None = None,
) -> str:
    """Make a token and return it; it cannot be had again.

    ``agents`` None means all that the owner may see.

    Raises:
        RefusedError: a role or agents beyond the owner's own, or a lifetime over a year.
        ProblemError: the owner has as many tokens as one may have.
    """
    at = now or timezone.now()
    asked = None if agents is None else frozenset(agents)
    _refuse_more_than(owner, role, asked)
    if not timedelta(0) < lifetime <= LONGEST:
        raise RefusedError(_("An API token lives for up to a year."), _("Choose fewer days."))
    prefix = f"sst_{secrets.token_hex(4)}"
    text = f"{prefix}_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        token_limits.make_room(owner, at)
        token = ApiToken.objects.create(
            name=masked(name)[:100],
            user=owner,
            prefix=prefix,
            digest=_digest(text),
            role=role,
            agents=None if asked is None else sorted(asked),
            created_at=at,
            expires_at=at + lifetime,
        )
        audit.record(None, action="token.make", target=prefix, details=_told(token), by=by)
    return text


def _refuse_more_than(owner: User, role: str, agents: scope.Agents) -> None:
    own_role = roles.role_of(owner)
    own_agents = roles.agents_of(owner, own_role)
    is_within = agents is None or own_agents is None or agents <= own_agents
    if role not in roles.ROLES or not roles.includes(own_role, role) or not is_within:
        raise RefusedError(
            _("An API token may not do more than its owner, who may not do this."),
            _("Choose a lesser role, or agents that its owner may see."),
        )


def _told(token: ApiToken) -> dict[str, Any]:
    """A token as the audit keeps it."""
    return {
        "owner": token.user.get_username(),
        "name": token.name,
        "role": token.role,
        "agents": "all" if token.agents is None else token.agents,
        "expires": token.expires_at.isoformat(timespec="minutes"),
    }


@transaction.atomic
def rotate(token: ApiToken, *, by: Actor | None = None, now: datetime | None = None) -> str:
    """Replace a token by a new one of the same kind and lifetime; the old one stops working.

    Raises:
        ProblemError: it is revoked already.
        RefusedError: its owner may not have it any more.
    """
    at = now or timezone.now()
    if not revoke(token, by=by, now=at):
        title, cause = _("Not rotated"), _("This API token is revoked already.")
        raise ProblemError(Problem(title, cause, _("Make a new one."), 409))
    return issue(
        token.user,
        name=token.name,
        role=token.role,
        agents=token.agents,
        lifetime=token.expires_at - token.created_at,
        by=by,
        now=at,
    )


@transaction.atomic
def revoke(token: ApiToken, *, by: Actor | None = None, now: datetime | None = None) -> bool:
    """Have a token count no more; False when it was revoked already."""
    which = ApiToken.objects.filter(pk=token.pk, revoked_at=None)
    if not which.update(revoked_at=now or timezone.now()):
        return False
    audit.record(None, action="token.revoke", target=token.prefix, details=_told(token), by=by)
    return True


def prefix_of(text: str) -> str:
    """The part of a token that may be shown."""
    return text[:_PREFIX_LENGTH]


def authenticate(request: HttpRequest) -> ApiToken:
    """Return the token of a request's Authorization header, its ``user`` with it.

    Looked at in this order, each before the next: a wait after failures, whether there is a
    token, its form, whether it is known (in constant time), revoked, expired, its owner. Cookies
    count for nothing here. Failures are counted by address and audited without the token.

    Raises:
        TokenError: the request has no token that counts.
    """
    _refuse_while_waiting(request)
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if not header:
        raise TokenError(_("This address asks for an API token, and cookies do not count."))
    found = _HEADER.fullmatch(header)
    text = found[1] if found and _TOKEN.fullmatch(found[1]) else ""
    token, reason = _looked_up(text, timezone.now())
    if token is None or reason:
        throttling.count_failure(request, action="token", target=prefix_of(text), reason=reason)
        raise TokenError(reason)
    _note_use(request, token)
    return token


def _refuse_while_waiting(request: HttpRequest) -> None:
    wait_s = throttling.address_wait_s(request)
    if wait_s:
        reason = _("Too many failed tries came from this address. Wait %d seconds.") % wait_s
        raise TokenError(reason, status=429, wait_s=wait_s)


def _looked_up(text: str, now: datetime) -> tuple[ApiToken | None, str]:
    """The row of a token and why it does not count, "" where it does."""
    if not text:
        return None, _("This is not the form of an API token.")
    token = ApiToken.objects.select_related("user").filter(prefix=prefix_of(text)).first()
    is_known = hmac.compare_digest(token.digest if token else _NOBODYS_DIGEST, _digest(text))
    if token is None or not is_known:
        return None, _("No such API token is known.")
    if token.revoked_at is not None:
        return token, _("This API token was revoked.")
    if token.expires_at <= now:
        return token, _("This API token has expired.")
    if not token.user.is_active or roles.role_of(token.user) is None:
        return token, _("The account of this API token is disabled or has no role.")
    return token, ""


def state_of(token: ApiToken, now: datetime) -> str:
    """One word: valid, revoked, expired, or disabled with its owner."""
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at <= now:
        return "expired"
    return "valid" if token.user.is_active else "disabled"


def standing_of(token: ApiToken) -> Standing:
    """What a token may do now: never more than its owner may, whose role may have changed."""
    role = roles.role_of(token.user)
    return Standing(
        role=roles.lesser(role, token.role),
        agents=scope.both(
            roles.agents_of(token.user, role),
            None if token.agents is None else frozenset(token.agents),
        ),
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _note_use(request: HttpRequest, token: ApiToken) -> None:
    now = timezone.now()
    is_old = Q(last_used_at=None) | Q(last_used_at__lt=now - _SEEN_STEP)
    ApiToken.objects.filter(is_old, pk=token.pk).update(
        last_used_at=now, last_used_address=client_address(request)
    )
