"""Addresses of migrations."""

from __future__ import annotations

from django.urls import URLPattern, path

from dashboard.services.migration_words import MIGRATE, ROLLBACK

from .views import migration, migration_acts, migration_list, migration_twins

_STORE = "stores/<store:store_id>/migration"
_MIGRATE, _ROLLBACK = {"kind": MIGRATE}, {"kind": ROLLBACK}

urlpatterns: list[URLPattern] = [
    path("migration/", migration_list.migrations, name="migrations"),
    path("migration.json", migration_twins.migrations_json, name="migrations_json"),
    path("migration.csv", migration_twins.migrations_csv, name="migrations_csv"),
    path("migration/check/", migration_list.check_all, name="migrations_check"),
    path("migration/run/", migration_list.run_many, name="migrations_run"),
    path(f"{_STORE}/", migration.store_migration, _MIGRATE, name="store_migration"),
    path(f"{_STORE}.json", migration_twins.preview_json, _MIGRATE, name="store_migration_json"),
    path(f"{_STORE}.csv", migration_twins.preview_csv, _MIGRATE, name="store_migration_csv"),
    path(f"{_STORE}/check/", migration_acts.check, _MIGRATE, name="store_migration_check"),
    path(f"{_STORE}/run/", migration_acts.run, name="store_migration_run"),
    path(f"{_STORE}/undo/", migration.store_migration, _ROLLBACK, name="store_rollback"),
    path(
        f"{_STORE}/undo.json", migration_twins.preview_json, _ROLLBACK, name="store_rollback_json"
    ),
    path(f"{_STORE}/undo.csv", migration_twins.preview_csv, _ROLLBACK, name="store_rollback_csv"),
    path(f"{_STORE}/undo/check/", migration_acts.check, _ROLLBACK, name="store_rollback_check"),
    path(f"{_STORE}/undo/run/", migration_acts.undo, name="store_rollback_run"),
    path(f"{_STORE}/export/", migration_acts.export, name="store_export"),
    path(f"{_STORE}/mirror/", migration_acts.mirror, name="store_mirror"),
]
