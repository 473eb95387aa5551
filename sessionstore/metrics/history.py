"""The history of one store, from what its writers have reported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import StoreIOError
from ..files import list_names, read_file
from ..paths import StorePaths
from ..recording.merging import merge
from ..recording.records import FOLDER, SUFFIX, KeptWrite, Window, unpack_frames

_MOST_FILE_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a chart. ``window`` is None where nobody reported: a gap, not a zero."""

    start_ms: int
    end_ms: int
    window: Window | None


class History:
    """What is known of a store's updates. :meth:`refresh` first; not thread-safe.

    A window belongs to the step that its end lies in.
    """

    def __init__(self, paths: StorePaths) -> None:
        self.paths = paths
        self._windows: list[Window] = []

    def refresh(self) -> None:
        """Read what was reported since the last time.

        Raises:
            StoreIOError: the folder cannot be read.
        """
        folder = self.paths.sidecar / FOLDER
        try:
            names = [name for name in list_names(folder) if name.endswith(SUFFIX)]
        except FileNotFoundError:
            names = []
        found: list[Window] = []
        for name in names:
            try:
                data = read_file(folder / name, max_bytes=_MOST_FILE_BYTES)
            except (FileNotFoundError, StoreIOError):
                continue
            found.extend(window for _, window in unpack_frames(data))
        self._windows = sorted(found, key=lambda window: window.until_ms)

    def between(self, start_ms: int, end_ms: int) -> list[Window]:
        """Windows that end after ``start_ms`` and not after ``end_ms``."""
        return [window for window in self._windows if start_ms < window.until_ms <= end_ms]

    def total(self, start_ms: int, end_ms: int) -> Window:
        """Everything in between, added up; ``until_ms`` is 0 when nothing was reported."""
        return merge(self.between(start_ms, end_ms))

    def steps(self, start_ms: int, end_ms: int, step_ms: int) -> list[Step]:
        """Equal steps from ``start_ms``; the last may be shorter."""
        found = []
        for start in range(start_ms, end_ms, step_ms):
            end = min(start + step_ms, end_ms)
            inside = self.between(start, end)
            is_covered = inside or self.is_covered(start, end)
            found.append(Step(start, end, merge(inside) if is_covered else None))
        return found

    def is_covered(self, start_ms: int, end_ms: int) -> bool:
        """Whether anybody was there to report at any moment in between."""
        return any(w.covered_from_ms < end_ms and w.until_ms > start_ms for w in self._windows)

    def coverage(self) -> list[tuple[int, int]]:
        """When anybody was there to report, as joined spans (epoch ms), oldest first."""
        return _joined((w.covered_from_ms, w.until_ms) for w in self._windows)

    def writes(self, key: str, start_ms: int, end_ms: int) -> list[KeptWrite]:
        """Kept updates of one session, newest first: the slowest and latest, not all."""
        found = [w for window in self.between(start_ms, end_ms) for w in window.writes]
        return sorted((w for w in found if w.key == key), key=lambda w: -w.at_ms)


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined
