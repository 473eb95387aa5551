"""Addresses of one session's transcript."""

from __future__ import annotations

from django.urls import URLPattern, path

from .views import transcripts

_HERE = "stores/<store:store_id>/sessions/<ref:ref>/transcript"

urlpatterns: list[URLPattern] = [
    path(f"{_HERE}/", transcripts.session_transcript, name="session_transcript"),
    path(f"{_HERE}.json", transcripts.transcript_json, name="session_transcript_json"),
    path(f"{_HERE}.csv", transcripts.transcript_csv, name="session_transcript_csv"),
]
