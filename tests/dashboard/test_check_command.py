"""``manage.py sessions check``: its exit statuses, what it prints, and that it changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.services import audit_command as work
from tests.sessionstore.helpers import picture
from tests.sessionstore.maintenance.state import DAY, State, clean

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "sk-ant-api03-" + "A" * 40


@pytest.fixture
def state(tmp_path: Path, settings: Any) -> Iterator[State]:
    """A watched state directory with one store in which nothing is wrong."""
    made = clean(State(tmp_path / "state"))
    settings.STATE_DIR = made.root
    settings.GATEWAY_LOCK_DIR = tmp_path
    yield made
    made.store.close()


def test_sound_store_ends_with_nothing_to_do(sessions: Any, state: State) -> None:
    status, out = sessions("check", "--agent", "main")
    assert status == work.OK
    assert "files examined, nothing to do." in out.splitlines()[0]


def test_what_is_only_worth_knowing_is_no_failure(sessions: Any, state: State) -> None:
    state.put("explicit:old", age_s=40 * DAY)
    status, out = sessions("check", "--all")
    assert status == work.OK
    assert "(untouched): 1" in out
    assert "agent:main:explicit:old" in out


def test_anything_above_that_has_a_status_of_its_own(sessions: Any, state: State) -> None:
    state.put("explicit:stuck", status="running", age_s=DAY)
    status, out = sessions("check", "--all", "--json")
    content = json.loads(out)
    assert (status, content["status"]) == (work.FOUND, work.FOUND)
    [store] = content["stores"]
    [finding] = store["findings"]
    assert (finding["rule"], finding["severity"]) == ("running-without-proof", "error")
    assert (finding["confidence"], len(finding["evidence"])) == ("likely", 2)
    assert store["sessions"] == len(state.store.keys())


def test_one_rule_can_be_asked_for(sessions: Any, state: State) -> None:
    state.put("explicit:stuck", status="running", age_s=40 * DAY)
    status, out = sessions("check", "--all", "--rule", "untouched", "--json")
    [store] = json.loads(out)["stores"]
    assert status == work.OK
    assert [one["rule"] for one in store["findings"]] == ["untouched"]


def test_agent_that_is_not_there_is_wrong_use(sessions: Any, state: State) -> None:
    assert sessions("check", "--agent", "nobody")[0] == 2


def test_no_store_is_nothing_to_do(sessions: Any, tmp_path: Path, settings: Any) -> None:
    settings.STATE_DIR = tmp_path
    (tmp_path / "agents").mkdir()
    assert sessions("check", "--all")[0] == work.NOTHING


def test_store_that_must_not_be_opened_is_told_of(sessions: Any, state: State) -> None:
    (state.root / "agents" / "linked").symlink_to(state.root / "agents" / "main")
    status, out = sessions("check", "--all", "--json")
    rules = {
        one["agent"]: [f["rule"] for f in one["findings"]] for one in json.loads(out)["stores"]
    }
    assert status == work.FOUND
    assert rules["linked"] == ["linked-path"]


def test_nothing_is_changed(sessions: Any, state: State) -> None:
    state.put("explicit:stuck", status="running", age_s=DAY)
    state.transcript(state.new_id())
    before = picture(state.root)
    assert sessions("check", "--all")[0] == work.FOUND
    assert picture(state.root) == before


def test_secrets_and_control_characters_are_not_printed(sessions: Any, state: State) -> None:
    for number in (1, 2):
        label = f"{SECRET} \u202egnp.\x1b[31m"
        state.put(f"explicit:{number}:{SECRET}", label=label, sessionFile=f"/x/{SECRET}")
    for form in ((), ("--json",)):
        status, out = sessions("check", "--all", *form)
        assert status == work.FOUND
        assert "label-twice" in out
        assert "A" * 40 not in out
        assert "a" * 40 not in out
        assert "\u202e" not in out
        assert "\x1b" not in out


def test_long_lists_are_cut_in_words_and_whole_in_json(sessions: Any, state: State) -> None:
    for number in range(30):
        state.put(f"explicit:old-{number}", age_s=40 * DAY)
    _, out = sessions("check", "--all", "--rule", "untouched")
    assert "and 10 more" in out
    _, out = sessions("check", "--all", "--rule", "untouched", "--json")
    assert len(json.loads(out)["stores"][0]["findings"]) == 30
