"""Addresses of latencies: of all stores, of one store, and the writes of one session."""

from __future__ import annotations

from django.urls import URLPattern, path

from .views import latency, latency_session, latency_twins

_STORE = "stores/<store:store_id>/latency"
_WRITES = "stores/<store:store_id>/sessions/<ref:ref>/writes"

urlpatterns: list[URLPattern] = [
    path("latency/", latency.latency, name="latency"),
    path("latency.json", latency_twins.latency_json, name="latency_json"),
    path("latency.csv", latency_twins.latency_csv, name="latency_csv"),
    path(f"{_STORE}/", latency.latency, name="store_latency"),
    path(f"{_STORE}.json", latency_twins.latency_json, name="store_latency_json"),
    path(f"{_STORE}.csv", latency_twins.latency_csv, name="store_latency_csv"),
    path(f"{_WRITES}.json", latency_session.writes_json, name="session_writes_json"),
    path(f"{_WRITES}.csv", latency_session.writes_csv, name="session_writes_csv"),
]
