"""A writer process: counts up a field of its own in every session until it is asked to stop.

Run as a program: ``writer.py STORE NAME``. Prints what it wrote: key to count, as JSON.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import Any

from sessionstore.store import open_store


def main(path: str, name: str) -> None:
    """Write until SIGTERM; each write adds one to what is there."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    counts: dict[str, int] = {}

    def count_up(entry: dict[str, Any] | None) -> dict[str, Any] | None:
        if entry is None:
            return None
        return {**entry, name: entry.get(name, 0) + 1, "updatedAt": time.time_ns() // 1_000_000}

    with open_store(path) as store:
        keys = store.keys()
        while not stopped:
            for key in keys:
                if store.update(key, count_up) is not None:
                    counts[key] = counts.get(key, 0) + 1
    print(json.dumps(counts))


if __name__ == "__main__":
    main(*sys.argv[1:])
