"""Whatever lies in a store becomes a row or a finding; nothing is followed, changed or raised."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sessionstore import open_store
from sessionstore.index import Query
from sessionstore.paths import StorePaths, discover
from tests.sessionstore.helpers import (
    entry,
    json_bytes,
    old_name,
    picture,
    side_file,
    side_name,
    write_unadopted,
)
from tests.sessionstore.index.conftest import MakeIndex
from tests.sessionstore.index.looks import keys

KEY = "agent:main:telegram:direct:42"
BAD = "agent:main:bad"


@pytest.fixture
def directory(store_file: Path, paths: StorePaths) -> Path:
    """A marked store with one sound session."""
    with open_store(store_file) as store:
        store.put(KEY, entry())
    return paths.directory


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "damaged-entry"),
        (b"{", "damaged-entry"),
        (b"[1]", "damaged-entry"),
        (b"\xff" * 100, "damaged-entry"),
        (b"x" * 10_000_000, "unsafe-file"),
        (b'{"a":' + b"[" * 200_000, "damaged-entry"),
    ],
)
def test_damaged_file_is_a_row_with_its_problem(
    directory: Path, make_index: MakeIndex, content: bytes, rule: str
) -> None:
    (directory / old_name(BAD)).write_bytes(content)
    before = picture(directory)
    index = make_index()
    row = index.get(BAD)
    assert row is not None
    assert row.problem is not None
    assert (row.problem.rule, row.problem.key, row.size_bytes) == (rule, BAD, len(content))
    assert index.query(Query(damaged=True)).rows == (row,)
    assert keys(index, Query(damaged=False)) == [KEY]
    assert picture(directory) == before


def test_link_fifo_socket_and_directory_are_rows_and_do_not_block(
    directory: Path, make_index: MakeIndex, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.json"
    outside.write_bytes(json_bytes(entry(label="secret")))
    (directory / old_name("agent:main:link")).symlink_to(outside)
    os.mkfifo(directory / old_name("agent:main:fifo"))
    (directory / old_name("agent:main:folder")).mkdir()
    started = time.monotonic()
    index = make_index()
    assert time.monotonic() - started < 2
    for name in ("link", "fifo", "folder"):
        row = index.get(f"agent:main:{name}")
        assert row is not None
        assert row.problem is not None
        assert (row.problem.rule, row.name) == ("unsafe-file", "")
    assert index.summary().sessions == 4


def test_size_limit_can_be_set(directory: Path, make_index: MakeIndex) -> None:
    (directory / old_name(BAD)).write_bytes(json_bytes(entry(label="x" * 5_000)))
    assert make_index().summary().problems == 0
    index = make_index(max_entry_bytes=4_096)
    assert [found.rule for found in index.problems()] == ["unsafe-file"]


def test_foreign_names_are_rows_without_a_key(directory: Path, make_index: MakeIndex) -> None:
    (directory / "notes.txt").write_text("note")
    (directory / "x").mkdir()
    (directory / "x" / "README").write_text("note")
    (directory / ".DS_Store").write_text("note")
    os.close(os.open(os.fsencode(directory) + b"/\xff\xfe.json", os.O_CREAT | os.O_WRONLY))
    index = make_index()
    rows = index.query(Query(flags=frozenset(["no-key"]))).rows
    assert sorted(row.key for row in rows) == [
        "File \\xff\\xfe.json",
        "File notes.txt",
        "File x/README",
    ]
    assert all(row.problem and row.problem.rule == "foreign-file" for row in rows)
    assert index.summary().sessions == 1
    assert index.get("File notes.txt") in rows
    assert index.get("file notes.txt") is None


def test_names_of_the_side_area_must_be_those_of_their_keys(
    directory: Path, make_index: MakeIndex
) -> None:
    side_file(directory, "agent:main:🦊", entry(label="fox"))
    stolen = directory / side_name("agent:main:🐻")
    stolen.write_bytes(json_bytes({"sessionKey": "agent:main:🦊", "entry": entry(label="bear")}))
    broken = directory / side_name("agent:main:🐍")
    broken.write_bytes(b"{}")
    index = make_index()
    fox = index.get("agent:main:🦊")
    assert fox is not None
    assert (fox.name, fox.file_name) == ("fox", side_name("agent:main:🦊"))
    assert [found.rule for found in index.problems()] == ["damaged-entry"] * 2
    assert index.get("agent:main:🐍") is None


@pytest.mark.parametrize(
    "key", ["__proto__", "constructor", "__class__", ".", "..", ".json", "con"]
)
def test_awkward_keys_are_ordinary_rows(store_file: Path, make_index: MakeIndex, key: str) -> None:
    with open_store(store_file) as store:
        store.put(key, entry(label="here"))
    row = make_index().get(key)
    assert row is not None
    assert (row.key, row.name, row.problem) == (key, "here", None)


def test_damage_to_one_file_changes_no_other_row(
    store_file: Path, directory: Path, make_index: MakeIndex
) -> None:
    with open_store(store_file) as store:
        for number in range(1000):
            store.put(f"{KEY}{number}", entry())
    (directory / old_name(f"{KEY}500")).write_bytes(os.urandom(500))
    index = make_index()
    assert index.summary().sessions == 1001
    assert index.query(Query(damaged=False)).matched == 1000


def test_newest_of_two_files_counts_and_the_other_is_reported(
    store_file: Path, make_index: MakeIndex, watch: str
) -> None:
    write_unadopted(
        store_file, {KEY: entry(updatedAt=5), KEY.upper(): entry(updatedAt=7, label="B")}
    )
    index = make_index(watch=watch)
    row = index.get(KEY)
    assert row is not None
    assert (row.name, row.file_name) == ("B", old_name(KEY.upper()))
    assert row.flags == ("awkward-name",)
    assert [(found.rule, found.key) for found in index.problems()] == [("duplicate-key", KEY)]
    assert index.summary().sessions == 1
    write_unadopted(store_file, {KEY: entry(updatedAt=9, label="A")})
    index.refresh()
    row = index.get(KEY)
    assert row is not None
    assert row.name == "A"


def test_sound_file_counts_before_a_newer_damaged_one(
    store_file: Path, paths: StorePaths, make_index: MakeIndex
) -> None:
    write_unadopted(store_file, {KEY: entry(label="sound")})
    (paths.directory / old_name(KEY.upper())).write_bytes(b"{")
    row = make_index().get(KEY)
    assert row is not None
    assert row.name == "sound"


def test_equal_times_are_settled_as_the_store_settles_them(
    store_file: Path, make_index: MakeIndex
) -> None:
    for first, second in (("A", "B"), ("B", "A")):
        write_unadopted(store_file, {KEY: entry(label=first), KEY.upper(): entry(label=second)})
        with open_store(store_file) as store:
            wanted = store.get(KEY)
        row = make_index().get(KEY)
        assert wanted is not None
        assert row is not None
        assert row.name == wanted["label"]


def test_index_and_store_agree_on_keys_and_problems(
    store_file: Path, paths: StorePaths, make_index: MakeIndex
) -> None:
    write_unadopted(store_file, {KEY: entry(), KEY.upper(): entry(updatedAt=1), "a.b": entry()})
    (paths.directory / old_name(BAD)).write_bytes(b"{")
    (paths.directory / "notes.txt").write_text("note")
    index = make_index()
    with open_store(store_file) as store:
        assert sorted(keys(index)) == store.keys()
        assert sorted(found.rule for found in index.problems()) == sorted(
            found.rule for found in store.problems() if found.severity != "info"
        )


def test_directory_of_another_layout_is_not_read(
    store_file: Path, paths: StorePaths, make_index: MakeIndex
) -> None:
    folder = paths.directory / "agent--main--main"
    folder.mkdir(parents=True)
    (folder / "meta.json").write_bytes(json_bytes(entry()))
    index = make_index()
    assert [found.rule for found in index.problems()] == ["unsupported-store"]
    assert index.summary().sessions == 0


def test_later_format_is_not_read(directory: Path, make_index: MakeIndex) -> None:
    (directory / ".store.json").write_bytes(json_bytes({"kind": "sessionstore", "format": 99}))
    index = make_index()
    assert [found.rule for found in index.problems()] == ["unsupported-store"]


def test_linked_agent_is_reported_and_not_read(
    tmp_path: Path, store_file: Path, make_index: MakeIndex
) -> None:
    with open_store(store_file) as store:
        store.put(KEY, entry())
    state = store_file.parents[3]
    (state / "agents" / "linked").symlink_to(store_file.parents[1])
    linked = next(paths for paths in discover(state) if paths.agent_id == "linked")
    index = make_index(linked)
    assert [found.rule for found in index.problems()] == ["linked-path"]
    assert index.summary().sessions == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_directory_is_a_finding(directory: Path, make_index: MakeIndex) -> None:
    directory.chmod(0)
    try:
        assert [found.rule for found in make_index().problems()] == ["unreadable"]
    finally:
        directory.chmod(0o700)


@pytest.mark.parametrize("plant", ["link", "dangling-link", "file"])
def test_what_stands_in_place_of_the_side_area_hides_no_other_session(
    directory: Path, make_index: MakeIndex, tmp_path: Path, watch: str, plant: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    side = directory / "x"
    if plant == "file":
        side.write_bytes(b"theirs")
    else:
        side.symlink_to(outside if plant == "link" else tmp_path / "nowhere")
    index = make_index(watch=watch)
    assert keys(index) == [KEY]
    assert [(one.rule, one.path) for one in index.problems()] == [("unsafe-file", str(side))]
    with open_store(directory.parent / "sessions.json") as store:
        assert index.problems() == store.problems()
        store.patch(KEY, {"label": "new"})
    index.refresh()
    row = index.get(KEY)
    assert row is not None
    assert row.name == "new"
    side.unlink()
    index.refresh()
    assert (keys(index), index.problems()) == ([KEY], [])


def test_hidden_session_of_another_program_is_reported_as_the_store_does(
    directory: Path, make_index: MakeIndex, store_file: Path, watch: str
) -> None:
    index = make_index(watch=watch)
    (directory / ".hidden.json").write_bytes(json_bytes(entry()))
    (directory / ".hidden.json.tmp").write_bytes(b"{")
    index.refresh()
    path = str(directory / ".hidden.json")
    assert [(one.rule, one.path) for one in index.problems()] == [("foreign-file", path)]
    with open_store(store_file) as store:
        assert index.problems() == store.problems()
    assert index.summary().sessions == 1
