"""Verifying: a bit turned anywhere is found and named, and what is still sound is told."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sessionstore import Store
from sessionstore.backup import Backup, adopt_archive, list_backups, open_archive, verify_backup
from sessionstore.backup.sidecars import Piece, read_note
from sessionstore.errors import DamagedBackupError, UnsafeBackupError
from tests.sessionstore.backup.taking import entries_of, listed, take
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import entry

A, B, ODD = "agent:main:a", "agent:main:b", ".odd"


@contextmanager
def changed(path: Path, data: bytes) -> Iterator[None]:
    """Another content for the length of a block."""
    before = path.read_bytes()
    path.write_bytes(data)
    yield
    path.write_bytes(before)


def flipped(data: bytes, at: int) -> bytes:
    """One bit turned at this byte; which one depends on the byte."""
    return data[:at] + bytes([data[at] ^ 1 << (at * 5 % 8)]) + data[at + 1 :]


@pytest.fixture
def backup(open_kind: MakeStore) -> Backup:
    """A small backup with two ordinary sessions, an odd one and a transcript."""
    store = open_kind("directory", {A: entry(label="a"), B: entry(label="b"), ODD: entry()})
    (store.path.parent / "s.jsonl").write_text('{"n":1}\n')
    return take(store, transcripts=True)


def note_of(backup: Backup) -> Path:
    return backup.path.with_name(f"{backup.id}.json")


def test_bit_turned_anywhere_in_the_archive_is_found_and_named(backup: Backup) -> None:
    data = backup.path.read_bytes()
    for at in range(len(data)):
        with changed(backup.path, flipped(data, at)):
            found = verify_backup(backup, record=False)
            assert not found.ok, f"byte {at} of {len(data)}"
            assert all(one.message and one.path == str(backup.path) for one in found.problems)
            assert backup.id in found.problems[0].message
    assert verify_backup(backup).ok


def test_bit_turned_in_the_content_is_found_without_a_sidecar(backup: Backup) -> None:
    """Deflate has bits that mean nothing; only the sidecar's digests see those."""
    data = backup.path.read_bytes()
    content = gzip.decompress(data)
    note_of(backup).unlink()
    for at in range(len(data)):
        with changed(backup.path, flipped(data, at)):
            try:
                with open_archive(backup) as archive:
                    problems = [one.problem for one in archive.walk() if one.problem]
                    changed_data = backup.path.read_bytes()
                    assert problems or gzip.decompress(changed_data) == content, f"byte {at}"
            except (DamagedBackupError, UnsafeBackupError):
                pass


def test_bit_turned_anywhere_in_the_sidecar_is_found_and_named(backup: Backup) -> None:
    note = note_of(backup)
    data = note.read_bytes()
    for at in range(len(data)):
        with changed(note, flipped(data, at)):
            found = verify_backup(backup, deep=False, record=False)
            assert not found.ok, f"byte {at} of {len(data)}"
            assert "sidecar" in found.problems[0].rule


def test_each_byte_is_in_some_part(backup: Backup) -> None:
    data = backup.path.read_bytes()
    parts = 3
    random.seed(5)
    for at in random.sample(range(len(data)), 60):
        with changed(backup.path, flipped(data, at)):
            found = [verify_backup(backup, part=(n, parts), record=False) for n in (1, 2, 3)]
            assert not all(one.ok for one in found), f"byte {at}"
            assert {one.depth for one in found} == {"part"}


def test_part_that_is_none_is_refused(backup: Backup) -> None:
    for part in ((0, 3), (4, 3), (1, 0), (-1, -1)):
        with pytest.raises(ValueError, match="part"):
            verify_backup(backup, part=part)


@pytest.fixture
def large(open_kind: MakeStore) -> Backup:
    """A backup of several pieces: a dozen sessions that hardly compress."""
    source = random.Random(7)
    texts = [source.randbytes(150_000).hex() for _ in range(12)]
    entries = {f"agent:main:{n}": entry(text=text) for n, text in enumerate(texts)}
    store = open_kind("directory", entries)
    return take(store)


def pieces_of(backup: Backup) -> tuple[Piece, ...]:
    return read_note(backup.path).pieces


