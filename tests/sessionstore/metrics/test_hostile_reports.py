"""Whatever is in the folder of reports: nothing hides another file, nothing is followed."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from sessionstore import UnsafeFileError
from sessionstore.metrics import Histogram, History, HotSession, Window
from sessionstore.recording.records import (
    FOLDER,
    MAGIC,
    MOST_FRAME_BYTES,
    SOURCES_MAGIC,
    frame_of,
    pack_frame,
)
from sessionstore.recording.scanning import identity_of, pack_sources
from sessionstore.recording.segments import MOST_FILE_BYTES, own_host
from sessionstore.recording.thinning import thin, tidy
from tests.sessionstore.metrics.reporting import (
    HOUR,
    MINUTE,
    NOW,
    names_of,
    paths_in,
    report,
    touch,
    window,
)

pytestmark = pytest.mark.timeout(20)  # a FIFO that is waited for never answers

GOOD = window(NOW - 5 * HOUR)


def changed(**fields: object) -> bytes:
    """A frame whose window differs in one field."""
    return pack_frame(msgspec.structs.replace(window(NOW - 5 * HOUR), **fields))


def with_histogram(histogram: Histogram) -> bytes:
    return changed(reads={"get": histogram})


def raw(payload: bytes) -> bytes:
    return frame_of(payload)


BAD_FRAMES: dict[str, bytes] = {
    "negative count": with_histogram(Histogram({3: -1}, 1, 1)),
    "negative total": with_histogram(Histogram({3: 1}, -1, 1)),
    "bucket out of range": with_histogram(Histogram({10**6: 1}, 1, 1)),
    "negative bucket": with_histogram(Histogram({-3: 1}, 1, 1)),
    "year 9999": changed(from_ms=253402300799000, until_ms=253402300799000),
    "next week": changed(from_ms=NOW + 160 * HOUR, until_ms=NOW + 160 * HOUR),
    "ends before it begins": changed(from_ms=NOW, until_ms=NOW - 1),
    "covered after it begins": changed(covered_from_ms=NOW),
    "years long": changed(from_ms=1, covered_from_ms=1),
    "negative time": changed(covered_from_ms=-5),
    "long key": changed(sessions=[HotSession("k" * 1_000_000)]),
    "many sessions": changed(sessions=[HotSession("k")] * 5_000),
    "another version": changed(version=2),
    "no window": raw(b"\x93\x01\x02\x03"),
    "text": raw(b"\xa5hello"),
    "deep": raw(b"\x9b\x01\x00\x00\x00\x90\x90\x90\x90\x80\x80" + b"\x91" * 100_000 + b"\x01"),
    "promises a large array": raw(b"\x95\x01\x00\x00\x00\xdd\xff\xff\xff\xff"),
    "no text": changed(counters={}).replace(b"gateway", b"gat\xff\xfeay"),
    "empty": raw(b""),
}
BAD_FRAMES["no text"] = raw(msgspec.msgpack.encode(GOOD).replace(b"gateway", b"gat\xff\xfeay"))
BAD_ENDS: dict[str, bytes] = {
    "garbage": os.urandom(3) + b"not a frame at all",
    "wrong checksum": pack_frame(GOOD)[:-1] + b"\xff",
    "absurd length": struct.pack("<III", MAGIC, 0xFFFF_FFFF, 0),
    "longer than any": struct.pack("<III", MAGIC, MOST_FRAME_BYTES + 1, 0) + b"x" * 100,
    "zeros": bytes(100),
}


def look(folder: Path) -> tuple[int, int]:
    """How many updates are known, and how many reports were refused."""
    history = History(paths_in(folder))
    history.refresh(now_ms=NOW)
    total = history.total(0, 1 << 62)
    history.steps(NOW - 6 * HOUR, NOW, HOUR)
    history.reporters()
    return sum(group.count for group in total.groups), history.refused


@pytest.mark.parametrize("bad", BAD_FRAMES)
def test_a_bad_report_is_counted_and_the_others_are_read(tmp_path: Path, bad: str) -> None:
    paths = paths_in(tmp_path)
    path = report(paths, [])
    path.write_bytes(pack_frame(GOOD) + BAD_FRAMES[bad] + pack_frame(GOOD))
    report(paths, [window(NOW - 5 * HOUR, pid=2)], pid=2)
    assert look(tmp_path) == (3, 1)


@pytest.mark.parametrize("bad", BAD_ENDS)
def test_what_is_no_frame_ends_its_own_file_only(tmp_path: Path, bad: str) -> None:
    paths = paths_in(tmp_path)
    path = report(paths, [])
    path.write_bytes(pack_frame(GOOD) + BAD_ENDS[bad] + pack_frame(GOOD))
    report(paths, [window(NOW - 5 * HOUR, pid=2)], pid=2)
    assert look(tmp_path) == (2, 1)


@pytest.mark.parametrize("bad", [*BAD_FRAMES, *BAD_ENDS])
def test_thinning_keeps_what_is_sound(tmp_path: Path, bad: str) -> None:
    paths = paths_in(tmp_path)
    path = report(paths, [])
    path.write_bytes(pack_frame(GOOD) + (BAD_FRAMES | BAD_ENDS)[bad])
    touch(path, NOW - 5 * HOUR)
    report(paths, [window(NOW - 5 * HOUR, pid=2)], pid=2)
    tidy(paths.sidecar, now_ms=NOW)
    assert look(tmp_path)[0] == 2


def test_a_file_with_nothing_sound_stays_to_be_told_of_for_three_days(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    path = report(paths, [])
    path.write_bytes(b"garbage, garbage, garbage")
    touch(path, NOW - 5 * HOUR)
    tidy(paths.sidecar, now_ms=NOW)
    assert look(tmp_path) == (0, 1)
    tidy(paths.sidecar, now_ms=NOW + 72 * HOUR)
    assert names_of(paths) == set()


def test_a_report_cut_by_a_kill_is_nothing_to_complain_of(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    path = report(paths, [])
    path.write_bytes(pack_frame(GOOD)[:-20])
    touch(path, NOW - 5 * HOUR)
    assert look(tmp_path) == (0, 0)
    tidy(paths.sidecar, now_ms=NOW)
    assert names_of(paths) == set()


def link(path: Path) -> None:
    target = path.parent.parent / "target"
    target.write_bytes(pack_frame(GOOD))
    path.symlink_to(target)


def large(path: Path) -> None:
    path.write_bytes(pack_frame(GOOD))
    os.truncate(path, MOST_FILE_BYTES + 1)
    touch(path, NOW - 5 * HOUR)


PLANTS: dict[str, Callable[[Path], None]] = {
    "link": link,
    "broken link": lambda path: path.symlink_to("nowhere"),
    "FIFO": os.mkfifo,
    "directory": lambda path: path.mkdir(),
    "large": large,
}
MERGED = f"merged.{NOW // 1000 - 5 * 3600 - 60}.{NOW // 1000 - 5 * 3600}.1.1.windows"


@pytest.mark.parametrize("name", ["evil-1-2.windows", MERGED])
@pytest.mark.parametrize("plant", PLANTS)
def test_odd_files_are_counted_never_followed_never_waited_for(
    tmp_path: Path, plant: str, name: str
) -> None:
    paths = paths_in(tmp_path)
    PLANTS[plant](paths.sidecar / FOLDER / name)
    report(paths, [GOOD])
    assert look(tmp_path) == (1, 1)
    tidy(paths.sidecar, now_ms=NOW)
    assert look(tmp_path) == (1, 1)
    if plant == "link":
        assert (paths.sidecar / "target").read_bytes() == pack_frame(GOOD)


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    (paths.sidecar / FOLDER).rmdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    victim = elsewhere / f"{own_host()}-1-1.windows"
    victim.write_bytes(pack_frame(GOOD))
    touch(victim, NOW - 100 * HOUR)
    (paths.sidecar / FOLDER).symlink_to(elsewhere)
    tidy(paths.sidecar, now_ms=NOW)
    assert victim.exists()
    with pytest.raises(UnsafeFileError):
        History(paths).refresh(now_ms=NOW)


def test_a_writers_file_cannot_make_another_disappear(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    victim = report(paths, [GOOD])
    evil = report(paths, [], pid=2)
    evil.write_bytes(pack_sources([identity_of(victim.name, victim.read_bytes())]))
    assert look(tmp_path) == (1, 0)
    tidy(paths.sidecar, now_ms=NOW)
    assert look(tmp_path)[0] == 1


@pytest.mark.parametrize(
    "sources",
    [
        frame_of(b"\xa1x", magic=SOURCES_MAGIC),
        frame_of(b"\xdd\xff\xff\xff\xff", magic=SOURCES_MAGIC),
        pack_sources(["../../../sessions.json:00", "nothing", ":", "a/b:00"]),
        frame_of(b"\x91" * 100_000, magic=SOURCES_MAGIC),
    ],
)
def test_sources_of_a_merged_file_lead_nowhere_else(tmp_path: Path, sources: bytes) -> None:
    paths = paths_in(tmp_path)
    paths.store_path.write_bytes(b"{}")
    path = paths.sidecar / FOLDER / f"merged.{NOW // 1000 - 9}.{NOW // 1000}.1.1.windows"
    path.write_bytes(sources + pack_frame(GOOD))
    report(paths, [GOOD])
    assert look(tmp_path)[0] == 2
    tidy(paths.sidecar, now_ms=NOW)
    assert paths.store_path.read_bytes() == b"{}"
    assert look(tmp_path)[0] == 2


def test_thousands_of_files_are_read_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sessionstore.metrics import loading
    from sessionstore.recording import closed

    monkeypatch.setattr(loading, "MOST_FILES", 20)
    monkeypatch.setattr(closed, "MOST_FILES", 20)
    paths = paths_in(tmp_path)
    for pid in range(30):
        report(paths, [window(NOW - 5 * HOUR, pid=pid)], pid=pid)
    assert look(tmp_path) == (20, 10)
    for _ in range(3):
        assert thin(paths.sidecar, now_ms=NOW)
    assert look(tmp_path) == (30, 0)


def test_equal_names_of_labels_are_text_only(tmp_path: Path) -> None:
    """Markup, control characters and line ends come through as they are, for pages to escape."""
    text = "<script>\x00\r\n\u202e"
    paths = paths_in(tmp_path)
    report(paths, [window(NOW - MINUTE, key=text, operation=text)])
    history = History(paths)
    history.refresh(now_ms=NOW)
    total: Window = history.total(0, NOW)
    assert total.sessions[0].key == text
    assert total.groups[0].labels.operation == text


def test_checksums_are_crc32_of_the_payload() -> None:
    frame = pack_frame(GOOD)
    magic, length, checksum = struct.unpack_from("<III", frame)
    assert (magic, length, checksum) == (MAGIC, len(frame) - 12, zlib.crc32(frame[12:]))
