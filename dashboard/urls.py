"""All addresses: the account and probe pages here, the screens in ``urls_pages``."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from . import converters
from .views import accounts, errors, health

converters.register()

urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", accounts.login, name="login"),
    path("logout/", accounts.logout, name="logout"),
    path("setup/", accounts.setup, name="setup"),
    path("account/", accounts.account, name="account"),
    path("account/password/", accounts.password, name="password"),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("favicon.ico", health.favicon, name="favicon"),
    path("csp-report/", health.csp_report, name="csp-report"),
    path("", include("dashboard.urls_access")),
    path("", include("dashboard.urls_audit")),
    path("", include("dashboard.urls_backups")),
    path("", include("dashboard.urls_bulk")),
    path("", include("dashboard.urls_checks")),
    path("", include("dashboard.urls_edit")),
    path("", include("dashboard.urls_incidents")),
    path("", include("dashboard.urls_jobs")),
    path("", include("dashboard.urls_locks")),
    path("", include("dashboard.urls_latency")),
    path("", include("dashboard.urls_layouts")),
    path("", include("dashboard.urls_metrics")),
    path("", include("dashboard.urls_migration")),
    path("", include("dashboard.urls_tidy")),
    path("", include("dashboard.urls_transcripts")),
    path("", include("dashboard.urls_undo")),
    path("api/", include("dashboard.urls_api")),
    path("", include("dashboard.urls_pages")),
]

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.not_found
handler500 = errors.server_error
