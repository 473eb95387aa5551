"""Making a maintenance run's folder: it appears whole or not at all."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..changes import now_ms
from ..entries import encode
from ..errors import SessionStoreError
from ..files import (
    close_directory,
    ensure_directory,
    io_error,
    make_directory_at,
    open_below,
    open_directory,
    remove_tree,
    rename_new,
    sync_descriptor,
    sync_directory,
    write_new,
)
from .plan_records import to_record
from .plan_shapes import MaintenancePlan
from .runs import FOLDER, PLAN, RUN_ID, TRASH


def new_run_id() -> str:
    """An id that sorts by time."""
    return f"{now_ms()}-{secrets.token_hex(4)}"


def create_run(
    plan: MaintenancePlan, run_id: str, *, take_back_s: float, by: str, reason: str
) -> None:
    """Make a run's folder with its plan, durably; it appears whole or not at all.

    Raises:
        ValueError: the id cannot be a folder's name.
        StoreIOError: the disk refused.
    """
    if not RUN_ID.fullmatch(run_id):
        raise ValueError(
            f"a run's id is 1 to 100 letters, digits, dots and hyphens, not {run_id!r}"
        )
    started = now_ms()
    body: dict[str, Any] = {
        "started_ms": started,
        "take_back_until_ms": started + int(take_back_s * 1000),
        "by": by,
        "reason": reason,
        "plan": to_record(plan),
    }
    root = plan.paths.sidecar / FOLDER
    ensure_directory(root)
    fd = open_below(plan.paths.sidecar, FOLDER)
    half = f".{run_id}.new"
    try:
        remove_tree(half, dir_fd=fd)
        make_directory_at(half, dir_fd=fd)
        _fill(half, encode(body), fd, root / run_id)
        rename_new(half, run_id, dir_fd=fd)
        sync_descriptor(fd, root)
        sync_directory(plan.paths.sidecar)
    except BaseException:
        # why: the first error travels; the next run of this id removes what is left
        with suppress(SessionStoreError, OSError):
            remove_tree(half, dir_fd=fd)
        raise
    finally:
        close_directory(fd)


def _fill(half: str, data: bytes, root_fd: int, shown: Path) -> None:
    inner = open_directory(half, dir_fd=root_fd)
    try:
        make_directory_at(TRASH, dir_fd=inner)
        write_new(PLAN, data, dir_fd=inner, sync="strict")
        sync_descriptor(inner, shown)
    except OSError as error:
        if isinstance(error, SessionStoreError):
            raise
        raise io_error("write", shown / PLAN, error) from error
    finally:
        close_directory(inner)
