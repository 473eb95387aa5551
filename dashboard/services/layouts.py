"""The layouts that a store can be in, in words, and what follows from each."""

from __future__ import annotations

from django.utils.translation import gettext as _

from sessionstore.errors import Finding
from sessionstore.index import Summary
from sessionstore.paths import StorePaths

from .facts import StoreFiles

LAYOUT_WORDS = {
    "directory": "one file per session",
    "legacy": "one sessions.json",
    "both": "both layouts",
    "empty": "nothing stored yet",
    "sqlite": "SQLite, read-only",
}


def layout_of(summary: Summary | None, files: StoreFiles | None, paths: StorePaths) -> str:
    """Which layout a store is in, as far as the index and a look at its files tell."""
    if summary is None:
        return "unknown"
    if summary.layout == "directory" and files and files.legacy_bytes is not None:
        return "directory" if files.mirrored else "both"
    return summary.layout


def layout_note(layout: str, paths: StorePaths, files: StoreFiles | None) -> str:
    """What follows from a layout, where it asks for attention."""
    if layout == "both":
        return _(
            "%(directory)s counts: writers use it. %(file)s stands beside it and is not read; "
            "compare the two before you move it away."
        ) % {"directory": paths.directory.name, "file": paths.store_path.name}
    if layout == "sqlite":
        return _("The sessions are in OpenClaw's own database, which is read and never written.")
    if files and files.has_database:
        return _(
            "OpenClaw's own database stands beside it and may be what the gateway uses: "
            "compare the two."
        )
    if layout == "directory" and files and files.mirrored:
        return _("%(file)s is kept as a copy of it, for programs that know only the old form.") % {
            "file": paths.store_path.name
        }
    if layout == "legacy" and files and files.legacy_bytes:
        return _("Every write rewrites the whole file; moving to one file per session ends that.")
    return ""


def both_layouts(paths: StorePaths) -> Finding:
    """What ``Store.problems`` says of it; the index looks at sessions only."""
    return Finding(
        "both-layouts",
        "warning",
        None,
        str(paths.store_path),
        _("%(file)s stands beside %(directory)s; only the directory is read.")
        % {"file": paths.store_path.name, "directory": paths.directory.name},
        _("An older program may still write the file: compare the two before you move it away."),
    )
