"""Addresses of the audit log, and of masked values that are revealed."""

from __future__ import annotations

from django.urls import URLPattern, path

from .views import audit, audit_twins, reveal

urlpatterns: list[URLPattern] = [
    path("audit/", audit.audit, name="audit"),
    path("audit.json", audit_twins.audit_json, name="audit_json"),
    path("audit.csv", audit_twins.audit_csv, name="audit_csv"),
    path("audit/verify/", audit.audit_verify, name="audit_verify"),
    path("audit/<int:sequence>/", audit.audit_event, name="audit_event"),
    path(
        "stores/<store:store_id>/sessions/<ref:ref>/reveal/",
        reveal.session_reveal,
        name="session_reveal",
    ),
]
