"""The security check list: one sentence per check, in the states of the overview's checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import sso
from ..audit_checks import chain_state
from ..models import ApiToken
from ..requests import ConsoleRequest
from ..services.check import Check, names_of
from ..serving.exposure import is_loopback
from .changes import working_admins
from .data_dir import open_to_others
from .listing import Person, list_people

_USUAL_IDLE_S, _USUAL_ABSOLUTE_S = 30 * 60, 8 * 3600
_UNUSED_AFTER = timedelta(days=30)
_EXPIRES_SOON = timedelta(days=7)
_VERIFIED_WITHIN = timedelta(days=7)
_ORDER = {"bad": 0, "watch": 1, "ok": 2, "unknown": 3}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the checks look at. ``is_secure``: the request that asks came over TLS."""

    now: datetime
    people: tuple[Person, ...]
    tokens: tuple[ApiToken, ...]
    agents: int
    is_secure: bool
    unnamed_proxy: bool


def look(request: ConsoleRequest, *, agents: int, now: datetime) -> tuple[Check, ...]:
    """Run every check, the worst first. ``agents`` is how many there are to see."""
    tokens = ApiToken.objects.filter(revoked_at=None, expires_at__gt=now).select_related("user")
    facts = Facts(
        now=now,
        people=list_people(now),
        tokens=tuple(tokens),
        agents=agents,
        is_secure=request.is_secure(),
        unnamed_proxy=request.unnamed_proxy,
    )
    checks = [check for run in _CHECKS for check in run(facts)]
    return tuple(sorted(checks, key=lambda check: _ORDER[check.state]))


def _reach(facts: Facts) -> Iterator[Check]:
    address = settings.BIND_ADDRESS
    if is_loopback(address):
        text = _("The console listens on %s, which only this machine reaches.")
        yield Check("reach", "ok", text % address)
    else:
        text = _("The console listens on %s, which other machines reach.")
        detail = _("They need an account: nothing but the sign-in page is open.")
        yield Check("reach", "watch", text % address, detail)
    if facts.unnamed_proxy:
        yield Check(
            "proxy",
            "watch",
            _("This request came through a proxy that is not named."),
            _(
                "Its addresses are not believed, so the audit and the throttle take everybody"
                " for one address. Name it in SESSIONSTORE_TRUSTED_PROXIES."
            ),
        )


def _tls(facts: Facts) -> Iterator[Check]:
    if settings.TLS_CERTIFICATE or facts.is_secure:
        detail = "" if settings.HTTPS_ONLY else _("SESSIONSTORE_HTTPS_ONLY would refuse the rest.")
        yield Check("tls", "ok", _("Passwords and sessions travel over TLS."), detail)
    elif is_loopback(settings.BIND_ADDRESS) and not facts.unnamed_proxy:
        yield Check("tls", "ok", _("Without TLS, and nothing leaves this machine."))
    else:
        hint = _("Set SESSIONSTORE_TLS_CERTIFICATE, or use a proxy with TLS that is named.")
        yield Check("tls", "bad", _("Passwords and sessions travel in the clear."), hint)


def _hosts(facts: Facts) -> Iterator[Check]:
    if settings.NAMED_HOSTS:
        names = names_of(settings.NAMED_HOSTS)
        yield Check("hosts", "ok", _("Only requests for %s and loopback are answered.") % names)
    else:
        yield Check("hosts", "ok", _("Only requests for names of loopback are answered."))


def _admins(facts: Facts) -> Iterator[Check]:
    names = [user.get_username() for user in working_admins()]
    sentence = ngettext("%(n)d admin can sign in.", "%(n)d admins can sign in.", len(names))
    detail = _("%s.") % names_of(names)
    if len(names) == 1:
        detail = _("Only %s. If that password is lost, nobody can help.") % names[0]
    state = "ok" if 1 < len(names) < 6 else "watch"
    yield Check("admins", state, sentence % {"n": len(names)}, detail, "users")


def _scopes(facts: Facts) -> Iterator[Check]:
    others = [p for p in facts.people if p.role in ("viewer", "operator") and p.state == "active"]
    unlimited = [person.name for person in others if person.agents is None]
    if unlimited and facts.agents > 1:
        sentence = ngettext(
            "%(n)d person who is no admin may see every agent.",
            "%(n)d people who are no admins may see every agent.",
            len(unlimited),
        )
        detail = names_of(unlimited)
        yield Check("scopes", "watch", sentence % {"n": len(unlimited)}, detail, "users")
    else:
        yield Check("scopes", "ok", _("Nobody but admins may see more agents than they need."))


def _accounts(facts: Facts) -> Iterator[Check]:
    idle = [p.name for p in facts.people if p.state in ("locked out", "invited") or not p.role]
    if idle:
        sentence = _("Accounts that nobody can use: %s.") % names_of(idle)
        detail = _("They have no role, or no password was chosen yet.")
        yield Check("accounts", "watch", sentence, detail, "users")
    else:
        yield Check("accounts", "ok", _("Every account has a role and a way to sign in."))


