"""Taking a backup: what is in it, where it is, what never fails it, and what it leaves."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessionstore import (
    GatewayRunningError,
    InvalidKeyError,
    Store,
    StoreIOError,
    UnsafeFileError,
    UnsupportedStoreError,
    discover,
    open_store,
)
from sessionstore.backup import (
    create_backup,
    default_root,
    list_backups,
    open_archive,
    untrusted,
    verify_backup,
    writing,
)
from sessionstore.backup.packing import has_zstd
from sessionstore.entries import normalise
from sessionstore.errors import DamagedBackupError
from tests.sessionstore.backup.taking import (
    entries_of,
    leftovers,
    listed,
    manifest_of,
    take,
    unpacked,
)
from tests.sessionstore.children import gateways
from tests.sessionstore.conftest import Kind, MakeStore
from tests.sessionstore.faults import injected
from tests.sessionstore.helpers import (
    data_picture,
    entry,
    file_of,
    side_file,
    sound,
    write_legacy,
    write_unadopted,
)

A, B, ODD, LONG = "agent:main:a", "agent:main:b", ".odd key é", "agent:main:" + "k" * 110
ENTRIES = {
    A: entry(label="a", nested={"deep": [1, 2.5, None]}),
    B: entry(label="b", text="line\nline"),
    ODD: entry(label="odd"),
    LONG: entry(label="long"),
}


@pytest.mark.parametrize("kind", ["directory", "adopted", "legacy"])
def test_backup_holds_every_entry_with_its_etag(open_kind: MakeStore, kind: Kind) -> None:
    entries = dict(ENTRIES)
    if kind == "adopted":
        del entries[LONG]
    store = open_kind(kind, entries)
    before = data_picture(store)
    backup = take(store, by="ada")
    assert {key: normalise(one) for key, one in entries_of(backup).items()} == store.load()
    assert (backup.sessions, backup.by, backup.reason) == (len(entries), "ada", "test")
    assert backup.findings == ()
    assert backup.layout == store.layout
    tags = {one["key"]: one["etag"] for one in manifest_of(backup)["sessions"]}
    assert tags == {key: store.etag(key) for key in entries}
    assert data_picture(store) == before


def test_members_of_a_directory_are_the_bytes_of_its_files(open_kind: MakeStore) -> None:
    store = open_kind("directory", ENTRIES)
    members = unpacked(take(store))
    names = {one["key"]: one["name"] for one in json.loads(members["manifest.json"])["sessions"]}
    for key in ENTRIES:
        assert members[names[key]] == file_of(store, key).read_bytes()
    assert names[A] == "sessions/agent%3Amain%3Aa.json"
    assert re.fullmatch(r"sessions/x/[0-9a-f]{64}\.json", names[ODD])
    assert re.fullmatch(r"sessions/long/[0-9a-f]{64}", names[LONG])
    assert members["source/store.json"] == (store.paths.directory / ".store.json").read_bytes()


def test_manifest_is_the_first_member_and_tells_sizes_and_digests(open_kind: MakeStore) -> None:
    members = unpacked(take(open_kind("directory", ENTRIES)))
    assert next(iter(members)) == "manifest.json"
    manifest = json.loads(members["manifest.json"])
    assert (manifest["kind"], manifest["format"]) == ("sessionstore-backup", 1)
    told = {
        one["name"]: (one["size"], one["sha256"])
        for one in manifest["sessions"] + manifest["sources"]
    }
    assert told == {
        name: (len(data), hashlib.sha256(data).hexdigest())
        for name, data in members.items()
        if name != "manifest.json"
    }


def test_legacy_file_is_kept_byte_for_byte_beside_its_rows(open_kind: MakeStore) -> None:
    store = open_kind("legacy", ENTRIES)
    store.path.write_bytes(json.dumps(ENTRIES, indent=3).encode() + b"\n\n")
    backup = take(store)
    assert unpacked(backup)["source/sessions.json"] == store.path.read_bytes()
    assert entries_of(backup) == ENTRIES


def test_legacy_file_that_is_no_json_is_kept_and_told(open_kind: MakeStore) -> None:
    store = open_kind("legacy", {})
    store.path.write_bytes(b'{"agent:main:a": {"lab')
    backup = take(store)
    assert unpacked(backup)["source/sessions.json"] == b'{"agent:main:a": {"lab'
    assert [one.rule for one in backup.findings] == ["damaged-store"]
    assert str(store.path) in backup.findings[0].message
    assert verify_backup(backup).ok


def test_damaged_rows_of_a_legacy_file_are_kept_and_told(open_kind: MakeStore) -> None:
    store = open_kind("legacy", {A: entry(), B: "no entry", "": entry()})
    backup = take(store)
    assert list(entries_of(backup)) == [A]
    [damaged] = manifest_of(backup)["damaged"]
    assert unpacked(backup)[damaged["name"]] == b'"no entry"'
    assert damaged["key"] == B
    assert sorted(one.rule for one in backup.findings) == ["damaged-entry", "invalid-key"]


def test_damaged_files_are_kept_byte_for_byte_and_told(open_kind: MakeStore) -> None:
    store = open_kind("directory", ENTRIES)
    damage = {A: b"{ no json", ODD: b'{"sessionKey": "another", "entry": {}}'}
    for key, data in damage.items():
        file_of(store, key).write_bytes(data)
    os.symlink("/etc/hostname", store.paths.directory / "agent%3Amain%3Alink.json")
    os.mkfifo(store.paths.directory / "agent%3Amain%3Apipe.json")
    backup = take(store)
    members = unpacked(backup)
    manifest = manifest_of(backup)
    kept = {one["file"]: members[one["name"]] for one in manifest["damaged"]}
    assert set(kept.values()) == set(damage.values())
    assert set(entries_of(backup)) == {B, LONG}
    rules = sorted(one.rule for one in backup.findings)
    assert rules[:2] == ["damaged-entry", "damaged-entry"]
    assert {one.path for one in backup.findings} >= {
        str(store.paths.directory / "agent%3Amain%3Alink.json"),
        str(store.paths.directory / "agent%3Amain%3Apipe.json"),
    }
    assert verify_backup(backup).ok


def test_too_large_an_entry_is_kept_and_told(open_kind: MakeStore) -> None:
    store = open_kind("directory", ENTRIES, max_entry_bytes=4_000)
    file_of(store, A).write_bytes(b'{"text": "' + b"x" * 9_000 + b'"}')
    backup = take(store)
    [damaged] = manifest_of(backup)["damaged"]
    assert (damaged["key"], damaged["size"]) == (A, 9_012)
    assert A not in entries_of(backup)


def test_unadopted_directory_gives_the_newest_of_each_key_and_keeps_the_rest(
    store_file: Path,
) -> None:
    mapping = {
        A: entry(label="old"),
        "Agent:Main:A": entry(label="new", updatedAt=entry()["updatedAt"] + 1),
        ".hidden": entry(label="hidden"),
        "naïve": entry(label="wide"),
        "k" * 200: entry(label="long"),
    }
    write_unadopted(store_file, mapping)
    side_file(store_file.with_suffix(".d"), ODD, entry(label="side"))
    with open_store(store_file) as store:
        wanted = store.load()
        backup = take(store)
        assert entries_of(backup) == wanted
        assert wanted[A]["label"] == "new"
        [loser] = manifest_of(backup)["damaged"]
        assert json.loads(unpacked(backup)[loser["name"]])["label"] == "old"
        assert [one.rule for one in backup.findings] == ["duplicate-key"]
        assert not (store.paths.directory / ".store.json").exists()


def test_selection_holds_only_the_sessions_that_were_named(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry(label="a"), B: entry(), ODD: entry(label="odd")})
    backup = take(store, keys=["AGENT:main:A ", ODD, "agent:main:none"])
    assert set(entries_of(backup)) == {A, ODD}
    assert backup.scope == "selection"
    assert [(one.rule, one.key) for one in backup.findings] == [
        ("no-such-session", "agent:main:none")
    ]
    assert [name for name in unpacked(backup) if name.startswith("source/")] == []
    with pytest.raises(InvalidKeyError):
        take(store, keys=[""])


def test_transcripts_are_cut_after_their_last_whole_line(open_kind: MakeStore) -> None:
    store = open_kind("directory", {A: entry(sessionId="s-a")})
    texts = {
        "s-a.jsonl": b'{"n":1}\n{"n":2}\n{"torn',
        "s-b.jsonl": b'{"n":1}\n{"whole":true}',
        "s-c.jsonl": b"",
        "s-d.jsonl": b'{"never',
        "s-e.jsonl.deleted.2026-11-21T09-41-07.123Z": b'{"old":1}\n{"cut',
        "é\n.jsonl": b"{}\n",
    }
    for name, data in texts.items():
        (store.path.parent / name).write_bytes(data)
    (store.path.parent / "s-a.jsonl.lock").write_text("{}")
    (store.path.parent / "notes.txt").write_text("theirs")
    (store.path.parent / "s-f.jsonl").symlink_to("/etc/hostname")
    backup = take(store, transcripts=True)
    members = unpacked(backup)
    kept = {one["name"]: members[one["member"]] for one in manifest_of(backup)["transcripts"]}
    assert kept == {
        **texts,
        "s-a.jsonl": b'{"n":1}\n{"n":2}\n',
        "s-d.jsonl": b"",
    }
    assert sorted((one.rule, Path(one.path or "").name) for one in backup.findings) == [
        ("not-in-backup", "s-f.jsonl"),
        ("torn-transcript", "s-a.jsonl"),
        ("torn-transcript", "s-d.jsonl"),
    ]
    assert backup.transcripts == 6
    assert verify_backup(backup).ok


def test_last_line_is_cut_however_long_the_transcript_is(open_kind: MakeStore) -> None:
    store = open_kind("directory", {A: entry()})
    whole = b'{"text":"' + b"y" * 100 + b'"}\n'
    (store.path.parent / "s.jsonl").write_bytes(whole + b'{"text":"' + b"x" * 3_000_000)
    backup = take(store, transcripts=True)
    assert unpacked(backup)["transcripts/s.jsonl"] == whole


def test_selection_takes_its_own_transcripts_only(open_kind: MakeStore) -> None:
    store = open_kind("directory", {A: entry(sessionId="s-a"), B: entry(sessionId="s-b")})
    for name in ("s-a.jsonl", "s-b.jsonl"):
        (store.path.parent / name).write_text("{}\n")
    backup = take(store, keys=[A], transcripts=True)
    assert [one["name"] for one in manifest_of(backup)["transcripts"]] == ["s-a.jsonl"]
    assert backup.with_transcripts


def test_empty_store_has_an_empty_backup(open_kind: MakeStore) -> None:
    backup = take(open_kind("directory"))
    assert (backup.sessions, backup.layout) == (0, "empty")
    assert verify_backup(backup).ok


def test_backup_is_private_and_in_the_state_directory(open_kind: MakeStore) -> None:
    store = open_kind("directory", ENTRIES)
    old_umask = os.umask(0)
    try:
        backup = take(store)
    finally:
        os.umask(old_umask)
    state = store.path.parents[3]
    assert backup.path.parent == state / ".sessionstore" / "backups" / "main"
    assert stat.S_IMODE(backup.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(backup.path.with_name(f"{backup.id}.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(backup.path.parent.stat().st_mode) == 0o700
    assert leftovers(store) == []


def test_store_outside_a_state_directory_has_its_backups_beside_it(tmp_path: Path) -> None:
    with open_store(tmp_path / "rooms.json") as store:
        store.put(A, entry())
        assert take(store).path.parent == tmp_path / ".sessionstore" / "backups" / "_"


def test_root_inside_the_store_is_refused(open_kind: MakeStore, tmp_path: Path) -> None:
    store = open_kind("directory", ENTRIES)
    link = tmp_path / "link"
    link.symlink_to(store.paths.directory)
    for root in (store.paths.directory, store.paths.directory / "b", link, store.paths.sidecar):
        with pytest.raises(UnsafeFileError, match="inside the store"):
            take(store, root=root)
    assert sound(store)


def test_agent_that_is_no_folder_name_stays_below_the_root(tmp_path: Path) -> None:
    path = tmp_path / "agents" / "..." / "sessions" / "sessions.json"
    with open_store(path) as store:
        store.put(A, entry())
        backup = take(store)
    assert backup.path.parent.parent == default_root(store.paths)


def test_file_system_without_links_gives_copies_and_says_so(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry(label="a"), ODD: entry()})
    with injected("link", errno.EPERM) as fault:
        backup = take(store)
    assert fault.struck
    assert set(entries_of(backup)) == {A, ODD}
    assert backup.linked is False
    assert [one.rule for one in backup.findings] == ["copied"]
    assert take(store).linked is True


def test_backup_works_beside_a_running_gateway(open_kind: MakeStore, tmp_path: Path) -> None:
    store = open_kind("legacy", ENTRIES)
    gateways.gateway_lock(tmp_path / "gateway", store.path.parents[3], os.getpid())
    with pytest.raises(GatewayRunningError):
        store.patch(A, {"label": "x"})
    backup = take(store)
    assert entries_of(backup) == ENTRIES


def test_content_that_looks_like_a_bomb_is_stored_plain(
    open_kind: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (writing, untrusted):
        monkeypatch.setattr(module, "RATIO_FREE_BYTES", 1 << 20)
    store = open_kind("directory", {A: entry()})
    line = b'{"text":"' + b" " * 100_000 + b'"}\n'
    (store.path.parent / "s.jsonl").write_bytes(line * 30)
    backup = take(store, transcripts=True)
    assert backup.size_bytes > 3_000_000
    assert verify_backup(backup).ok
    assert leftovers(store) == []


@pytest.mark.skipif(not has_zstd(), reason="no zstd: pip install zstandard")
def test_zstd_backup_is_read_like_any_other(open_kind: MakeStore) -> None:
    store = open_kind("directory", ENTRIES)
    backup = take(store, compression="zstd")
    assert backup.path.name.endswith(".tar.zst")
    assert entries_of(backup) == store.load()
    assert verify_backup(backup).ok


@pytest.mark.skipif(has_zstd(), reason="zstd is there")
def test_zstd_without_its_library_is_refused_before_anything(open_kind: MakeStore) -> None:
    store = open_kind("directory", ENTRIES)
    with pytest.raises(UnsupportedStoreError, match="zstandard"):
        take(store, compression="zstd")
    assert not default_root(store.paths).exists()


def test_progress_tells_every_member_and_ends_at_the_total(open_kind: MakeStore) -> None:
    store = open_kind("directory", ENTRIES)
    told: list[tuple[int, int, str]] = []
    take(store, progress=lambda *step: told.append(step))
    assert [done for done, _, _ in told] == list(range(1, len(told) + 1))
    assert told[-1][0] == told[-1][1]
    assert set(ENTRIES) <= {item for _, _, item in told}


def test_cancelled_backup_leaves_nothing(open_kind: MakeStore) -> None:
    store = open_kind("directory", ENTRIES)

    class CancelledError(Exception):
        pass

    for last in range(1, 11):

        def cancel(done: int, total: int, item: str, last: int = last) -> None:
            if done == last:
                raise CancelledError

        with pytest.raises(CancelledError):
            take(store, progress=cancel)
        assert (listed(store), leftovers(store)) == ([], [])
    assert sound(store)


@pytest.mark.parametrize("code", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("call", ["write", "fsync", "rename", "mkdir", "pread"])
def test_disk_error_stops_the_backup_and_leaves_nothing(
    open_kind: MakeStore, call: str, code: str
) -> None:
    store = open_kind("directory", ENTRIES)
    (store.path.parent / "s.jsonl").write_text("{}\n")
    take(store, transcripts=True)
    before = listed(store)
    for skip in range(40):
        with injected(call, getattr(errno, code), skip=skip) as fault:
            try:
                take(store, transcripts=True)
            except StoreIOError as error:
                assert error.errno == getattr(errno, code)
                assert error.path
                assert listed(store) == before
        assert leftovers(store) == []
        if not fault.struck:
            break
        before = listed(store)
    else:
        assert fault.struck, "the error never came to an end"
    assert sound(store)
    assert all(verify_backup(one).ok for one in listed(store)[:2])


def test_too_little_space_is_seen_before_anything_is_written(
    open_kind: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_kind("directory", ENTRIES)
    real = os.statvfs
    few = os.statvfs_result((4096, 4096, 10, 1, 0, 10, 10, 10, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: few)
    with pytest.raises(StoreIOError, match="bytes free") as caught:
        take(store)
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.setattr(os, "statvfs", real)
    assert (listed(store), leftovers(store)) == ([], [])


def test_backup_that_does_not_read_back_is_not_kept(
    open_kind: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_kind("directory", ENTRIES)
    real = os.pread

    def flipped(fd: int, size: int, offset: int) -> bytes:
        data = real(fd, size, offset)
        name = os.readlink(f"/proc/self/fd/{fd}")
        if name.endswith(".tar.gz") and len(data) > 300:
            return data[:-40] + bytes([data[-40] ^ 1]) + data[-39:]
        return data

    monkeypatch.setattr(os, "pread", flipped)
    with pytest.raises(DamagedBackupError):
        take(store)
    assert (listed(store), leftovers(store)) == ([], [])


SAMPLES = ("openclaw-2026.3.31", "openclaw-2026.6.11", "openclaw-2026.7.1-2")


@pytest.mark.parametrize("sample", SAMPLES)
def test_each_sample_is_backed_up_whole(copy_sample: Callable[[str], Path], sample: str) -> None:
    for paths in discover(copy_sample(sample)):
        with open_store(paths) as store:
            backup = create_backup(store, reason="sample", transcripts=True)
            assert {key: normalise(one) for key, one in entries_of(backup).items()} == store.load()
            assert backup.agent_id == paths.agent_id
            members = unpacked(backup)
            assert members["source/sessions.json"] == store.path.read_bytes()
            kept = {one["name"]: one["member"] for one in manifest_of(backup)["transcripts"]}
            there = [one for one in store.path.parent.iterdir() if ".jsonl" in one.name]
            assert {one.name: one.read_bytes() for one in there} == {
                name: members[member] for name, member in kept.items()
            }
            assert verify_backup(backup).ok
            assert sound(store)


def test_agents_share_a_root_and_keep_apart(tmp_path: Path) -> None:
    for agent in ("main", "work"):
        path = tmp_path / "agents" / agent / "sessions" / "sessions.json"
        write_legacy(path, {A: entry(label=agent)})
        with open_store(path) as store:
            take(store, root=tmp_path / "elsewhere")
    found = {one.agent_id: one for one in list_backups(tmp_path / "elsewhere")}
    assert set(found) == {"main", "work"}
    for name, backup in found.items():
        with open_archive(backup) as archive:
            assert json.loads(archive.entry(A))["label"] == name


def test_findings_name_the_store_and_not_the_work_folder(open_kind: MakeStore) -> None:
    store = open_kind("directory", ENTRIES)
    file_of(store, A).write_bytes(b"{")
    backup: Any = take(store)
    for found in backup.findings:
        assert "runs" not in found.message
        assert str(found.path).startswith(str(store.paths.directory))


def test_store_is_the_same_after_a_backup(make_blocking: MakeStore) -> None:
    store: Store = make_blocking({A: entry(), ODD: entry()})
    before = data_picture(store)
    take(store, transcripts=True)
    assert data_picture(store) == before


def test_directory_of_another_layout_is_refused(store_file: Path) -> None:
    """An empty backup of it would look like one of an empty store."""
    folder = store_file.with_suffix(".d") / "some-session"
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text("{}")
    with open_store(store_file) as store:
        with pytest.raises(UnsupportedStoreError, match="another layout"):
            take(store)
        assert (listed(store), leftovers(store)) == ([], [])


def test_sidecar_stays_small_however_much_is_damaged(open_kind: MakeStore) -> None:
    store = open_kind("directory", {A: entry()})
    for number in range(400):
        path = store.paths.directory / f"agent%3Amain%3A{number}.json"
        path.write_bytes(b"{" + b"x" * number)
    (store.paths.directory / os.fsdecode(b"\xff.json")).write_bytes(b"{}")
    backup = take(store)
    assert len(manifest_of(backup)["damaged"]) == 400
    assert len(backup.findings) == 101
    assert "300 more" in backup.findings[-1].message
    assert backup.path.with_name(f"{backup.id}.json").stat().st_size < 100_000
    assert listed(store) == [backup]


def test_store_at_a_path_that_is_no_utf8_is_backed_up(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff\xfe") / "sessions.json"
    with open_store(path) as store:
        store.put(A, entry())
        file_of(store, A).write_bytes(b"{")
        (path.parent / os.fsdecode(b"\xff.jsonl")).write_bytes(b"{}\n")
        backup = take(store, transcripts=True)
        assert listed(store) == [backup]
        assert verify_backup(backup).ok


@pytest.mark.parametrize("text", ["x" * 2_001, "\ud800"])
def test_reason_that_no_list_could_show_is_refused(open_kind: MakeStore, text: str) -> None:
    store = open_kind("directory", {A: entry()})
    for texts in ({"reason": text}, {"by": text}):
        with pytest.raises(ValueError, match="characters"):
            take(store, **texts)
