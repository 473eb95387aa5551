"""An archive that was made to harm writes nothing, wherever it is to be restored to."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sessionstore import SessionStoreError, Store, open_store
from sessionstore.backup import (
    Backup,
    create_backup,
    drill,
    plan_restore,
    restore,
    restore_to,
)
from sessionstore.backup.archive import header
from sessionstore.backup.packing import make_packer
from tests.sessionstore.helpers import entry, file_of

A, B, ODD = "agent:main:a", "agent:main:b", ".odd"
OLD = {A: entry(label="a", sessionId="s-a"), B: entry(label="b"), ODD: entry(label="odd")}

Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def backup(store: Store, tmp_path: Path) -> Backup:
    store.save(OLD)
    store.path.with_name("s-a.jsonl").write_bytes(b"{}\n")
    return create_backup(store, root=tmp_path / "backups", reason="test", transcripts=True)


def members(backup: Backup) -> Members:
    with tarfile.open(backup.path) as tar:
        return [(one, (tar.extractfile(one) or io.BytesIO()).read()) for one in tar.getmembers()]


def rewritten(backup: Backup, content: Members) -> Backup:
    """The backup with another archive in its place, without its sidecar."""
    blocks = []
    for info, data in content:
        is_ours = info.isreg() and "evil" not in info.name
        blocks.append(header(info.name, info.size) if is_ours else info.tobuf(tarfile.USTAR_FORMAT))
        blocks.append(data + bytes(-len(data) % 512))
    packer = make_packer("gzip")
    backup.path.write_bytes(packer.add(b"".join([*blocks, bytes(1024)])) + packer.end())
    backup.path.with_name(f"{backup.id}.json").unlink()
    return backup


def odd(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = 4 if kind == tarfile.REGTYPE else 0
    return info, b"evil" if kind == tarfile.REGTYPE else b""


ODD_MEMBERS: dict[str, tuple[tarfile.TarInfo, bytes]] = {
    "absolute": odd("/tmp/sessionstore-evil"),
    "dots": odd("sessions/../../evil.json"),
    "link": odd("sessions/evil.json", tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": odd("sessions/evil.json", tarfile.LNKTYPE, "/etc/passwd"),
    "device": odd("sessions/evil", tarfile.CHRTYPE),
    "unnamed": odd("sessions/evil.json"),
}


def hostile(backup: Backup, name: str) -> Backup:
    content = members(backup)
    if name == "twice":
        return rewritten(backup, [*content[:3], content[2], *content[3:]])
    return rewritten(backup, [*content[:2], ODD_MEMBERS[name], *content[2:]])


def outside(tmp_path: Path) -> Iterator[Path]:
    """Files that something evil could have become."""
    yield from tmp_path.rglob("evil*")
    yield from Path("/tmp").glob("sessionstore-evil*")


@pytest.mark.parametrize("name", [*ODD_MEMBERS, "twice"])
def test_hostile_members_are_refused_by_every_restore(
    store: Store, backup: Backup, tmp_path: Path, name: str
) -> None:
    plan = plan_restore(backup, store)
    store.delete(B)
    evil = hostile(backup, name)
    before = store.load()
    calls: list[Callable[[], object]] = [
        lambda: restore_to(evil, tmp_path / "new" / "sessions.json"),
        lambda: plan_restore(evil, store),
        lambda: restore(plan, root=tmp_path / "backups"),
    ]
    for call in calls:
        with pytest.raises(SessionStoreError) as caught:
            call()
        assert "manifest.json has" not in caught.value.message
        assert caught.value.hint
    report = drill(evil, scratch=tmp_path / "scratch")
    assert not report.ok
    assert list(outside(tmp_path)) == []
    assert not (tmp_path / "new" / "sessions.d").exists()
    assert list((tmp_path / "scratch").iterdir()) == []
    assert store.load() == before


def test_an_archive_without_its_sidecar_is_restored(
    store: Store, backup: Backup, tmp_path: Path
) -> None:
    restore_to(rewritten(backup, members(backup)), tmp_path / "new" / "sessions.json")
    with open_store(tmp_path / "new" / "sessions.json") as restored:
        assert restored.load() == store.load()


def test_another_archive_in_the_place_of_the_planned_one_is_refused(
    store: Store, backup: Backup, tmp_path: Path
) -> None:
    store.patch(A, {"label": "newer"})
    other = create_backup(store, root=tmp_path / "backups", reason="other")
    plans = [plan_restore(backup, store), plan_restore(backup, store, keys=[A])]
    backup.path.write_bytes(other.path.read_bytes())
    backup.path.with_name(f"{backup.id}.json").unlink()
    before = store.load()
    for plan in plans:
        with pytest.raises(SessionStoreError):
            restore(plan, root=tmp_path / "backups")
    assert store.load() == before


def test_a_damaged_part_costs_only_what_is_in_it(
    store: Store, backup: Backup, tmp_path: Path
) -> None:
    content = members(backup)
    at = next(n for n, (info, _) in enumerate(content) if "%3Ab" in info.name)
    info, data = content[at]
    damaged = rewritten(
        backup, [*content[:at], (info, data.replace(b'"b"', b'"X"')), *content[at + 1 :]]
    )
    store.patch(A, {"label": "newer"})
    store.patch(B, {"label": "now"})
    plan = plan_restore(damaged, store)
    assert (plan.changed, plan.unusable) == ((A,), (B,))
    assert [one.key for one in plan.findings if one.rule == "damaged-backup"] == [B]
    report = restore(plan, root=tmp_path / "backups")
    assert [one.key for one in report.findings if one.rule == "damaged-backup"] == [B]
    assert {key: (value or {})["label"] for key, value in store.load().items()} == {
        A: "a",
        B: "now",
        ODD: "odd",
    }
    there = restore_to(damaged, tmp_path / "new" / "sessions.json")
    assert (there.sessions, len(there.findings)) == (2, 1)
    with open_store(tmp_path / "new" / "sessions.json") as restored:
        assert restored.load() == {A: OLD[A], ODD: OLD[ODD]}


@pytest.mark.parametrize("place", ["restores", "sessions.d"])
def test_links_in_the_place_of_our_folders_are_not_followed(
    backup: Backup, tmp_path: Path, place: str
) -> None:
    target = tmp_path / "new" / "sessions.json"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    sidecar = target.parent / ".sessionstore" / "sessions"
    sidecar.mkdir(parents=True)
    link = target.with_name(place) if place == "sessions.d" else sidecar / place
    link.symlink_to(elsewhere)
    with pytest.raises(SessionStoreError) as caught:
        restore_to(backup, target)
    assert caught.value.message
    assert list(elsewhere.iterdir()) == []


def test_a_link_in_the_place_of_a_session_is_not_written_through(
    store: Store, backup: Backup, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text("{}")
    path = file_of(store, A)
    path.unlink()
    path.symlink_to(secret)
    restore(plan_restore(backup, store, keys=[A]), root=tmp_path / "backups")
    assert store.get(A) == OLD[A]
    path.unlink()
    path.symlink_to(secret)
    restore(plan_restore(backup, store), root=tmp_path / "backups")
    assert store.load() == OLD
    assert secret.read_text() == "{}"
