"""What a run keeps of its sources: names, the marker's rows, the check that the right file went.

``imports`` of the marker (``docs/format.md`` §4) tells one state of a source from the next, so the
same one is never merged twice, and names what it was kept as, so a killed run can be finished.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..changes import now_ms
from ..errors import Finding, GatewayRunningError, StoreIOError
from ..files import copy_file, digest_of, remove_file, rename_new, restrict_file, status_of
from ..index.watching import is_settled
from ..legacyfile import identity_of
from ..locks import gateway_running
from .choosing import store_file_source
from .shapes import Source
from .sources import Collected
from .workspace import COPY_NAME, Workspace

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Kept:
    """Names that the sources get. None where there is no such source."""

    json: str | None
    directory: str | None


def kept_names(work: Workspace, collected: Collected, *, foreign: bool) -> Kept:
    """Choose names that nothing has yet."""
    has_json = store_file_source(collected, work.paths) is not None
    return Kept(
        json=work.free_name(work.store_name) if has_json else None,
        directory=work.free_name(work.directory_name) if foreign else None,
    )


def import_rows(work: Workspace, collected: Collected, kept: Kept) -> list[Mapping[str, Any]]:
    """The marker's rows for these sources, one each."""
    rows: list[Mapping[str, Any]] = []
    for source in collected.sources:
        is_json = source.name == work.store_name
        inside = source.name.split("/", 1)[0] == work.directory_name
        rows.append(
            {
                "run": work.run_id,
                "name": source.name,
                "size": source.size_bytes,
                "mtimeNs": source.mtime_ns,
                "sha256": source.sha256,
                "kept": kept.json if is_json else kept.directory if inside else None,
                "at": now_ms(),
            }
        )
    return rows


def refuse_beside_gateway(work: Workspace, lock_dir: Path | None) -> None:
    """Refuse to move a ``sessions.json`` away under a live gateway, which may write it unlocked.

    Raises:
        GatewayRunningError: one runs on this state directory.
    """
    status = status_of(work.paths.store_path)
    if status is None or not stat.S_ISREG(status.st_mode):
        return
    gateway = gateway_running(work.paths.store_path, lock_dir=lock_dir)
    if gateway is not None:
        raise GatewayRunningError(
            f"an OpenClaw gateway (pid {gateway.pid}) is running on this state directory and may "
            f"rewrite {work.store_name} without a lock",
            path=work.paths.store_path,
            hint="stop the gateway, then start the migration again; nothing was changed",
        )


def safety_copy(work: Workspace, source: Source | None) -> None:
    """Copy ``sessions.json`` into the run's folder, synced and compared by its digest.

    A writer may replace the file between the reading and the copying: then the copy is of the
    later state, which the switch will find and stage again.
    """
    remove_file(COPY_NAME, dir_fd=work.fd)
    if source is not None:
        try:
            copy_file(work.paths.store_path, COPY_NAME, to_fd=work.fd)
        except FileNotFoundError:
            return  # gone since; the switch looks again


def drop_safety_copy(work: Workspace, kept: str | None, sha256: str | None) -> None:
    """Remove the copy once what was kept is proven to be what was read.

    Raises:
        StoreIOError: it is not; the copy stays in the run's folder.
    """
    if kept is not None and digest_of(kept, dir_fd=work.home_fd) != sha256:
        raise StoreIOError(
            f"{kept} is not what was read",
            path=work.paths.store_path.parent / kept,
            hint=f"compare it with {work.path / COPY_NAME}, which was copied before",
        )
    remove_file(COPY_NAME, dir_fd=work.fd)


def _restrict(work: Workspace, kept: str) -> None:
    """Give what was kept mode 0600, where it is ours to give: :func:`open_to_others` tells."""
    try:
        restrict_file(kept, dir_fd=work.home_fd)
    except StoreIOError as error:
        # why: a file of another user that could be renamed; the sessions are in the directory
        if error.errno not in (errno.EPERM, errno.EACCES):
            raise


def open_to_others(work: Workspace, kept: str | None) -> list[Finding]:
    """A warning where other users can read or write what was kept."""
    status = None if kept is None else status_of(kept, dir_fd=work.home_fd)
    if kept is None or status is None or not stat.S_ISREG(status.st_mode):
        return []
    mode = stat.S_IMODE(status.st_mode)
    if not mode & 0o077:
        return []
    words = f"{kept} belongs to another user, so it keeps its mode {mode:04o}, which lets others in"
    return [Finding("kept-mode", "warning", None, kept, words, "have its owner make it 0600")]


def is_as_read(work: Workspace, collected: Collected) -> bool:
    """Whether ``sessions.json`` is what was collected, or is not there as it was not then.

    Its identity tells, and where its times were too young when it was read, or moved since, its
    digest: two writes within one tick of the clock have one time, and may have one inode and size.
    """
    status = status_of(work.paths.store_path)
    if status is None or not stat.S_ISREG(status.st_mode):
        return collected.identity is None
    if identity_of(status) != collected.identity:
        return False
    source = store_file_source(collected, work.paths)
    changed_ns = max(status.st_mtime_ns, status.st_ctime_ns)
    if source is None or is_settled(changed_ns, collected.looked_ns):
        return True
    return digest_of(work.store_name, dir_fd=work.home_fd) == source.sha256


def keep_store_file(work: Workspace, kept: str, identity: tuple[int, int, int, int] | None) -> bool:
    """Rename ``sessions.json`` to its kept name; False when another file had come in its place.

    The caller holds both locks. A program that takes none may still have replaced the file after
    it was looked at: the renamed file is looked at again, and put back if it is another one.
    """
    if not rename_new(work.store_name, kept, dir_fd=work.home_fd):
        return True  # removed by somebody; its sessions are in the directory
    status = status_of(kept, dir_fd=work.home_fd)
    if status is None or identity is None or identity_of(status) == identity:
        _restrict(work, kept)
        return True
    rename_new(kept, work.store_name, dir_fd=work.home_fd)
    return False
