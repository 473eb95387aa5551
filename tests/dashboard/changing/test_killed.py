"""A console that is killed in the middle of a save: what was intended is known, nothing is torn."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from sessionstore import versions
from tests.dashboard.changing.child import MOMENTS
from tests.dashboard.changing.conftest import Console

pytestmark = pytest.mark.slow

CHANGED = MOMENTS[MOMENTS.index("entry written") :]


@pytest.fixture(scope="module")
def killed(console: Console) -> dict[str, Any]:
    """What a console finds that is started after one was killed at each moment."""
    store = console.store
    for number in range(len(MOMENTS)):
        entry = {"sessionId": f"s-{number}", "label": f"old {number}", "totalTokens": number}
        store.put(f"agent:main:{number}", entry)
    ended = console.run("killed")
    assert ended == [-signal.SIGKILL] * len(MOMENTS)
    keys = {moment: f"agent:main:{number}" for number, moment in enumerate(MOMENTS)}
    found = {
        moment: {"entry": store.get(key), "versions": versions(store, key), "number": number}
        for number, (moment, key) in enumerate(keys.items())
    }
    report = console.run("report")
    for moment, key in keys.items():
        found[moment]["events"] = [e for e in report["events"] if e["details"]["key"] == key]
        found[moment]["changes"] = [c for c in report["changes"] if c["key"] == key]
    return {"found": found, "report": report, "again": console.run("again")}


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_intent_is_there_and_the_outcome_only_where_it_was_written(
    killed: dict[str, Any], moment: str
) -> None:
    found = killed["found"][moment]
    outcomes = [event["outcome"] for event in found["events"]]
    assert outcomes == (["started", "done"] if moment == "outcome written" else ["started"])
    assert len(found["changes"]) == (moment == "outcome written")
    assert found["events"][0]["actor"] == "bob"
    assert found["events"][0]["details"]["asked"] == ["label"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_session_is_the_old_or_the_new_one_with_its_version(
    killed: dict[str, Any], moment: str
) -> None:
    found = killed["found"][moment]
    number = found["number"]
    changed = moment in CHANGED
    assert found["entry"]["label"] == f"{'new' if changed else 'old'} {number}"
    assert (found["entry"]["sessionId"], found["entry"]["totalTokens"]) == (f"s-{number}", number)
    assert len(found["versions"]) == changed
    for version in found["versions"]:
        assert (version.by, version.entry["label"]) == ("bob", f"old {number}")


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_same_save_again_ends_well(killed: dict[str, Any], moment: str) -> None:
    again = killed["again"][MOMENTS.index(moment)]
    assert again["unchanged"] == (moment in CHANGED)
    assert (again["change"] is None) == (moment in CHANGED)


def test_the_audit_chain_is_whole_and_what_was_replaced_comes_back(
    killed: dict[str, Any], console: Console
) -> None:
    assert killed["report"]["breaks"] == []
    assert all(console.run("restored"))
    report = console.run("report")
    assert report["breaks"] == []
    for number in range(len(MOMENTS)):
        assert (console.store.get(f"agent:main:{number}") or {})["label"] == f"old {number}"
    restored = [event for event in report["events"] if event["action"] == "session.restore"]
    assert [event["outcome"] for event in restored] == ["started", "done"] * len(MOMENTS)
