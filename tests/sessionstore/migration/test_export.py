"""Exporting a store as one file for programs of the JSON era."""

from __future__ import annotations

import errno
import hashlib
import json
import stat
from pathlib import Path

import pytest

from sessionstore import StoreIOError, UnsafeFileError, export_legacy, open_store
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.faults import always, creating, injected
from tests.sessionstore.helpers import data_picture, entry, file_of, json_bytes
from tests.sessionstore.test_samples import AGENTS, JSON_ERA, SAMPLES, copy_of, store_file_of

A, B, ODD = "agent:main:a", "agent:main:b", "agent:main:<odd>"
ENTRIES = {A: entry(label="Ada", nested={"deep": [1]}), B: entry(label="ünïcode"), ODD: entry()}


def test_export_has_the_bytes_that_openclaw_writes(
    make_blocking: MakeStore, tmp_path: Path
) -> None:
    store = make_blocking(ENTRIES)
    report = export_legacy(store, tmp_path / "out.json")
    data = (tmp_path / "out.json").read_bytes()
    assert data == json_bytes(dict(sorted(ENTRIES.items())))
    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o600
    assert (report.sessions, report.size_bytes) == (3, len(data))
    assert report.sha256 == hashlib.sha256(data).hexdigest()
    assert report.findings == ()


def test_export_changes_nothing_of_the_store(make_blocking: MakeStore, tmp_path: Path) -> None:
    store = make_blocking(ENTRIES)
    before = data_picture(store)
    export_legacy(store, tmp_path / "out.json")
    assert data_picture(store) == before


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no sample state directories at {SAMPLES}")
@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("sample", JSON_ERA)
def test_export_of_a_sample_has_its_entries(tmp_path: Path, sample: str, agent: str) -> None:
    path = store_file_of(copy_of(sample, tmp_path), agent)
    before = json.loads(path.read_bytes())
    with open_store(path) as store:
        export_legacy(store, tmp_path / "out.json")
    after = json.loads((tmp_path / "out.json").read_bytes())
    for one in [*before.values(), *after.values()]:
        one.pop("sessionFile", None)
    assert after == before


def test_session_file_leads_to_the_transcript_or_is_left_out(
    make_blocking: MakeStore, store_file: Path, tmp_path: Path
) -> None:
    store_file.parent.mkdir(parents=True)
    here = store_file.with_name("here.jsonl")
    here.write_text("{}\n")
    store = make_blocking(
        {
            "right": entry(sessionId="here", sessionFile=str(here)),
            "moved": entry(sessionId="here", sessionFile="/elsewhere/here.jsonl"),
            "gone": entry(sessionId="gone", sessionFile="/elsewhere/gone.jsonl", label="kept"),
            "none": entry(sessionId="here"),
        }
    )
    report = export_legacy(store, tmp_path / "out.json")
    found = json.loads((tmp_path / "out.json").read_bytes())
    assert found["right"]["sessionFile"] == str(here)
    assert found["moved"]["sessionFile"] == str(here)
    assert found["gone"] == entry(sessionId="gone", label="kept")
    assert found["none"] == entry(sessionId="here")
    assert {(one.rule, one.key) for one in report.findings} == {
        ("session-file", "moved"),
        ("session-file", "gone"),
    }


def test_export_warns_of_what_programs_would_spoil(
    make_blocking: MakeStore, tmp_path: Path
) -> None:
    store = make_blocking({"big": entry(cost=2**60), "id": entry(sessionId="a:b")})
    found = {(one.rule, one.key) for one in export_legacy(store, tmp_path / "out.json").findings}
    assert found == {("big-integer", "big"), ("refused-id", "id")}


def test_damaged_session_is_named_and_left_out(open_kind: MakeStore, tmp_path: Path) -> None:
    store = open_kind("directory", ENTRIES)
    file_of(store, A).write_bytes(b"{ damaged")
    report = export_legacy(store, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_bytes()).keys() == {B, ODD}
    assert [(one.rule, one.key) for one in report.findings] == [("damaged-entry", A)]


@pytest.mark.parametrize("name", ["sessions.json", "sessions.json.lock", "sessions.d/x.json"])
def test_the_stores_own_paths_are_refused(
    open_kind: MakeStore, store_file: Path, name: str
) -> None:
    store = open_kind("directory", ENTRIES)
    with pytest.raises(UnsafeFileError, match="own paths"):
        export_legacy(store, store_file.parent / name)
    assert not (store_file.parent / "sessions.json").exists()


def test_our_own_folder_is_refused_through_a_link_too(
    open_kind: MakeStore, store_file: Path, tmp_path: Path
) -> None:
    store = open_kind("directory", ENTRIES)
    (tmp_path / "link").symlink_to(store_file.parent / ".sessionstore")
    with pytest.raises(UnsafeFileError, match="own paths"):
        export_legacy(store, tmp_path / "link" / "out.json")


def test_what_is_there_is_never_replaced(open_kind: MakeStore, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("theirs")
    with pytest.raises(UnsafeFileError, match="exists already"):
        export_legacy(open_kind("directory", ENTRIES), target)
    assert target.read_text() == "theirs"


@pytest.mark.parametrize(
    "call",
    ["open", "write", "fsync"],
)
def test_failed_export_leaves_no_file(open_kind: MakeStore, tmp_path: Path, call: str) -> None:
    store = open_kind("directory", ENTRIES)
    folder = tmp_path / "exports"
    folder.mkdir()
    when = creating if call == "open" else always
    with injected(call, errno.ENOSPC, when=when), pytest.raises(StoreIOError):
        export_legacy(store, folder / "out.json")
    assert list(folder.iterdir()) == []
    export_legacy(store, folder / "out.json")


def test_export_can_be_opened_as_a_store(open_kind: MakeStore, tmp_path: Path) -> None:
    store = open_kind("directory", ENTRIES)
    (tmp_path / "copy").mkdir()
    export_legacy(store, tmp_path / "copy" / "sessions.json")
    with open_store(tmp_path / "copy") as copy:
        assert copy.layout == "legacy"
        assert copy.load() == store.load()
