"""Counts what one operation does to the file system, in a process of its own.

Run as a program: ``counting.py <store file> <number of sessions>``; prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from sessionstore import open_store

KEY = "agent:main:0"
ODD = ".odd"
COUNTED = ("open", "os.listdir", "os.scandir", "os.rename", "os.remove")


def main(path: Path, sessions: int) -> None:
    events: list[tuple[str, str]] = []
    counting = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if counting and event in COUNTED and arguments[0] != "x":  # a directory, not a data file
            events.append((event, str(arguments[0])))

    sys.addaudithook(hook)
    store = open_store(path)
    store.save({f"agent:main:{number}": {"sessionId": "s", "n": 0} for number in range(sessions)})
    store.put(ODD, {"sessionId": "s"})
    store.put("agent:main:gone", {"sessionId": "s"})
    calls: dict[str, Callable[[], object]] = {
        "get": lambda: store.get(KEY),
        "get_odd": lambda: store.get(ODD),
        "etag": lambda: store.etag(KEY),
        "updated_at": lambda: store.updated_at(KEY),
        "missing": lambda: store.get("agent:main:missing"),
        "update": lambda: store.update(KEY, lambda old: {**(old or {}), "n": 1}),
        "patch": lambda: store.patch(KEY, {"n": 2}),
        "put_odd": lambda: store.put(ODD, {"sessionId": "s", "n": 3}),
        "unchanged": lambda: store.patch(KEY, {"n": 2}),
        "create": lambda: store.put("agent:main:new", {"sessionId": "s"}),
        "delete": lambda: store.delete("agent:main:gone"),
    }
    result = {}
    for name, call in calls.items():
        events.clear()
        counting = True
        call()
        counting = False
        result[name] = [event for event, _ in events]
    print(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
