"""Every setting with the value that counts and where it comes from; secrets are not among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from ..services.alert_targets import place_of
from ..services.tree import shown


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as the page shows it. ``source`` is environment or default."""

    name: str
    value: str
    source: str
    meaning: str


# The variable, the setting that it becomes, and what it is for, in the order of the README.
_SETTINGS = (
    ("SESSIONSTORE_STATE_DIR", "STATE_DIR", lazy("the state directory to watch")),
    ("SESSIONSTORE_DATA_DIR", "DATA_DIR", lazy("the console’s database, secret key, static files")),
    ("SESSIONSTORE_STORE_TEMPLATE", "STORE_TEMPLATE", lazy("a session.store setting")),
    ("SESSIONSTORE_GATEWAY_LOCK_DIR", "GATEWAY_LOCK_DIR", lazy("where gateways keep their lock")),
    (
        "SESSIONSTORE_BACKUP_DIR",
        "BACKUP_DIR",
        lazy("where backups go"),
    ),
    ("SESSIONSTORE_RESTORED_DIR", "RESTORED_DIR", lazy("where restores to a new place go")),
    ("SESSIONSTORE_READ_ONLY", "READ_ONLY", lazy("refuse every change, whoever asks")),
    ("SESSIONSTORE_ENVIRONMENT", "ENVIRONMENT_NAME", lazy("a name shown on every page")),
    ("SESSIONSTORE_ENVIRONMENT_COLOUR", "ENVIRONMENT_COLOUR", lazy("its colour")),
    ("SESSIONSTORE_BIND", "BIND_ADDRESS", lazy("the address to listen on")),
    ("SESSIONSTORE_PORT", "PORT", lazy("the port to listen on")),
    ("SESSIONSTORE_ALLOWED_HOSTS", "NAMED_HOSTS", lazy("host names besides those of loopback")),
    ("SESSIONSTORE_TRUSTED_PROXIES", "TRUSTED_PROXIES", lazy("proxies whose headers count")),
    ("SESSIONSTORE_SSO_HEADER", "SSO_HEADER", lazy("where such a proxy names who signed in there")),
    ("SESSIONSTORE_TLS_CERTIFICATE", "TLS_CERTIFICATE", lazy("the certificate to serve TLS with")),
    ("SESSIONSTORE_TLS_KEY", "TLS_KEY", lazy("the file of its key")),
    ("SESSIONSTORE_HTTPS_ONLY", "HTTPS_ONLY", lazy("send everybody to TLS")),
    (
        "SESSIONSTORE_SESSION_IDLE_MINUTES",
        "SESSION_IDLE_S",
        lazy("sign out when unused for so long"),
    ),
    ("SESSIONSTORE_SESSION_LIFETIME_MINUTES", "SESSION_ABSOLUTE_S", lazy("sign out after so long")),
    ("SESSIONSTORE_VERSIONS_DAYS", "VERSIONS_DAYS", lazy("days that replaced entries are kept")),
    ("SESSIONSTORE_VERSIONS_KEPT", "VERSIONS_KEPT", lazy("how many are kept per session")),
    ("SESSIONSTORE_PAGE_WAIT_S", "PAGE_WAIT_S", lazy("seconds that a page waits for a slow disk")),
    ("SESSIONSTORE_METRICS_TOKEN", "METRICS_TOKEN", lazy("what /metrics asks for")),
    (
        "SESSIONSTORE_BUDGET_PERCENT",
        "BUDGET_PERCENT",
        lazy("percent of a core for reading and live parts"),
    ),
    (
        "SESSIONSTORE_RECENT_MINUTES",
        "RECENT_MINUTES",
        lazy("minutes until a password is asked again"),
    ),
    ("SESSIONSTORE_JOBS_KEPT_DAYS", "JOBS_KEPT_DAYS", lazy("days that finished jobs are kept")),
    ("SESSIONSTORE_ALERT_WEBHOOK", "ALERT_WEBHOOKS", lazy("hosts of webhooks that get alerts")),
    ("SESSIONSTORE_ALERT_SECRET", "ALERT_SECRET", lazy("signs what webhooks get")),
    ("SESSIONSTORE_ALERT_MAIL", "ALERT_MAIL", lazy("who gets alerts by mail")),
    ("SESSIONSTORE_EMAIL_URL", "MAIL_SERVER", lazy("the mail server, without its password")),
    ("SESSIONSTORE_EMAIL_FROM", "DEFAULT_FROM_EMAIL", lazy("the sender of mail")),
    ("SESSIONSTORE_CONSOLE_URL", "CONSOLE_URL", lazy("what links in alerts begin with")),
    ("SESSIONSTORE_TRANSCRIPTS", "TRANSCRIPTS", lazy("who may read conversations out")),
    ("SESSIONSTORE_LOG_LEVEL", "LOG_LEVEL", lazy("what is written to the log")),
    ("SESSIONSTORE_DEBUG", "DEBUG", lazy("error pages for developers")),
    ("DATABASE_URL", "DATABASES", lazy("where accounts, jobs and the audit are")),
)
_STAND_INS = {"SESSIONSTORE_STATE_DIR": "OPENCLAW_STATE_DIR"}


def all_settings() -> tuple[Setting, ...]:
    """Every setting that the environment can give."""
    return tuple(
        Setting(name, _text(attribute, getattr(settings, attribute)), _source(name), str(meaning))
        for name, attribute, meaning in _SETTINGS
    )


def _source(name: str) -> str:
    if name in settings.GIVEN_BY_ENVIRONMENT:
        return _("environment")
    other = _STAND_INS.get(name)
    if other in settings.GIVEN_BY_ENVIRONMENT:
        return _("environment, as %s") % other
    return _("default")


def _text(attribute: str, value: Any) -> str:
    if attribute == "DATABASES":
        return _database(value["default"])
    if attribute == "ALERT_WEBHOOKS":
        value = [place_of(url) for url in value]
    if attribute in ("ALERT_SECRET", "METRICS_TOKEN"):
        return _("set, not shown") if value else _("not set")
    if attribute.startswith("SESSION_"):
        minutes: int = value // 60
        return _("%d minutes") % minutes
    if isinstance(value, bool):
        return _("on") if value else _("off")
    if isinstance(value, list | tuple):
        value = ", ".join(str(item) for item in value)
    text = "" if value is None else str(value)
    return shown(text) if text else _("not set")


def _database(database: dict[str, Any]) -> str:
    """Where the database is; never the password, nor anything else of its address."""
    name = shown(str(database["NAME"]))
    if database["ENGINE"].endswith("sqlite3"):
        return f"SQLite, {name}"
    host = shown(database.get("HOST") or _("this machine"))
    return _("PostgreSQL, %(name)s on %(host)s") % {"name": name, "host": host}
