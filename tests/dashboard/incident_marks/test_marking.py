"""Marking, ending, renaming, writing to and removing incidents: who may, and what is on record."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.models import AuditEvent, Incident, IncidentNote, SignIn
from tests.conftest import client_for
from tests.dashboard.incident_marks.conftest import SECRET, Mark, id_of, listed, now_ms, store_of
from tests.dashboard.persons import limit

pytestmark = pytest.mark.django_db


def actions() -> list[str]:
    return list(AuditEvent.objects.order_by("sequence").values_list("action", flat=True))


def test_a_mark_keeps_who_when_and_about_what(mark: Mark, bob: User) -> None:
    made = mark("Telegram stood still", store=[id_of("work")], note="two people complained")
    assert (made.title, made.actor, made.everywhere) == ("Telegram stood still", "bob", False)
    assert [store.agent for store in made.stores.all()] == ["work"]
    assert [note.text for note in made.notes.all()] == ["two people complained"]
    event = AuditEvent.objects.get(action="incident.mark")
    assert (event.actor, str(made.pk) in event.target) == ("bob", True)


def test_a_mark_of_no_store_is_of_all(mark: Mark) -> None:
    made = mark()
    assert made.everywhere
    assert not made.stores.exists()


def test_a_mark_keeps_the_locks_of_its_moment(mark: Mark, state: Path) -> None:
    key, done = "agent:main:hot", threading.Event()
    with store_of(state) as store:
        held = threading.Event()

        def hold(_entry: Any) -> None:
            held.set()
            done.wait(20)

        holder = threading.Thread(target=store.update, args=(key, hold))
        holder.start()
        assert held.wait(20)
        try:
            made = mark(store=[id_of("main")])
        finally:
            done.set()
            holder.join()
    (lock,) = made.seen["locks"]
    assert (lock["key"], lock["verdict"], lock["operation"]) == (key, "alive", "update")


def test_a_mark_keeps_lock_files_that_were_left_behind(mark: Mark, state: Path) -> None:
    folder = state / "agents" / "main" / "sessions"
    (folder / "old.jsonl").write_text("{}\n")
    (folder / "old.jsonl.lock").write_text('{"pid": 4194303, "createdAt": "2026-01-01T00:00:00Z"}')
    (lock,) = mark(store=[id_of("main")]).seen["locks"]
    assert (lock["scope"], lock["verdict"]) == ("transcript", "owner-gone")


def test_a_mark_without_an_end_is_open_until_somebody_ends_it(
    mark: Mark, operator_client: Client
) -> None:
    made = mark(end="")
    assert [made.ended_at] == [None]
    answer = operator_client.post(f"/incidents/{made.pk}/end/", {"end": ""})
    assert answer.status_code == 302
    made.refresh_from_db()
    assert made.ended_at is not None
    assert abs((timezone.now() - made.ended_at).total_seconds()) < 60
    assert actions()[-1] == "incident.end"


def test_an_end_stays_as_it_is(mark: Mark, operator_client: Client) -> None:
    made = mark()
    answer = operator_client.post(f"/incidents/{made.pk}/end/", {"end": ""})
    assert answer.status_code == 409
    assert Incident.objects.get(pk=made.pk).ended_at == made.ended_at


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"title": ""}, "Give it a name"),
        ({"title": "x" * 201}, "at most 200"),
        ({"start": ""}, "Say when it began"),
        ({"start": "soon"}, "Write a date"),
        ({"start": "2999-01-01"}, "in the future"),
        ({"end": "2001-01-01"}, "end before it began"),
        ({"note": "x" * 4001}, "at most 4000"),
    ],
)
def test_what_cannot_be_is_told_at_its_field(
    state: Path, operator_client: Client, fields: dict[str, str], said: str
) -> None:
    usual = {"title": "It was slow", "start": "1h", "end": ""}
    answer = operator_client.post("/incidents/new/", {**usual, **fields})
    assert answer.status_code == 422
    assert said in answer.text
    assert not Incident.objects.exists()


def test_a_store_that_is_not_there_cannot_be_marked(state: Path, operator_client: Client) -> None:
    fields = {"title": "x", "start": "1h", "store": ["0123456789ab"]}
    assert operator_client.post("/incidents/new/", fields).status_code == 404
    assert not Incident.objects.exists()


def test_the_form_begins_with_the_span_of_the_address(state: Path, operator_client: Client) -> None:
    address = "/incidents/new/?from=1790000000000&to=2026-09-21T14:00:00&store=" + id_of("work")
    page = operator_client.get(address).text
    assert 'value="2026-09-21 13:33:20"' in page or "2026-09-21" in page
    assert 'value="2026-09-21 14:00:00"' in page
    assert f'value="{id_of("work")}" checked' in page


@pytest.mark.parametrize("text", ["soon", "9" * 13, "9" * 14, "-1", "\0"])
def test_a_span_that_is_no_time_is_left_out(
    state: Path, operator_client: Client, text: str
) -> None:
    assert operator_client.get("/incidents/new/", {"from": text, "to": text}).status_code == 200


def test_a_note_can_be_added_and_never_changed(mark: Mark, operator_client: Client) -> None:
    made = mark()
    operator_client.post(f"/incidents/{made.pk}/note/", {"note": "first\r\nsecond line"})
    operator_client.post(f"/incidents/{made.pk}/note/", {"note": "another"})
    texts = [note.text for note in IncidentNote.objects.all()]
    assert texts == ["first\nsecond line", "another"]
    assert actions().count("incident.note") == 2
    assert operator_client.post(f"/incidents/{made.pk}/note/", {"note": " "}).status_code == 422


def test_a_new_title_is_on_record_with_the_one_before(mark: Mark, operator_client: Client) -> None:
    made = mark("before")
    operator_client.post(f"/incidents/{made.pk}/title/", {"title": "after"})
    assert Incident.objects.get(pk=made.pk).title == "after"
    assert '"before":"before"' in AuditEvent.objects.get(action="incident.retitle").details


def test_a_masked_title_is_never_written_back(mark: Mark, operator_client: Client) -> None:
    made = mark(f"token {SECRET}")
    address = f"/incidents/{made.pk}/title/"
    assert operator_client.post(address, {"title": "token [masked]"}).status_code == 302
    assert operator_client.post(address, {"title": "my [masked]"}).status_code == 422
    assert Incident.objects.get(pk=made.pk).title == f"token {SECRET}"


def test_only_an_admin_removes_one_and_the_audit_keeps_it(
    mark: Mark, operator_client: Client, admin_client: Client
) -> None:
    made = mark("To be removed", note="and its note")
    assert operator_client.post(f"/incidents/{made.pk}/remove/").status_code == 403
    assert admin_client.post(f"/incidents/{made.pk}/remove/").status_code == 302
    assert not Incident.objects.exists()
    assert not IncidentNote.objects.exists()
    assert "To be removed" in AuditEvent.objects.get(action="incident.remove").target
    assert "and its note" in AuditEvent.objects.get(action="incident.mark").details


def test_removing_asks_for_the_password_when_the_sign_in_is_old(
    mark: Mark, admin_client: Client
) -> None:
    made = mark()
    SignIn.objects.update(confirmed_at=timezone.now() - timedelta(hours=1))
    answer = admin_client.post(f"/incidents/{made.pk}/remove/")
    assert answer.status_code == 422
    assert Incident.objects.exists()


def test_a_viewer_looks_and_does_nothing_else(mark: Mark, viewer_client: Client) -> None:
    made = mark()
    page = viewer_client.get(f"/incidents/{made.pk}/").text
    assert "It was slow" in page
    assert 'id="note"' not in page
    assert viewer_client.get("/incidents/new/").status_code == 403
    for act in ("end", "title", "note", "remove"):
        assert viewer_client.post(f"/incidents/{made.pk}/{act}/", {}).status_code == 403


def test_nothing_changes_when_read_only(mark: Mark, operator_client: Client, settings: Any) -> None:
    made = mark()
    settings.READ_ONLY = True
    for path in ("new/", f"{made.pk}/end/", f"{made.pk}/note/", f"{made.pk}/title/"):
        answer = operator_client.post(f"/incidents/{path}", {"title": "x", "note": "x"})
        assert answer.status_code == 403
    page = operator_client.get(f"/incidents/{made.pk}/").text
    assert 'id="end"' not in page
    assert "This console is read-only" in operator_client.get("/incidents/new/").text


def test_whoever_sees_one_agent_marks_and_sees_only_that(
    mark: Mark, make_user: Any, operator_client: Client
) -> None:
    everything = mark("of everything")
    of_work = mark("of work", store=[id_of("work")])
    both = mark("of both", store=[id_of("work"), id_of("main")])
    limited = make_user("limited", "operator")
    limit(limited, "main")
    client = client_for(limited)
    own = mark("own", client=client)
    assert (own.everywhere, [store.agent for store in own.stores.all()]) == (False, ["main"])
    own_list = listed(client, "/incidents.json")
    assert [one["title"] for one in own_list] == ["own"]
    for hidden in (everything, of_work, both):
        assert client.get(f"/incidents/{hidden.pk}/").status_code == 404
        assert client.post(f"/incidents/{hidden.pk}/note/", {"note": "x"}).status_code == 404
        assert client.post(f"/incidents/{hidden.pk}/bundle/").status_code == 404
    fields = {"title": "x", "start": "1h", "store": [id_of("work")]}
    assert client.post("/incidents/new/", fields).status_code == 404
    titles = [one["title"] for one in listed(operator_client, "/incidents.json")]
    assert set(titles) == {"own", "of both", "of work", "of everything"}


def test_a_mark_of_the_past_says_when_it_was_made(mark: Mark, viewer_client: Client) -> None:
    made = mark(start=str(now_ms() - 3 * 86_400_000), end=str(now_ms() - 2 * 86_400_000))
    told = viewer_client.get(f"/incidents/{made.pk}.json").json()
    assert told["until"] < told["marked_at"]
