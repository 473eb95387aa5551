"""Addresses of the checks: rules, alerts, acknowledgements."""

from __future__ import annotations

from django.urls import URLPattern, path

from .views import check_acts, checks

urlpatterns: list[URLPattern] = [
    path("checks/", checks.checks, name="checks"),
    path("checks.json", checks.checks_json, name="checks_json"),
    path("checks.csv", checks.checks_csv, name="checks_csv"),
    path("checks/rules/<slug:name>/", check_acts.rule, name="check_rule"),
    path("checks/rules/<slug:name>/reset/", check_acts.reset, name="check_rule_reset"),
    path("checks/test-alert/", check_acts.test_alert, name="alert_test"),
    path("checks/<slug:name>/acknowledge/", check_acts.acknowledge, name="check_acknowledge"),
    path("checks/notes/<int:number>/withdraw/", check_acts.withdraw, name="check_withdraw"),
]
