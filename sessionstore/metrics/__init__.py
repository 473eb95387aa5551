"""What the writers of a store have reported: histograms that add up, and their history."""

from __future__ import annotations

from ..recording.histograms import Histogram, bucket_low, bucket_middle, bucket_of
from ..recording.merging import merge
from ..recording.records import (
    CHANGED,
    HOLD,
    PHASES,
    SERIES,
    WAIT,
    WRITE,
    WRITTEN,
    Group,
    HotSession,
    KeptWrite,
    Labels,
    Phase,
    Process,
    Window,
)
from .history import History, Reporter, Step
from .spreads import Spread, spread
from .storestats import OperationStats, StoreStats, stats, stats_of

__all__ = [
    "CHANGED",
    "HOLD",
    "PHASES",
    "SERIES",
    "WAIT",
    "WRITE",
    "WRITTEN",
    "Group",
    "Histogram",
    "History",
    "HotSession",
    "KeptWrite",
    "Labels",
    "OperationStats",
    "Phase",
    "Process",
    "Reporter",
    "Spread",
    "Step",
    "StoreStats",
    "Window",
    "bucket_low",
    "bucket_middle",
    "bucket_of",
    "merge",
    "spread",
    "stats",
    "stats_of",
]
