"""A fresh migration: what it makes of a ``sessions.json``, and that it keeps everything."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from sessionstore import SessionStoreError, open_store
from sessionstore.migration import GUARD_NOTE_NAME, MigrationReport
from tests.sessionstore.helpers import entry, json_bytes, old_name, side_name, sound
from tests.sessionstore.migration.runs import (
    backups,
    digest,
    leftovers,
    loaded,
    marker,
    run,
    stored,
    write_store,
)

ODD = "agent:main:telegram:<odd>"
ENTRIES = {
    "agent:main:main": entry(label="Ada", nested={"deep": [1, {"a": None}]}),
    "agent:main:b": entry(sessionId="s-2", label="ünïcode \u2028"),
    ODD: entry(sessionId="s-3"),
}


@pytest.fixture
def path(store_file: Path) -> Path:
    write_store(store_file, ENTRIES)
    return store_file


def test_fresh_migration_writes_one_file_per_session_byte_for_byte(path: Path) -> None:
    report = run(path)
    assert report.outcome == "migrated"
    assert (report.taken, report.verified, report.blocked) == (3, 3, ())
    assert stored(path) == {
        old_name("agent:main:main"): json_bytes(ENTRIES["agent:main:main"]),
        old_name("agent:main:b"): json_bytes(ENTRIES["agent:main:b"]),
        side_name(ODD): json_bytes({"sessionKey": ODD, "entry": ENTRIES[ODD]}),
    }
    with open_store(path) as store:
        assert store.layout == "directory"
        assert sound(store)


def test_source_is_kept_with_its_bytes_and_mode(path: Path) -> None:
    before = path.read_bytes()
    report = run(path)
    (kept,) = backups(path)
    assert kept.name == report.source_kept
    assert kept.read_bytes() == before
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert not path.exists()


def test_everything_made_is_private(path: Path) -> None:
    path.chmod(0o644)
    run(path)
    directory = path.with_suffix(".d")
    for one in [directory, *directory.rglob("*"), *backups(path)]:
        assert stat.S_IMODE(one.stat().st_mode) == (0o700 if one.is_dir() else 0o600), one


def test_marker_names_run_source_and_what_it_was_kept_as(path: Path) -> None:
    status, sha256 = path.stat(), digest(path)
    report = run(path)
    (row,) = marker(path)["imports"]
    assert row["run"] == report.run_id
    assert row["name"] == "sessions.json"
    assert (row["size"], row["mtimeNs"]) == (status.st_size, status.st_mtime_ns)
    assert row["sha256"] == sha256 == report.source_sha256
    assert row["kept"] == report.source_kept


def test_run_leaves_nothing_but_directory_and_kept_source(path: Path) -> None:
    run(path)
    assert leftovers(path) == []


def test_second_run_has_nothing_to_do(path: Path) -> None:
    run(path)
    before = (stored(path), marker(path), backups(path))
    report = run(path)
    assert report.outcome == "already"
    assert (stored(path), marker(path), backups(path)) == before
    assert leftovers(path) == []


def test_progress_counts_staging_and_verification(path: Path) -> None:
    seen: list[tuple[int, int]] = []
    run(path, progress=lambda done, total, item: seen.append((done, total)))
    assert seen == [(number, 6) for number in range(1, 7)]


class _StopError(Exception):
    pass


@pytest.mark.parametrize("stop_at", range(1, 7))
def test_what_progress_raises_leaves_the_store_as_it_was(path: Path, stop_at: int) -> None:
    before = path.read_bytes()

    def progress(done: int, total: int, item: str) -> None:
        if done == stop_at:
            raise _StopError

    with pytest.raises(_StopError):
        run(path, progress=progress)
    assert path.read_bytes() == before
    assert not path.with_suffix(".d").exists()
    assert leftovers(path) == []
    assert run(path).taken == 3


def test_guard_takes_the_place_of_the_source(path: Path) -> None:
    report = run(path, guard=True)
    assert report.guard
    assert path.is_dir()
    assert "rollback" in (path / GUARD_NOTE_NAME).read_text()
    assert loaded(path) == ENTRIES
    with open_store(path) as store:
        assert sound(store)


def test_guard_is_put_where_a_store_was_migrated_without(path: Path) -> None:
    run(path)
    assert run(path, guard=True).guard
    assert path.is_dir()


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (b"", "skipped_empty"),
        (b"{}", "skipped_empty"),
        (b"[]", "skipped_empty"),
        (b"{ cut", "skipped_invalid"),
        (b'{"agent:main:x": 5}', "skipped_invalid"),
    ],
)
def test_source_without_sessions_is_left_as_it_is(
    store_file: Path, text: bytes, outcome: str
) -> None:
    store_file.parent.mkdir(parents=True)
    store_file.write_bytes(text)
    assert run(store_file).outcome == outcome
    assert store_file.read_bytes() == text
    assert not store_file.with_suffix(".d").exists()
    assert leftovers(store_file) == []


def test_missing_store_is_missing(store_file: Path) -> None:
    store_file.parent.mkdir(parents=True)
    assert run(store_file).outcome == "missing"
    assert leftovers(store_file) == []


def test_one_bad_row_never_blocks_the_rest(store_file: Path) -> None:
    text = json.dumps({**ENTRIES, "agent:main:null": None, "x" * 5000: {"a": 1}, "": {"a": 2}})
    store_file.parent.mkdir(parents=True)
    store_file.write_text(text)
    report = run(store_file)
    assert loaded(store_file) == ENTRIES
    assert ["xxx" in one.key for one in report.blocked] == [True]
    rules = {finding.rule for finding in report.findings}
    assert {"not-an-entry", "invalid-key"} <= rules


def test_empty_unmarked_directory_gives_way(path: Path) -> None:
    path.with_suffix(".d").mkdir(mode=0o755)
    assert run(path).outcome == "migrated"
    assert stat.S_IMODE(path.with_suffix(".d").stat().st_mode) == 0o700
    assert loaded(path) == ENTRIES


def test_link_in_the_place_of_the_source_is_refused(store_file: Path, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere.json"
    write_store(real, ENTRIES)
    store_file.parent.mkdir(parents=True)
    store_file.symlink_to(real)
    with pytest.raises(SessionStoreError) as caught:
        run(store_file)
    assert isinstance(caught.value.report, MigrationReport)
    assert caught.value.report.outcome == "failed"
    assert caught.value.report.error
    assert json.loads(real.read_bytes()) == ENTRIES
    assert store_file.is_symlink()
