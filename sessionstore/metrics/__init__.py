"""What the writers of a store have reported: histograms that add up, and their history."""

from __future__ import annotations

from ..recording.histograms import Histogram, bucket_low, bucket_middle, bucket_of
from ..recording.memory import OperationMetrics, StoreMetrics
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
from .history import History, Step

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
    "OperationMetrics",
    "Phase",
    "Process",
    "Step",
    "StoreMetrics",
    "Window",
    "bucket_low",
    "bucket_middle",
    "bucket_of",
    "merge",
]
