"""Restoring everything into a ``sessions.json``: under its lock, with one rename."""

from __future__ import annotations

from ..errors import ConflictError, CorruptStoreError, GatewayRunningError
from ..files import move_into, rename_new, status_of
from ..legacyfile import identity_of, read_legacy_file
from ..locks import LegacyLock, gateway_running
from ..quarantine import set_aside
from .restore_checks import Seen, check_unmoved, look, states
from .restore_runs import Run
from .restore_source import stage_legacy
from .restore_switch import Switched, Whole, check_taken, exclusive, wanted_of
from .shapes import RestorePlan


def restore_file(whole: Whole, switched: Switched) -> None:
    """Stage, check and replace ``sessions.json``; ``switched`` says what was done.

    Raises:
        As :func:`.restore_whole.restore_whole`, and ConflictError where a program took the lock
        away or wrote the file without it; before the switch the store is as it was.
    """
    plan, run = whole.plan, whole.run
    name = plan.paths.store_path.name
    _refuse_beside_gateway(whole)
    seen = look(whole.backing)
    check_unmoved(plan, states(seen))
    taken = stage_legacy(
        whole.archive,
        wanted_of(plan) if _kept_rows(plan, seen) else None,
        name=name,
        dir_fd=run.fd,
        folder=run.path,
        kept=_kept_rows(plan, seen),
        progress=whole.progress,
    )
    check_taken(plan, taken)
    switched.sessions = switched.verified = len(taken.states)
    with exclusive(whole, switched):
        _refuse_beside_gateway(whole)
        with LegacyLock(plan.paths.store_path).hold(whole.timeout) as lock:
            identity, is_corrupt = _check_file(whole)
            if is_corrupt:
                _keep_corrupt(whole)
            if not lock.is_ours():
                raise _taken_over(whole)
            _replace(run, name, identity)
            run.sync()


def _kept_rows(plan: RestorePlan, seen: Seen) -> dict[str, bytes]:
    return {key: seen[key][1] for key in plan.unusable if key in seen and seen[key][1]}


def _check_file(whole: Whole) -> tuple[tuple[int, int, int, int] | None, bool]:
    """The identity of the file that was compared with the plan, and whether it is damaged."""
    path = whole.plan.paths.store_path
    status = status_of(path)
    is_corrupt = False
    try:
        read_legacy_file(str(path))
    except FileNotFoundError:
        status = None
    except CorruptStoreError:
        is_corrupt = True
    check_unmoved(whole.plan, states(look(whole.backing)))
    return None if status is None else identity_of(status), is_corrupt


def _keep_corrupt(whole: Whole) -> None:
    """A file that is no store goes to quarantine, and stays in its place until it is replaced."""
    set_aside(
        whole.plan.paths.sidecar,
        whole.backing.staging,
        whole.plan.paths.store_path.name,
        from_fd=whole.run.home_fd,
        key=None,
        reason="a damaged sessions.json that a restore replaced",
        stays=True,
    )


def _replace(run: Run, name: str, identity: tuple[int, int, int, int] | None) -> None:
    if identity is None:
        rename_new(name, name, dir_fd=run.fd, to_fd=run.home_fd)
        return
    status = status_of(name, dir_fd=run.home_fd)
    if status is None or identity_of(status) != identity:
        raise ConflictError(
            f"{run.paths.store_path} changed under its lock; nothing was changed by the restore",
            path=run.paths.store_path,
            hint="a program writes it without taking the lock: stop it, then plan again",
        )
    move_into(name, name, from_fd=run.fd, to_fd=run.home_fd)


def _refuse_beside_gateway(whole: Whole) -> None:
    path = whole.plan.paths.store_path
    gateway = gateway_running(path, lock_dir=whole.gateway_lock_dir)
    if gateway is not None:
        raise GatewayRunningError(
            f"an OpenClaw gateway (pid {gateway.pid}) is running on this state directory and may "
            f"rewrite {path} without a lock",
            path=path,
            hint="stop the gateway, then start the restore again; nothing was changed",
        )


def _taken_over(whole: Whole) -> ConflictError:
    path = whole.plan.paths.store_path
    return ConflictError(
        f"another program took the lock of {path} away; nothing was changed",
        path=path,
        hint="OpenClaw does so after 30 s: try again",
    )
