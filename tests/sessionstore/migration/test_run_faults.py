"""A disk that says no at any call: the run fails, all is readable, the next run ends it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sessionstore import (
    SessionStoreError,
    StoreIOError,
    migrate,
    open_store,
    plan_rollback,
    rollback,
)
from sessionstore.files import moving, syncing
from sessionstore.migration import MigrationReport
from tests.sessionstore.migration.runs import backups, leftovers, loaded, plan_of, run
from tests.sessionstore.migration.stores import (
    LEGACY,
    MERGED,
    Make,
    legacy,
    merging,
    migrated,
    state_file,
)

CALLS: dict[str, tuple[Any, str]] = {
    "create": (os, "open"),
    "write": (os, "write"),
    "fsync": (os, "fsync"),
    "mkdir": (os, "mkdir"),
    "rename": (os, "rename"),
    "rename once": (moving, "rename_exclusively"),
    "syncfs": (syncing, "sync_whole"),
}


class Fault:
    """Lets the ``number``-th such call fail while it is entered."""

    def __init__(self, call: str, code: int, number: int) -> None:
        self.call, self.code, self.number = call, code, number
        self.made = 0
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> None:
        module, name = CALLS[self.call]
        real = getattr(module, name)

        def faulty(*args: Any, **kwargs: Any) -> Any:
            if self.call != "create" or args[1] & os.O_CREAT:
                self.made += 1
                if self.made == self.number:
                    raise OSError(self.code, os.strerror(self.code))
            return real(*args, **kwargs)

        self._patch.setattr(module, name, faulty)

    def __exit__(self, *raised: object) -> None:
        self._patch.undo()

    @property
    def struck(self) -> bool:
        return self.made >= self.number


def failures(
    folder: Path, make: Make, call: str, code: int, *, stride: int = 1
) -> Iterator[tuple[Path, Fault]]:
    """Copies of a store, each with the next call to fail, until none is left."""
    template = folder / "template"
    template.mkdir()
    make(template / "sessions.json")
    for number in range(1, 200, stride):
        copy = folder / "copy"
        shutil.copytree(template, copy)
        fault = Fault(call, code, number)
        yield copy / "sessions.json", fault
        shutil.rmtree(copy)
        if not fault.struck:
            assert number > 1, "no such call was made"
            return
    raise AssertionError("it never came to an end")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("make", "code", "stride"),
    [(legacy, errno.ENOSPC, 1), (merging, errno.EIO, 2), (state_file, errno.ENOSPC, 2)],
)
def test_failed_migration_loses_nothing_and_can_be_run_again(
    folder: Path, make: Make, code: int, stride: int, call: str
) -> None:
    expected = LEGACY if make is legacy else MERGED
    for path, fault in failures(folder, make, call, code, stride=stride):
        before = None if make is state_file else loaded(path).keys()
        plan = plan_of(path)
        try:
            with fault:
                migrate(plan)
        except SessionStoreError as error:
            check_failed(error, fault)
        if before is not None:
            assert loaded(path).keys() >= before
        run(path)
        assert loaded(path) == expected
        assert len(backups(path)) == (2 if make is state_file else 1)
        assert leftovers(path) == []


def check_failed(error: SessionStoreError, fault: Fault) -> None:
    assert fault.struck
    assert isinstance(error, StoreIOError)
    assert error.errno == fault.code
    assert error.path is not None
    report = error.report
    assert isinstance(report, MigrationReport)
    assert (report.outcome, report.error) == ("failed", error.message)


@pytest.mark.parametrize("call", sorted(CALLS.keys() - {"syncfs"}))
def test_failed_rollback_loses_nothing_and_can_be_run_again(folder: Path, call: str) -> None:
    for path, fault in failures(folder, migrated, call, errno.ENOSPC):
        with open_store(path) as store:
            plan = plan_rollback(store)
            try:
                with fault:
                    rollback(plan)
            except SessionStoreError as error:
                assert isinstance(error, StoreIOError)
                assert error.errno == errno.ENOSPC
            assert loaded(path) == LEGACY
            plan = plan_rollback(store)
            if plan.possible:
                rollback(plan)
        assert loaded(path) == LEGACY
        assert not path.with_suffix(".d").exists()
        assert leftovers(path) == []
