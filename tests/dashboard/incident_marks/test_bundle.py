"""What leaves in a bundle, and what must not."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.models import AuditEvent, Incident
from dashboard.services.incidents import bundle as bundles
from dashboard.services.incidents.disguise import Disguise
from dashboard.services.refs import digest
from sessionstore.metrics import HotSession
from tests.dashboard.incident_marks.conftest import (
    HOST,
    KEY,
    PHONE,
    SECRET,
    SECRET_KEY,
    Mark,
    id_of,
    report,
    store_of,
)

pytestmark = pytest.mark.django_db

PLANTED = (
    *(SECRET, SECRET.lower(), PHONE, PHONE[1:], "15112345678", "151 1234 5678", HOST, "zoe"),
    *("/home", "whatsapp:direct", "10.1.2.3", "mallory@", "bob", digest(KEY)[:16]),
)
NOTE = (
    f"Asked {PHONE} (0151 1234 5678), mailed mallory@bad.example. On {HOST} (10.1.2.3) in "
    f"/home/zoe/.ssh the session {KEY} was stuck at 2026-11-20 14:30. token {SECRET}, says bob."
)


def taken(client: Client, made: Incident, **fields: str) -> Any:
    answer = client.post(f"/incidents/{made.pk}/bundle/", fields)
    assert answer.status_code == 200
    return answer


def files_of(answer: Any) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(answer.getvalue())) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_nothing_planted_leaves(mark: Mark, state: Path, viewer_client: Client) -> None:
    report(state)
    made = mark(f"{SECRET} on {HOST}", note=NOTE)
    files = files_of(taken(viewer_client, made))
    found = {(name, text) for name, content in files.items() for text in PLANTED if text in content}
    assert found == set()
    assert str(state) not in "".join(files.values())
    told = json.loads(files["incident.json"])
    assert "2026-11-20 14:30" in told["notes"][0]["text"]
    assert told["notes"][0]["by"] == told["marked_by"] == "person-1"


def test_verdicts_leave_with_the_holder_and_without_the_key(
    mark: Mark, state: Path, viewer_client: Client
) -> None:
    made = mark(store=[id_of("main")])
    lock = {
        "store_id": id_of("main"),
        "scope": "session",
        "key": KEY,
        "ref": digest(KEY),
        "host": HOST,
        "pid": 5,
        "program": f"bot {PHONE}",
        "operation": "update",
        "since_ms": 1_790_000_000_000,
        "held_s": 31.5,
        "verdict": "alive",
        "limit_s": None,
        "evidence": [f"Published by a process on {HOST}."],
        "against": [f"{state}/x: {KEY}"],
        "waiters": [],
        "more_waiters": 40,
    }
    Incident.objects.filter(pk=made.pk).update(seen={"locks": [lock], "unread": []})
    files = files_of(taken(viewer_client, made))
    (told,) = json.loads(files["verdicts.json"])["when_marked"]["locks"]
    assert (told["verdict"], told["held_s"], told["more_waiters"]) == ("alive", 31.5, 40)
    assert told["evidence"] == ["Published by a process on host-1."]
    assert told["program"] == "bot [number]"
    assert [text for text in PLANTED if text in files["verdicts.json"]] == []
    assert str(state) not in files["verdicts.json"]


def test_a_session_has_one_name_everywhere_in_the_bundle(
    mark: Mark, state: Path, viewer_client: Client
) -> None:
    report(state)
    made = mark(note=f"look at {KEY}.")
    files = files_of(taken(viewer_client, made))
    name = next(name for name in files if name.endswith("sessions.json") and KEY not in name)
    store = json.loads(files["stores.json"])
    reporting = next(one["store"] for one in store if one["reported"])
    sessions = json.loads(files[f"{reporting}/sessions.json"])
    writes = json.loads(files[f"{reporting}/writes.json"])
    assert sessions[0]["session"] == writes[0]["session"]
    assert re.fullmatch(r"session-[a-p]{16}", sessions[0]["session"])
    assert sessions[0]["session"] in json.loads(files["incident.json"])["notes"][0]["text"]
    assert name in files


def test_digests_cannot_be_tried_and_differ_between_incidents(
    mark: Mark, state: Path, viewer_client: Client, settings: Any
) -> None:
    names = {Disguise(number).session(KEY) for number in (1, 2)}
    settings.SECRET_KEY = "another"
    names.add(Disguise(1).session(KEY))
    assert len(names) == 3


def test_samples_add_up_to_what_was_reported(
    mark: Mark, state: Path, viewer_client: Client
) -> None:
    report(state)
    report(state)
    made = mark(store=[id_of("main")])
    files = files_of(taken(viewer_client, made))
    lines = [json.loads(line) for line in files["store-1/samples.jsonl"].splitlines()]
    groups = [group for line in lines for group in line.get("groups", ())]
    assert sum(group["count"] for group in groups) == 200
    waits = [group["series"]["wait"] for group in groups if group["outcome"] == "timeout"]
    assert sum(one["count"] for one in waits) == 6
    assert max(one["max"] for one in waits) == 4_000_000_000
    assert any(line.get("gap") for line in lines)


def test_versions_and_limits_are_in_it_and_settings_with_secrets_are_not(
    mark: Mark, viewer_client: Client, settings: Any
) -> None:
    files = files_of(taken(viewer_client, mark()))
    versions = json.loads(files["versions.json"])
    assert {"sessionstore", "django", "python", "system"} <= set(versions)
    assert json.loads(files["config.json"])["store_defaults"]["timeout"] == 10.0
    config = json.loads(files["config.json"])
    assert config["lock_limits"]
    assert config["thresholds"]
    assert settings.SECRET_KEY not in "".join(files.values())


def test_the_same_incident_gives_the_same_files_in_the_same_order(
    mark: Mark, state: Path, viewer_client: Client
) -> None:
    report(state)
    report(state, "work")
    made = mark(note=NOTE)
    one, two = (files_of(taken(viewer_client, made)) for _ in range(2))
    assert list(one) == list(two)
    changing = {"incident.json", "verdicts.json", "manifest.json"}
    assert {n: t for n, t in one.items() if n not in changing} == {
        n: t for n, t in two.items() if n not in changing
    }
    assert next(iter(one)) == "README.txt"


def test_it_is_an_attachment_that_nothing_keeps_or_runs(mark: Mark, viewer_client: Client) -> None:
    made = mark()
    answer = taken(viewer_client, made)
    assert answer["Content-Type"] == "application/zip"
    assert re.fullmatch(
        rf'attachment; filename="incident-{made.pk}-\d{{4}}-\d\d-\d\d.zip"',
        answer["Content-Disposition"],
    )
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert int(answer["Content-Length"]) == len(answer.getvalue())


def test_the_export_is_on_record_before_and_after(
    mark: Mark, viewer_client: Client, carol: User
) -> None:
    made = mark()
    taken(viewer_client, made)
    events = AuditEvent.objects.filter(action="incident.export").order_by("sequence")
    assert [event.outcome for event in events] == ["started", "done"]
    assert {event.actor for event in events} == {"carol"}
    assert json.loads(events[1].details)["intent"] == events[0].sequence


def test_a_look_at_the_address_of_the_bundle_gives_nothing(
    mark: Mark, viewer_client: Client
) -> None:
    assert viewer_client.get(f"/incidents/{mark().pk}/bundle/").status_code == 405


def test_only_an_admin_takes_keys_along_and_they_are_masked(
    mark: Mark, state: Path, admin_client: Client, operator_client: Client
) -> None:
    report(state)
    made = mark()
    refused = operator_client.post(f"/incidents/{made.pk}/bundle/", {"keys": "masked"})
    assert refused.status_code == 403
    assert not AuditEvent.objects.filter(action="incident.export").exists()
    text = "".join(files_of(taken(admin_client, made, keys="masked")).values())
    assert "agent:main:explicit:" in text
    assert SECRET.lower() not in text
    assert SECRET_KEY not in text


def test_a_bundle_can_be_taken_when_read_only(
    mark: Mark, viewer_client: Client, settings: Any
) -> None:
    made = mark()
    settings.READ_ONLY = True
    assert taken(viewer_client, made).status_code == 200


def test_a_bundle_is_bounded_and_says_what_it_cut(
    mark: Mark, state: Path, viewer_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = [HotSession(f"agent:main:direct:{n}", 1, 0, n, n, 1, 0) for n in range(500)]
    report(state, sessions=sessions)
    made = mark(store=[id_of("main")])
    monkeypatch.setattr(bundles, "MOST_BYTES", 1 << 13)
    files = files_of(taken(viewer_client, made))
    cut = json.loads(files["manifest.json"])["cut_or_left_out"]
    assert cut
    assert sum(len(content) for content in files.values()) < (1 << 13) + 10_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("call +49 151 1234-5678 now", "call [number] now"),
        ("chat -1001234567890", "chat -[number]"),
        ("12345678@s.whatsapp.net", "[address]"),
        ("see https://user:pw@inner.example/x?k=1", "see [url]"),
        ("in /var/lib/x/y.json and ~/.ssh/id", "in [path] and [path]"),
        ("10.0.0.7 and fe80::1:2:3", "[address] and [address]"),
        ("at 2026-11-20 14:30:05 it took 4812 ms", "at 2026-11-20 14:30:05 it took 4812 ms"),
        ("3 of 40 waiters, 50 %", "3 of 40 waiters, 50 %"),
    ],
)
def test_texts_lose_what_names_somebody_and_keep_the_rest(text: str, said: str) -> None:
    assert Disguise(1).text(text) == said


def test_known_machines_are_replaced_as_whole_words() -> None:
    disguise = Disguise(1)
    disguise.know_hosts(["web", "web-2"])
    assert disguise.text("web-2 waits for web, not webbed") == "host-2 waits for host-1, not webbed"


def test_limits_of_locks_are_those_of_the_incidents_stores_under_their_numbers(
    mark: Mark, state: Path, viewer_client: Client
) -> None:
    made = mark(store=[id_of("main")])
    with store_of(state) as main, store_of(state, "work") as work:
        for store in (main, work):
            store.put("agent:main:held", {"sessionId": "held"})
        held = threading.Event()
        done = threading.Event()

        def keep(_entry: Any) -> None:
            held.set()
            done.wait(20)

        holders = [
            threading.Thread(target=store.update, args=("agent:main:held", keep))
            for store in (main, work)
        ]
        for holder in holders:
            holder.start()
        assert held.wait(20)
        try:
            files = files_of(taken(viewer_client, made))
        finally:
            done.set()
            for holder in holders:
                holder.join()
    limits = json.loads(files["config.json"])["lock_limits"]
    assert {limit["store"] for limit in limits} <= {"all", "store-1"}
    assert '"work"' not in files["config.json"]
