"""Addresses of the clean-up: findings, checks over time, plans and what became of them."""

from __future__ import annotations

from django.urls import URLPattern, path

from .views import tidy, tidy_acts, tidy_plan_twins, tidy_plans, tidy_reports, tidy_twins

_STORE = "stores/<store:store_id>/tidy"

urlpatterns: list[URLPattern] = [
    path("tidy/", tidy.findings, name="tidy"),
    path("tidy.json", tidy_twins.findings_json, name="tidy_json"),
    path("tidy.csv", tidy_twins.findings_csv, name="tidy_csv"),
    path("tidy/check/", tidy.check, name="tidy_check"),
    path("tidy/reports/", tidy_reports.reports, name="tidy_reports"),
    path("tidy/reports.json", tidy_reports.reports_json, name="tidy_reports_json"),
    path("tidy/reports.csv", tidy_reports.reports_csv, name="tidy_reports_csv"),
    path("tidy/schedules/", tidy_reports.schedules, name="tidy_schedules"),
    path("tidy/schedules.json", tidy_reports.schedules_json, name="tidy_schedules_json"),
    path("tidy/schedules.csv", tidy_reports.schedules_csv, name="tidy_schedules_csv"),
    path("tidy/schedules/add/", tidy_reports.schedule_add, name="tidy_schedule_add"),
    path(
        "tidy/schedules/<int:schedule_id>/remove/",
        tidy_reports.schedule_remove,
        name="tidy_schedule_remove",
    ),
    path("tidy/plans/", tidy_plans.plans, name="tidy_plans"),
    path("tidy/plans.json", tidy_plan_twins.plans_json, name="tidy_plans_json"),
    path("tidy/plans.csv", tidy_plan_twins.plans_csv, name="tidy_plans_csv"),
    path("tidy/plans/<plan:tidy_id>/", tidy_plans.plan, name="tidy_plan"),
    path("tidy/plans/<plan:tidy_id>.json", tidy_plan_twins.plan_json, name="tidy_plan_json"),
    path("tidy/plans/<plan:tidy_id>.csv", tidy_plan_twins.plan_csv, name="tidy_plan_csv"),
    path("tidy/plans/<plan:tidy_id>/exclude/", tidy_acts.exclude, name="tidy_exclude"),
    path("tidy/plans/<plan:tidy_id>/apply/", tidy_acts.apply, name="tidy_apply"),
    path("tidy/plans/<plan:tidy_id>/take-back/", tidy_acts.take_back, name="tidy_take_back"),
    path(f"{_STORE}/", tidy.findings, name="store_tidy"),
    path(f"{_STORE}.json", tidy_twins.findings_json, name="store_tidy_json"),
    path(f"{_STORE}.csv", tidy_twins.findings_csv, name="store_tidy_csv"),
    path(f"{_STORE}/check/", tidy.check, name="store_tidy_check"),
    path(f"{_STORE}/plan/", tidy_acts.policy, name="tidy_policy"),
    path(f"{_STORE}/reports/", tidy_reports.reports, name="store_tidy_reports"),
    path(f"{_STORE}/reports.json", tidy_reports.reports_json, name="store_tidy_reports_json"),
    path(f"{_STORE}/reports.csv", tidy_reports.reports_csv, name="store_tidy_reports_csv"),
]
