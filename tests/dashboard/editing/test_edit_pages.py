"""The edit pages: opened, checked, saved, refused, by each role and without scripts."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.models import AgentScope, AuditEvent, Change, SignIn
from sessionstore.store import Store
from tests.dashboard.editing.conftest import ADA, LIN, SECRET, Address, form_of, opened

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def text_of(answer: Any, status: int = 200) -> str:
    text: str = answer.content.decode()
    assert answer.status_code == status, text
    return text


def preview(client: Client, address: str, form: dict[str, str], **typed: str) -> str:
    posted = form | {name.replace("_", "-", 1): text for name, text in typed.items()}
    return text_of(client.post(address, posted, headers=HTMX))


def age_sign_in(user: User) -> None:
    SignIn.objects.filter(user_id=user.pk).update(confirmed_at=timezone.now() - timedelta(hours=1))


# --- opening ---------------------------------------------------------------------------------


def test_every_field_of_the_form_is_explained(
    store: Store, at: Address, operator_client: Client
) -> None:
    text = text_of(operator_client.get(at()))
    assert "Name given by a person; unique within a store." in text
    assert "Empty: not set, no label" in text
    assert "high – a lot" in text
    assert "not set – the agent&#x27;s default" in text


def test_a_field_of_the_address_has_the_focus(
    store: Store, at: Address, operator_client: Client
) -> None:
    text = text_of(operator_client.get(at() + "?field=execAsk"))
    [focused] = [line for line in text.split("<") if " autofocus" in line]
    assert 'id="edit-execAsk"' in focused


def test_a_field_that_is_not_on_the_form_says_why(
    store: Store, at: Address, operator_client: Client
) -> None:
    assert "a reset makes one" in text_of(operator_client.get(at() + "?field=sessionId"))
    assert "<script>" not in text_of(operator_client.get(at() + "?field=<script>"))


def test_a_session_that_is_gone_is_not_found(
    store: Store, at: Address, operator_client: Client
) -> None:
    text_of(operator_client.get(at()))
    store.delete(ADA)
    assert "deleted since" in text_of(operator_client.get(at()), 404)


def test_a_damaged_entry_cannot_be_edited_and_says_what_can_be_done(
    store: Store, at: Address, admin_client: Client
) -> None:
    (store.paths.directory / "agent%3Amain%3Atelegram%3Adirect%3Aada.json").write_text("{oops")
    for rest in ("edit/", "edit/json/", "act/rename/"):
        text = text_of(admin_client.get(at(ADA, rest)), 422)
        assert "This entry cannot be edited" in text
        assert "/versions/" in text
        assert "/act/delete/" in text


# --- checking --------------------------------------------------------------------------------


def test_checking_shows_the_difference_and_every_step(
    store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at())
    text = preview(operator_client, at(), form, f_label="Ada L.", f_thinkingLevel="")
    assert text.startswith('<div id="edit-preview"')
    assert "&quot;Ada L.&quot;" in text
    assert "Merges 2 fields: label, thinkingLevel." in text
    assert "Reads it back and compares." in text
    assert store.get(ADA) == (store.get(ADA) or {}) | {"label": "Ada", "thinkingLevel": "low"}


def test_checking_names_what_others_changed_meanwhile(
    store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at())
    store.patch(ADA, {"category": "theirs", "label": "theirs"})
    text = preview(operator_client, at(), form, f_label="mine", f_fastMode="true")
    assert "what others have changed since stays: category." in text
    assert "others changed it too" in text


def test_checking_says_what_is_wrong_with_a_link_to_it(
    store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at())
    text = preview(operator_client, at(), form, f_queueCap="0", f_label="Lin")
    assert 'href="#edit-queueCap"' in text
    assert "from 1 to 10,000" in text
    assert f"The session {LIN} has this label already." in text
    assert "What saving does" not in text


def test_checking_without_scripts_is_the_whole_page_with_all_that_was_typed(
    store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at()) | {"f-label": "Ada L.", "reason": "why", "do": "check"}
    text = text_of(operator_client.post(at(), form))
    assert "<title>" in text
    assert "Merges 1 field: label." in text
    again = form_of(text)
    assert (again["f-label"], again["reason"]) == ("Ada L.", "why")


@pytest.mark.parametrize("do", ["save", "watch", "job"])
def test_a_part_of_the_page_never_saves(
    do: str, store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at()) | {"f-label": "Ada L.", "do": do}
    text = text_of(operator_client.post(at(), form, headers=HTMX))
    assert text.startswith('<div id="edit-preview"')
    assert (store.get(ADA) or {})["label"] == "Ada"


def test_checking_writes_nothing_at_all(store: Store, at: Address, operator_client: Client) -> None:
    form = opened(operator_client, at())
    preview(operator_client, at(), form, f_label="Ada L.")
    assert not AuditEvent.objects.filter(action="session.edit").exists()
    assert not Change.objects.exists()


# --- saving ----------------------------------------------------------------------------------


def test_saving_keeps_what_writers_wrote_and_shows_what_was_verified(
    store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at()) | {"f-label": "Ada L.", "reason": "asked", "do": "save"}
    store.patch(ADA, {"totalTokens": 99, "category": "theirs"})
    answer = operator_client.post(at(), form)
    change = Change.objects.get()
    assert answer["Location"] == at(ADA, f"?changed={change.pk}")
    entry = store.get(ADA) or {}
    assert (entry["label"], entry["totalTokens"]) == ("Ada L.", 99)
    assert change.reason == "asked"
    text = text_of(operator_client.get(answer["Location"]))
    assert "saved, read again and found as written" in text
    assert "stays as they have it: category" in text
    assert f'href="/undo/{change.pk}/undo/"' in text


def test_saving_and_watching_leads_to_a_part_that_looks_for_the_next_write(
    store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at()) | {"f-label": "Ada L.", "do": "watch"}
    page = operator_client.post(at(), form)["Location"]
    assert 'hx-trigger="every 5s"' in text_of(operator_client.get(page))
    part = at(ADA, f"changes/{Change.objects.get().pk}/")
    assert "Nobody has written since" in text_of(operator_client.get(part, headers=HTMX))
    store.patch(ADA, {"totalTokens": 5})
    after = operator_client.get(part, headers=HTMX)
    assert "A writer has since written totalTokens" in text_of(after, 286)


def test_watching_is_no_use_of_the_console_and_ends_by_itself(
    store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at()) | {"f-label": "Ada L.", "do": "watch"}
    page = operator_client.post(at(), form)["Location"]
    assert "X-Live" in text_of(operator_client.get(page))
    change = Change.objects.get()
    Change.objects.update(at=change.at - timedelta(minutes=31))
    part = operator_client.get(at(ADA, f"changes/{change.pk}/"), headers=HTMX)
    assert "hx-trigger" not in text_of(part, 286)


def test_a_change_of_another_session_is_not_shown(
    store: Store, at: Address, operator_client: Client
) -> None:
    operator_client.post(at(), opened(operator_client, at()) | {"f-label": "x", "do": "save"})
    change = Change.objects.get()
    for asked in (str(change.pk), "9" * 30, "-1", "x", "٣"):
        assert "change-result" not in text_of(operator_client.get(at(LIN, f"?changed={asked}")))
    assert operator_client.get(at(LIN, f"changes/{change.pk}/"), headers=HTMX).status_code == 404


def test_a_change_that_was_written_over_is_told(
    store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at()) | {"f-label": "Ada L.", "do": "save"}
    page = operator_client.post(at(), form)["Location"]
    store.patch(ADA, {"label": "theirs"})
    assert "written over by others since" in text_of(operator_client.get(page))


def test_no_change_says_so_and_writes_nothing(
    store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at()) | {"do": "save"}
    etag = store.etag(ADA)
    assert "nothing was written" in text_of(operator_client.post(at(), form))
    assert store.etag(ADA) == etag
    assert not Change.objects.exists()


def test_what_is_there_already_is_not_written_again(
    store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at()) | {"f-label": "same", "do": "save"}
    store.patch(ADA, {"label": "same"})
    answer = operator_client.post(at(), form, follow=True)
    assert "It is like that already" in text_of(answer)
    assert not Change.objects.exists()


def test_invalid_values_come_back_at_their_fields_and_the_first_has_the_focus(
    store: Store, at: Address, operator_client: Client
) -> None:
    typed = {"f-queueCap": "0", "f-label": "Lin", "f-category": "kept", "do": "save"}
    text = text_of(operator_client.post(at(), opened(operator_client, at()) | typed), 422)
    assert 'id="error-queueCap"' in text
    [focused] = [line for line in text.split("<") if " autofocus" in line]
    assert 'id="edit-queueCap"' in focused
    assert form_of(text)["f-category"] == "kept"
    assert (store.get(ADA) or {})["label"] == "Ada"


def test_a_label_that_is_taken_is_refused_under_the_lock(
    store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at()) | {"f-label": "Lin", "do": "save"}
    text = text_of(operator_client.post(at(), form), 422)
    assert 'id="error-label"' in text
    assert f"The session {LIN} has this label already." in text


def test_a_field_that_is_not_on_the_form_cannot_be_slipped_in(
    store: Store, at: Address, operator_client: Client
) -> None:
    before = store.get(ADA)
    form = opened(operator_client, at()) | {"f-sessionId": "mine", "f-model": "x", "do": "save"}
    assert "No change" in text_of(operator_client.post(at(), form))
    assert store.get(ADA) == before


def test_a_form_of_somebody_else_keeps_what_was_typed(
    store: Store, at: Address, operator_client: Client, admin_client: Client
) -> None:
    form = opened(admin_client, at()) | {"f-label": "typed", "do": "save"}
    text = text_of(operator_client.post(at(), form), 409)
    assert "opened by somebody else" in text
    assert form_of(text)["f-label"] == "typed"
    assert "&quot;typed&quot;" in text
    answer = operator_client.post(at(), form_of(text) | {"do": "save"})
    assert answer.status_code == 302
    assert (store.get(ADA) or {})["label"] == "typed"


def test_the_audit_has_the_intent_and_the_masked_outcome(
    store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at()) | {"f-label": SECRET, "do": "save"}
    operator_client.post(at(), form)
    events = list(AuditEvent.objects.filter(action="session.edit").order_by("sequence"))
    assert [event.outcome for event in events] == ["started", "done"]
    assert SECRET not in "".join(event.details for event in events)
    assert (store.get(ADA) or {})["label"] == SECRET


# --- raw JSON --------------------------------------------------------------------------------


def test_raw_json_is_saved_by_field(store: Store, at: Address, admin_client: Client) -> None:
    address = at(LIN, "edit/json/")
    form = opened(admin_client, address)
    assert '"label": "Lin"' in form["text"]
    text = form["text"].replace('"Lin"', '"Lin L."').replace('"totalTokens": 7,', '"odd": {},')
    store.patch(LIN, {"category": "theirs"})
    answer = admin_client.post(address, form | {"text": text, "do": "save"})
    assert answer.status_code == 302
    entry = store.get(LIN) or {}
    assert (entry["label"], entry["odd"], entry["category"]) == ("Lin L.", {}, "theirs")
    assert "totalTokens" not in entry
    assert entry["apiKey"] == "hunter2"


def test_raw_json_says_what_it_keeps_and_never_shows_it(
    store: Store, at: Address, admin_client: Client
) -> None:
    text = text_of(admin_client.get(at(LIN, "edit/json/")))
    assert "<code>apiKey</code>" in text
    assert "holds something masked" in text
    assert "hunter2" not in text


def test_a_json_error_has_its_place_and_nothing_typed_is_lost(
    store: Store, at: Address, admin_client: Client
) -> None:
    address = at(ADA, "edit/json/")
    typed = '{\r\n  "label": "x",\r\n  "b": [1,]\r\n}'
    form = opened(admin_client, address) | {"text": typed, "reason": "why", "do": "save"}
    text = text_of(admin_client.post(address, form), 422)
    assert "Line 3, column 11" in text
    assert form_of(text)["text"] == typed
    assert form_of(text)["reason"] == "why"


def post_urlencoded(client: Client, address: str, form: dict[str, str]) -> Any:
    """Post a form the way a browser does: nine bytes for each of these characters."""
    kind = "application/x-www-form-urlencoded"
    return client.post(address, urlencode(form), content_type=kind)


def test_a_long_text_in_any_script_is_saved(
    store: Store, at: Address, admin_client: Client
) -> None:
    address = at(ADA, "edit/json/")
    note = "漢" * 380_000
    form = opened(admin_client, address) | {"text": json.dumps({"note": note}, ensure_ascii=False)}
    assert post_urlencoded(admin_client, address, form | {"do": "save"}).status_code == 302
    assert (store.get(ADA) or {})["note"] == note


def test_a_text_that_is_too_long_says_so_and_nothing_typed_is_lost(
    store: Store, at: Address, admin_client: Client
) -> None:
    address = at(ADA, "edit/json/")
    typed = f'{{"note": "{"漢" * 1_050_000}"}}'
    form = opened(admin_client, address) | {"text": typed, "do": "save"}
    text = text_of(post_urlencoded(admin_client, address, form), 422)
    assert "at most 1,048,576 can be saved here" in text
    assert form_of(text)["text"] == typed


def test_what_no_page_takes_is_refused_with_cause_and_next_step(
    store: Store, at: Address, admin_client: Client, viewer_client: Client, client: Client
) -> None:
    before = store.etag(ADA)
    address, form = at(ADA, "edit/json/"), {"text": "x" * (13 << 20), "do": "save"}
    text = text_of(post_urlencoded(admin_client, address, form), 413)
    assert "13.0 MB" in text
    assert "reads at most 12.0 MB" in text
    assert "Go back" in text
    some = {"text": "x" * (3 << 20)}
    for person, place in ((client, address), (viewer_client, "/preferences/"), (client, "/login/")):
        assert "at most 2.5 MB" in text_of(post_urlencoded(person, place, some), 413)
    assert store.etag(ADA) == before


def test_a_value_that_cannot_be_is_told_with_its_line(
    store: Store, at: Address, admin_client: Client
) -> None:
    address = at(ADA, "edit/json/")
    form = opened(admin_client, address)
    text = form["text"].replace('"id-ada"', '"../../x"').replace('"low"', '"much"')
    answer = text_of(admin_client.post(address, form | {"text": text, "do": "save"}), 422)
    assert "(line 2)" in answer
    assert "the first a letter or digit" in answer
    assert "Expected is one of off" in answer
    assert (store.get(ADA) or {})["sessionId"] == "id-ada"


def test_a_risky_field_says_what_changing_it_can_do(
    store: Store, at: Address, admin_client: Client
) -> None:
    address = at(ADA, "edit/json/")
    form = opened(admin_client, address)
    typed = form["text"].replace('"id-ada"', '"other"')
    text = text_of(admin_client.post(address, form | {"text": typed}, headers=HTMX))
    assert "shows another conversation" in text


def test_raw_json_asks_for_the_password_when_the_sign_in_is_old(
    store: Store, at: Address, admin_client: Client, alice: User
) -> None:
    address = at(ADA, "edit/json/")
    form = opened(admin_client, address)
    typed = form["text"].replace('"Ada"', '"Ada L."')
    age_sign_in(alice)
    form |= {"text": typed, "do": "save"}
    text = text_of(admin_client.post(address, form), 422)
    assert "Type your password" in text
    assert '"Ada L."' in form_of(text)["text"]
    confirmed = {"confirm_password": "correct horse battery staple"}
    assert admin_client.post(address, form | confirmed).status_code == 302
    assert (store.get(ADA) or {})["label"] == "Ada L."


# --- who may ---------------------------------------------------------------------------------

PAGES = ("edit/", "edit/json/", "act/rename/", "act/reset/", "act/delete/")


@pytest.mark.parametrize("rest", PAGES)
def test_viewers_cannot_open_or_post(
    rest: str, store: Store, at: Address, viewer_client: Client
) -> None:
    assert viewer_client.get(at(ADA, rest)).status_code == 403
    assert viewer_client.post(at(ADA, rest), {"do": "save", "label": "x"}).status_code == 403
    assert (store.get(ADA) or {})["label"] == "Ada"


@pytest.mark.parametrize("rest", ["edit/json/", "act/delete/", "copy/whole/"])
def test_operators_cannot_do_what_is_for_admins(
    rest: str, store: Store, at: Address, operator_client: Client
) -> None:
    assert operator_client.get(at(ADA, rest)).status_code in (403, 405)
    assert operator_client.post(at(ADA, rest), {"reason": "x"}).status_code == 403


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        *(("edit/", 404), ("edit/json/", 403), ("act/rename/", 404), ("act/reset/", 404)),
        *(("act/delete/", 403), ("copy/", 404), ("copy.json", 404)),
    ],
)
def test_an_agent_out_of_scope_is_not_there(
    rest: str, status: int, store: Store, at: Address, bob: User, operator_client: Client
) -> None:
    form = opened(operator_client, at()) | {"f-label": "x", "label": "x", "do": "save"}
    AgentScope.objects.create(user=bob, agents=["work"])
    assert operator_client.get(at(ADA, rest)).status_code == status
    assert operator_client.post(at(ADA, rest), form).status_code in (status, 405)
    assert operator_client.get(at(ADA, "changes/1/"), headers=HTMX).status_code == 404
    assert (store.get(ADA) or {})["label"] == "Ada"


@pytest.mark.parametrize("rest", PAGES)
def test_read_only_mode_has_no_edit_pages(
    rest: str, store: Store, at: Address, admin_client: Client, settings: Any
) -> None:
    settings.READ_ONLY = True
    assert admin_client.get(at(ADA, rest)).status_code == 403
    assert admin_client.post(at(ADA, rest), {"do": "save"}).status_code == 403


def test_the_session_page_offers_edits_to_those_who_may(
    store: Store,
    at: Address,
    operator_client: Client,
    admin_client: Client,
    viewer_client: Client,
    settings: Any,
) -> None:
    page = at(ADA, "")
    operator, admin = text_of(operator_client.get(page)), text_of(admin_client.get(page))
    assert "data-edit" in operator
    assert "?field=label" in operator
    assert "/act/rename/" in operator
    assert "/act/delete/" not in operator
    assert "/act/delete/" in admin
    assert "/edit/json/" in admin
    for client, settings.READ_ONLY in ((viewer_client, False), (admin_client, True)):
        text = text_of(client.get(page))
        assert "/edit/" not in text
        assert "/act/" not in text
