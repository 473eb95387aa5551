"""One at a time in a store, between threads and processes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sessionstore import LockTimeoutError, SessionStoreError
from sessionstore.locks.alone import alone, claim, is_claimed
from tests.sessionstore.children import taking_turns
from tests.sessionstore.helpers import child, in_processes, in_threads


def test_threads_and_processes_take_turns(tmp_path: Path) -> None:
    number = tmp_path / "number"
    number.write_text("0")
    in_processes(taking_turns.count, *[(tmp_path / "side", number, 20)] * 3)
    in_threads(3, lambda _: taking_turns.count(tmp_path / "side", number, 20))
    assert number.read_text() == "120"


def test_a_dead_process_keeps_nobody_out(tmp_path: Path) -> None:
    with child(taking_turns.stay, tmp_path) as holder:
        assert holder.hear() == "alone"
        with pytest.raises(LockTimeoutError) as caught, alone(tmp_path, "labels", timeout=0.1):
            raise AssertionError("somebody else is in there")
        assert caught.value.path == str(tmp_path / "labels.lock")
        assert caught.value.hint
        with alone(tmp_path, "others", timeout=0):
            pass
        holder.kill()
        with alone(tmp_path, "labels", timeout=1):
            pass


def test_no_time_to_wait_is_one_try(tmp_path: Path) -> None:
    with alone(tmp_path, "labels", timeout=0):
        begun = time.monotonic()
        with pytest.raises(LockTimeoutError), alone(tmp_path, "labels", timeout=0):
            raise AssertionError("it is held")
        assert time.monotonic() - begun < 0.5
    with alone(tmp_path, "labels", timeout=0):
        pass


def test_an_error_inside_travels_and_lets_the_next_one_in(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), alone(tmp_path, "labels", timeout=1):
        raise ZeroDivisionError
    with alone(tmp_path, "labels", timeout=0):
        pass


def test_the_lock_file_is_private_and_stays(tmp_path: Path) -> None:
    with alone(tmp_path / "side", "labels", timeout=1):
        pass
    path = tmp_path / "side" / "labels.lock"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "side").stat().st_mode & 0o777 == 0o700
    inode = path.stat().st_ino
    with alone(tmp_path / "side", "labels", timeout=1):
        assert path.stat().st_ino == inode


@pytest.mark.parametrize("what", ["link", "directory"])
def test_what_stands_for_the_lock_file_is_refused(tmp_path: Path, what: str) -> None:
    path, target = tmp_path / "labels.lock", tmp_path / "target"
    target.write_text("theirs")
    if what == "link":
        path.symlink_to(target)
    else:
        path.mkdir()
    with pytest.raises(SessionStoreError) as caught, alone(tmp_path, "labels", timeout=0.2):
        raise AssertionError("no lock file")
    assert caught.value.path == str(path)
    assert target.read_text() == "theirs"


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".sessionstore").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SessionStoreError), alone(tmp_path / ".sessionstore", "labels", timeout=0.2):
        raise AssertionError("through a link")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_claim_is_one_processs_until_it_is_given_back(tmp_path: Path) -> None:
    assert not is_claimed(tmp_path, "mirror")
    assert not (tmp_path / "mirror.lock").exists()
    release = claim(tmp_path, "mirror")
    assert release is not None
    assert claim(tmp_path, "mirror") is None
    assert is_claimed(tmp_path, "mirror")
    in_threads(1, lambda _: release())
    assert not is_claimed(tmp_path, "mirror")


def test_a_claim_of_a_dead_process_is_free(tmp_path: Path) -> None:
    with child(taking_turns.stay, tmp_path) as holder:
        assert holder.hear() == "alone"
        assert claim(tmp_path, "labels") is None
        holder.kill()
    release = claim(tmp_path, "labels")
    assert release is not None
    release()
