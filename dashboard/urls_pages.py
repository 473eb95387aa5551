"""Addresses of the screens. Stores and sessions go by ids from a scan, never by a path."""

from __future__ import annotations

from django.urls import URLPattern, path

from .views import help as help_views
from .views import overview, session, session_twins, sessions, stores

urlpatterns: list[URLPattern] = [
    path("", overview.overview, name="overview"),
    path("overview.json", overview.overview_json, name="overview_json"),
    path("stores/", stores.stores, name="stores"),
    path("stores.json", stores.stores_json, name="stores_json"),
    path("stores.csv", stores.stores_csv, name="stores_csv"),
    path("sessions/", sessions.sessions, name="sessions"),
    path("sessions.json", session_twins.sessions_json, name="sessions_json"),
    path("sessions.csv", session_twins.sessions_csv, name="sessions_csv"),
    path("stores/<store:store_id>/sessions/", sessions.sessions, name="store_sessions"),
    path(
        "stores/<store:store_id>/sessions.json",
        session_twins.sessions_json,
        name="store_sessions_json",
    ),
    path(
        "stores/<store:store_id>/sessions.csv",
        session_twins.sessions_csv,
        name="store_sessions_csv",
    ),
    path("stores/<store:store_id>/sessions/<ref:ref>/", session.session, name="session"),
    path(
        "stores/<store:store_id>/sessions/<ref:ref>.json", session.session_json, name="session_json"
    ),
    path("help/", help_views.help_page, name="help"),
    path("preferences/", help_views.preferences, name="preferences"),
]
