"""One change and taking it back: what it would do, choices, locks, and what writers wrote since."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.acting import Actor
from dashboard.models import AuditEvent, Change, Job
from dashboard.services import changing
from dashboard.services.comparing import field_id
from sessionstore.kept import read_version
from sessionstore.store import Store, open_store
from sessionstore.versionfiles import folder_of
from tests.conftest import REPOSITORY
from tests.dashboard.pages.hostile import MARKUP, SECRET
from tests.dashboard.persons import limit
from tests.dashboard.undo.conftest import ENTRY, KEY, WORK_KEY, Edit
from tests.dashboard.undo.test_restoring import locked

pytestmark = pytest.mark.django_db

Send = Callable[..., Any]


@pytest.fixture
def send(operator_client: Client) -> Send:
    """Return a function that sends the form of a change as it stands on its page now."""
    return sender(operator_client)


@pytest.fixture
def send_as_admin(admin_client: Client) -> Send:
    """The same for an admin."""
    return sender(admin_client)


def sender(client: Client) -> Send:
    def send(change_id: int, *, seen: str | None = None, **fields: str) -> Any:
        if seen is None:
            seen = seen_on(client, change_id)
        named = {name.replace("__", "-"): value for name, value in fields.items()}
        return client.post(f"/undo/{change_id}/undo/", {"seen": seen, **named})

    return send


def seen_on(client: Client, change_id: int) -> str:
    found = re.search(r'name="seen" value="([^"]*)"', client.get(f"/undo/{change_id}/").text)
    return found[1] if found else ""


def now_in(store: Store, key: str = KEY) -> dict[str, Any]:
    return store.get(key) or {}


# --- The page ------------------------------------------------------------------------------------


def test_the_page_says_what_it_did_and_what_undoing_would_do(
    store: Store, edit: Edit, operator_client: Client
) -> None:
    change_id = edit(label="Anna", category="x", reason="ticket 41")
    store.patch(KEY, {"category": "theirs"})
    page = operator_client.get(f"/undo/{change_id}/").text
    for word in (
        "ticket 41",
        "What it did",
        "What undoing it would do now",
        "&quot;Anna&quot;",
    ):
        assert word in page
    assert "1 field was changed since" in page
    assert "&quot;theirs&quot;" in page
    assert 'name="choice-category" value="now"' in page
    assert 'name="choice-label"' not in page


def test_a_change_that_nobody_touched_is_not_shown_twice(
    edit: Edit, operator_client: Client
) -> None:
    page = operator_client.get(f"/undo/{edit(label='Anna')}/").text
    assert "Nobody has touched these fields since" in page
    assert page.count("&quot;Anna&quot;") == 1


def test_a_pruned_change_still_names_its_fields(
    store: Store, edit: Edit, operator_client: Client
) -> None:
    change_id = edit(label="Anna")
    for path in folder_of(store.paths, KEY).iterdir():
        path.unlink()
    page = operator_client.get(f"/undo/{change_id}/").text
    assert "only the names of the fields are known" in page
    assert "Undo this change" not in page


def test_an_entry_that_cannot_be_read_is_said_beside_what_is_known(
    store: Store, edit: Edit, operator_client: Client
) -> None:
    change_id = edit(label="Anna")
    next(store.paths.directory.glob("*ada.json")).write_bytes(b"{")
    page = operator_client.get(f"/undo/{change_id}/").text
    assert "The entry is damaged" in page
    assert "&quot;Anna&quot;" in page


def test_a_change_of_a_gone_store_is_shown(
    state: Path, edit: Edit, operator_client: Client
) -> None:
    change_id = edit(key=WORK_KEY, agent="work", label="Anna")
    (state / "agents" / "work").rename(state / "work")
    answer = operator_client.get(f"/undo/{change_id}/")
    assert answer.status_code == 200
    assert "no longer below the state directory" in answer.text


@pytest.mark.parametrize("number", [0, 4711, 10**30])
def test_a_change_that_is_not_there_is_not_found(
    state: Path, operator_client: Client, number: int
) -> None:
    assert operator_client.get(f"/undo/{number}/").status_code == 404
    assert operator_client.get(f"/undo/{number}.json").status_code == 404
    assert operator_client.post(f"/undo/{number}/undo/").status_code == 404


def test_looking_changes_nothing(store: Store, edit: Edit, operator_client: Client) -> None:
    change_id = edit(label="Anna")
    before = AuditEvent.objects.count(), Change.objects.count(), store.get(KEY)
    answer = operator_client.get(f"/undo/{change_id}/undo/")
    assert answer["Location"] == f"/undo/{change_id}/#undo"
    operator_client.get(answer["Location"])
    assert (AuditEvent.objects.count(), Change.objects.count(), store.get(KEY)) == before


def test_the_change_as_json_is_masked_and_uncut(edit: Edit, viewer_client: Client) -> None:
    change_id = edit(note="x" * 9_000, apiKey="hunter2hunter2", label=MARKUP)
    found = viewer_client.get(f"/undo/{change_id}.json").json()
    assert found["difference"]["note"] == {"after": "x" * 9_000}
    assert found["difference"]["apiKey"] == {"after": "[masked]"}
    assert found["undo"] == "possible"
    one = viewer_client.get(f"/undo/{change_id}.json?field=label").json()
    assert one["difference"] == {"label": {"before": "Ada", "after": MARKUP}}


def test_what_a_store_says_is_text_on_the_page(
    store: Store, edit: Edit, operator_client: Client
) -> None:
    change_id = edit(
        key=f"agent:main:explicit:{MARKUP.lower()}",
        reason=MARKUP,
        **{MARKUP: {MARKUP: MARKUP}, "label": MARKUP, "note": SECRET},
    )
    store.patch(f"agent:main:explicit:{MARKUP.lower()}", {MARKUP: MARKUP + "x"})
    page = operator_client.get(f"/undo/{change_id}/").text
    for bad in ("<script>window", "<img src=x", SECRET):
        assert bad not in page


# --- Undoing -------------------------------------------------------------------------------------


def test_an_edit_is_taken_back_and_later_writes_stay(
    store: Store, edit: Edit, send: Send, operator_client: Client
) -> None:
    change_id = edit(label="Anna", category="x")
    store.patch(KEY, {"totalTokens": 9})
    answer = send(change_id, reason="wrong person")
    undo = Change.objects.latest("pk")
    assert answer["Location"] == f"/undo/{undo.pk}/"
    assert (undo.action, undo.undoes_id, undo.reason) == ("undo", change_id, "wrong person")
    entry = now_in(store)
    assert (entry["label"], entry["totalTokens"], "category" in entry) == ("Ada", 9, False)
    page = operator_client.get(answer["Location"]).text
    assert "It is undone. 2 fields were read back and are as they should be." in page
    assert f'href="/undo/{change_id}/"' in page
    assert "Undo this change" in page
    assert "/sessions/" in page


def test_a_reason_that_is_too_long_is_cut_and_not_lost(edit: Edit, send: Send) -> None:
    send(edit(label="Anna"), reason="why\0 " + "x" * 900)
    reason = Change.objects.latest("pk").reason
    assert reason.startswith("why xxx")
    assert len(reason) == 500


def test_an_undo_is_undone(store: Store, edit: Edit, send: Send) -> None:
    send(edit(label="Anna"))
    send(Change.objects.latest("pk").pk)
    assert now_in(store)["label"] == "Anna"


def test_a_deleted_session_comes_back_with_its_transcript(
    store: Store, store_id: str, admin: Actor, send: Send, operator_client: Client
) -> None:
    transcript = store.path.parent / "id-ada.jsonl"
    transcript.write_text('{"type":"session"}\n')
    change_id = changing.act(admin, store_id, KEY, "delete", {}).change_id
    assert change_id is not None
    assert not transcript.exists()
    page = operator_client.get(f"/undo/{change_id}/").text
    assert "would be there again" in page
    assert "id-ada.jsonl.deleted." in page
    answer = send(change_id)
    assert "Its transcript is back." in operator_client.get(answer["Location"]).text
    assert store.get(KEY) == ENTRY
    assert transcript.exists()


def test_a_reset_is_taken_back(store: Store, store_id: str, operator: Actor, send: Send) -> None:
    change_id = changing.act(operator, store_id, KEY, "reset", {}).change_id
    assert change_id is not None
    assert now_in(store)["sessionId"] != "id-ada"
    send(change_id)
    assert now_in(store)["sessionId"] == "id-ada"


def test_a_created_session_goes_again(store: Store, edit: Edit, send_as_admin: Send) -> None:
    other = "agent:main:explicit:made"
    change_id = edit(key=other, label="Made")
    assert send_as_admin(change_id).status_code == 302
    assert store.get(other) is None


def test_operators_remove_no_session_by_taking_back(
    store: Store, edit: Edit, send: Send, operator_client: Client
) -> None:
    other = "agent:main:explicit:made"
    change_id = edit(key=other, label="Made")
    page = operator_client.get(f"/undo/{change_id}/").text
    assert "Removing a session asks for the role admin." in page
    assert "Undo this change" not in page
    assert send(change_id, seen="").status_code == 403
    assert store.get(other) is not None


def test_operators_take_back_no_field_that_only_admins_may_set(
    store: Store, edit: Edit, send: Send, send_as_admin: Send, operator_client: Client
) -> None:
    change_id = edit(label="Anna", spawnedCwd="/srv/agent")
    page = operator_client.get(f"/undo/{change_id}/").text
    assert "It would change spawnedCwd, which only an admin may change." in page
    assert "Undo this change" not in page
    assert send(change_id, seen="").status_code == 403
    assert (now_in(store)["label"], now_in(store)["spawnedCwd"]) == ("Anna", "/srv/agent")
    assert send_as_admin(change_id).status_code == 302
    assert now_in(store) == ENTRY
    again = Change.objects.get(undoes_id=change_id).pk
    assert send(again, seen="").status_code == 403  # nor by undoing the undo
    assert "spawnedCwd" not in now_in(store)


def test_operators_take_back_all_that_their_own_actions_did(
    store: Store, store_id: str, operator: Actor, send: Send
) -> None:
    store.patch(KEY, {"modelOverride": "m", "providerOverride": "p", "model": "m"})
    before = now_in(store)
    for action in ("clear_overrides", "archive", "reset"):
        changing.act(operator, store_id, KEY, action, {})
        change = Change.objects.filter(action=action).get()
        assert send(change.pk).status_code == 302
        undo = Change.objects.get(undoes_id=change.pk)
        assert now_in(store)["sessionId"] == before["sessionId"]
        assert send(undo.pk).status_code == 302
        assert send(Change.objects.get(undoes_id=undo.pk).pk).status_code == 302
        assert now_in(store) | {"updatedAt": 0} == before | {"updatedAt": 0}


def test_removing_a_session_by_taking_back_asks_for_a_recent_sign_in(
    store: Store, edit: Edit, send_as_admin: Send, settings: Any
) -> None:
    other = "agent:main:explicit:made"
    change_id = edit(key=other, label="Made")
    settings.RECENT_MINUTES = -1
    for fields in ({}, {"later": "on"}):
        answer = send_as_admin(change_id, **fields)
        assert answer.status_code == 422
        assert "Your password" in answer.text
    assert not Job.objects.exists()
    assert store.get(other) is not None


def test_a_created_session_that_was_used_goes_only_when_that_is_confirmed(
    store: Store, edit: Edit, send_as_admin: Send, admin_client: Client
) -> None:
    other = "agent:main:explicit:made"
    change_id = edit(key=other, label="Made")
    store.patch(other, {"totalTokens": 7})
    page = admin_client.get(f"/undo/{change_id}/").text
    assert "Remove the session although it was used since" in page
    assert send_as_admin(change_id).status_code == 409
    seen = seen_on(admin_client, change_id)
    store.patch(other, {"totalTokens": 8})
    assert send_as_admin(change_id, seen=seen, remove="on").status_code == 409
    assert store.get(other) is not None
    assert send_as_admin(change_id, remove="on").status_code == 302
    assert store.get(other) is None


def test_undoing_twice_says_that_it_was_done(edit: Edit, send: Send) -> None:
    change_id = edit(label="Anna")
    seen = ""
    assert send(change_id, seen=seen).status_code == 302
    answer = send(change_id, seen=seen)
    assert answer.status_code == 410
    assert "undone already" in answer.text
    assert Change.objects.filter(action="undo").count() == 1


def test_what_is_back_already_is_not_written_again(
    store: Store, edit: Edit, send: Send, operator_client: Client
) -> None:
    change_id = edit(label="Anna")
    store.patch(KEY, {"label": "Ada"})
    before = now_in(store)
    answer = send(change_id, seen="")
    assert answer["Location"] == f"/undo/{change_id}/"
    assert "nothing was written" in operator_client.get(answer["Location"]).text
    assert now_in(store) == before


def test_a_change_past_its_time_is_refused(store: Store, edit: Edit, send: Send) -> None:
    change_id = edit(label="Anna")
    Change.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    answer = send(change_id, seen="")
    assert answer.status_code == 410
    assert "Its time is over" in answer.text
    assert now_in(store)["label"] == "Anna"


def test_a_pruned_change_is_refused(store: Store, edit: Edit, send: Send) -> None:
    change_id = edit(label="Anna")
    for path in folder_of(store.paths, KEY).iterdir():
        path.unlink()
    answer = send(change_id, seen="")
    assert answer.status_code == 410
    assert "no longer kept" in answer.text


def test_a_session_that_was_deleted_since_is_refused(store: Store, edit: Edit, send: Send) -> None:
    change_id = edit(label="Anna")
    store.delete(KEY)
    answer = send(change_id, seen="")
    assert answer.status_code == 404
    assert "undo that first" in answer.text
    assert store.get(KEY) is None


# --- Choices -------------------------------------------------------------------------------------


def test_fields_that_changed_since_need_a_choice(store: Store, edit: Edit, send: Send) -> None:
    change_id = edit(label="Anna", category="x")
    store.patch(KEY, {"label": "theirs"})
    answer = send(change_id, reason="typed already")
    assert answer.status_code == 409
    assert "Nothing was written" in answer.text
    assert "typed already" in answer.text
    assert 'name="choice-label"' in answer.text
    assert now_in(store)["category"] == "x"


@pytest.mark.parametrize(("choice", "label"), [("mine", "Ada"), ("now", "theirs")])
def test_a_choice_decides_its_field(
    store: Store, edit: Edit, send: Send, choice: str, label: str
) -> None:
    change_id = edit(label="Anna", category="x")
    store.patch(KEY, {"label": "theirs"})
    assert send(change_id, choice__label=choice).status_code == 302
    entry = now_in(store)
    assert (entry["label"], "category" in entry) == (label, False)


def test_a_choice_over_a_value_that_changed_again_is_asked_for_again(
    store: Store, edit: Edit, send: Send, operator_client: Client
) -> None:
    change_id = edit(label="Anna", category="x")
    store.patch(KEY, {"label": "theirs", "category": "theirs too"})
    seen = seen_on(operator_client, change_id)
    store.patch(KEY, {"label": "theirs again"})
    answer = send(change_id, seen=seen, choice__label="mine", choice__category="now")
    assert answer.status_code == 409
    assert now_in(store)["label"] == "theirs again"
    radios = re.findall(r'name="(choice-\w+)" value="(\w+)" required( checked)?', answer.text)
    assert [radio[:2] for radio in radios if radio[2]] == [("choice-category", "now")]


@pytest.mark.parametrize("seen", ["", "label:0123456789abcdef", "label", ":::,,", "\u202e" * 50])
def test_a_choice_without_proof_of_what_was_seen_does_not_count(
    store: Store, edit: Edit, send: Send, seen: str
) -> None:
    change_id = edit(label="Anna")
    store.patch(KEY, {"label": "theirs"})
    assert send(change_id, seen=seen, choice__label="mine").status_code == 409
    assert now_in(store)["label"] == "theirs"


def test_fields_with_hostile_names_are_chosen_by_their_digest(
    store: Store, edit: Edit, send_as_admin: Send
) -> None:
    change_id = edit(**{MARKUP: "one"})
    store.patch(KEY, {MARKUP: "theirs"})
    answer = send_as_admin(change_id, **{f"choice__{field_id(MARKUP)}": "mine"})
    assert answer.status_code == 302
    assert MARKUP not in now_in(store)


def test_a_form_carries_no_value_and_nothing_to_guess_one_by(
    store: Store, edit: Edit, admin_client: Client
) -> None:
    first, second = edit(apiKey="hunter2hunter2"), edit(apiKey="hunter3hunter3")
    store.patch(KEY, {"apiKey": "theirs-theirs"})
    seen = [seen_on(admin_client, change_id) for change_id in (first, second)]
    assert seen[0] != seen[1]
    assert all(token.startswith("apiKey:") and len(token) == 23 for token in seen)


def test_so_many_fields_that_nobody_can_choose_for_them_are_said(
    store: Store, edit: Edit, send_as_admin: Send, admin_client: Client
) -> None:
    names = [f"f{number}" for number in range(230)]
    change_id = edit(**dict.fromkeys(names, "x"))
    store.patch(KEY, dict.fromkeys(names, "theirs"))
    page = admin_client.get(f"/undo/{change_id}/").text
    assert "30 more fields were changed since" in page
    assert send_as_admin(change_id).status_code == 409


# --- Locks ---------------------------------------------------------------------------------------


def test_a_locked_session_offers_to_wait_or_to_leave_it_to_a_job(
    store: Store, edit: Edit, send: Send, operator_client: Client
) -> None:
    change_id = edit(label="Anna")
    with locked(store):
        answer = send(change_id, reason="typed already")
    assert answer.status_code == 409
    for word in ("The session is locked", "Held by", "typed already", "Have a job do it"):
        assert word in answer.text
    assert now_in(store)["label"] == "Anna"
    later = send(change_id, later="on", reason="typed already")
    job = Job.objects.get()
    assert later["Location"] == f"/jobs/{job.pk}/"
    assert (job.kind, job.reason, job.total) == ("undo", "typed already", 1)


def test_waiting_longer_is_waiting_longer(store: Store, edit: Edit, send: Send) -> None:
    change_id = edit(label="Anna")
    seen = ""
    with locked(store):
        answer = send(change_id, seen=seen, wait="999")  # which is none of the choices
    assert answer.status_code == 409
    assert send(change_id, seen=seen, wait="10").status_code == 302


# --- Who may -------------------------------------------------------------------------------------


def test_viewers_look_and_may_not(store: Store, edit: Edit, viewer_client: Client) -> None:
    change_id = edit(label="Anna")
    page = viewer_client.get(f"/undo/{change_id}/")
    assert "asks for the role operator" in page.text
    assert viewer_client.post(f"/undo/{change_id}/undo/").status_code == 403
    assert now_in(store)["label"] == "Anna"


def test_a_change_out_of_scope_is_not_there(
    state: Path, edit: Edit, operator_client: Client, bob: User
) -> None:
    change_id = edit(key=WORK_KEY, agent="work", label="Anna")
    limit(bob, "main")
    for path in (f"/undo/{change_id}/", f"/undo/{change_id}.json"):
        assert operator_client.get(path).status_code == 404
    for fields in ({}, {"later": "on"}):
        assert operator_client.post(f"/undo/{change_id}/undo/", fields).status_code == 404
    with open_store(state / "agents" / "work" / "sessions") as work:
        assert now_in(work, WORK_KEY)["label"] == "Anna"


def test_a_read_only_console_takes_nothing_back(
    store: Store, edit: Edit, operator_client: Client, settings: Any
) -> None:
    change_id = edit(label="Anna")
    settings.READ_ONLY = True
    assert "read-only" in operator_client.get(f"/undo/{change_id}/").text
    assert operator_client.post(f"/undo/{change_id}/undo/").status_code == 403
    assert now_in(store)["label"] == "Anna"


def test_every_undo_is_in_the_audit_before_and_after(edit: Edit, send: Send) -> None:
    change_id = edit(label="Anna")
    send(change_id, reason="wrong person")
    events = AuditEvent.objects.filter(action="session.undo").order_by("sequence")
    assert [(e.outcome, e.reason, e.actor) for e in events] == [
        ("started", "wrong person", "bob"),
        ("done", "wrong person", "bob"),
    ]
    assert f'"undoes":{change_id}' in events[1].details


# --- Writers -------------------------------------------------------------------------------------


WRITER = """
import sys, time
from sessionstore.store import open_store
store, count = open_store(sys.argv[1]), 0
while True:
    count += 1
    store.patch(sys.argv[2], {"writerCount": count, "label": f"writer {count}"})
    print(count, flush=True)
