"""What a hostile neighbour puts among the lock files: looking at locks stays safe and quick."""

from __future__ import annotations

import dataclasses
import math
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from sessionstore import SessionStoreError
from sessionstore.locks import OFD_RANGES, held_locks, open_locks, slots
from sessionstore.locks.identity import own_identity
from sessionstore.locks.lockfile import open_lock_file
from sessionstore.locks.ofd import IS_SUPPORTED, pack, try_lock

LONG_AGO = (1, 1)


@pytest.fixture
def sidecar(tmp_path: Path) -> Path:
    """A sidecar with its folder of live tables."""
    made = tmp_path / "store" / ".sessionstore" / "sessions"
    (made / "live").mkdir(parents=True)
    return made


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder that is nobody's business, with an old file whose name looks like litter of ours."""
    folder = tmp_path / "elsewhere"
    for place in (folder, folder / "live", folder / "sessions" / "live"):
        place.mkdir(parents=True, exist_ok=True)
        (place / ".new-1-abc").write_text("precious")
        os.utime(place / ".new-1-abc", LONG_AGO)
    return folder


def foreign_table(body: Callable[[bytearray, int], None]) -> bytes:
    """A table of another machine, each slot made by ``body``."""
    identity = dataclasses.replace(own_identity("p"), boot_id="another boot")
    data = bytearray(slots.pack_header(identity, OFD_RANGES).ljust(slots.TABLE_BYTES, b"\0"))
    for at in slots.places():
        body(data, at)
    return bytes(data)


def odd_slot(data: bytearray, at: int) -> None:
    """Held since the beginning of time, with a timeout that is no number and a broken key."""
    struct.pack_into("=I", data, at, 2)
    key = b"\xed\xa0\x80\0\n\x1b" * 33
    slots.BODY.pack_into(data, at + 4, 2, 0, 65535, -(2**63), math.nan, 0, b"\xff" * 24, key)


@pytest.mark.parametrize("linked", ["live", "sidecar", ".sessionstore"])
def test_looking_at_locks_removes_nothing_behind_a_link(
    sidecar: Path, elsewhere: Path, linked: str
) -> None:
    place = {"live": sidecar / "live", "sidecar": sidecar, ".sessionstore": sidecar.parent}[linked]
    place.rename(place.with_name("away"))
    place.symlink_to(elsewhere)
    assert held_locks(sidecar) == []
    assert len(list(elsewhere.rglob(".new-*"))) == 3


def test_folder_of_tables_that_links_to_itself_is_no_crash(sidecar: Path) -> None:
    (sidecar / "live").rmdir()
    (sidecar / "live").symlink_to("live")
    assert held_locks(sidecar) == []


@pytest.mark.parametrize(
    "content",
    [b"[" * 4095 + b"\n", b'{"protocol":' * 300 + b"\n", b"\xff\xfe\n", b"null\n", b"1" * 4000],
    ids=["nested", "nested-objects", "no-text", "null", "no-end"],
)
def test_hostile_lock_file_is_an_error_of_ours_or_none(sidecar: Path, content: bytes) -> None:
    (sidecar / "lock").write_bytes(content)
    for call in (held_locks, open_locks):
        try:
            call(sidecar)
        except SessionStoreError:
            continue


def test_odd_nodes_and_sizes_among_the_tables_are_passed_over(sidecar: Path) -> None:
    live = sidecar / "live"
    for size in (0, 1, slots.TABLE_BYTES - 1, slots.TABLE_BYTES + 1):
        (live / f"size-{size}").write_bytes(b"\0" * size)
    with open(live / "huge", "wb") as file:
        file.write(slots.pack_header(own_identity("p"), OFD_RANGES))
        file.truncate(1 << 40)
    os.mkfifo(live / "fifo")
    (live / "zero").symlink_to("/dev/zero")
    (live / "folder").mkdir()
    (live / "odd").write_bytes(foreign_table(odd_slot))
    held = held_locks(sidecar)
    assert len(held) == slots.SLOTS
    assert {lock.verdict for lock in held} == {"other-host"}


def test_many_tables_of_other_machines_show_a_bounded_number_of_locks(sidecar: Path) -> None:
    table = foreign_table(odd_slot)
    for number in range(60):
        (sidecar / "live" / f"t{number}").write_bytes(table)
    assert len(held_locks(sidecar)) == 4096


@pytest.mark.skipif(not IS_SUPPORTED, reason="Linux has these locks")
def test_many_unexplained_locks_are_found_in_one_walk(
    sidecar: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[object] = []
    list_names = os.listdir

    def listing(path: str) -> list[str]:
        listed.append(path)
        return list_names(path)

    fd = open_lock_file(sidecar, OFD_RANGES)
    try:
        for number in range(1000):
            assert try_lock(fd, pack(1, 0, 1000 + number * 10, 1, 0))
        monkeypatch.setattr(os, "listdir", listing)
        held = held_locks(sidecar)
    finally:
        os.close(fd)
    assert len(held) == 1000
    assert {(lock.verdict, lock.pid) for lock in held} == {("unexplained", os.getpid())}
    assert listed.count("/proc") == 1
