"""Transcripts that the real OpenClaw program wrote, read as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstore import open_store
from sessionstore.transcripts import classify, files_of, find_transcript, look_inside, read_page

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "samples"

pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason=f"no sample state directories at {SAMPLES}"
)

STORES = sorted(SAMPLES.glob("openclaw-2026.[367].*/agents/*/sessions/sessions.json"))


@pytest.mark.parametrize("store_file", STORES, ids=lambda path: "/".join(path.parts[-5:-2]))
def test_every_transcript_of_a_sample_belongs_to_a_session_and_is_read(store_file: Path) -> None:
    names = {path.name for path in store_file.parent.glob("*.jsonl")}
    with open_store(store_file) as store:
        found = {
            key: find_transcript(store.paths, key, entry) for key, entry in store.load().items()
        }
        assert {one.path.name for one in found.values() if one.is_there and one.path} == names
        for one in found.values():
            if one.path is None or not one.is_there:
                continue
            head = look_inside(store.paths, one.path)
            page = read_page(store.paths, one.path)
            assert head.header is not None
            assert (head.header["id"], head.header["version"]) == (one.path.stem, 3)
            assert head.lines == len(page.lines) > 0
            assert {line.state for line in page.lines} == {"entry"}
            assert page.lines[0].value == head.header


@pytest.mark.parametrize("sample", ["openclaw-2026.6.11", "openclaw-2026.9.6"])
def test_every_archive_of_a_sample_says_whose_it_is(sample: str) -> None:
    folder = SAMPLES / sample / "agents" / "main" / "sessions"
    archives = [path.name for path in folder.iterdir() if ".jsonl." in path.name]
    assert archives
    for name in archives:
        named = classify(name)
        assert named.reason in ("deleted", "reset")
        assert (named.session_id, named.of) == (name[:36], f"{name[:36]}.jsonl")
        assert named.is_compressed == name.endswith(".zst")


def test_the_archives_of_a_session_are_listed() -> None:
    folder = SAMPLES / "openclaw-2026.6.11" / "agents" / "main" / "sessions"
    (reset,) = folder.glob("*.reset.*")
    with open_store(folder) as store:
        listed = files_of(store.paths, [reset.name[:36]])
    assert [one.name for one in listed.files] == [reset.name]
    assert listed.files[0].size_bytes == reset.stat().st_size
    assert listed.files[0].at_ms == listed.files[0].named.archived_at_ms
