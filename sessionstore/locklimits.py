"""How long waiters wait and holders may hold, by configuration or by the release's defaults.

Set side by side, since they are set in different places and often cannot work together
(demand.md A1.5). Sources: openclaw-format §7.1 and §7.2. What the environment of a gateway sets
(``OPENCLAW_SESSION_WRITE_LOCK_…_MS``) cannot be seen from outside.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from .entries import NotAnEntryError
from .errors import SessionStoreError
from .locks.shown import limit_of, plain, plain_path
from .paths import CONFIG_NAME, read_config

LimitedLock = Literal["session", "legacy", "transcript"]
LimitKind = Literal["wait", "hold", "stale"]
Release = tuple[int, int, int]

SETTINGS: dict[LimitKind, str] = {
    "wait": "acquireTimeoutMs",
    "hold": "maxHoldMs",
    "stale": "staleMs",
}
CONFIGURABLE_SINCE: Release = (2026, 5, 17)

_VERSION = re.compile(r"(20\d\d)\.(\d{1,2})\.(\d{1,3})(?:[-+.].{0,40})?", re.DOTALL)
_MOST_MS = 1e12


@dataclass(frozen=True, slots=True)
class LockLimit:
    """One limit in seconds: how long to wait, to hold, or until a lock counts as left behind.

    ``value_s`` is None where there is no such limit, or where ``problem`` says what stands in
    its place. ``releases`` are the OpenClaw releases that it is for, "" for this library.
    """

    lock: LimitedLock
    kind: LimitKind
    releases: str
    value_s: float | None
    source: str
    path: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Era:
    """The releases from ``first`` to ``last``, and their defaults: wait, hold, stale."""

    first: Release
    last: Release
    name: str
    legacy: tuple[float, float | None, float] | None
    transcript: tuple[float, float | None, float]


_ERAS = (
    _Era((2026, 1, 14), (2026, 2, 12), "2026.1.14 to 2026.2.12", (10, None, 30), (10, None, 1800)),
    _Era((2026, 2, 13), (2026, 3, 13), "2026.2.13 to 2026.3.13", (10, 300, 30), (10, 300, 1800)),
    _Era((2026, 3, 31), (2026, 4, 29), "2026.3.31 to 2026.4.29", (10, 15, 30), (10, 300, 1800)),
    _Era((2026, 5, 2), (2026, 5, 16), "2026.5.2 to 2026.5.16", None, (60, 300, 1800)),
    _Era(CONFIGURABLE_SINCE, (2026, 7, 999), "2026.5.17 to 2026.7", None, (60, 300, 1800)),
)
_FIRST_SQLITE: Release = (2026, 8, 1)


def lock_limits(
    state_dir: str | os.PathLike[str], *, timeout: float = 10.0
) -> tuple[LockLimit, ...]:
    """The limits of this library's locks, and of OpenClaw's on this state directory.

    ``timeout`` is what writers give to ``open_store``: it covers waiting, lock and work. The
    release is the one that last wrote ``openclaw.json``; where that does not tell, the limits of
    all releases that use lock files are listed, and none where there is no such file. Reads
    that one file.
    """
    path = Path(state_dir) / CONFIG_NAME
    config, trouble = _config(path)
    own = limit_of(timeout)
    found = [
        LockLimit("session", "wait", "", own, "timeout of open_store"),
        LockLimit("session", "hold", "", own, "timeout of open_store, from which waiting is taken"),
        LockLimit("session", "stale", "", None, "kernel lock: it ends with its process"),
    ]
    if config is not None:
        for era in _eras_of(config):
            found += _of_era(era, config, path, trouble)
    return tuple(found)


def _config(path: Path) -> tuple[dict[str, Any] | None, str]:
    try:
        return read_config(path), ""
    except FileNotFoundError:
        return None, ""
    except NotAnEntryError as error:
        return {}, f"{path.name} {plain(str(error))}"
    except SessionStoreError as error:
        return {}, plain(error.message)


def _eras_of(config: dict[str, Any]) -> tuple[_Era, ...]:
    meta = config.get("meta")
    version = meta.get("lastTouchedVersion") if isinstance(meta, dict) else None
    match = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if match is None:
        return _ERAS
    release = int(match[1]), int(match[2]), int(match[3])
    if release >= _FIRST_SQLITE:
        return ()
    before = [era for era in _ERAS if era.first <= release][-1:]
    if before and release <= before[0].last:
        return tuple(before)
    # Between two eras it is not known from when on the later limits count.
    return (*before, *[era for era in _ERAS if era.first > release][:1])


def _of_era(era: _Era, config: dict[str, Any], path: Path, trouble: str) -> Iterator[LockLimit]:
    for lock, defaults in (("legacy", era.legacy), ("transcript", era.transcript)):
        if defaults is None:
            continue
        for kind, value in zip(SETTINGS, defaults, strict=True):
            limit = LockLimit(
                "legacy" if lock == "legacy" else "transcript",
                kind,
                era.name,
                value,
                _default(era, kind, value, lock),
            )
            is_set = lock == "transcript" and era.first >= CONFIGURABLE_SINCE
            yield _configured(limit, config, path, trouble) if is_set else limit


def _default(era: _Era, kind: LimitKind, value: float | None, lock: str) -> str:
    if value is None:
        return "no such limit"
    source = f"default of OpenClaw {era.name}"
    if kind == "hold" and lock == "transcript":
        return f"{source}; a run keeps it for its own timeout and 2 min where that is longer"
    return source


def _configured(limit: LockLimit, config: dict[str, Any], path: Path, trouble: str) -> LockLimit:
    """The limit as the config sets it. What is no number is named, never replaced."""
    place = f"session.writeLock.{SETTINGS[limit.kind]}"
    source = f"{path.name}: {place}"
    if trouble:
        return _unusable(limit, source, path, trouble)
    value: Any = config
    for name in place.split("."):
        if value is None:
            return limit
        if not isinstance(value, dict):
            return _unusable(limit, source, path, f"{source} stands in what is no object")
        value = value.get(name)
    if value is None:
        return limit
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value < _MOST_MS:
        return _unusable(
            limit, source, path, f"{source} is {_told(value)}, which is no time in milliseconds"
        )
    return replace(limit, value_s=value / 1000, source=source, path=plain_path(path))


def _unusable(limit: LockLimit, source: str, path: Path, problem: str) -> LockLimit:
    return replace(limit, value_s=None, source=source, path=plain_path(path), problem=problem)


def _told(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return plain(repr(value)[:100], most=60)
