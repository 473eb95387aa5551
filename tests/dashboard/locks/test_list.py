"""The list of locks: real holders and waiters, filters, twins, and proof that nothing is held."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.jobs.looks import Look
from dashboard.services.fleet import fleet
from sessionstore.keys import lock_offset
from sessionstore.locks import OFD_RANGES
from sessionstore.locks.slots import HEADER_BYTES
from tests.conftest import REPOSITORY
from tests.dashboard.locks.conftest import (
    ADA,
    LIN,
    Start,
    dead_owner,
    hold,
    id_of,
    paths,
    report,
    sidecar,
    transcript_lock,
    wait_for,
    window,
)
from tests.dashboard.pages.hostile import MARKUP, SECRET
from tests.dashboard.persons import limit

pytestmark = pytest.mark.django_db


def listed(client: Client, query: str = "") -> dict[str, Any]:
    answer: dict[str, Any] = client.get(f"/locks.json{query}").json()
    return answer


def test_a_holder_and_who_waits_for_it_are_one_row(
    state: Path, start: Start, viewer_client: Client
) -> None:
    holder, waiter = hold(start), wait_for(start)
    (row,) = listed(viewer_client)["locks"]
    assert (row["kind"], row["key"], row["pid"]) == ("session", ADA, holder.pid)
    assert (row["program"], row["operation"], row["verdict"]) == ("holder", "update", "alive")
    assert row["process_started_at"]
    assert [(one["pid"], one["timeout_s"]) for one in row["waiters"]] == [(waiter.pid, 30.0)]
    text = viewer_client.get("/locks/").text
    assert "1 lock is held, 1 call waits" in text
    assert f"process {holder.pid}" in text
    assert f"process {waiter.pid}" in text
    assert " of 30.0 s" in text
    assert "held, alive" in text


def test_every_kind_of_lock_is_in_one_view(
    state: Path, start: Start, viewer_client: Client
) -> None:
    hold(start)
    transcript_lock(state, dead_owner())
    store = state / "agents" / "main" / "sessions" / "sessions.json.lock"
    store.write_text('{"pid": 4194303, "createdAt": "2026-01-05T07:30:00.000Z"}')
    kinds = {row["kind"]: row["verdict"] for row in listed(viewer_client)["locks"]}
    assert kinds["session"] == "alive"
    assert kinds["transcript"] == kinds["legacy"] == "owner-gone"
    text = viewer_client.get("/locks/").text
    assert "owner gone" in text
    assert "2 lock files were left behind." in text


def test_a_file_held_too_long_shows_its_limit_beside_it(state: Path, viewer_client: Client) -> None:
    transcript_lock(state, dead_owner(pid=os.getpid()))
    assert listed(viewer_client)["locks"][0]["verdict"] == "over-limit"
    assert " of 12:00 min" in viewer_client.get("/locks/").text


def test_the_whole_store_and_an_unknown_holder_are_told(
    state: Path, start: Start, viewer_client: Client
) -> None:
    start("exclusive", sidecar("work"), OFD_RANGES)
    raw = start("raw", sidecar(), lock_offset(ADA))
    rows = {row["store"]: row for row in listed(viewer_client)["locks"]}
    assert (rows["work"]["what"], rows["work"]["kind"]) == ("the whole store", "store")
    assert (rows["work"]["operation"], rows["work"]["verdict"]) == ("switch", "alive")
    assert (rows["main"]["verdict"], rows["main"]["pid"]) == ("unexplained", raw.pid)
    assert (rows["main"]["held_s"], rows["main"]["since"]) == (None, None)


def test_a_table_of_another_host_is_shown_and_never_cleared(
    state: Path, start: Start, operator_client: Client
) -> None:
    holder = hold(start)
    live = sidecar() / "live"
    (table,) = [path for path in live.iterdir() if f"-{holder.pid}-" in path.name]
    boot = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    content = table.read_bytes()
    holder.kill()
    holder.wait()
    head = content[:HEADER_BYTES].replace(boot, b"0" * len(boot))
    host = os.uname().nodename.encode()
    head = head.replace(host, b"x" * len(host))
    foreign = head + content[HEADER_BYTES:]
    (live / "elsewhere-1-1").write_bytes(foreign)
    (row,) = listed(operator_client)["locks"]
    assert (row["verdict"], row["is_proven_dead"]) == ("other-host", False)
    page = f"/stores/{row['store_id']}/locks/{row['id']}/"
    text = operator_client.get(page).text
    assert "Other host, cannot check" in text
    assert "This machine cannot tell" in text
    assert "this machine removes nothing" in text
    assert "clear-go" not in text
    assert operator_client.post(f"{page}clear/", {"reason": "x"}).status_code == 409


def test_a_store_that_does_not_answer_leaves_the_others_complete(
    state: Path, start: Start, viewer_client: Client, settings: Any
) -> None:
    settings.PAGE_WAIT_S = 1
    hold(start)
    reader = next(one for one in fleet().scan().readers if one.name == "work")
    release = threading.Event()
    reader._reads.submit(lambda: release.wait(60))
    try:
        found = listed(viewer_client)
        assert [late["name"] for late in found["late_stores"]] == ["work"]
        assert [row["key"] for row in found["locks"]] == [ADA]
        text = viewer_client.get("/locks/").text
        assert "work: Still reading" in text
        assert "1 lock is held" in text
    finally:
        release.set()


def test_a_killed_holder_is_gone_at_the_next_look(
    state: Path, start: Start, viewer_client: Client
) -> None:
    holder = hold(start)
    assert listed(viewer_client)["total"] == 1
    holder.kill()
    holder.wait()
    assert listed(viewer_client)["total"] == 0


def test_a_pid_that_was_used_again_is_told(state: Path, viewer_client: Client) -> None:
    transcript_lock(state, dead_owner(pid=os.getpid(), starttime=1))
    (row,) = listed(viewer_client)["locks"]
    assert row["verdict"] == "pid-reused"
    assert row["evidence"]


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("?verdict=alive", [ADA, LIN]),
        ("?verdict=owner-gone", [""]),
        ("?kind=session", [ADA, LIN]),
        ("?kind=session&waiters=yes", [ADA]),
        ("?kind=session&sort=store", [LIN, ADA]),
        ("?kind=session&sort=-store", [ADA, LIN]),
        ("?kind=session&sort=-wait", [ADA, LIN]),
        ("?kind=store", []),
    ],
)
def test_the_address_filters_and_sorts(
    query: str, keys: list[str], state: Path, start: Start, viewer_client: Client
) -> None:
    hold(start, ADA)
    hold(start, LIN)
    wait_for(start, ADA)
    transcript_lock(state, dead_owner())
    found = [row["key"] for row in listed(viewer_client, query)["locks"]]
    if "sort" not in query:
        found, keys = sorted(found), sorted(keys)
    assert found == keys


def test_a_store_has_its_own_list(state: Path, start: Start, viewer_client: Client) -> None:
    hold(start, "agent:work:telegram:direct:ada", "work")
    own = viewer_client.get(f"/stores/{id_of('work')}/locks.json").json()
    assert [row["store"] for row in own["locks"]] == ["work"]
    assert viewer_client.get(f"/stores/{id_of('main')}/locks.json").json()["total"] == 0
    assert listed(viewer_client, f"?store={id_of('main')}")["locks"] == []
    assert "Locks of work" in viewer_client.get(f"/stores/{id_of('work')}/locks/").text


def test_csv_has_the_same_rows(state: Path, start: Start, viewer_client: Client) -> None:
    holder = hold(start)
    wait_for(start)
    text = viewer_client.get("/locks.csv").getvalue().decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["key"], row["pid"], row["waiters"]) == (ADA, str(holder.pid), "1")
    assert float(row["longest_wait_s"]) > 0


# --- Nothing held, and proof of it ---------------------------------------------------------------


def test_nothing_held_comes_with_what_writers_reported(state: Path, viewer_client: Client) -> None:
    report(window(acquired=4000, longest_ms=38))
    report(window(acquired=812, longest_ms=2, program="bot"), "work")
    text = viewer_client.get("/locks/").text
    assert "No lock is held." in text
    assert "4,812 acquisitions, longest wait 38 ms, 0 timeouts" in text
    assert "from 2 processes that report" in text
    assert listed(viewer_client)["reported"]["acquisitions"] == 4812


WRITER = """
import sys
from sessionstore.store import open_store
with open_store(sys.argv[1]) as store:
    for number in range(20):
        store.patch(sys.argv[2], {"number": number})
    try:
        store.patch(sys.argv[3], {"number": 1}, timeout=0.2)
    except TimeoutError:
        print("gave up")