def test_damage_costs_only_the_piece_that_it_is_in(large: Backup) -> None:
    pieces = pieces_of(large)
    assert len(pieces) >= 4
    data = large.path.read_bytes()
    with open_archive(large) as archive:
        inside = {one.key for one in archive.members_of(pieces[2])}
    with changed(large.path, flipped(data, pieces[2].offset + pieces[2].size_bytes // 2)):
        found = verify_backup(large, record=False)
        assert not found.ok
        assert found.usable is not None
        lost = {f"agent:main:{n}" for n in range(12)} - set(found.usable)
        assert lost
        assert lost <= inside
        assert lost == {one.key for one in found.problems if one.key}
        with open_archive(large) as archive:
            for key in found.usable:
                assert json.loads(archive.entry(key))["sessionId"] == "s-1"
            for key in lost:
                with pytest.raises(DamagedBackupError):
                    archive.entry(key)
            with pytest.raises(KeyError):
                archive.entry("agent:main:none")


def test_cut_off_archive_gives_what_is_before_the_cut(large: Backup) -> None:
    data = large.path.read_bytes()
    with changed(large.path, data[: len(data) // 2]):
        found = verify_backup(large, record=False)
        assert not found.ok
        assert found.usable is not None
        assert 0 < len(found.usable) < 12
        note_of(large).rename(note_of(large).with_suffix(".aside"))
        alone = verify_backup(large, record=False)
        assert not alone.ok
        assert set(found.usable) == set(alone.usable or ())


@pytest.mark.parametrize("tail", [b"\0", b"garbage" * 100, b"\x1f\x8b"])
def test_bytes_after_the_end_are_found(backup: Backup, tail: bytes) -> None:
    with changed(backup.path, backup.path.read_bytes() + tail):
        found = verify_backup(backup, record=False)
        assert not found.ok
        note_of(backup).unlink()
        with open_archive(backup) as archive, pytest.raises(UnsafeBackupError, match="after its"):
            list(archive.walk())


def test_reading_one_session_reads_only_its_piece(large: Backup) -> None:
    data = large.path.read_bytes()
    last = pieces_of(large)[-1]
    ruined = bytes(last.offset - pieces_of(large)[1].offset)
    first = pieces_of(large)[1].offset
    with (
        changed(large.path, data[:first] + ruined + data[last.offset :]),
        open_archive(large) as archive,
    ):
        keys = [one.key for one in archive.members_of(last) if one.key]
        assert keys
        for key in keys:
            assert archive.entry(key)


def test_result_is_noted_with_time_and_depth(backup: Backup, open_kind: MakeStore) -> None:
    verify_backup(backup, deep=False)
    [now] = _listed(backup)
    assert (now.verified_depth, now.verified_part) == ("structure", None)
    verify_backup(backup, part=(2, 5))
    [now] = _listed(backup)
    assert (now.verified_depth, now.verified_part) == ("part", (2, 5))
    assert now.verified_ms is not None
    assert now.verified_ms >= (backup.verified_ms or 0)


def _listed(backup: Backup) -> list[Backup]:
    return list_backups(backup.path.parent.parent)


def test_damage_that_was_found_stays_in_the_list_until_all_is_sound(backup: Backup) -> None:
    data = backup.path.read_bytes()
    with changed(backup.path, flipped(data, len(data) - 30)):
        assert not verify_backup(backup).ok
    [now] = _listed(backup)
    assert backup.id in now.problem
    assert now.verified_ms == backup.verified_ms
    assert verify_backup(backup, deep=False).ok
    assert _listed(backup)[0].problem
    assert verify_backup(backup).ok
    assert _listed(backup)[0].problem == ""


def test_missing_archive_is_a_problem_and_no_error(backup: Backup) -> None:
    backup.path.unlink()
    found = verify_backup(backup)
    assert [one.rule for one in found.problems] == ["missing-archive"]
    assert _listed(backup)[0].problem


def test_sidecar_of_another_backup_is_found(open_kind: MakeStore) -> None:
    store = open_kind("directory", {A: entry(label="a")})
    first = take(store)
    store.patch(A, {"label": "changed since"})
    second = take(store)
    note_of(first).write_bytes(note_of(second).read_bytes())
    found = verify_backup(first, record=False)
    assert not found.ok
    assert any("sidecar" in one.rule for one in found.problems)


def test_archive_alone_gives_everything_and_can_be_adopted(
    backup: Backup, open_kind: MakeStore
) -> None:
    wanted = entries_of(backup)
    note_of(backup).unlink()
    assert entries_of(backup) == wanted
    [now] = _listed(backup)
    assert "sidecar is missing" in now.problem
    assert now.created_ms // 1000 == backup.created_ms // 1000
    adopted = adopt_archive(now)
    assert _listed(backup) == [adopted]
    kept = replace(backup, took_s=0.0, exclusive_s=0.0, verified_ms=adopted.verified_ms)
    assert replace(adopted, findings=()) == replace(kept, findings=())
    assert verify_backup(adopted).ok


def test_damaged_archive_is_not_adopted(backup: Backup) -> None:
    note_of(backup).unlink()
    data = backup.path.read_bytes()
    with changed(backup.path, flipped(data, len(data) - 200)):
        with pytest.raises((DamagedBackupError, UnsafeBackupError)):
            adopt_archive(backup)
        assert not note_of(backup).exists()


def test_progress_of_a_verification_ends_at_the_total(large: Backup) -> None:
    told: list[tuple[int, int]] = []
    verify_backup(large, progress=lambda done, total, item: told.append((done, total)))
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][0] == told[-1][1]


def test_verifying_changes_nothing_but_the_note(backup: Backup, open_kind: MakeStore) -> None:
    before = {path.name: path.read_bytes() for path in backup.path.parent.glob("*.tar.gz")}
    assert verify_backup(backup).ok
    assert {path.name: path.read_bytes() for path in backup.path.parent.glob("*.tar.gz")} == before


def test_legacy_backup_is_verified_like_any_other(open_kind: MakeStore) -> None:
    store: Store = open_kind("legacy", {A: entry(), ODD: entry()})
    backup = take(store)
    assert verify_backup(backup).checked_sessions == 2
    assert listed(store)[0].verified_depth == "everything"
