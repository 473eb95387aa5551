"""Addresses of bulk actions and their plans."""

from __future__ import annotations

from django.urls import URLPattern, path, register_converter

from .views import bulk, bulk_twins


class PlanIdConverter:
    """A plan's id: 32 hex digits, not to be guessed."""

    regex = "[0-9a-f]{32}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(PlanIdConverter, "plan")

urlpatterns: list[URLPattern] = [
    path("sessions/selected/", bulk_twins.selected, name="selected"),
    path("plans/", bulk.plans, name="plans"),
    path("plans.json", bulk_twins.plans_json, name="plans_json"),
    path("plans.csv", bulk_twins.plans_csv, name="plans_csv"),
    path("plans/new/", bulk.make, name="plan_make"),
    path("plans/<plan:plan_id>/", bulk.plan, name="plan"),
    path("plans/<plan:plan_id>.json", bulk_twins.plan_json, name="plan_json"),
    path("plans/<plan:plan_id>.csv", bulk_twins.plan_csv, name="plan_csv"),
    path("plans/<plan:plan_id>/again/", bulk.again, name="plan_again"),
    path("plans/<plan:plan_id>/apply/", bulk.apply, name="plan_apply"),
    path("plans/<plan:plan_id>/entries/", bulk_twins.whole_entries, name="plan_whole_entries"),
    path(
        "plans/<plan:plan_id>/entries.jsonl",
        bulk_twins.entries,
        {"form": "jsonl"},
        name="plan_entries",
    ),
    path(
        "plans/<plan:plan_id>/entries.json",
        bulk_twins.entries,
        {"form": "json"},
        name="plan_entries_json",
    ),
]
