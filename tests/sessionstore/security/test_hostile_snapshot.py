"""A snapshot that grows for nothing: holes cost no disk, and must cost no memory."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

from sessionstore.index import Index, Query, snapshot
from sessionstore.paths import store_paths


def test_huge_snapshot_of_holes_is_not_read(tmp_path: Path) -> None:
    directory = tmp_path / "sessions.d"
    directory.mkdir()
    (directory / "agent%3Amain%3Amain.json").write_text(json.dumps({"sessionId": "s"}))
    paths = store_paths(directory)
    place = snapshot.path_of(paths.sidecar)
    place.parent.mkdir(parents=True)
    with open(place, "wb") as file:
        file.write(snapshot._MAGIC)
        file.truncate((1 << 30) - 1)
    tracemalloc.start()
    index = Index(paths)
    try:
        index.refresh()
        assert index.query(Query()).total == 1
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()
        index.close()
