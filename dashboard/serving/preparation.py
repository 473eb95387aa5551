"""Bring database and static files up to date; both do nothing when nothing has changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def is_migrated() -> bool:
    """Tell whether the database has all tables and columns of this version."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def migrate_if_needed() -> bool:
    """Apply missing migrations; tell whether there were any."""
    if is_migrated():
        return False
    call_command("migrate", interactive=False, verbosity=0)
    return True


def collect_static_if_needed() -> bool:
    """Collect static files when a source has changed; tell whether they were collected."""
    stamp: Path = settings.DATA_DIR / "static.stamp"
    sources = _sources_digest()
    if stamp.is_file() and settings.STATIC_ROOT.is_dir() and stamp.read_text("ascii") == sources:
        return False
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(sources, "ascii")
    return True


def _sources_digest() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
