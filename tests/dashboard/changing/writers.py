"""Writers as a gateway is one: processes that know the store and nothing of the console."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sessionstore import open_store

RING = 20


def write_until_told(path: Path, number: int, sessions: int, pipe: Connection) -> None:
    """Count up, leave marks of its own, and now and then take a field that others want.

    Ends by saying for each session how often it counted, and its last marks.
    """
    keys = [f"agent:main:{session}" for session in range(sessions)]
    counted = dict.fromkeys(keys, 0)
    marks: dict[str, dict[str, int]] = {key: {} for key in keys}
    counter = f"writer {number}"

    def count(fresh: dict[str, Any] | None) -> dict[str, Any]:
        assert fresh is not None
        return {**fresh, counter: fresh.get(counter, 0) + 1}

    with open_store(path, timeout=60) as store:
        pipe.send("ready")
        turn = 0
        while not pipe.poll():
            for key in keys:
                turn += 1
                store.update(key, count)
                counted[key] += 1
                mark = f"mark {number} {turn % RING}"
                store.patch(key, {mark: turn}, return_entry=False)
                marks[key][mark] = turn
                if turn % 7 == 0:
                    store.patch(key, {"category": f"writer {number} {turn}"})
                time.sleep(0.004)
    pipe.send((counted, marks))
