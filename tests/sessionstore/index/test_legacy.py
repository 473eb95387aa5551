"""A whole-file store is listed like any other, and the samples show what their README lists."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from sessionstore import open_store
from sessionstore.index import Index, Query
from sessionstore.paths import discover
from tests.sessionstore.helpers import NOW, entry, picture, write_legacy
from tests.sessionstore.index.conftest import MakeIndex
from tests.sessionstore.index.looks import keys

KEY = "agent:main:telegram:direct:42"
SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "samples"
VERSIONS = ("openclaw-2026.3.31", "openclaw-2026.6.11", "openclaw-2026.7.1-2")


def test_legacy_rows_are_listed(store_file: Path, make_index: MakeIndex) -> None:
    write_legacy(store_file, {KEY: entry(label="Ada"), "agent:main:main": entry()})
    index = make_index()
    row = index.get(KEY)
    assert row is not None
    assert (row.name, row.layout, row.file_name) == ("Ada", "legacy", "sessions.json")
    assert row.size_bytes == len(json.dumps(entry(label="Ada"), indent=2).replace("\n", "\n  "))
    assert index.summary().sessions == 2


def test_replaced_file_is_read_again_and_unchanged_rows_are_kept(
    store_file: Path, make_index: MakeIndex
) -> None:
    write_legacy(store_file, {KEY: entry(), f"{KEY}1": entry()})
    index = make_index()
    kept = index.get(f"{KEY}1")
    for number in range(50):
        write_legacy(store_file.with_name("next.json"), {KEY: entry(n=number), f"{KEY}1": entry()})
        store_file.with_name("next.json").rename(store_file)
        index.refresh()
        write_legacy(store_file, {KEY: entry(label=f"l{number}"), f"{KEY}1": entry()})
        assert index.refresh().changed == 1
        row = index.get(KEY)
        assert row is not None
        assert row.name == f"l{number}"
    assert index.get(f"{KEY}1") is kept


def test_unchanged_file_is_not_read_again(store_file: Path, make_index: MakeIndex) -> None:
    write_legacy(store_file, {KEY: entry()})
    time.sleep(0.1)  # its times become trustworthy
    index = make_index()
    assert not index.refresh().scanned
    write_legacy(store_file, {KEY: entry(label="changed")})
    assert index.refresh().scanned


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"null", b"[1,"])
def test_damaged_file_has_no_rows_and_a_finding(
    store_file: Path, make_index: MakeIndex, content: bytes
) -> None:
    write_legacy(store_file, {KEY: entry()})
    index = make_index()
    store_file.write_bytes(content)
    before = picture(store_file.parent)
    index.refresh()
    assert index.query(Query(machine=True)).rows == ()
    assert len(index.problems()) == 1
    assert index.problems()[0].severity == "error"
    assert picture(store_file.parent) == before
    write_legacy(store_file, {KEY: entry()})
    index.refresh()
    assert (keys(index), index.problems()) == ([KEY], [])


def test_rows_of_any_kind_never_raise(store_file: Path, make_index: MakeIndex) -> None:
    rows = {
        KEY: entry(),
        KEY.upper(): entry(updatedAt=NOW + 1, label="newer"),
        "number": 5,
        "nothing": None,
        "list": [],
        "text": "x",
        "  ": entry(),
        "n\x00l": entry(),
        "k" * 5000: entry(),
        "odd": {"updatedAt": "x", "label": 5, "origin": [1], "status": {}},
    }
    write_legacy(store_file, rows)
    index = make_index()
    row = index.get(KEY)
    assert row is not None
    assert row.name == "newer"
    with open_store(store_file) as store:
        assert sorted(keys(index)) == store.keys()
        assert sorted(found.rule for found in index.problems()) == sorted(
            found.rule for found in store.problems() if found.severity != "info"
        )


def test_lone_surrogate_in_a_key_can_be_shown(store_file: Path, make_index: MakeIndex) -> None:
    store_file.parent.mkdir(parents=True)
    store_file.write_text('{"agent:\\ud800": {"sessionId": "a"}, "agent:main:main": {}}')
    rows = make_index().query(Query(machine=True)).rows
    assert len(rows) == 2
    assert all(row.key.encode() for row in rows)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not on this machine")
@pytest.mark.parametrize("version", VERSIONS)
def test_sample_shows_the_sessions_that_its_readme_lists(version: str) -> None:
    counts = {}
    for paths in discover(SAMPLES / version):
        index = Index(paths, use_snapshot=False)
        index.refresh()
        counts[paths.agent_id] = index.summary().sessions
        assert sorted(keys(index)) == sorted(json.loads(paths.store_path.read_bytes()))
        assert index.problems() == []
        assert all(row.updated_at_ms and row.session_id for row in index.query(Query()).rows)
        index.close()
    assert counts == {"main": 9, "work": 11}
