"""State directories that the real OpenClaw program wrote: opened, listed, updated (on copies)."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from sessionstore import discover, open_store
from sessionstore.entries import NORMALISED_FIELDS
from tests.sessionstore.helpers import picture, sound

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"
JSON_ERA = ["openclaw-2026.3.31", "openclaw-2026.6.11", "openclaw-2026.7.1-2"]
SQLITE_ERA = ["openclaw-2026.9.6", "openclaw-2026.9.6-imported-from-2026.3.31"]
AGENTS = ["main", "work"]
Entry = dict[str, Any]

pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason=f"no sample state directories at {SAMPLES}"
)


def copy_of(sample: str, tmp_path: Path) -> Path:
    """A writable copy of a sample."""
    if not (SAMPLES / sample).is_dir():
        pytest.skip(f"no sample {sample} in {SAMPLES}")
    target = tmp_path / sample
    shutil.copytree(SAMPLES / sample, target)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
    return target


def store_file_of(state: Path, agent: str) -> Path:
    return state / "agents" / agent / "sessions" / "sessions.json"


def listed_in_readme(sample: str, agent: str) -> int:
    """How many sessions the samples' README lists."""
    text = (SAMPLES / "README.md").read_text()
    match = re.search(rf"^\| {re.escape(sample)} \| {agent} \| (\d+) \|", text, re.MULTILINE)
    assert match is not None
    return int(match[1])


def plain(entry: Entry) -> Entry:
    """The fields that loading never touches."""
    return {name: value for name, value in entry.items() if name not in NORMALISED_FIELDS}


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("sample", JSON_ERA)
def test_sample_opens_as_legacy_with_the_sessions_its_readme_lists(
    tmp_path: Path, sample: str, agent: str
) -> None:
    path = store_file_of(copy_of(sample, tmp_path), agent)
    before = picture(path.parent)
    raw = json.loads(path.read_bytes())
    with open_store(path, gateway_lock_dir=tmp_path) as store:
        assert (store.layout, store.agent_id) == ("legacy", agent)
        assert len(store.keys()) == listed_in_readme(sample, agent)
        assert store.keys() == sorted(raw)
        assert {key: plain(value) for key, value in store.load().items()} == {
            key: plain(value) for key, value in raw.items()
        }
        assert {key: store.get(key) for key in raw} == store.load()
        assert sound(store)
    assert picture(path.parent) == before


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("sample", JSON_ERA)
def test_loading_a_sample_keeps_what_the_program_itself_agreed_on(
    tmp_path: Path, sample: str, agent: str
) -> None:
    path = store_file_of(copy_of(sample, tmp_path), agent)
    raw: dict[str, Entry] = json.loads(path.read_bytes())
    with open_store(path) as store:
        for key, found in store.load().items():
            for name, value in raw[key].items():
                assert found.get(name) == value, f"{key}: {name}"


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("sample", JSON_ERA)
def test_updating_a_sample_keeps_every_other_byte(tmp_path: Path, sample: str, agent: str) -> None:
    path = store_file_of(copy_of(sample, tmp_path), agent)
    before = path.read_bytes()
    raw = json.loads(before)
    assert before == json.dumps(raw, indent=2, ensure_ascii=False).encode()
    key = next(iter(raw))
    with open_store(path, gateway_lock_dir=tmp_path) as store:
        store.update(key, lambda old: {**(old or {}), "label": "changed 😀"})
        changed = store.get(key)
    after = json.loads(path.read_bytes())
    assert path.read_bytes() == json.dumps(after, indent=2, ensure_ascii=False).encode()
    assert list(after) == list(raw)
    assert after.pop(key) == changed
    del raw[key]
    assert json.dumps(after) == json.dumps(raw)
    assert path.stat().st_mode & 0o7777 == 0o600
    assert not path.with_name("sessions.json.lock").exists()


@pytest.mark.parametrize("sample", JSON_ERA)
def test_sample_lists_exactly_main_and_work(tmp_path: Path, sample: str) -> None:
    state = copy_of(sample, tmp_path)
    stores = discover(state)
    assert [(store.agent_id, store.origin, store.problem) for store in stores] == [
        ("main", "default", None),
        ("work", "default", None),
    ]
    assert [store.store_path for store in stores] == [store_file_of(state, a) for a in AGENTS]


@pytest.mark.parametrize("sample", SQLITE_ERA)
def test_sqlite_era_sample_is_not_opened_as_an_empty_store_silently(
    tmp_path: Path, sample: str
) -> None:
    state = copy_of(sample, tmp_path)
    for archive in state.rglob("*.sqlite.gz"):
        archive.with_suffix("").write_bytes(b"SQLite format 3\0")
    rules = {store.agent_id: store.problem for store in discover(state)}
    assert set(rules) == {"main", "work"}
    assert {problem.rule for problem in rules.values() if problem} == {"sqlite-store"}


@pytest.mark.parametrize("sample", JSON_ERA)
def test_sample_written_as_a_directory_keeps_every_entry(tmp_path: Path, sample: str) -> None:
    path = store_file_of(copy_of(sample, tmp_path), "main")
    with open_store(path) as old, open_store(tmp_path / "new" / "sessions.json") as new:
        loaded = old.load()
        new.save(loaded)
        assert new.load() == loaded
        assert {key: new.etag(key) for key in loaded} == {key: old.etag(key) for key in loaded}
