"""Addresses of backups, restores and recovery."""

from __future__ import annotations

from django.urls import URLPattern, path, register_converter

from .views import (
    backup_acts,
    backup_new,
    backup_retention,
    backup_schedules,
    backup_twins,
    backups,
    compare,
    compare_twins,
    recover,
)


class BackupIdConverter:
    """A backup's id: its time and six hex digits. Looked up, never made a path of."""

    regex = "[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(BackupIdConverter, "backup")

_ONE = "backups/<backup:backup_id>"
_PLAN = f"{_ONE}/compare/<int:comparison_id>"

urlpatterns: list[URLPattern] = [
    path("backups/", backups.backups, name="backups"),
    path("backups.json", backup_twins.backups_json, name="backups_json"),
    path("backups.csv", backup_twins.backups_csv, name="backups_csv"),
    path("backups/new/", backup_new.new, name="backup_new"),
    path("backups/retention/", backup_retention.retention, name="retention"),
    path("backups/retention.json", compare_twins.retention_json, name="retention_json"),
    path("backups/retention.csv", compare_twins.retention_csv, name="retention_csv"),
    path("backups/retention/apply/", backup_retention.apply, name="retention_apply"),
    path("backups/schedules/", backup_schedules.schedules, name="schedules"),
    path("backups/schedules.json", compare_twins.schedules_json, name="schedules_json"),
    path("backups/schedules.csv", compare_twins.schedules_csv, name="schedules_csv"),
    path("backups/schedules/add/", backup_schedules.add, name="schedule_add"),
    path(
        "backups/schedules/<int:schedule_id>/remove/",
        backup_schedules.remove,
        name="schedule_remove",
    ),
    path(f"{_ONE}/", backups.backup, name="backup"),
    path(f"{_ONE}.json", backup_twins.backup_json, name="backup_json"),
    path(f"{_ONE}.csv", backup_twins.backup_csv, name="backup_csv"),
    path(f"{_ONE}/verify/", backup_acts.verify, name="backup_verify"),
    path(f"{_ONE}/hold/", backup_acts.hold, name="backup_hold"),
    path(f"{_ONE}/download/", backup_acts.download, name="backup_download"),
    path(f"{_ONE}/delete/", backup_acts.delete, name="backup_delete"),
    path(f"{_ONE}/place/", backup_acts.place, name="backup_place"),
    path(f"{_ONE}/compare/", compare.make, name="backup_compare"),
    path(f"{_PLAN}/", compare.comparison, name="comparison"),
    path(f"{_PLAN}.json", compare_twins.comparison_json, name="comparison_json"),
    path(f"{_PLAN}.csv", compare_twins.comparison_csv, name="comparison_csv"),
    path(f"{_PLAN}/place/", compare.to_new_place, name="comparison_place"),
    path(f"{_PLAN}/restore/", compare.in_place, name="comparison_restore"),
    path("stores/<store:store_id>/recover/", recover.page, name="store_recover"),
    path("stores/<store:store_id>/recover.json", recover.as_json, name="store_recover_json"),
    path("stores/<store:store_id>/recover.csv", recover.as_csv, name="store_recover_csv"),
    path("stores/<store:store_id>/recover/run/", recover.run, name="store_recover_run"),
]
