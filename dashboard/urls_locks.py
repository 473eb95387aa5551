"""Addresses of locks: the list, and one holding of one lock."""

from __future__ import annotations

from django.urls import URLPattern, path, register_converter

from .services.locks_rows import ID_LENGTH
from .views import locks, locks_acts, locks_twins


class LockIdConverter:
    """One holding of a lock: hex digits, looked up among what is held now."""

    regex = f"[0-9a-f]{{{ID_LENGTH}}}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(LockIdConverter, "lock")

_STORE = "stores/<store:store_id>/locks"
_ONE = f"{_STORE}/<lock:lock_id>"

urlpatterns: list[URLPattern] = [
    path("locks/", locks.locks, name="locks"),
    path("locks.json", locks_twins.locks_json, name="locks_json"),
    path("locks.csv", locks_twins.locks_csv, name="locks_csv"),
    path(f"{_STORE}/", locks.locks, name="store_locks"),
    path(f"{_STORE}.json", locks_twins.locks_json, name="store_locks_json"),
    path(f"{_STORE}.csv", locks_twins.locks_csv, name="store_locks_csv"),
    path(f"{_ONE}/", locks.lock, name="lock"),
    path(f"{_ONE}.json", locks_twins.lock_json, name="lock_json"),
    path(f"{_ONE}/clear/", locks_acts.clear, name="lock_clear"),
]
