"""Many operators beside many writers, all as real processes on one store and one database."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sessionstore import Store, versions
from tests.dashboard.changing.conftest import Console
from tests.dashboard.changing.writers import write_until_told
from tests.sessionstore.helpers import Child, child

pytestmark = pytest.mark.slow

SESSIONS, OPERATORS, ROUNDS, WRITERS, PROCESSES = 5, 20, 6, 4, 4


def start_writers(path: Path, stack: Any) -> list[Child]:
    writers = [
        stack.enter_context(child(write_until_told, path, number, SESSIONS))
        for number in range(WRITERS)
    ]
    for writer in writers:
        assert writer.hear() == "ready"
    return writers


@pytest.fixture(scope="module")
def played(console: Console) -> dict[str, Any]:
    """What everybody says they did, what was recorded, and the store afterwards."""
    store = console.store
    for number in range(SESSIONS):
        store.put(f"agent:main:{number}", {"sessionId": f"s-{number}", "label": f"l-{number}"})
    ids = console.run("people", str(OPERATORS))
    start = console.place / "start"
    with contextlib.ExitStack() as stack:
        writers = start_writers(store.path, stack)
        operators = [
            console.start(
                "operate",
                str(start),
                json.dumps([[n, ids[n]] for n in range(part, OPERATORS, PROCESSES)]),
                str(SESSIONS),
                str(ROUNDS),
            )
            for part in range(PROCESSES)
        ]
        start.touch()
        saves = [save for process in operators for save in console.result(process)]
        for writer in writers:
            writer.say("stop")
        written = [writer.hear() for writer in writers]
    return {"saves": saves, "written": written, "report": console.run("report"), "store": store}


def test_nothing_that_a_writer_wrote_is_lost(played: dict[str, Any]) -> None:
    store: Store = played["store"]
    for number, (counted, marks) in enumerate(played["written"]):
        for key, times in counted.items():
            entry = store.get(key) or {}
            assert times > 3
            assert entry[f"writer {number}"] == times
            assert {name: entry[name] for name in marks[key]} == marks[key]
    for number in range(SESSIONS):
        entry = store.get(f"agent:main:{number}") or {}
        assert (entry["sessionId"], entry["label"]) == (f"s-{number}", f"l-{number}")


def test_every_save_is_merged_or_refused(played: dict[str, Any]) -> None:
    saves = played["saves"]
    assert len(saves) == OPERATORS * ROUNDS
    merged = [save for save in saves if "change" in save]
    refused = [save for save in saves if "refused" in save]
    assert len(merged) + len(refused) == len(saves)
    assert merged
    assert refused
    assert all(save["refused"] == ["category"] for save in refused)
    counted = Counter((save["key"], save["operator"]) for save in merged)
    store: Store = played["store"]
    for number in range(SESSIONS):
        key = f"agent:main:{number}"
        entry = store.get(key) or {}
        kept = {name: entry.get(f"count {name}", 0) for name in (f"op{n}" for n in range(20))}
        assert kept == {name: counted[key, name] for name in kept}


def test_a_merged_save_replaced_only_what_its_operator_saw(played: dict[str, Any]) -> None:
    store: Store = played["store"]
    found = {
        version.id: version
        for number in range(SESSIONS)
        for version in versions(store, f"agent:main:{number}")
    }
    merged = {save["version"]: save for save in played["saves"] if "change" in save}
    assert found.keys() == merged.keys()
    for version_id, save in merged.items():
        version = found[version_id]
        assert (version.key, version.by) == (save["key"], save["operator"])
        assert version.written["category"] == save["value"]
        assert version.entry is not None
        assert version.entry.get("category") == save["saw"]
        assert set(version.changed) == {f"count {save['operator']}", "category"}


def test_the_audit_has_each_save_once_and_its_chain_is_whole(played: dict[str, Any]) -> None:
    report, saves = played["report"], played["saves"]
    assert report["breaks"] == []
    events = [event for event in report["events"] if event["action"] == "session.edit"]
    started = {event["sequence"]: event for event in events if event["outcome"] == "started"}
    ended = [event for event in events if event["outcome"] != "started"]
    assert len(started) == len(saves)
    assert sorted(event["details"]["intent"] for event in ended) == sorted(started)
    for event in ended:
        intent = started[event["details"]["intent"]]
        assert intent["sequence"] < event["sequence"]
        assert (intent["actor"], intent["details"]["key"]) == (
            event["actor"],
            event["details"]["key"],
        )
    outcomes = Counter(event["outcome"] for event in ended)
    assert outcomes == {
        "done": sum("change" in save for save in saves),
        "refused": sum("refused" in save for save in saves),
    }


def test_each_done_event_has_its_change_and_each_change_its_event(played: dict[str, Any]) -> None:
    changes = {change["pk"]: change for change in played["report"]["changes"]}
    done = [event for event in played["report"]["events"] if event["outcome"] == "done"]
    done = [event for event in done if event["action"] == "session.edit"]
    assert sorted(event["details"]["change"] for event in done) == sorted(changes)
    for event in done:
        change = changes[event["details"]["change"]]
        assert (change["actor"], change["key"]) == (event["actor"], event["details"]["key"])
        assert set(change["fields"]) == event["details"]["fields"].keys()
    saved = {save["change"]: save["version"] for save in played["saves"] if "change" in save}
    assert saved == {pk: change["version_id"] for pk, change in changes.items()}
