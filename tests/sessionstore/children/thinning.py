"""A child that is killed at the n-th step of thinning out reports."""

from __future__ import annotations

import os
from pathlib import Path

from sessionstore.recording.thinning import thin
from tests.sessionstore.children.crashing import arm


def run_killed(sidecar: Path, now_ms: int, kill_at: int) -> None:
    arm(kill_at)
    thin(sidecar, now_ms=now_ms)
    os._exit(0)
