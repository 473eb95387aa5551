"""Who may use a store after a migration: evidence found, choice required, consequences told."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sessionstore.migration.programs import (
    DIRECTORY_READER,
    LOCKED,
    OURS,
    SQLITE,
    UNLOCKED,
    Programs,
    programs_for,
)
from sessionstore.migration.shapes import Program
from sessionstore.migration.traces import era_of
from sessionstore.paths import StorePaths, store_paths
from tests.conftest import SAMPLES
from tests.sessionstore.children.gateways import gateway_lock, start_time
from tests.sessionstore.helpers import entry, picture, write_legacy

OPENCLAW = (LOCKED, UNLOCKED, SQLITE)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def paths(state: Path) -> StorePaths:
    return store_paths(
        write_legacy(state / "agents/main/sessions/sessions.json", {"agent:main:main": entry()})
    )


@pytest.fixture
def look(paths: StorePaths, tmp_path: Path) -> Callable[[], Programs]:
    (tmp_path / "locks").mkdir()
    return lambda: programs_for(paths, gateway_lock_dir=tmp_path / "locks")


def named(found: Programs) -> dict[str, Program]:
    return {program.name: program for program in found.programs}


def seen(found: Programs) -> list[str]:
    return [program.name for program in found.programs if program.seen]


def write_config(state: Path, config: object) -> None:
    (state / "openclaw.json").write_text(json.dumps(config))


def test_without_any_trace_nobody_must_choose(look: Callable[[], Programs]) -> None:
    found = look()
    assert (found.must_choose, found.gateway_pid, seen(found), found.findings) == (
        False,
        None,
        [],
        (),
    )


def test_every_program_is_listed_and_no_released_openclaw_reads_the_directory(
    look: Callable[[], Programs],
) -> None:
    reads = {program.name: program.reads_directory for program in look().programs}
    assert reads == {
        LOCKED: False,
        UNLOCKED: False,
        SQLITE: False,
        DIRECTORY_READER: True,
        OURS: True,
    }


def test_what_each_release_does_to_transcripts_is_told(
    look: Callable[[], Programs], paths: StorePaths
) -> None:
    for number in range(3):
        paths.store_path.with_name(f"{number}.jsonl").write_text("")
    told = {name: program.consequence for name, program in named(look()).items()}
    assert "the 3 transcripts" in told[LOCKED] and ".jsonl.deleted" in told[LOCKED]
    assert "older than 30 days" in told[UNLOCKED]
    assert "never written" in told[SQLITE]
    assert all("guard" in told[name] for name in OPENCLAW)


def test_a_config_requires_a_choice_and_may_be_any_release(
    look: Callable[[], Programs], state: Path
) -> None:
    write_config(state, {"agents": {"list": [{"id": "main"}]}})
    found = look()
    assert found.must_choose
    assert seen(found) == list(OPENCLAW)
    (finding,) = found.findings
    assert (finding.rule, finding.severity) == ("openclaw-found", "warning")
    assert "openclaw.json is in the state directory" in finding.message
    assert "guard" in finding.hint


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("2026.1.30", LOCKED),
        ("2026.4.29", LOCKED),
        ("2026.5.2", UNLOCKED),
        ("2026.7.1-2", UNLOCKED),
        ("2026.8.1", SQLITE),
        ("2027.1.1", SQLITE),
    ],
)
def test_the_version_in_the_config_tells_the_release(
    look: Callable[[], Programs], state: Path, version: str, name: str
) -> None:
    write_config(state, {"meta": {"lastTouchedVersion": version}})
    found = look()
    assert seen(found) == [name]
    assert version in named(found)[name].seen


def test_a_config_with_comments_is_read(look: Callable[[], Programs], state: Path) -> None:
    text = "// mine\n{meta: {lastTouchedVersion: '2026.6.11',},}"
    (state / "openclaw.json").write_text(text)
    assert seen(look()) == [UNLOCKED]


@pytest.mark.parametrize(
    "config",
    [b"", b"\xff\xfe", b"[" * 100_000, b'{"meta": 1, "agents": []}', b'{"meta": {"a": NaN}}'],
    ids=["empty", "utf16", "deep", "odd", "nan"],
)
def test_a_config_that_says_nothing_still_requires_a_choice(
    look: Callable[[], Programs], state: Path, config: bytes
) -> None:
    (state / "openclaw.json").write_bytes(config)
    found = look()
    assert found.must_choose and seen(found) == list(OPENCLAW)


@pytest.mark.parametrize("version", ["2026", "2026.6.11<script>", "x" * 9, "2026.6." + "1" * 99])
def test_a_version_that_is_none_is_not_shown(
    look: Callable[[], Programs], state: Path, version: str
) -> None:
    assert era_of(version) is None
    write_config(state, {"meta": {"lastTouchedVersion": version}})
    assert all(version not in program.seen for program in look().programs if version != "2026")


@pytest.mark.parametrize(
    ("trace", "name"),
    [
        ("agents/main/sessions/skills-prompts/x", UNLOCKED),
        (f"agents/main/sessions/sessions.json.99.{'0' * 36}.tmp", UNLOCKED),
        (f"agents/main/sessions/sessions.json.{'0' * 36}.tmp", LOCKED),
        ("agents/main/session-sqlite-import-archive/x", SQLITE),
        ("session-sqlite-migration-runs/run.json", SQLITE),
        ("agents/main/sessions/sessions.d.migrating/x", DIRECTORY_READER),
    ],
)
def test_what_a_program_left_behind_tells_that_it_was_here(
    look: Callable[[], Programs], state: Path, trace: str, name: str
) -> None:
    path = state / trace
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    found = look()
    assert seen(found) == [name]
    assert found.must_choose is (name != DIRECTORY_READER)


def test_a_database_of_openclaws_is_named_and_said_to_be_read_only(
    look: Callable[[], Programs], state: Path
) -> None:
    write_config(state, {"agents": {"entries": {"main": {}}}})
    (state / "agents/main/agent").mkdir()
    (state / "agents/main/agent/openclaw-agent.sqlite").write_bytes(b"")
    found = look()
    assert seen(found) == [SQLITE]
    rules = {finding.rule: finding for finding in found.findings}
    assert "never written" in rules["sqlite-store"].hint


def test_a_running_gateway_is_named(
    look: Callable[[], Programs], state: Path, tmp_path: Path
) -> None:
    pid = os.getpid()
    gateway_lock(tmp_path / "locks", state, pid, startTime=start_time(pid))
    found = look()
    assert (found.must_choose, found.gateway_pid) == (True, pid)
    assert [finding.rule for finding in found.findings] == ["openclaw-found", "gateway-running"]
    assert seen(found) == [LOCKED, UNLOCKED]
    assert str(pid) in named(found)[LOCKED].seen


def test_a_gateway_of_the_database_era_is_told_apart(
    look: Callable[[], Programs], state: Path
) -> None:
    lock = state / "tmp" / f"openclaw-{os.getuid()}" / "gateway.state.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(json.dumps({"pid": os.getpid(), "startTime": start_time(os.getpid())}))
    assert seen(look()) == [SQLITE]


def test_a_store_outside_a_state_directory_says_that_a_config_cannot_be_found(
    tmp_path: Path,
) -> None:
    (tmp_path / "locks").mkdir()
    path = write_legacy(tmp_path / "elsewhere" / "mine.json", {})
    found = programs_for(store_paths(path), gateway_lock_dir=tmp_path / "locks")
    assert [finding.rule for finding in found.findings] == ["no-state-directory"]
    assert not found.must_choose


def test_looking_changes_nothing(look: Callable[[], Programs], state: Path) -> None:
    write_config(state, {})
    before = picture(state)
    look()
    assert picture(state) == before


def test_the_usual_name_of_a_state_directory_is_a_trace(tmp_path: Path) -> None:
    path = write_legacy(tmp_path / ".openclaw/agents/main/sessions/sessions.json", {})
    (tmp_path / "locks").mkdir()
    found = programs_for(store_paths(path), gateway_lock_dir=tmp_path / "locks")
    assert found.must_choose and seen(found) == list(OPENCLAW)


@pytest.mark.parametrize(
    "config", sorted(SAMPLES.glob("openclaw-*/openclaw.json")), ids=lambda path: path.parent.name
)
def test_every_sample_with_a_config_requires_a_choice(config: Path, tmp_path: Path) -> None:
    paths = store_paths(config.parent / "agents/main/sessions/sessions.json")
    found = programs_for(paths, gateway_lock_dir=tmp_path)
    is_database = config.parent.name == "openclaw-2026.9.6"
    assert found.must_choose
    assert seen(found) == ([SQLITE] if is_database else list(OPENCLAW))
