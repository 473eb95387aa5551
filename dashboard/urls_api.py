"""Addresses of the JSON API, below ``/api/``. Sessions go by store id and ref, as on the pages."""

from __future__ import annotations

from django.urls import URLPattern, path, register_converter

from .api.operations import resource
from .api.schema_parts import VERSION_ID
from .roles import allowed_when_read_only
from .views.api import about, actions, changes, edits, jobs, sessions, stores, transcripts


class VersionIdConverter:
    """The id of a version."""

    regex = VERSION_ID["pattern"].strip("^$")

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class NumberConverter:
    """The number of a row; longer ones are nobody's."""

    regex = "[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


register_converter(VersionIdConverter, "api_version")
register_converter(NumberConverter, "api_number")

_SESSION = "v1/stores/<store:store_id>/sessions/<ref:ref>"

urlpatterns: list[URLPattern] = [
    path("v1/openapi.json", resource(get=about.openapi), name="api_document"),
    path("v1/problems/<slug:code>", resource(get=about.problem_kind), name="api_problem_kind"),
    path("v1/stores", resource(get=stores.list_all_stores), name="api_stores"),
    path("v1/stores/<store:store_id>", resource(get=stores.one_store), name="api_store"),
    path("v1/sessions", resource(get=stores.list_everywhere), name="api_sessions"),
    path(
        "v1/stores/<store:store_id>/sessions",
        resource(get=stores.list_in_store),
        name="api_store_sessions",
    ),
    path(
        "v1/stores/<store:store_id>/sessions/by-key",
        resource(get=sessions.by_key),
        name="api_session_by_key",
    ),
    path(
        _SESSION,
        resource(get=sessions.one_session, patch=edits.patch, delete=edits.delete),
        name="api_session",
    ),
    path(f"{_SESSION}/changes", resource(get=changes.list_of_session), name="api_session_changes"),
    path(f"{_SESSION}/history", resource(get=sessions.history), name="api_history"),
    path(
        f"{_SESSION}/transcript/read",
        allowed_when_read_only(resource(post=transcripts.read)),
        name="api_transcript_read",
    ),
    path(f"{_SESSION}/versions", resource(get=sessions.versions), name="api_versions"),
    path(
        f"{_SESSION}/versions/<api_version:version_id>",
        resource(get=sessions.version),
        name="api_version",
    ),
    path(
        f"{_SESSION}/versions/<api_version:version_id>/restore",
        resource(post=changes.restore),
        name="api_restore",
    ),
    path(f"{_SESSION}/rename", resource(post=actions.rename), name="api_rename"),
    path(
        f"{_SESSION}/clear-overrides",
        resource(post=actions.clear_overrides),
        name="api_clear_overrides",
    ),
    path(f"{_SESSION}/reset", resource(post=actions.reset), name="api_reset"),
    path(f"{_SESSION}/archive", resource(post=actions.archive), name="api_archive"),
    path(f"{_SESSION}/unarchive", resource(post=actions.unarchive), name="api_unarchive"),
    path(f"{_SESSION}/set-field", resource(post=actions.set_field), name="api_set_field"),
    path(f"{_SESSION}/clear-field", resource(post=actions.clear_field), name="api_clear_field"),
    path("v1/changes", resource(get=changes.list_of_changes), name="api_changes"),
    path("v1/changes/<api_number:change_id>", resource(get=changes.one_change), name="api_change"),
    path("v1/changes/<api_number:change_id>/undo", resource(post=changes.undo), name="api_undo"),
    path("v1/jobs", resource(get=jobs.list_of_jobs), name="api_jobs"),
    path("v1/jobs/<api_number:job_id>", resource(get=jobs.one_job), name="api_job"),
    path("", about.nothing, name="api_root"),
    path("<path:rest>", about.nothing, name="api_nothing"),
]