"""


class Writer:
    """A process that writes the label and a count without pause."""

    def __init__(self, store: Store) -> None:
        command = [sys.executable, "-c", WRITER, str(store.path), KEY]
        self.child = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        assert self.child.stdout is not None
        assert self.child.stdout.readline() == "1\n"

    def stop(self) -> int:
        """End it, and give how often it says it wrote."""
        self.child.terminate()
        out, _err = self.child.communicate(timeout=20)
        return int([line for line in out.split("\n") if line][-1])


@pytest.fixture
def start_writer(store: Store) -> Iterator[Callable[[], Writer]]:
    """Return a function that starts a writer of the store."""
    started: list[Writer] = []

    def start() -> Writer:
        started.append(Writer(store))
        return started[-1]

    yield start
    for writer in started:
        writer.child.kill()
        writer.child.communicate()


def test_a_busy_writer_loses_nothing_to_an_undo_of_other_fields(
    store: Store, edit: Edit, start_writer: Callable[[], Writer], send: Send
) -> None:
    writer = start_writer()
    for _round in range(10):
        assert send(edit(category="x")).status_code == 302
        assert "category" not in now_in(store)
    count = writer.stop()
    entry = now_in(store)
    assert entry["writerCount"] in (count, count + 1)
    assert entry["label"] == f"writer {entry['writerCount']}"


def test_a_busy_writer_of_the_same_field_is_never_overwritten_unseen(
    store: Store, edit: Edit, start_writer: Callable[[], Writer], operator_client: Client
) -> None:
    path = f"/undo/{edit(label='Anna', category='x')}/"
    writer = start_writer()
    for _round in range(10):
        page = operator_client.get(path).text
        seen = re.search(r'name="seen" value="([^"]*)"', page)
        assert seen
        form = {"seen": seen[1], "choice-label": "mine"}
        status = operator_client.post(f"{path}undo/", form).status_code
        if status == 302:  # the writer had a pause that long
            replaced = read_version(store.paths, Change.objects.latest("pk").version_id)
            assert replaced is not None
            assert f"&quot;{(replaced.entry or {})['label']}&quot;" in page
            break
        assert status == 409
        assert now_in(store)["label"].startswith("writer ")
    count = writer.stop()
    entry = now_in(store)
    assert entry["writerCount"] in (count, count + 1)


def test_keeping_what_a_busy_writer_wrote_needs_no_second_try(
    store: Store, edit: Edit, start_writer: Callable[[], Writer], send: Send
) -> None:
    change_id = edit(label="Anna", category="x")
    writer = start_writer()
    assert send(change_id, choice__label="now").status_code == 302
    count = writer.stop()
    entry = now_in(store)
    assert "category" not in entry
    assert entry["writerCount"] in (count, count + 1)
    assert entry["label"] == f"writer {entry['writerCount']}"
