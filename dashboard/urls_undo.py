"""Addresses of versions and of taking changes back."""

from __future__ import annotations

from django.urls import URLPattern, path, register_converter

from .views import undo, undo_twins, versions


class VersionIdConverter:
    """A version's id: where its file is, and when it was made. Looked up, never opened as is."""

    regex = "[0-9a-f-]{55,57}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(VersionIdConverter, "version")

_SESSION = "stores/<store:store_id>/sessions/<ref:ref>/versions"

urlpatterns: list[URLPattern] = [
    path("undo/", undo.changes, name="changes"),
    path("undo.json", undo_twins.changes_json, name="changes_json"),
    path("undo.csv", undo_twins.changes_csv, name="changes_csv"),
    path("undo/<int:change_id>/", undo.change, name="change"),
    path("undo/<int:change_id>.json", undo_twins.change_json, name="change_json"),
    path("undo/<int:change_id>/undo/", undo.change_undo, name="change_undo"),
    path("undo/jobs/<int:job_id>/", undo.job_undo, name="job_undo"),
    path(f"{_SESSION}/", versions.session_versions, name="session_versions"),
    path(f"{_SESSION}.json", undo_twins.versions_json, name="session_versions_json"),
    path(f"{_SESSION}.csv", undo_twins.versions_csv, name="session_versions_csv"),
    path(
        f"{_SESSION}/<version:version_id>/restore/",
        versions.version_restore,
        name="version_restore",
    ),
]
