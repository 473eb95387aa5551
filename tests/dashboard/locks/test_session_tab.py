"""A session's own locks, and what its waits came to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client

from tests.dashboard.locks.conftest import (
    ADA,
    LIN,
    Start,
    dead_owner,
    hold,
    report,
    transcript_lock,
    wait_for,
    window,
)

pytestmark = pytest.mark.django_db


def tab(client: Client, key: str = ADA, name: str = "locks") -> str:
    rows = client.get("/sessions.json?machine=yes").json()["sessions"]
    row = next(row for row in rows if row["key"] == key)
    answer = client.get(f"/stores/{row['store_id']}/sessions/{row['ref']}/?tab={name}")
    assert answer.status_code == 200
    return answer.text


def test_its_lock_is_shown_and_that_of_another_session_is_not(
    state: Path, start: Start, viewer_client: Client
) -> None:
    holder = hold(start, ADA)
    other = hold(start, LIN)
    waiter = wait_for(start, ADA)
    text = tab(viewer_client)
    assert f"process {holder.pid}" in text
    assert f"process {waiter.pid}" in text
    assert f"process {other.pid}" not in text


def test_the_lock_of_its_transcript_is_its_own(state: Path, viewer_client: Client) -> None:
    transcript_lock(state, dead_owner(), "id-ada")
    assert "owner gone" in tab(viewer_client, ADA)
    assert "owner gone" not in tab(viewer_client, LIN)
    assert "Nobody holds it" in tab(viewer_client, LIN)


def test_what_writers_reported_of_it(state: Path, viewer_client: Client) -> None:
    report(window(acquired=400, timeouts=2, over_count=17))
    text = tab(viewer_client)
    for words in ("at most 17 too many", "4.0 s", "9.0 s", "at least 2", "0.8 %"):
        assert words in text
    assert "reported since" in text


def test_both_tabs_of_a_session_tell_the_same_sums(state: Path, viewer_client: Client) -> None:
    report(window(acquired=400, timeouts=2, over_count=17))
    report(window(acquired=90, over_count=3, ago_s=4_000, program="cron"))
    report(window(acquired=3, key=LIN, program="other gateway"))
    told = [
        [_cells(tab(viewer_client, ADA, one), *names) for names in LABELS]
        for one in ("locks", "writes")
    ]
    assert told[0] == told[1]
    assert told[0][0][:2] == ["400 at most 17 too many", "490 at most 20 too many"]


LABELS = (("Updates",), ("Held", "Time held"), ("Waited", "Time waited"))


def _cells(text: str, *labels: str) -> list[str]:
    """What the cells with one of these labels say, without markup."""
    found = re.findall(rf'<td [^>]*data-label="(?:{"|".join(labels)})"[^>]*>(.*?)</td>', text)
    return [re.sub("<[^>]*>", "", cell) for cell in found if "number" not in cell][:4]


def test_time_held_that_is_estimated_says_so(state: Path, viewer_client: Client) -> None:
    report(window(acquired=8_000, over_count=17, estimated=6_987))
    assert tab(viewer_client).count("sampled, 1 update in 8") == 4  # 1, 6, 24 and 72 hours
    report(window(acquired=400, key=LIN, program="another"))
    assert "sampled" not in tab(viewer_client, LIN)


def test_few_updates_are_not_judged(state: Path, viewer_client: Client) -> None:
    report(window(acquired=5))
    assert "too few to judge" in tab(viewer_client)


def test_a_session_that_no_window_names_is_said_to_be_so(
    state: Path, viewer_client: Client
) -> None:
    report(window(acquired=5, key=LIN))
    assert "not among the sessions that cost most" in tab(viewer_client, ADA)


def test_without_reports_nothing_is_claimed(state: Path, viewer_client: Client) -> None:
    text = tab(viewer_client)
    assert "No writer of this store has reported in the last 72 hours" in text
    assert "0.0 %" not in text
