"""Where backups are kept and where restores to a new place go. Set by whoever runs the console.

Nothing that a request names becomes a part of a path here but a name that has been checked.
"""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from sessionstore.backup import default_root
from sessionstore.files import SIDECAR_ROOT
from sessionstore.paths import STORE_NAME, StorePaths

from .problems import Problem, ProblemError

NAME = re.compile(r"\A[a-z0-9][a-z0-9._-]{0,79}\Z", re.ASCII)
"""What a new place may be called: no separator, no leading dot, so nothing above or hidden."""


def root_of(paths: StorePaths) -> Path:
    """The folder that a store's backups are below."""
    return Path(settings.BACKUP_DIR) if settings.BACKUP_DIR else default_root(paths)


def usual_root() -> Path | None:
    """The folder of stores in their usual place, which may be there when no store is left."""
    if settings.BACKUP_DIR:
        return Path(settings.BACKUP_DIR)
    if settings.STATE_DIR is None:
        return None
    return Path(settings.STATE_DIR) / SIDECAR_ROOT / "backups"


def new_place(name: str) -> Path:
    """The store file of a new place below the configured folder.

    Raises:
        ProblemError: this is no name for one.
    """
    if not NAME.fullmatch(name):
        raise ProblemError(
            Problem(
                _("This is no name for a new place"),
                _("Small letters, digits, dot, dash and underscore, at most 80, no path."),
                _("Type another name."),
                422,
            )
        )
    return Path(settings.RESTORED_DIR) / name / STORE_NAME


def suggested_name(agent: str, backup_id: str) -> str:
    """A name that tells what was restored and from when."""
    plain = re.sub(r"[^a-z0-9._-]+", "-", agent.lower(), flags=re.ASCII).strip("-._")[:40]
    return f"{plain or 'store'}-{backup_id.lower()}"
