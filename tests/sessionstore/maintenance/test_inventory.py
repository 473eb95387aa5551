"""One look at a store: who owns which file, what else names it, what cannot be looked at."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sessionstore import open_store
from sessionstore.errors import Finding
from sessionstore.maintenance import CheckOptions, examine, take
from sessionstore.maintenance.inventory_entries import scan_settled
from tests.sessionstore.faults import injected
from tests.sessionstore.helpers import write_legacy, write_unadopted
from tests.sessionstore.maintenance.state import DAY, HOUR, State, stamp


def rules_in(state: State, *, worse: bool = False) -> list[str]:
    found = examine(take(state.store)).findings
    return sorted(one.rule for one in found if not worse or one.severity != "info")


def test_transcript_and_all_that_hangs_on_it_belong_to_the_session(bare: State) -> None:
    key = bare.put("main")
    session_id = bare.session_id(key)
    names = {
        bare.file(f"{session_id}.trajectory.jsonl").name,
        bare.file(f"{session_id}.checkpoint.{bare.new_id()}.jsonl").name,
        f"{session_id}.jsonl",
    }
    look = take(bare.store)
    assert set(look.entries[key].transcripts) == names
    assert {name for name, keys in look.keys_of.items() if keys == (key,)} == names
    assert all(look.files[name].is_referenced for name in names)


def test_topic_comes_before_the_plain_transcript(bare: State) -> None:
    key = bare.put("telegram:group:-1:topic:a/b")
    session_id = bare.session_id(key)
    bare.transcript(f"{session_id}-topic-a%2Fb")
    assert take(bare.store).entries[key].transcript == f"{session_id}-topic-a%2Fb.jsonl"


def test_other_sessions_id_in_session_file_comes_last(bare: State) -> None:
    other = bare.session_id(bare.put("main"))
    key = bare.put("explicit:own", sessionFile=f"{other}.jsonl")
    look = take(bare.store)
    assert look.entries[key].transcript == f"{bare.session_id(key)}.jsonl"
    assert look.entries[key].odd == {"sessionFile": "other-id"}


def test_agents_that_may_not_be_looked_at_count_as_outside(bare: State) -> None:
    theirs = bare.root / "agents" / "other" / "sessions" / "theirs.jsonl"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("{}\n")
    key = bare.put("main", sessionFile=str(theirs), written=False)
    look = take(bare.store, may_look_at=lambda agent: agent != "other")
    assert look.entries[key].transcript == ""
    assert take(bare.store).entries[key].transcript == str(theirs)


def test_total_counts_archives_and_entries_and_not_our_sidecar(bare: State) -> None:
    bare.put("main")
    bare.file(f"{bare.new_id()}.jsonl.deleted.{stamp(DAY)}", b"x" * 1000)
    counted = [
        path.stat().st_size
        for path in bare.folder.rglob("*")
        if path.is_file() and ".sessionstore" not in path.parts
    ]
    assert take(bare.store).total_bytes == sum(counted)


def test_transcript_of_another_store_in_the_same_folder_is_no_orphan(bare: State) -> None:
    mine, theirs = bare.new_id(), bare.new_id()
    for session_id in (mine, theirs):
        bare.transcript(session_id)
    bare.store.put("agent:main:main", {"sessionId": mine, "updatedAt": bare.now_ms})
    write_legacy(
        bare.folder / "other.json", {"agent:main:x": {"sessionId": theirs, "updatedAt": 1}}
    )
    assert rules_in(bare) == []


def test_transcript_that_an_older_file_beside_the_directory_names_is_no_orphan(
    bare: State,
) -> None:
    bare.put("main")
    session_id = bare.new_id()
    bare.transcript(session_id)
    row = {"sessionId": session_id, "updatedAt": bare.now_ms}
    write_legacy(bare.folder / "sessions.json", {"agent:main:old": row})
    assert rules_in(bare) == ["both-layouts"]


def test_transcript_of_an_earlier_incarnation_is_no_orphan(bare: State) -> None:
    key = bare.put("main")
    before = bare.session_id(key)
    bare.store.reset(key, session_id="the-next")
    bare.transcript("the-next")
    assert bare.session_id(key) == "the-next" != before
    assert rules_in(bare) == []


def test_transcript_of_the_usage_family_is_no_orphan(bare: State) -> None:
    bare.transcript("earlier")
    bare.put("main", usageFamilySessionIds=["earlier", 5])
    assert rules_in(bare) == []


def test_orphan_is_only_possible_where_an_entry_is_damaged(bare: State) -> None:
    key = bare.put("main", written=False, sessionId=None)
    bare.transcript(bare.new_id())
    (bare.directory / f"{key.replace(':', '%3A')}.json").write_text("{")
    [orphan] = [one for one in examine(take(bare.store)).findings if "orphan" in one.rule]
    assert orphan.confidence == "possible"
    assert any("could be read" in line for line in orphan.evidence)


def test_session_whose_lock_is_held_is_not_called_stuck(bare: State) -> None:
    key = bare.put("main", status="running", age_s=HOUR)
    assert rules_in(bare) == ["running-without-proof"]
    entered, leave = threading.Event(), threading.Event()

    def hold(entry: dict[str, object] | None) -> None:
        entered.set()
        assert leave.wait(20)

    worker = threading.Thread(target=lambda: bare.store.update(key, hold))
    worker.start()
    try:
        assert entered.wait(10)
        look = take(bare.store)
        assert look.active_keys == {key}
        assert [one for one in examine(look).findings if one.rule == "running-without-proof"] == []
    finally:
        leave.set()
        worker.join(10)


def test_session_whose_transcript_was_just_written_is_not_called_stuck(bare: State) -> None:
    key = bare.put("main", status="running", age_s=HOUR)
    bare.transcript(bare.session_id(key), age_s=1)
    assert rules_in(bare) == []


def test_unreadable_folder_is_a_finding_of_its_own(bare: State) -> None:
    bare.put("main")
    bare.blob(b"somebody's prompt")
    with injected("open", errno.EACCES, when=lambda path, *_, **__: path == "sha256"):
        found = examine(take(bare.store)).findings
    [unreadable] = [one for one in found if one.rule == "unreadable"]
    assert unreadable.severity == "error"
    assert unreadable.path == str(bare.folder / "skills-prompts" / "sha256")
    assert unreadable.hint


def test_unreadable_store_folder_is_said_once_and_nothing_is_called_missing(bare: State) -> None:
    bare.put("main", age_s=3 * DAY)
    folder = str(bare.folder)
    with injected("open", errno.EACCES, when=lambda path, *_, **__: str(path) == folder):
        found = examine(take(bare.store)).findings
    assert [one.rule for one in found] == ["unreadable"]


def test_legacy_store_tells_of_rows_as_of_files(bare: State) -> None:
    a, b = bare.new_id(), bare.new_id()
    rows = {
        "agent:main:telegram:direct:grace": {"sessionId": a, "updatedAt": bare.now_ms},
        "agent:main:telegram:direct:Grace": {"sessionId": b, "updatedAt": 1},
        "agent:main:explicit:number": 5,
        "": {"sessionId": "x"},
    }
    write_legacy(bare.folder / "sessions.json", rows)
    bare.transcript(a)
    assert rules_in(bare) == ["damaged-entry", "duplicate-key", "invalid-key"]
    [facts] = take(bare.store).entries.values()
    assert (facts.path, facts.transcript) == ("sessions.json", f"{a}.jsonl")


def test_damaged_legacy_store_is_one_finding(bare: State) -> None:
    (bare.folder / "sessions.json").write_bytes(b"")
    (bare.folder / "sessions.json").chmod(0o600)
    assert rules_in(bare) == ["damaged-store"]


def test_unadopted_directory_is_looked_at_as_it_is(bare: State) -> None:
    key = "agent:main:telegram:direct:Ada"
    write_unadopted(
        bare.folder / "sessions.json",
        {key: {"sessionId": "s", "updatedAt": bare.now_ms}},
    )
    for path in [bare.directory, *bare.directory.iterdir()]:
        path.chmod(0o700 if path.is_dir() else 0o600)
    bare.transcript("s")
    look = take(bare.store)
    [facts] = look.entries.values()
    assert facts.key == key.lower()
    assert facts.path in look.files
    assert examine(look).findings == ()


def test_empty_store_is_sound(bare: State) -> None:
    look = take(bare.store)
    assert (look.layout, look.entries, look.problems) == ("empty", {}, ())
    assert examine(look).findings == ()


def test_store_whose_folder_is_not_there_is_sound(tmp_path: Path) -> None:
    with open_store(tmp_path / "nowhere" / "sessions.json", report=False) as store:
        assert examine(take(store)).findings == ()


def test_file_that_another_program_keeps_open_is_judged_by_its_name_only(bare: State) -> None:
    bare.put("main")
    bare.file("notes.md", b"theirs", mode=0o644)
    assert rules_in(bare) == []


def test_only_the_rules_that_are_asked_for_run(state: State) -> None:
    state.put("explicit:a", age_s=40 * DAY, written=False)
    checked = examine(take(state.store), rules=["untouched"])
    assert [one.rule for one in checked.findings] == ["untouched"]
    assert checked.rules == ("untouched",)
    with pytest.raises(ValueError, match="no such rule: unknown"):
        examine(take(state.store), rules=["unknown"])


def test_limits_are_options(bare: State) -> None:
    bare.put("main", age_s=2 * DAY)
    look = take(bare.store)
    assert [one.rule for one in examine(look, options=CheckOptions(untouched_after_s=DAY)).findings]


def test_wrong_owner_is_told(bare: State) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    key = bare.put("main")
    path = bare.folder / f"{bare.session_id(key)}.jsonl"
    os.chown(path, 12345, -1)
    [finding] = examine(take(bare.store)).findings
    assert (finding.rule, finding.path) == ("wrong-owner", str(path))


def test_each_entry_is_opened_once_and_no_conversation_at_all(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = state.transcript(state.session_id(state.put("explicit:long")), lines=100).name
    opened: Counter[str] = Counter()
    real = os.open

    def counting(path: object, *args: Any, **kwargs: Any) -> int:
        opened[str(path).rpartition("/")[2]] += 1
        return real(path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", counting)
    look = take(state.store)
    entries = {Path(facts.path).name for facts in look.entries.values()}
    assert {opened[name] for name in entries} == {1}
    assert opened[long] == 0


def test_what_is_looked_at_is_not_kept(bare: State) -> None:
    for number in range(100):
        bare.put(f"explicit:{number}", systemPromptReport={"text": "r" * 200_000}, written=False)
    tracemalloc.start()
    try:
        take(bare.store)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000  # of 20 MB


def test_writers_that_go_on_are_no_damage(bare: State) -> None:
    keys = [bare.put(f"explicit:{number}") for number in range(20)]
    done = threading.Event()

    def write() -> None:
        count = 0
        while not done.is_set():
            bare.store.patch(keys[count % 20], {"count": count})
            count += 1

    worker = threading.Thread(target=write)
    worker.start()
    try:
        looks = [take(bare.store) for _ in range(10)]
    finally:
        done.set()
        worker.join(10)
    assert [look.problems for look in looks] == [()] * 10
    assert {frozenset(look.entries) for look in looks} == {frozenset(keys)}


def test_directory_that_is_replaced_meanwhile_is_looked_at_again(bare: State) -> None:
    keys = {bare.put(f"explicit:{number}") for number in range(3)}
    scanning = scan_settled(bare.store.paths, 1 << 20)
    next(scanning)
    aside = bare.directory.rename(bare.folder / "aside")
    shutil.copytree(aside, bare.directory)
    rest = list(scanning)
    again = rest[rest.index(None) + 1 :]
    assert {one.key for one in again if one is not None} == keys
    assert None not in again


def texts_of(findings: tuple[Finding, ...]) -> list[str]:
    return [text for one in findings for text in (one.message, one.hint, *one.evidence)]


def test_hostile_names_and_entries_neither_raise_nor_disguise_anything(bare: State) -> None:
    bad = "\u202egnp.\x1b[31m<script>alert(1)</script>\n"
    bare.put("explicit:hostile", label=bad, sessionFile=bad, status=bad, spawnedBy=bad)
    bare.put("explicit:hostile-2", label=bad, sessionFile="a" * 9_000)
    key = bare.put("subagent:hostile", spawnedBy=bad, written=False, sessionId=bad)
    for name in (
        f"{bad}.jsonl",
        "\udcff\udcfe.jsonl",
        "a" * 250,
        "-topic-.jsonl",
        ".jsonl",
        "..tmp",
    ):
        bare.file(name.replace("/", "|"), age_s=2 * HOUR)
    odd = {"sessionId": {"a": []}, "updatedAt": [], "sessionFile": 5, "label": {}, "origin": "x"}
    odd |= {"compactionCheckpoints": [5, {"preCompaction": []}], "usageFamilySessionIds": {}}
    odd |= {"skillsSnapshot": {"promptRef": {"hash": "../" * 20 + "aaaa"}}, "spawnedBy": 7}
    path = bare.directory / "agent%3Amain%3Aexplicit%3Aodd.json"
    path.write_text(json.dumps(odd))
    path.chmod(0o600)
    findings = examine(take(bare.store)).findings
    assert {one.key for one in findings if one.rule == "bad-session-id"} >= {key}
    for text in texts_of(findings):
        assert "\u202e" not in text
        assert "\x1b" not in text
        assert "\n" not in text
        text.encode()
    for one in findings:
        assert (one.path or "").encode() is not None
