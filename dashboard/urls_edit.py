"""Addresses that change one session, and what is shown of a change that was just made."""

from __future__ import annotations

from django.urls import URLPattern, path

from .views import edit, edit_acts, edit_copy, edit_results

_SESSION = "stores/<store:store_id>/sessions/<ref:ref>"

urlpatterns: list[URLPattern] = [
    path(f"{_SESSION}/edit/", edit.session_edit, name="session_edit"),
    path(f"{_SESSION}/edit/json/", edit.session_edit_json, name="session_edit_json"),
    path(f"{_SESSION}/act/delete/", edit_acts.session_delete, name="session_delete"),
    path(f"{_SESSION}/act/<slug:action>/", edit_acts.session_act, name="session_act"),
    path(f"{_SESSION}/copy/", edit_copy.session_copy, name="session_copy"),
    path(f"{_SESSION}/copy.json", edit_copy.session_copy_json, name="session_copy_json"),
    path(f"{_SESSION}/copy/whole/", edit_copy.session_copy_whole, name="session_copy_whole"),
    path(
        f"{_SESSION}/changes/<int:change_id>/", edit_results.session_change, name="session_change"
    ),
]
