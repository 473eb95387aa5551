"""How long waiters wait and holders hold, from the config or the release, and what cannot work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sessionstore import LockLimit, limit_findings, lock_limits


def configure(state: Path, **config: object) -> Path:
    path = state / "openclaw.json"
    path.write_text(json.dumps(config))
    return path


def written_by(version: str) -> dict[str, object]:
    return {"lastTouchedVersion": version}


def values(limits: tuple[LockLimit, ...], lock: str) -> dict[str, float | None]:
    return {limit.kind: limit.value_s for limit in limits if limit.lock == lock}


def test_without_openclaw_only_our_own_limits_count(tmp_path: Path) -> None:
    limits = lock_limits(tmp_path, timeout=7.0)
    assert values(limits, "session") == {"wait": 7.0, "hold": 7.0, "stale": None}
    assert {limit.lock for limit in limits} == {"session"}
    assert limit_findings(limits) == []


@pytest.mark.parametrize(
    ("version", "legacy", "transcript"),
    [
        ("2026.2.1", (10, None, 30), (10, None, 1800)),
        ("2026.3.2", (10, 300, 30), (10, 300, 1800)),
        ("2026.4.15", (10, 15, 30), (10, 300, 1800)),
        ("2026.5.3-1", None, (60, 300, 1800)),
        ("2026.6.11", None, (60, 300, 1800)),
    ],
)
def test_defaults_are_those_of_the_release_that_wrote_the_config(
    tmp_path: Path,
    version: str,
    legacy: tuple[float | None, ...] | None,
    transcript: tuple[float | None, ...],
) -> None:
    configure(tmp_path, meta=written_by(version))
    limits = lock_limits(tmp_path)
    found = values(limits, "legacy")
    assert tuple(found.values()) == (legacy or ())
    assert tuple(values(limits, "transcript").values()) == transcript
    assert all(limit.source for limit in limits)
    assert len({limit.releases for limit in limits} - {""}) == 1


def test_release_with_a_database_has_no_lock_files(tmp_path: Path) -> None:
    configure(tmp_path, meta=written_by("2026.9.6"))
    assert {limit.lock for limit in lock_limits(tmp_path)} == {"session"}


def test_release_between_two_eras_gets_the_limits_of_both(tmp_path: Path) -> None:
    configure(tmp_path, meta=written_by("2026.3.20"))
    releases = {limit.releases for limit in lock_limits(tmp_path)} - {""}
    assert releases == {"2026.2.13 to 2026.3.13", "2026.3.31 to 2026.4.29"}


@pytest.mark.parametrize("meta", [None, 5, {}, {"lastTouchedVersion": "x" * 10**5}])
def test_unknown_release_gets_the_limits_of_all(tmp_path: Path, meta: object) -> None:
    configure(tmp_path, meta=meta)
    assert len({limit.releases for limit in lock_limits(tmp_path)} - {""}) == 5


def test_configured_values_are_taken_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "openclaw.json"
    path.write_text(
        "{ // JSON5\n meta: {lastTouchedVersion: '2026.6.11'},\n"
        " session: {writeLock: {acquireTimeoutMs: 90000, staleMs: 60000, maxHoldMs: 45000}}}"
    )
    limits = lock_limits(tmp_path)
    assert values(limits, "transcript") == {"wait": 90.0, "hold": 45.0, "stale": 60.0}
    wait = next(limit for limit in limits if (limit.lock, limit.kind) == ("transcript", "wait"))
    assert wait.source == "openclaw.json: session.writeLock.acquireTimeoutMs"
    assert wait.path == str(path)
    assert limit_findings(limits) == []


def test_release_that_knows_no_settings_ignores_them(tmp_path: Path) -> None:
    configure(tmp_path, meta=written_by("2026.4.15"), session={"writeLock": {"staleMs": 1}})
    assert values(lock_limits(tmp_path), "transcript")["stale"] == 1800


@pytest.mark.parametrize(
    "value", ["30s", "60000", "", True, -1, 0, 1e300, [], {}, "<script>\x1b[2J", "x" * 10**6]
)
def test_value_that_is_no_time_is_named_and_never_replaced(tmp_path: Path, value: object) -> None:
    path = configure(
        tmp_path, meta=written_by("2026.6.11"), session={"writeLock": {"staleMs": value}}
    )
    limits = lock_limits(tmp_path)
    stale = next(limit for limit in limits if (limit.lock, limit.kind) == ("transcript", "stale"))
    assert stale.value_s is None
    assert stale.problem
    unusable = [each for each in limit_findings(limits) if each.rule == "lock-limit-unusable"]
    (finding,) = unusable
    assert (finding.severity, finding.path) == ("error", str(path))
    assert "staleMs" in finding.message
    assert len(finding.message) < 300
    assert "\x1b" not in finding.message
    assert not any(each.rule == "stale-after-waiters" for each in limit_findings(limits))


@pytest.mark.parametrize("text", ["{", "[]", '"text"', "[" * 10_000, "\x00\xff"])
def test_config_that_cannot_be_read_is_told_once(tmp_path: Path, text: str) -> None:
    (tmp_path / "openclaw.json").write_bytes(text.encode("latin-1"))
    rules = [each.rule for each in limit_findings(lock_limits(tmp_path))]
    assert rules.count("lock-limit-unusable") == 1


def test_setting_inside_what_is_no_object_is_told(tmp_path: Path) -> None:
    configure(tmp_path, meta=written_by("2026.6.11"), session={"writeLock": "60000"})
    assert all(
        limit.problem and limit.value_s is None
        for limit in lock_limits(tmp_path)
        if limit.lock == "transcript"
    )


def test_clashes_are_told_with_their_numbers(tmp_path: Path) -> None:
    configure(tmp_path, meta=written_by("2026.3.2"))
    found = {
        (each.rule, each.message.split(" ")[0]): each.message
        for each in limit_findings(lock_limits(tmp_path))
    }
    legacy = "sessions.json.lock"
    outlasts = found["holder-outlasts-waiters", legacy]
    assert "300 s" in outlasts
    assert "10 s" in outlasts
    late = found["stale-after-waiters", legacy]
    assert "30 s" in late
    assert "10 s" in late
    assert "middle of a write" in found["stale-before-holder", legacy]


def limit(kind: str, value_s: float | None) -> LockLimit:
    return LockLimit("transcript", kind, "any", value_s, "a test")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wait", "hold", "stale", "rules"),
    [
        (60, 45, 50, set()),
        (60, 60, 60, set()),
        (10, 15, 10, {"holder-outlasts-waiters", "stale-before-holder"}),
        (10, 5, 30, {"stale-after-waiters"}),
        (None, 300, 30, {"stale-before-holder"}),
        (10, None, None, set()),
    ],
)
def test_only_what_clashes_is_found(
    wait: float | None, hold: float | None, stale: float | None, rules: set[str]
) -> None:
    limits = [limit("wait", wait), limit("hold", hold), limit("stale", stale)]
    assert {each.rule for each in limit_findings(limits)} == rules
