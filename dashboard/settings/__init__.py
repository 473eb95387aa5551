"""Django settings of the console. Every ``SESSIONSTORE_*`` variable is read here, once.

Defaults are those of a console on loopback for one machine: SQLite, no proxy, login on.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from .environment import Environment
from .files import private_directory, secret_key

BASE_DIR = Path(__file__).resolve().parents[2]
_environment = Environment(os.environ)

# --- What is watched, and where our own files live -----------------------------------------

_openclaw_home = Path.home() / ".openclaw"
STATE_DIR = (
    _environment.path("SESSIONSTORE_STATE_DIR")
    or _environment.path("OPENCLAW_STATE_DIR")
    or (_openclaw_home if _openclaw_home.is_dir() else None)
)
STORE_TEMPLATE = _environment.text("SESSIONSTORE_STORE_TEMPLATE") or None
GATEWAY_LOCK_DIR = _environment.path("SESSIONSTORE_GATEWAY_LOCK_DIR")
DATA_DIR = private_directory(
    _environment.path("SESSIONSTORE_DATA_DIR") or BASE_DIR / "var", setting="SESSIONSTORE_DATA_DIR"
)
# Where backups go; without it beside each state directory, which a broken disk takes along.
BACKUP_DIR = _environment.path("SESSIONSTORE_BACKUP_DIR")
# Backups are restored to new places below this folder and nowhere else.
RESTORED_DIR = _environment.path("SESSIONSTORE_RESTORED_DIR") or DATA_DIR / "restored"
READ_ONLY = _environment.flag("SESSIONSTORE_READ_ONLY")
# Who may read conversations out; everybody sees where transcripts are and how large.
TRANSCRIPTS = _environment.choice(
    "SESSIONSTORE_TRANSCRIPTS", ("off", "admin", "operator"), default="operator"
)

ENVIRONMENT_COLOURS = ("grey", "blue", "green", "amber", "red", "violet")
ENVIRONMENT_NAME = _environment.text("SESSIONSTORE_ENVIRONMENT", longest=40)
ENVIRONMENT_COLOUR = _environment.choice(
    "SESSIONSTORE_ENVIRONMENT_COLOUR", ENVIRONMENT_COLOURS, default="grey"
)

# --- Who may reach it ------------------------------------------------------------------------

LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
NAMED_HOSTS = _environment.hosts("SESSIONSTORE_ALLOWED_HOSTS")
# Loopback names stay: only programs on this machine can mean this machine by them.
ALLOWED_HOSTS = [*NAMED_HOSTS, *LOOPBACK_HOSTS]
BIND_ADDRESS = _environment.address("SESSIONSTORE_BIND", default="127.0.0.1")
PORT = _environment.number("SESSIONSTORE_PORT", default=8000, least=1, most=65535)
TRUSTED_PROXIES = _environment.networks("SESSIONSTORE_TRUSTED_PROXIES")
TLS_CERTIFICATE = _environment.path("SESSIONSTORE_TLS_CERTIFICATE")
TLS_KEY = _environment.path("SESSIONSTORE_TLS_KEY")
if (TLS_CERTIFICATE is None) != (TLS_KEY is None):
    raise ImproperlyConfigured(
        "SESSIONSTORE_TLS_CERTIFICATE and SESSIONSTORE_TLS_KEY must be set together"
    )
HTTPS_ONLY = _environment.flag("SESSIONSTORE_HTTPS_ONLY")
SSO_HEADER = _environment.header("SESSIONSTORE_SSO_HEADER")
if SSO_HEADER and not TRUSTED_PROXIES:
    raise ImproperlyConfigured(
        "SESSIONSTORE_SSO_HEADER needs SESSIONSTORE_TRUSTED_PROXIES: without a named proxy anybody"
        " could send the header"
    )
DEBUG = _environment.flag("SESSIONSTORE_DEBUG")
LOG_LEVEL = _environment.choice(
    "SESSIONSTORE_LOG_LEVEL", ("debug", "info", "warning", "error"), default="info"
)

SESSION_IDLE_S = 60 * _environment.number(
    "SESSIONSTORE_SESSION_IDLE_MINUTES", default=30, least=1, most=24 * 60
)
SESSION_ABSOLUTE_S = 60 * _environment.number(
    "SESSIONSTORE_SESSION_LIFETIME_MINUTES", default=8 * 60, least=5, most=7 * 24 * 60
)
RECENT_MINUTES = _environment.number("SESSIONSTORE_RECENT_MINUTES", default=10, least=1, most=60)
JOBS_KEPT_DAYS = _environment.number("SESSIONSTORE_JOBS_KEPT_DAYS", default=90, least=1, most=3650)
SETUP_TOKEN_LIFETIME = timedelta(hours=1)
INVITE_LIFETIME = timedelta(hours=24)

# How long a page waits for disks before it says which store is still being read.
PAGE_WAIT_S = _environment.number("SESSIONSTORE_PAGE_WAIT_S", default=1, least=1, most=30)

# What /metrics asks for; without one there is no such address.
METRICS_TOKEN = _environment.secret("SESSIONSTORE_METRICS_TOKEN", least=20)
# How much of one core reading stores and answering live parts may take before live parts look
# less often; 0: no limit.
BUDGET_PERCENT = _environment.number("SESSIONSTORE_BUDGET_PERCENT", default=5, least=0, most=100)

# How long, and how many per session, of what changes replaced is kept for taking it back.
VERSIONS_DAYS = _environment.number("SESSIONSTORE_VERSIONS_DAYS", default=90, least=1, most=3650)
VERSIONS_KEPT = _environment.number("SESSIONSTORE_VERSIONS_KEPT", default=50, least=1, most=1000)

# --- Where alerts go: only what is named here, never what a page says --------------------------

ALERT_WEBHOOKS = _environment.web_addresses("SESSIONSTORE_ALERT_WEBHOOK")
ALERT_SECRET = _environment.text("SESSIONSTORE_ALERT_SECRET")
ALERT_MAIL = _environment.mail_addresses("SESSIONSTORE_ALERT_MAIL")
_mail_server = _environment.mail_server("SESSIONSTORE_EMAIL_URL")
_mail_from = _environment.mail_addresses("SESSIONSTORE_EMAIL_FROM")
if ALERT_MAIL and (_mail_server is None or len(_mail_from) != 1):
    raise ImproperlyConfigured(
        "SESSIONSTORE_ALERT_MAIL needs SESSIONSTORE_EMAIL_URL and one SESSIONSTORE_EMAIL_FROM"
    )
if _mail_server is not None:
    EMAIL_HOST, EMAIL_PORT = _mail_server.host, _mail_server.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail_server.user, _mail_server.password
    EMAIL_USE_TLS, EMAIL_USE_SSL = _mail_server.starttls, _mail_server.tls
EMAIL_TIMEOUT = 10
MAIL_SERVER = f"{_mail_server.host}:{_mail_server.port}" if _mail_server else ""
DEFAULT_FROM_EMAIL = _mail_from[0] if _mail_from else "sessionstore@localhost"
_console_urls = _environment.web_addresses("SESSIONSTORE_CONSOLE_URL")
if len(_console_urls) > 1:
    raise ImproperlyConfigured("SESSIONSTORE_CONSOLE_URL: more than one address")
# What links in alerts begin with: the address that the start prints, where sign-ins hold.
CONSOLE_URL = (
    _console_urls[0].rstrip("/")
    if _console_urls
    else f"{'https' if HTTPS_ONLY or TLS_KEY else 'http'}://"
    + (NAMED_HOSTS[0].lstrip(".") if NAMED_HOSTS else f"127.0.0.1:{PORT}")
)

# --- Django ----------------------------------------------------------------------------------

SECRET_KEY = secret_key(DATA_DIR)
ROOT_URLCONF = "dashboard.urls"
WSGI_APPLICATION = "dashboard.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "chartkick.django",
    "csp",
    "axes",
    "dashboard",
]

MIDDLEWARE = [
    "dashboard.middleware.RequestIdMiddleware",
    "dashboard.middleware.OwnCostMiddleware",
    "dashboard.middleware.ProxyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "dashboard.middleware.HeadersMiddleware",
    "dashboard.api.middleware.ApiMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "dashboard.middleware.BodyLimitMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "dashboard.middleware.FetchSiteMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "dashboard.access.SessionLimitsMiddleware",
    "dashboard.access.AccessMiddleware",
    "dashboard.access.ReadOnlyMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboard.context_processors.console",
            ],
        },
    }
]

DATABASES = {
    "default": _environment.database(
        "DATABASE_URL",
        default={
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA_DIR / "console.sqlite3",
            "CONN_MAX_AGE": 60,
            # All three: without IMMEDIATE two writers fail with "database is locked", without
            # WAL readers wait for writers, without NORMAL each commit waits for the disk.
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 10,
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
                    "PRAGMA journal_size_limit=27103364;"
                ),
            },
        },
    )
}

# --- Static files ------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_ALLOW_ALL_ORIGINS = False

# --- Sign-in -----------------------------------------------------------------------------------

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    # While SSO is off, sessions that it began are nobody's.
    *(["dashboard.sso.ProxyBackend"] if SSO_HEADER else []),
]
PASSWORD_HASHERS = [
    "dashboard.hashers.SmallArgon2Hasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
_validation = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{_validation}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_validation}.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": f"{_validation}.CommonPasswordValidator"},
    {"NAME": f"{_validation}.NumericPasswordValidator"},
]

# Cookies ignore the port, so the names must differ from those of other programs on localhost.
# They get "Secure" from HeadersMiddleware whenever the request came over TLS.
SESSION_COOKIE_NAME = "sessionstore_session"
SESSION_COOKIE_AGE = SESSION_ABSOLUTE_S
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS_ONLY
CSRF_COOKIE_NAME = "sessionstore_csrf"
CSRF_COOKIE_AGE = None
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = HTTPS_ONLY
CSRF_FAILURE_VIEW = "dashboard.views.errors.csrf_failure"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# Limits of the throttle are in dashboard.throttling; the cool-off here only says when a
# failure is forgotten.
AXES_FAILURE_LIMIT = 1
AXES_HANDLER = "dashboard.throttling.ThrottleHandler"
AXES_COOLOFF_TIME = timedelta(hours=1)
AXES_USERNAME_CALLABLE = "dashboard.throttling.counted_name"
AXES_CLIENT_IP_CALLABLE = "dashboard.addresses.throttle_address"
AXES_LOCKOUT_CALLABLE = "dashboard.views.errors.too_many_tries"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_PARAMETERS = ["username", "ip_address"]
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "csrfmiddlewaretoken", "next"]

# --- What the browser may do ---------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        "report-uri": ["/csp-report/"],
    }
}
X_FRAME_OPTIONS = "DENY"
# "no-referrer" would make browsers send "Origin: null" with our own forms.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = HTTPS_ONLY
# A program that is redirected has sent its token in the clear already: better that it hears so.
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$", r"^api/"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
# What other names of the domain do is not for this console to promise.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# The most that any address reads: BodyLimitMiddleware lets it come to one page only.
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
# No form takes a file, and whoever sent one, signed in or not, would fill the disk with it.
DATA_UPLOAD_MAX_NUMBER_FILES = 0

# --- Language and time ---------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
LANGUAGE_COOKIE_NAME = "sessionstore_language"
LANGUAGE_COOKIE_SAMESITE = "Lax"
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- Logs: one line per event on stderr, control characters escaped ------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "dashboard.logs.RequestIdFilter"}},
    "formatters": {"line": {"()": "dashboard.logs.LineFormatter"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["request_id"],
        }
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL.upper()},
    "loggers": {
        "django": {"handlers": [], "propagate": True, "level": "INFO"},
        "django.server": {"handlers": [], "propagate": True},
        # Quotes statements with their values, so never below WARNING.
        "django.db.backends": {"level": "WARNING"},
        # Says what our audit says, once more and with less.
        "axes": {"level": "ERROR"},
    },
}

_environment.refuse_unknown()
GIVEN_BY_ENVIRONMENT = _environment.given()
