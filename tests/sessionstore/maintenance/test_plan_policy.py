"""Policies: the gateway's own, durations and sizes, and what is refused instead of guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sessionstore import InvalidPolicyError
from sessionstore.maintenance import (
    MaintenancePolicy,
    parse_bytes,
    parse_count,
    parse_duration,
    policy_of,
)
from sessionstore.maintenance.policy_checks import check_policy

DAY_S = 86_400.0


def state(tmp_path: Path, text: str) -> Path:
    (tmp_path / "openclaw.json").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30d", 30 * DAY_S),
        ("12h", 43_200.0),
        ("1h30m", 5_400.0),
        ("500ms", 0.5),
        (" 2D ", 2 * DAY_S),
        ("7", 7 * DAY_S),
        (30, 30 * DAY_S),
        (0.5, DAY_S / 2),
    ],
)
def test_durations(value: object, seconds: float) -> None:
    assert parse_duration(value, "x") == seconds


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("10gb", 10 << 30),
        ("500 MB", 500 << 20),
        ("64k", 64 << 10),
        ("1.5kb", 1536),
        (42, 42),
        ("7b", 7),
    ],
)
def test_sizes(value: object, size: int) -> None:
    assert parse_bytes(value, "x") == size


@pytest.mark.parametrize(
    "value",
    ["", "30 days", "3w", "-1d", "0", 0, -5, True, None, [], "1e3", "d", float("nan"), "9" * 400],
)
def test_what_is_no_duration_is_named_and_refused(value: object) -> None:
    with pytest.raises(InvalidPolicyError, match=r"session\.x is"):
        parse_duration(value, "session.x")


@pytest.mark.parametrize(
    "value", ["", "10 xb", "80%", 0, -1, True, None, {}, float("inf"), "1" * 400]
)
def test_what_is_no_size_is_named_and_refused(value: object) -> None:
    with pytest.raises(InvalidPolicyError, match=r"session\.x is"):
        parse_bytes(value, "session.x")


@pytest.mark.parametrize("value", [0, -1, 1.5, "x", True, None, "", "²"])
def test_what_is_no_count_is_named_and_refused(value: object) -> None:
    with pytest.raises(InvalidPolicyError, match=r"session\.x is"):
        parse_count(value, "session.x")


def test_explicit_settings_become_a_policy_with_their_sources(tmp_path: Path) -> None:
    found = policy_of(
        state(
            tmp_path,
            """{ // JSON5
            session: { maintenance: { mode: "warn", pruneAfter: "14d", maxEntries: 200,
              resetArchiveRetention: false, maxDiskBytes: "2gb", highWaterBytes: "1gb",
              rotateBytes: 1 } },
            cron: { sessionRetention: "24h" } }""",
        )
    )
    policy = found.policy
    assert found.mode == "warn"
    assert (policy.prune_after_s, policy.archive_retention_s) == (14 * DAY_S, 14 * DAY_S)
    assert (policy.max_entries, policy.reset_retention_s) == (200, None)
    assert (policy.max_disk_bytes, policy.high_water_bytes) == (2 << 30, 1 << 30)
    assert policy.cron_retention_s == DAY_S
    assert policy.sources["max_entries"] == "openclaw.json: session.maintenance.maxEntries"
    assert policy.sources["archive_retention_s"] == "openclaw.json: session.maintenance.pruneAfter"
    assert set(found.ignored) == {"rotateBytes"}


@pytest.mark.parametrize("text", ["{}", '{"session": {}}', '{"session": {"maintenance": {}}}'])
def test_nothing_explicit_is_no_rule_and_no_default(tmp_path: Path, text: str) -> None:
    assert policy_of(state(tmp_path, text)).policy == MaintenancePolicy()


def test_no_config_is_no_rule(tmp_path: Path) -> None:
    found = policy_of(tmp_path)
    assert (found.policy, found.path, found.mode) == (MaintenancePolicy(), None, "")


def test_old_alias_counts_days_and_gives_way_to_the_new_name(tmp_path: Path) -> None:
    old = policy_of(state(tmp_path, '{"session": {"maintenance": {"pruneDays": 7}}}'))
    assert old.policy.prune_after_s == 7 * DAY_S
    text = '{"session": {"maintenance": {"pruneDays": 7, "pruneAfter": "9d"}}}'
    both = policy_of(state(tmp_path, text))
    assert both.policy.prune_after_s == 9 * DAY_S
    assert set(both.ignored) == {"pruneDays"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"session": {"maintenance": {"pruneAfter": "a month"}}}', "pruneAfter is 'a month'"),
        ('{"session": {"maintenance": {"maxEntries": "many"}}}', "maxEntries is 'many'"),
        ('{"session": {"maintenance": {"maxDiskBytes": true}}}', "maxDiskBytes is True"),
        ('{"session": {"maintenance": {"resetArchiveRetention": true}}}', "resetArchiveRetention"),
        ('{"session": {"maintenance": {"mode": "off"}}}', "mode is 'off'"),
        ('{"session": {"maintenance": []}}', "session.maintenance is"),
        ('{"session": 5}', "session is 5"),
        ('{"cron": {"sessionRetention": "1y"}}', "cron.sessionRetention is '1y'"),
        ("{broken", "openclaw.json is neither JSON nor JSON5"),
    ],
)
def test_value_that_cannot_be_understood_stops_everything(
    tmp_path: Path, text: str, named: str
) -> None:
    with pytest.raises(InvalidPolicyError) as caught:
        policy_of(state(tmp_path, text))
    assert named in caught.value.message
    assert caught.value.path == str(tmp_path / "openclaw.json")


@pytest.mark.parametrize(
    "fields",
    [
        {"prune_after_s": 0},
        {"prune_after_s": float("nan")},
        {"prune_after_s": True},
        {"max_entries": 0},
        {"max_entries": 2.5},
        {"cron_runs_kept": -1},
        {"high_water_bytes": 5},
        {"slim_fields": ("sessionId",)},
        {"protect_kinds": ("friends",)},
        {"protect": ("",)},
    ],
)
def test_policy_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidPolicyError):
        check_policy(MaintenancePolicy(**fields))
