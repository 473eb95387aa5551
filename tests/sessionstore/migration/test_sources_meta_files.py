"""L1: PR 4664's side files, joined through the session id."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sessionstore.migration.older_forms import (
    KEY,
    NOW,
    OTHER,
    dump,
    entry,
    put,
    write_l0,
    write_l1,
)
from tests.sessionstore.migration.reading import forms, read, rules, values


def test_a_newer_side_file_wins(home: Path) -> None:
    write_l0(home, {KEY: entry("s-1", NOW), OTHER: entry("s-2", NOW)})
    write_l1(home, "s-1", entry("s-1", NOW + 1, label="later"))
    write_l1(home, "s-2", entry("s-2", NOW - 1, label="earlier"))
    collected = read(home)
    assert values(collected) == {
        KEY: entry("s-1", NOW + 1, label="later"),
        OTHER: entry("s-2", NOW),
    }
    assert forms(collected) == {"json": 2, "meta": 2}
    assert collected.rows[KEY].source == "*.meta.json"


def test_a_side_file_as_old_as_the_store_is_not_taken(home: Path) -> None:
    write_l0(home, {KEY: entry("s-1", NOW, label="store")})
    write_l1(home, "s-1", entry("s-1", NOW, label="side"))
    collected = read(home)
    assert values(collected)[KEY]["label"] == "store"
    assert not collected.findings


def test_a_session_id_of_several_keys_joins_none(home: Path) -> None:
    keys = {"agent:main:cron:j": entry("s-1"), "agent:main:cron:j:run:s-1": entry("s-1")}
    write_l0(home, keys)
    write_l1(home, "s-1", entry("s-1", NOW + 1, label="later"))
    collected = read(home)
    assert values(collected) == keys
    (finding,) = collected.findings
    assert (finding.rule, finding.path) == ("unjoined-meta", "s-1.meta.json")
    assert "2 sessions" in finding.message


def test_an_unknown_session_id_joins_none(home: Path) -> None:
    write_l0(home, {KEY: entry("s-1")})
    write_l1(home, "s-9", entry("s-9", NOW + 1))
    assert rules(read(home)) == ["unjoined-meta"]


def test_a_side_file_without_a_session_id_is_its_names(home: Path) -> None:
    write_l0(home, {KEY: entry("s-1")})
    write_l1(home, "s-1", {"updatedAt": NOW + 1})
    assert values(read(home)) == {KEY: {"updatedAt": NOW + 1}}


@pytest.mark.parametrize("data", [b"{", b"5", dump({"sessionId": "s-2", "updatedAt": NOW + 9})])
def test_a_side_file_that_is_none_is_named(home: Path, data: bytes) -> None:
    write_l0(home, {KEY: entry("s-1")})
    put(home / "s-1.meta.json", data)
    collected = read(home)
    assert values(collected) == {KEY: entry("s-1")}
    assert rules(collected) == ["unjoined-meta"]


def test_a_linked_side_file_is_not_followed(home: Path, tmp_path: Path) -> None:
    write_l0(home, {KEY: entry("s-1")})
    target = put(tmp_path / "secret", dump(entry("s-1", NOW + 1, label="planted")))
    (home / "s-1.meta.json").symlink_to(target)
    collected = read(home)
    assert values(collected) == {KEY: entry("s-1")}
    assert rules(collected) == ["unjoined-meta"]


def test_side_files_without_a_store_file_are_counted_only(home: Path) -> None:
    write_l1(home, "s-1", entry("s-1"))
    write_l1(home, "s-2", entry("s-2"))
    collected = read(home)
    assert not collected.rows
    (finding,) = collected.findings
    assert (finding.rule, finding.severity) == ("no-store-file", "info")
    assert finding.message.startswith("2 files")
