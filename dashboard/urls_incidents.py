"""Addresses of incidents."""

from __future__ import annotations

from django.urls import URLPattern, path

from .views import incident_acts, incident_twins, incidents

_ONE = "incidents/<int:incident_id>"

urlpatterns: list[URLPattern] = [
    path("incidents/", incidents.incidents, name="incidents"),
    path("incidents.json", incident_twins.incidents_json, name="incidents_json"),
    path("incidents.csv", incident_twins.incidents_csv, name="incidents_csv"),
    path("incidents/new/", incident_acts.new, name="incident_new"),
    path(f"{_ONE}/", incidents.incident, name="incident"),
    path(f"{_ONE}.json", incident_twins.incident_json, name="incident_json"),
    path(f"{_ONE}.csv", incident_twins.incident_csv, name="incident_csv"),
    path(f"{_ONE}/end/", incident_acts.end, name="incident_end"),
    path(f"{_ONE}/title/", incident_acts.retitle, name="incident_title"),
    path(f"{_ONE}/note/", incident_acts.note, name="incident_note"),
    path(f"{_ONE}/remove/", incident_acts.remove, name="incident_remove"),
    path(f"{_ONE}/bundle/", incident_acts.bundle, name="incident_bundle"),
]
