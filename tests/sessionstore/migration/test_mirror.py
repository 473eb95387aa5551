"""The mirror: a copy for readers of the old form, always made from the directory."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessionstore import ConflictError, Store, UnsupportedStoreError, open_store
from sessionstore.migration import (
    Mirror,
    disable_mirror,
    enable_mirror,
    is_mirrored,
    mirror_status,
)
from tests.sessionstore.helpers import (
    entry,
    file_of,
    quarantined,
    sound,
    temporary_files,
    write_legacy,
    write_unadopted,
)

Tick = Callable[[], bool]
A, B = "agent:main:a", "agent:main:b"


def copy_of(store: Store) -> dict[str, Any]:
    """What a strict reader of the old form sees."""
    found: dict[str, Any] = json.loads(store.path.read_bytes())
    return found


def test_no_store_has_a_mirror_until_it_is_switched_on(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry())
        mirror = Mirror(store)
        assert not mirror.tick(0.0)
        assert not is_mirrored(store.paths)
        status = mirror_status(store)
        assert (status.enabled, status.running, status.lag_s, status.problem) == (
            False,
            False,
            None,
            None,
        )
        assert not store_file.exists()


def test_the_copy_holds_all_sessions_as_openclaw_writes_them(mirrored: Store, tick: Tick) -> None:
    mirrored.put(".odd key", entry(label="ö"))
    assert tick()
    assert copy_of(mirrored) == mirrored.load()
    data = mirrored.path.read_bytes()
    assert data == json.dumps(copy_of(mirrored), indent=2, ensure_ascii=False).encode()
    assert mirrored.path.stat().st_mode & 0o777 == 0o600


def test_the_state_is_private(mirrored: Store, tick: Tick) -> None:
    tick()
    assert (mirrored.paths.sidecar / "mirror.json").stat().st_mode & 0o777 == 0o600


def test_a_mirrored_store_is_still_read_and_written_in_the_directory(
    mirrored: Store, tick: Tick
) -> None:
    tick()
    with open_store(mirrored.path) as again:
        assert again.layout == "directory"
        again.patch(A, {"label": "new"})
        assert (again.get(A) or {})["label"] == "new"
    assert copy_of(mirrored)[A]["label"] == "a"


def test_a_copy_is_a_finding_for_information_only(mirrored: Store, tick: Tick) -> None:
    tick()
    assert [found.rule for found in mirrored.problems()] == ["mirror"]
    assert sound(mirrored)


def test_changes_additions_and_deletions_reach_the_copy(mirrored: Store, tick: Tick) -> None:
    tick()
    mirrored.patch(A, {"label": "new"})
    mirrored.put("agent:main:c", entry())
    mirrored.put(".odd", entry())
    mirrored.delete(B)
    assert tick()
    assert copy_of(mirrored) == mirrored.load()
    mirrored.delete(".odd")
    assert tick()
    assert copy_of(mirrored).keys() == {A, "agent:main:c"}


def test_a_deletion_is_not_undone_by_a_pending_copy(mirrored: Store, tick: Tick) -> None:
    tick()
    mirrored.patch(B, {"label": "new"})
    mirrored.delete(B)
    assert tick()
    assert B not in copy_of(mirrored)
    assert mirrored.get(B) is None


def test_two_updates_between_two_passes_are_both_copied(mirrored: Store, tick: Tick) -> None:
    tick()
    mirrored.patch(A, {"one": 1})
    mirrored.patch(A, {"two": 2})
    assert tick()
    assert {"one": 1, "two": 2}.items() <= copy_of(mirrored)[A].items()


def test_nothing_is_written_when_nothing_changed(mirrored: Store, tick: Tick) -> None:
    tick()
    before = mirrored.path.stat().st_ino
    assert [tick() for _ in range(3)] == [False] * 3
    file_of(mirrored, A).touch()
    assert not tick()
    assert mirrored.path.stat().st_ino == before


def test_a_reader_sees_data_of_at_most_five_seconds(mirrored: Store, mirror: Mirror) -> None:
    """A change at every moment of a minute of ticks each second is copied by then."""
    written: dict[int, float] = {}
    for second in range(60):
        mirrored.patch(A, {"n": second})
        if mirror.tick(float(second)):
            written.update(dict.fromkeys(range(copy_of(mirrored)[A]["n"] + 1), second) | written)
    assert all(at - changed <= 3 for changed, at in written.items())
    assert len(written) >= 57
    assert len(set(written.values())) == 20  # debounced: one write in three seconds


def test_between_two_looks_the_disk_is_left_alone(mirrored: Store, mirror: Mirror) -> None:
    assert mirror.tick(10.0)
    mirrored.patch(A, {"label": "new"})
    assert not mirror.tick(10.9)
    assert not mirror.tick(12.9)
    assert mirror.tick(14.0)


@pytest.mark.parametrize("interval_s", [0, -1, float("nan")])
def test_an_interval_that_is_none_is_refused(store: Store, interval_s: float) -> None:
    with pytest.raises(ValueError, match="interval_s"):
        Mirror(store, interval_s=interval_s)


def test_the_lag_is_told_until_the_change_is_copied(mirrored: Store, tick: Tick) -> None:
    assert mirror_status(mirrored).lag_s is None
    tick()
    assert mirror_status(mirrored).lag_s == 0
    time.sleep(0.05)
    mirrored.patch(A, {"label": "new"})
    lag_s = mirror_status(mirrored).lag_s
    assert lag_s is not None and lag_s > 0
    time.sleep(0.05)
    tick()
    status = mirror_status(mirrored)
    assert (status.lag_s, status.sessions, status.running) == (0, 2, True)
    assert status.size_bytes == mirrored.path.stat().st_size
    assert status.written_at_ms is not None


def test_the_lag_of_a_copy_nobody_keeps_up_is_the_age_of_the_oldest_change(
    mirrored: Store, mirror: Mirror
) -> None:
    mirror.tick(0.0)
    mirror.close()
    state = mirrored.paths.sidecar / "mirror.json"
    long_ago = json.loads(state.read_bytes()) | {"asOf": 1}
    state.write_text(json.dumps(long_ago))
    status = mirror_status(mirrored)
    assert status.problem is not None and status.problem.rule == "mirror-not-running"
    assert status.lag_s is not None and status.lag_s < 3600


def test_one_changed_session_of_a_thousand_is_one_file_read(
    store_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(store_file) as store:
        store.save({f"agent:main:{number}": entry(n=number) for number in range(1000)})
        enable_mirror(store)
        mirror = Mirror(store)
        assert mirror.tick(0.0)
        time.sleep(0.1)  # until the times of the files are settled
        store.patch("agent:main:7", {"label": "new"})
        opened: list[str] = []
        plain_open = os.open

        def counted(path: Any, *args: Any, **kwargs: Any) -> int:
            if "agent%3Amain" in str(path):
                opened.append(str(path))
            return plain_open(path, *args, **kwargs)

        monkeypatch.setattr(os, "open", counted)
        assert mirror.tick(100.0)
        mirror.close()
        assert opened == ["agent%3Amain%3A7.json"]
        assert copy_of(store)["agent:main:7"]["label"] == "new"


def test_a_damaged_entry_is_left_out_and_counted(mirrored: Store, tick: Tick) -> None:
    file_of(mirrored, A).write_bytes(b"{")
    nan = file_of(mirrored, B)
    nan.write_bytes(b'{"n": NaN}')
    mirrored.put("agent:main:c", entry())
    tick()
    assert copy_of(mirrored).keys() == {"agent:main:c"}
    status = mirror_status(mirrored)
    assert (status.sessions, status.left_out) == (1, 2)


def test_a_link_in_the_directory_is_not_followed_into_the_copy(
    mirrored: Store, tick: Tick, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"token": "x"}')
    file_of(mirrored, A).unlink()
    (mirrored.paths.directory / "agent%3Amain%3Aa.json").symlink_to(secret)
    tick()
    assert copy_of(mirrored).keys() == {B}


def test_a_copy_that_was_removed_is_written_again(mirrored: Store, tick: Tick) -> None:
    tick()
    mirrored.path.unlink()
    assert tick()
    assert copy_of(mirrored) == mirrored.load()


def test_a_new_process_recognises_the_copy_and_goes_on(mirrored: Store, mirror: Mirror) -> None:
    mirror.tick(0.0)
    mirror.close()
    mirrored.patch(A, {"label": "meanwhile"})
    with open_store(mirrored.path) as again:
        successor = Mirror(again)
        assert successor.tick(0.0)
        assert not successor.tick(100.0)
        successor.close()
    assert mirror_status(mirrored).problem is not None  # that nobody keeps it up
    assert copy_of(mirrored)[A]["label"] == "meanwhile"
    assert quarantined(mirrored) == []


def test_it_runs_in_a_thread_until_told_to_stop(mirrored: Store) -> None:
    mirror = Mirror(mirrored, interval_s=0.1)
    stop = threading.Event()
    thread = threading.Thread(target=mirror.run, args=(stop,))
    thread.start()
    try:
        for number in range(3):
            mirrored.patch(A, {"n": number})
            deadline = time.monotonic() + 30
            while not (mirrored.path.exists() and copy_of(mirrored)[A].get("n") == number):
                assert time.monotonic() < deadline
                time.sleep(0.01)
        assert mirror_status(mirrored).running
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    assert not mirror_status(mirrored).running
    assert temporary_files(mirrored) == []


@pytest.mark.parametrize("remove", [True, False])
def test_switched_off_it_writes_no_more(
    mirrored: Store, tick: Tick, mirror: Mirror, remove: bool
) -> None:
    tick()
    status = disable_mirror(mirrored, remove=remove)
    assert not status.enabled
    mirrored.patch(A, {"label": "new"})
    assert not tick()
    assert mirrored.path.exists() is not remove
    assert not mirror_status(mirrored).running
    enable_mirror(mirrored)
    assert tick()
    assert copy_of(mirrored)[A]["label"] == "new"


def test_a_store_in_one_file_has_no_mirror(store_file: Path) -> None:
    with open_store(write_legacy(store_file, {A: entry()})) as store:
        with pytest.raises(UnsupportedStoreError):
            enable_mirror(store)
        assert not is_mirrored(store.paths)


def test_a_directory_that_is_not_adopted_has_no_mirror(store_file: Path) -> None:
    store = open_store(write_unadopted(store_file, {A: entry()}))
    with store, pytest.raises(UnsupportedStoreError):
        enable_mirror(store)


def test_a_file_that_was_there_before_is_not_taken_for_a_copy(store: Store) -> None:
    store.put(A, entry())
    write_legacy(store.path, {"theirs": entry()})
    with pytest.raises(ConflictError):
        enable_mirror(store)
    assert copy_of(store).keys() == {"theirs"}
    assert not is_mirrored(store.paths)


def test_after_a_rollback_the_store_itself_is_never_written_or_removed(
    mirrored: Store, tick: Tick
) -> None:
    """What a rollback leaves: no directory, and a sessions.json that equals the copy."""
    tick()
    mirrored.paths.directory.rename(mirrored.path.with_name("sessions.d.bak.1"))
    before = mirrored.path.stat().st_ino
    assert not tick()
    assert not tick()
    status = mirror_status(mirrored)
    assert status.problem is not None and status.problem.rule == "mirror-no-directory"
    assert status.lag_s is None
    with pytest.raises(ConflictError):
        disable_mirror(mirrored, remove=True)
    disable_mirror(mirrored, remove=False)
    assert mirrored.path.stat().st_ino == before


def test_a_directory_that_was_swapped_is_copied_anew(mirrored: Store, tick: Tick) -> None:
    tick()
    aside = mirrored.path.with_name("sessions.d.bak.1")
    mirrored.paths.directory.rename(aside)
    with open_store(mirrored.path.with_name("other.json")) as other:
        other.put("agent:main:new", entry())
        other.paths.directory.rename(mirrored.paths.directory)
    tick()
    tick()
    assert copy_of(mirrored).keys() == {"agent:main:new"}


@pytest.mark.parametrize(
    "state",
    [b"", b"[]", b"{}", b'{"enabled": 1}', b'{"enabled": true, "digests": 5}', b"\xff"],
    ids=str,
)
def test_a_damaged_state_switches_the_mirror_off_and_says_so(
    mirrored: Store, tick: Tick, state: bytes
) -> None:
    tick()
    (mirrored.paths.sidecar / "mirror.json").write_bytes(state)
    mirrored.patch(A, {"label": "new"})
    assert not tick()
    status = mirror_status(mirrored)
    assert not status.enabled
    assert status.problem is not None and status.problem.rule == "mirror-state-damaged"
    assert copy_of(mirrored)[A]["label"] == "a"
    rules = {found.rule for found in mirrored.problems()}
    assert rules == {"mirror-state-damaged", "both-layouts"}