def _tokens(facts: Facts) -> Iterator[Check]:
    unused = [
        t for t in facts.tokens if (t.last_used_at or t.created_at) < facts.now - _UNUSED_AFTER
    ]
    ending = [t for t in facts.tokens if t.expires_at < facts.now + _EXPIRES_SOON]
    if unused:
        names = names_of([f"{token.name} ({token.prefix}…)" for token in unused])
        sentence = _("API tokens that nobody has used for 30 days: %s.") % names
        yield Check("tokens-unused", "watch", sentence, _("Revoke what is not needed."), "tokens")
    if ending:
        names = names_of([f"{token.name} ({token.prefix}…)" for token in ending])
        sentence = _("API tokens that expire within a week: %s.") % names
        yield Check("tokens-ending", "watch", sentence, _("Rotate what is needed."), "tokens")
    if not unused and not ending:
        n = len(facts.tokens)
        sentence = ngettext("%(n)d API token is valid.", "%(n)d API tokens are valid.", n)
        yield Check("tokens", "ok", sentence % {"n": n}, "", "tokens")


def _files(facts: Facts) -> Iterator[Check]:
    names = open_to_others(settings.DATA_DIR)
    if names:
        sentence = _("Other users of this machine can open files of the console: %s.")
        hint = _("chmod 700 the data directory and 600 its files: they hold sessions and hashes.")
        yield Check("files", "bad", sentence % names_of(names), hint)
    else:
        yield Check("files", "ok", _("Only the owner can open the console’s own files."))


def _limits(facts: Facts) -> Iterator[Check]:
    values = {"idle": settings.SESSION_IDLE_S // 60, "hours": settings.SESSION_ABSOLUTE_S / 3600}
    text = _("Sign-ins end after %(idle)d minutes without use, and after %(hours).3g hours.")
    is_usual = (
        settings.SESSION_IDLE_S <= _USUAL_IDLE_S
        and settings.SESSION_ABSOLUTE_S <= _USUAL_ABSOLUTE_S
    )
    detail = "" if is_usual else _("Longer than the usual 30 minutes and 8 hours.")
    yield Check("limits", "ok" if is_usual else "watch", text % values, detail, "sign_ins")


def _modes(facts: Facts) -> Iterator[Check]:
    if settings.READ_ONLY:
        yield Check("read-only", "ok", _("The console is read-only: it refuses every change."))
    else:
        hint = _("SESSIONSTORE_READ_ONLY would make it refuse every change.")
        yield Check("read-only", "ok", _("The console may change sessions."), hint)
    if settings.DEBUG:
        hint = _("Turn SESSIONSTORE_DEBUG off: its error pages show settings and code.")
        yield Check("debug", "bad", _("Error pages for developers are on."), hint)


def _single_sign_on(facts: Facts) -> Iterator[Check]:
    if not sso.is_on():
        yield Check("sso", "ok", _("No header can sign anybody in."))
        return
    names = [name for person in facts.people for name in person.sso_names]
    values = {
        "header": settings.SSO_HEADER,
        "proxies": names_of([str(network) for network in settings.TRUSTED_PROXIES]),
    }
    text = _("Whoever controls %(proxies)s can sign in as any mapped person, by %(header)s.")
    detail = ngettext("%(n)d name is mapped.", "%(n)d names are mapped.", len(names))
    wide = [net for net in settings.TRUSTED_PROXIES if net.num_addresses > 256]
    state = "watch" if wide else "ok"
    yield Check("sso", state, text % values, detail % {"n": len(names)}, "users")


def _audit(facts: Facts) -> Iterator[Check]:
    chain = chain_state()
    if chain.state == "unknown" or chain.at_ms is None:
        yield Check("audit", "unknown", _("The audit was never verified."), "", "audit")
        return
    if chain.state == "bad":
        yield Check("audit", "bad", _("The audit was altered: its chain is broken."), "", "audit")
        return
    age = facts.now - datetime.fromtimestamp(chain.at_ms / 1000, UTC)
    text = ngettext(
        "The audit was found unbroken less than a day ago.",
        "The audit was found unbroken, less than %(n)d days ago.",
        age.days + 1,
    )
    detail = _("%(checked)s events were checked, %(added)s were added since.") % {
        "checked": f"{chain.checked:,}",
        "added": f"{chain.added:,}",
    }
    state = "ok" if age < _VERIFIED_WITHIN else "watch"
    yield Check("audit", state, text % {"n": age.days + 1}, detail, "audit")


def _alerts(facts: Facts) -> Iterator[Check]:
    """Alerts name agents and troubles: on the way nobody should read them."""
    hosts = [urlsplit(url) for url in settings.ALERT_WEBHOOKS]
    plain = [one.netloc for one in hosts if one.scheme == "http" and not _is_here(one.hostname)]
    is_secret = settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL
    if settings.ALERT_MAIL and not is_secret and not _is_here(settings.EMAIL_HOST):
        plain.append(settings.EMAIL_HOST)
    if plain:
        text = _("Alerts go without encryption to: %s.") % names_of(plain)
        yield Check("alerts", "watch", text, _("Use https, smtp+tls or smtps."))


def _is_here(host: str | None) -> bool:
    return is_loopback(host or "")


_CHECKS = (
    *(_reach, _tls, _hosts, _admins, _scopes, _accounts, _tokens, _files, _limits, _modes),
    *(_single_sign_on, _audit, _alerts),
)
