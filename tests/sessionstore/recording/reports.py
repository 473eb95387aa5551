"""What the writers of a store have reported, read from their files alone."""

from __future__ import annotations

from pathlib import Path

from sessionstore.metrics import Group, Labels, Window, merge
from sessionstore.paths import store_paths
from sessionstore.recording.records import unpack_frames


def folder_of(store_file: Path) -> Path:
    return store_paths(store_file).sidecar / "stats"


def files_of(store_file: Path) -> list[Path]:
    folder = folder_of(store_file)
    return sorted(folder.iterdir()) if folder.exists() else []


def windows(store_file: Path) -> list[Window]:
    return [
        window for file in files_of(store_file) for _, window in unpack_frames(file.read_bytes())
    ]


def total(store_file: Path) -> Window:
    return merge(windows(store_file))


def group(
    store_file: Path,
    operation: str,
    outcome: str = "written",
    *,
    scope: str = "session",
    layout: str = "directory",
) -> Group:
    wanted = Labels(operation, outcome, scope, layout)
    found = [one for one in total(store_file).groups if one.labels == wanted]
    assert len(found) == 1, [one.labels for one in total(store_file).groups]
    return found[0]


def counts(store_file: Path) -> dict[tuple[str, str], int]:
    """Updates by operation and outcome."""
    return {
        (one.labels.operation, one.labels.outcome): one.count for one in total(store_file).groups
    }