"""


def test_real_writers_and_a_real_timeout_are_counted(
    state: Path, start: Start, viewer_client: Client
) -> None:
    hold(start, ADA)
    command = [sys.executable, "-c", WRITER, str(paths().store_path), LIN, ADA]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout == "gave up\n"
    told = listed(viewer_client)["reported"]
    assert (told["acquisitions"], told["timeouts"], told["timeouts_in_5_minutes"]) == (20, 1, 1)
    (kept,) = told["kept_timeouts"]
    assert kept["what"] == "telegram:direct:ada"
    assert kept["waited_s"] >= 0.2


def test_writers_with_nothing_to_do_are_no_silence(state: Path, viewer_client: Client) -> None:
    idle = window()
    idle.groups, idle.sessions = [], []
    report(idle)
    text = viewer_client.get("/locks/").text
    assert "no lock was asked for; exact, from 1 process that reports" in text
    assert "of this hour nobody was there to report" in text


def test_without_reports_there_are_no_zeros(state: Path, viewer_client: Client) -> None:
    text = viewer_client.get("/locks/").text
    assert "No writer has reported in the last hour" in text
    assert "No writer has ever reported" in text
    assert "acquisition" not in text
    assert listed(viewer_client)["reported"] is None


def test_a_store_whose_writers_are_silent_is_named(state: Path, viewer_client: Client) -> None:
    report(window(acquired=10))
    assert "No writer reports for: work." in viewer_client.get("/locks/").text
    assert listed(viewer_client)["reported"]["silent_stores"] == ["work"]


def test_what_was_reported_long_ago_is_not_of_the_last_hour(
    state: Path, viewer_client: Client
) -> None:
    report(window(acquired=10, ago_s=7200))
    text = viewer_client.get("/locks/").text
    assert "No writer has reported in the last hour" in text
    assert "Writers reported last:" in text


def test_the_page_says_how_often_it_looked(state: Path, viewer_client: Client) -> None:
    counts = [listed(viewer_client)["sampled"]["looks_in_the_last_hour"] for _ in range(3)]
    assert counts == [1, 2, 3]
    assert "looked 4 times in the last hour" in viewer_client.get("/locks/").text


def test_a_waiter_that_gave_up_is_shown(state: Path, viewer_client: Client) -> None:
    report(window(acquired=5, timeouts=5, program=f"bot{MARKUP}{SECRET}"))
    text = viewer_client.get("/locks/").text
    assert "5 calls gave up waiting in the last hour" in text
    assert "5 of them in the last 5 minutes" in text
    assert "2 more were counted" in text
    assert "10.0 s" in text
    assert MARKUP not in text
    assert SECRET not in text
    assert len(listed(viewer_client)["reported"]["kept_timeouts"]) == 3


# --- Looking --------------------------------------------------------------------------------------


def looked(client: Client, look: Look, path: str = "/locks/") -> Any:
    return client.get(path, headers={"HX-Request": "true", "X-Live": str(look)})


def test_looks_of_a_live_part_are_shared(state: Path, viewer_client: Client) -> None:
    look = Look(2**31, 2, "0" * 16, "")
    for _ in range(5):
        looked(viewer_client, look)
    assert listed(viewer_client)["sampled"]["looks_in_the_last_hour"] <= 3


def test_a_look_that_finds_nothing_new_waits_longer(state: Path, viewer_client: Client) -> None:
    first = looked(viewer_client, Look(2**31, 2, "0" * 16, "")).text
    stamp = first.split('"X-Live": "', 1)[1].split(" ")[2]
    again = viewer_client.get(
        "/locks/",
        # As a browser sends it: without the space at the end.
        headers={"HX-Request": "true", "X-Live": str(Look(2**31, 2, stamp, "")).strip()},
    )
    assert again["HX-Retarget"] == "#locks-bar"
    assert "every 4s" in again.text


def test_a_page_left_alone_stops_looking(state: Path, viewer_client: Client) -> None:
    answer = looked(viewer_client, Look(0, 2, "0" * 16, ""))
    assert answer.status_code == 286
    assert "data-live" not in answer.text


def test_a_page_that_is_held_does_not_look(state: Path, viewer_client: Client) -> None:
    assert "data-live" not in viewer_client.get("/locks/?live=off").text
    assert "data-live" in viewer_client.get("/locks/").text


# --- Who sees what, and hostile text --------------------------------------------------------------


def test_locks_of_other_agents_are_not_there(
    state: Path, start: Start, viewer_client: Client, carol: User
) -> None:
    hold(start, "agent:work:telegram:direct:ada", "work")
    report(window(acquired=77), "work")
    work = id_of("work")
    (row,) = listed(viewer_client)["locks"]
    limit(carol, "main")
    found = listed(viewer_client)
    assert (found["total"], found["reported"]) == (0, None)
    assert "work" not in viewer_client.get("/locks/").text.replace("work that goes on", "")
    for path in (f"/stores/{work}/locks/", f"/stores/{work}/locks/{row['id']}/"):
        assert viewer_client.get(path).status_code == 404


def test_texts_of_locks_are_masked_and_escaped(
    state: Path, start: Start, viewer_client: Client
) -> None:
    key = f"agent:main:x:{MARKUP}{SECRET}".lower()
    hold(start, key)
    transcript_lock(state, dead_owner(pid=f"{MARKUP}{SECRET}", host=MARKUP), f"{SECRET}")
    (one,) = [row for row in listed(viewer_client)["locks"] if row["kind"] == "session"]
    place = f"/stores/{one['store_id']}/locks"
    for path in ("/locks/", "/locks.json", "/locks.csv", f"{place}/", f"{place}/{one['id']}/"):
        text = viewer_client.get(path).getvalue().decode()
        assert SECRET not in text
        assert SECRET.lower() not in text
        if path.endswith("/"):
            assert "<script>window" not in text


@pytest.mark.parametrize("query", ["?verdict=x&kind=y&sort=z&page=-1&store=../etc", "?page=999"])
def test_odd_addresses_show_the_list(query: str, state: Path, viewer_client: Client) -> None:
    assert viewer_client.get(f"/locks/{query}").status_code == 200
    assert listed(viewer_client, query)["locks"] == []
