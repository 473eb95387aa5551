"""Changing through the API: merged by field or tied to a state, recorded, taken back."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from dashboard.models import AuditEvent, Change
from sessionstore.store import Store

from .conftest import AT, KEY, SECRET, Program, code_of

pytestmark = pytest.mark.django_db


def entry(store: Store) -> dict[str, Any]:
    """Ada's entry on disk."""
    found = store.get(KEY)
    assert found is not None
    return found


def matching(program: Program, ada: str) -> str:
    """The entity tag of the session now."""
    return str(program.get(ada)["ETag"])


# --- PATCH: what it is made from -----------------------------------------------------------------


def test_patch_with_the_entity_tag_changes_only_what_it_names(
    operator: Program, ada: str, store: Store
) -> None:
    before = entry(store)
    answer = operator.patch(ada, {"fields": {"label": "New"}}, if_match=matching(operator, ada))
    assert answer.status_code == 200
    assert entry(store) == before | {"label": "New"}
    assert answer["ETag"] == matching(operator, ada)
    saved = answer.json()
    assert saved["changed"] == [{"field": "label", "before": '"Ada"', "after": '"New"'}]
    assert saved["verified"]


def test_patch_with_null_removes_a_field(operator: Program, ada: str, store: Store) -> None:
    operator.patch(ada, {"fields": {"label": None}}, if_match=matching(operator, ada))
    assert "label" not in entry(store)


def test_patch_that_does_not_say_what_it_was_made_from_is_refused(
    operator: Program, ada: str, store: Store
) -> None:
    body = {"fields": {"label": "New"}}
    assert code_of(operator.patch(ada, body)) == "precondition_required"
    assert code_of(operator.patch(ada, body, if_match="*")) == "precondition_required"
    assert entry(store)["label"] == "Ada"


def test_patch_of_another_state_is_refused(operator: Program, ada: str, store: Store) -> None:
    etag = matching(operator, ada)
    store.patch(KEY, {"totalTokens": 2})
    answer = operator.patch(ada, {"fields": {"label": "New"}}, if_match=etag)
    assert code_of(answer) == "moved"
    assert answer.json()["etag"] == matching(operator, ada).strip('"')
    assert entry(store)["label"] == "Ada"


def test_a_weak_entity_tag_never_matches(operator: Program, ada: str) -> None:
    etag = f"W/{matching(operator, ada)}"
    assert code_of(operator.patch(ada, {"fields": {"label": "x"}}, if_match=etag)) == "moved"


def test_an_entity_tag_without_quotes_is_told(operator: Program, ada: str) -> None:
    answer = operator.patch(ada, {"fields": {"label": "x"}}, if_match="abc")
    assert code_of(answer) == "bad_precondition"


def test_patch_with_opened_values_keeps_what_writers_wrote(
    operator: Program, ada: str, store: Store
) -> None:
    opened = operator.get(ada).json()["entry"]
    store.patch(KEY, {"totalTokens": 99, "lastChannel": "signal"})
    answer = operator.patch(ada, {"fields": {"label": "New", "category": "vip"}, "opened": opened})
    assert answer.status_code == 200
    now = entry(store)
    assert (now["label"], now["category"], now["totalTokens"]) == ("New", "vip", 99)
    assert now["botToken"] == SECRET
    assert "totalTokens" in answer.json()["merged"]


def test_patch_of_a_field_that_someone_else_changed_needs_a_choice(
    operator: Program, ada: str, store: Store
) -> None:
    store.patch(KEY, {"label": "Theirs"})
    body: dict[str, Any] = {"fields": {"label": "Mine"}, "opened": {"label": "Ada"}}
    answer = operator.patch(ada, body)
    assert code_of(answer) == "overlap"
    assert answer.json()["overlaps"] == [
        {"field": "label", "opened": "Ada", "now": "Theirs", "yours": "Mine"}
    ]
    assert entry(store)["label"] == "Theirs"
    assert operator.patch(ada, body | {"choices": {"label": "now"}}).json()["unchanged"]
    assert operator.patch(ada, body | {"choices": {"label": "mine"}}).status_code == 200
    assert entry(store)["label"] == "Mine"


def test_a_field_that_is_missing_in_opened_was_not_there(
    operator: Program, ada: str, store: Store
) -> None:
    answer = operator.patch(ada, {"fields": {"label": None}, "opened": {}})
    [overlap] = answer.json()["overlaps"]
    assert overlap == {"field": "label", "now": "Ada"}


def test_values_of_an_overlap_are_masked(admin: Program, ada: str, store: Store) -> None:
    body = {"fields": {"botToken": "another-secret-value"}, "opened": {"botToken": "the-old-one"}}
    answer = admin.patch(ada, body)
    [overlap] = answer.json()["overlaps"]
    assert {overlap[side] for side in ("opened", "now", "yours")} == {"[masked]"}
    assert SECRET not in answer.text


def test_an_unchanged_patch_writes_nothing(operator: Program, ada: str, store: Store) -> None:
    saved = operator.patch(ada, {"fields": {"label": "Ada"}, "opened": {"label": "Ada"}}).json()
    assert saved["unchanged"]
    assert (saved["change_id"], saved["version_id"]) == (None, None)
    assert not Change.objects.exists()


def test_patch_never_creates_a_session(operator: Program, ada: str, store: Store) -> None:
    store.delete(KEY)
    answer = operator.patch(ada, {"fields": {"label": "x"}, "opened": {}})
    assert code_of(answer) == "not_found"
    assert store.get(KEY) is None


def test_no_address_takes_a_new_key(admin: Program, store_id: str, store: Store) -> None:
    for method in ("POST", "PUT", "PATCH"):
        answer = admin.ask(method, f"/stores/{store_id}/sessions", {"key": "agent:main:new"})
        assert code_of(answer) == "method_not_allowed"
    assert len(store.keys()) == 2


# --- Masks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["[masked]", "sk [masked] x", {"deep": ["[masked]"]}, {"[masked]": 1}]
)
def test_a_mask_is_never_written_back(
    admin: Program, ada: str, store: Store, value: object
) -> None:
    answer = admin.patch(ada, {"fields": {"botToken": value}}, if_match=matching(admin, ada))
    assert code_of(answer) == "invalid"
    assert entry(store)["botToken"] == SECRET


def test_a_field_whose_name_is_a_mask_is_refused(admin: Program, ada: str) -> None:
    answer = admin.patch(ada, {"fields": {"[masked]": 1}}, if_match=matching(admin, ada))
    assert code_of(answer) == "invalid"


def test_a_masked_value_says_nothing_about_what_was_opened(admin: Program, ada: str) -> None:
    body = {"fields": {"botToken": "new"}, "opened": admin.get(ada).json()["entry"]}
    assert code_of(admin.patch(ada, body)) == "invalid"


def test_the_rest_of_an_entry_with_masks_can_be_sent_as_opened(
    operator: Program, ada: str, store: Store
) -> None:
    body = {"fields": {"label": "New"}, "opened": operator.get(ada).json()["entry"]}
    assert operator.patch(ada, body).json()["merged"] == []
    assert entry(store)["botToken"] == SECRET


@pytest.mark.parametrize(
    ("action", "body"),
    [("rename", {"label": "[masked]"}), ("set-field", {"name": "category", "value": "[masked]"})],
)
def test_actions_refuse_masks_too(operator: Program, ada: str, action: str, body: Any) -> None:
    answer = operator.post(f"{ada}/{action}", body, if_match=matching(operator, ada))
    assert code_of(answer) == "invalid"


# --- Which fields --------------------------------------------------------------------------------


def test_an_operator_changes_only_fields_of_the_form(
    operator: Program, admin: Program, ada: str, store: Store
) -> None:
    body = {"fields": {"futureField": {"x": 1}}}
    answer = operator.patch(ada, body, if_match=matching(operator, ada))
    assert code_of(answer) == "invalid"
    assert answer.json()["errors"][0]["field"] == "futureField"
    assert admin.patch(ada, body, if_match=matching(admin, ada)).status_code == 200
    assert entry(store)["futureField"] == {"x": 1}


def test_an_admins_token_of_the_role_operator_is_an_operators(
    make_program: Any, ada: str, store: Store
) -> None:
    from django.contrib.auth.models import User
    from django.test import Client

    from dashboard import tokens

    make_program("admin")
    token = tokens.issue(User.objects.get(), name="less", role="operator")
    lesser = Program(token, Client())
    answer = lesser.patch(ada, {"fields": {"x": 1}}, if_match=matching(lesser, ada))
    assert code_of(answer) == "invalid"
    assert code_of(lesser.delete(ada, if_match=matching(lesser, ada))) == "refused"


def test_a_value_that_a_field_cannot_have_is_told_by_the_field(
    operator: Program, ada: str, store: Store
) -> None:
    body = {"fields": {"label": "x" * 600}, "opened": {"label": "Ada"}}
    answer = operator.patch(ada, body)
    assert code_of(answer) == "invalid"
    [told] = answer.json()["errors"]
    assert (told["in"], told["field"]) == ("entry", "label")
    assert "xxx" not in answer.text
    assert entry(store)["label"] == "Ada"


def test_a_label_that_is_taken_is_refused(operator: Program, ada: str) -> None:
    assert code_of(operator.post(f"{ada}/rename", {"label": "Lin"})) == "invalid"


@pytest.mark.parametrize("name", ["__proto__", "constructor", "prototype", "__class__", "__dict__"])
def test_names_that_mean_something_elsewhere_are_ordinary_data(
    admin: Program, store: Store, store_id: str, name: str
) -> None:
    store.put(name, {"sessionId": "odd", "updatedAt": AT, name: {name: "inner"}, "label": "Odd"})
    session = admin.get(f"/stores/{store_id}/sessions/by-key?key={name}")
    assert session.json()["key"] == name
    assert session.json()["entry"][name] == {name: "inner"}
    address = session["Content-Location"].removeprefix("/api/v1")
    body = {"fields": {name: {"polluted": True}}, "opened": {name: {name: "inner"}}}
    assert admin.patch(address, body).status_code == 200
    assert (store.get(name) or {})[name] == {"polluted": True}
    overlap = admin.patch(address, body | {"fields": {name: 7}}).json()["overlaps"][0]
    assert (overlap["field"], overlap["now"]) == (name, {"polluted": True})
    settled = body | {"fields": {name: None}, "choices": {name: "mine"}}
    assert admin.patch(address, settled).status_code == 200
    assert set(store.get(name) or {}) == {"sessionId", "updatedAt", "label"}
    change_id = admin.get("/changes").json()["changes"][0]["id"]
    assert admin.post(f"/changes/{change_id}/undo").status_code == 200
    assert (store.get(name) or {})[name] == {"polluted": True}


# --- Actions -------------------------------------------------------------------------------------


def test_each_action_does_what_it_says(operator: Program, ada: str, store: Store) -> None:
    store.patch(KEY, {"modelOverride": "m", "modelOverrideSource": "auto"})
    assert operator.post(f"{ada}/rename", {"label": "Countess"}).status_code == 200
    assert entry(store)["label"] == "Countess"
    assert operator.post(f"{ada}/clear-overrides", {"origin": "user"}).json()["skipped"]
    assert operator.post(f"{ada}/clear-overrides", {"origin": "auto"}).status_code == 200
    assert "modelOverride" not in entry(store)
    assert operator.post(f"{ada}/archive").status_code == 200
    assert entry(store)["archivedAt"] > AT
    assert operator.post(f"{ada}/unarchive").status_code == 200
    assert "archivedAt" not in entry(store)
    etag = matching(operator, ada)
    body = {"name": "category", "value": "vip", "reason": "asked to"}
    assert operator.post(f"{ada}/set-field", body, if_match=etag).status_code == 200
    assert entry(store)["category"] == "vip"
    etag = matching(operator, ada)
    cleared = operator.post(f"{ada}/clear-field", {"name": "category"}, if_match=etag)
    assert cleared.status_code == 200
    assert "category" not in entry(store)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("modelOverrideSource", "auto"), ("model", "other"), ("modelProvider", "other")),
        *(("liveModelSwitchPending", True), ("modelOverrideSource", "user"), ("model", None)),
    ],
)
def test_what_comes_along_with_a_field_is_not_set_by_itself(
    operator: Program, ada: str, store: Store, name: str, value: Any
) -> None:
    store.patch(KEY, {"model": "m"})
    before = entry(store)
    etag = matching(operator, ada)
    assert code_of(operator.patch(ada, {"fields": {name: value}}, if_match=etag)) == "invalid"
    body = {"name": name, "value": value}
    assert code_of(operator.post(f"{ada}/set-field", body, if_match=etag)) == "invalid"
    assert code_of(operator.post(f"{ada}/clear-field", {"name": name}, if_match=etag)) == "invalid"
    assert entry(store) == before


def test_an_override_brings_along_that_a_person_set_it(
    operator: Program, ada: str, store: Store
) -> None:
    store.patch(KEY, {"model": "m", "modelOverrideSource": "auto"})
    fields = {"modelOverride": "x", "modelOverrideSource": "user", "model": None}
    etag = matching(operator, ada)
    assert operator.patch(ada, {"fields": fields}, if_match=etag).status_code == 200
    assert (entry(store)["modelOverrideSource"], "model" in entry(store)) == ("user", False)
    forged = fields | {"modelOverride": "y", "modelOverrideSource": "auto"}
    etag = matching(operator, ada)
    assert code_of(operator.patch(ada, {"fields": forged}, if_match=etag)) == "invalid"


@pytest.mark.parametrize("action", ["set-field", "clear-field"])
def test_a_field_is_set_only_on_what_was_seen(operator: Program, ada: str, action: str) -> None:
    body: dict[str, Any] = {"name": "category"} | ({"value": 1} if action == "set-field" else {})
    assert code_of(operator.post(f"{ada}/{action}", body)) == "precondition_required"


def test_an_action_with_an_entity_tag_is_done_to_that_entry_only(
    operator: Program, ada: str, store: Store
) -> None:
    etag = matching(operator, ada)
    store.patch(KEY, {"totalTokens": 2})
    assert code_of(operator.post(f"{ada}/reset", if_match=etag)) == "moved"
    assert entry(store)["sessionId"] == "id-ada"


def test_delete_asks_for_an_admin_and_the_entity_tag(
    operator: Program, admin: Program, ada: str, store: Store
) -> None:
    etag = matching(admin, ada)
    assert code_of(operator.delete(ada, if_match=etag)) == "refused"
    assert code_of(admin.delete(ada)) == "precondition_required"
    store.patch(KEY, {"totalTokens": 2})
    assert code_of(admin.delete(ada, if_match=etag)) == "moved"
    answer = admin.delete(f"{ada}?reason=left", if_match=matching(admin, ada))
    assert answer.status_code == 200
    assert (answer.json()["etag"], answer.json()["entry"]) == (None, None)
    assert store.get(KEY) is None
    assert Change.objects.get().reason == "left"


def test_a_transcript_can_be_left_where_it_is(admin: Program, ada: str, store: Store) -> None:
    transcript = store.path.parent / "id-ada.jsonl"
    transcript.write_text("{}\n")
    admin.delete(f"{ada}?archive_transcript=no", if_match=matching(admin, ada))
    assert transcript.exists()


# --- Taking back ---------------------------------------------------------------------------------


def test_a_deleted_session_comes_back(
    operator: Program, admin: Program, ada: str, store: Store
) -> None:
    before = entry(store)
    gone = admin.delete(ada, if_match=matching(admin, ada)).json()
    back = operator.post(f"/changes/{gone['change_id']}/undo", {"reason": "too early"})
    assert back.status_code == 200
    assert entry(store) == before
    assert code_of(operator.post(f"/changes/{gone['change_id']}/undo")) == "gone"
    undone = operator.get(f"/changes/{gone['change_id']}").json()
    assert (undone["undone_by_id"], undone["standing"]) == (back.json()["change_id"], "undone")


def test_undo_of_a_field_that_was_changed_since_needs_a_choice(
    operator: Program, ada: str, store: Store
) -> None:
    change = operator.post(f"{ada}/rename", {"label": "New"}).json()["change_id"]
    store.patch(KEY, {"label": "Theirs"})
    assert code_of(operator.post(f"/changes/{change}/undo")) == "overlap"
    body = {"choices": {"label": "mine"}}
    assert operator.post(f"/changes/{change}/undo", body).status_code == 200
    assert entry(store)["label"] == "Ada"


def test_a_version_is_restored_over_what_was_seen(
    operator: Program, ada: str, store: Store
) -> None:
    version = operator.post(f"{ada}/rename", {"label": "New"}).json()["version_id"]
    path = f"{ada}/versions/{version}/restore"
    assert code_of(operator.post(path)) == "precondition_required"
    etag = matching(operator, ada)
    store.patch(KEY, {"totalTokens": 5})
    assert code_of(operator.post(path, if_match=etag)) == "moved"
    answer = operator.post(path, {"fields": ["label"]}, if_match=matching(operator, ada))
    assert answer.status_code == 200
    assert (entry(store)["label"], entry(store)["totalTokens"]) == ("Ada", 5)


def test_a_session_that_is_gone_is_restored_only_where_none_is(
    operator: Program, admin: Program, ada: str, store: Store
) -> None:
    before = entry(store)
    gone = admin.delete(ada, if_match=matching(admin, ada)).json()
    path = f"{ada}/versions/{gone['version_id']}/restore"
    assert operator.get(f"{ada}/versions").json()["exists"] is False
    assert operator.get(f"{ada}/changes").json()["matched"] == 1
    store.put(KEY, {"sessionId": "younger", "updatedAt": AT})
    assert code_of(operator.post(path, if_none_match="*")) == "moved"
    store.delete(KEY)
    assert operator.post(path, if_none_match="*").status_code == 200
    assert entry(store) == before


def test_the_list_of_changes_says_which_cannot_be_taken_back(
    operator: Program, ada: str, store: Store
) -> None:
    operator.post(f"{ada}/rename", {"label": "New"})
    store.patch(KEY, {"label": "Theirs"})
    [change] = operator.get("/changes").json()["changes"]
    assert (change["standing"], change["can_be_undone"]) == ("choice", True)
    assert "label" in change["standing_words"]


# --- Everything around a change ------------------------------------------------------------------


def test_a_change_is_audited_with_the_token_and_the_reason(
    operator: Program, ada: str, store: Store
) -> None:
    operator.post(f"{ada}/rename", {"label": "New", "reason": "asked to"})
    events = list(AuditEvent.objects.filter(action="session.rename").order_by("sequence"))
    assert [(e.action, e.outcome) for e in events] == [
        ("session.rename", "started"),
        ("session.rename", "done"),
    ]
    for event in events:
        assert (event.actor, event.reason) == ("operator-of-program", "asked to")
        assert operator.token[:12] in event.details
        assert operator.token[13:] not in event.details
    assert Change.objects.get().via == f"api {operator.token[:12]}"


def test_a_locked_session_is_told_with_its_holder(
    operator: Program, ada: str, store: Store
) -> None:
    begun, done = threading.Event(), threading.Event()

    def hold(_fresh: Any) -> None:
        begun.set()
        done.wait(20)

    writer = threading.Thread(target=lambda: store.update(KEY, hold))
    writer.start()
    try:
        assert begun.wait(5)
        answer = operator.post(f"{ada}/rename", {"label": "New"})
    finally:
        done.set()
        writer.join()
    assert code_of(answer) == "locked"
    told = answer.json()
    assert "pid" in told["holder"] or told["holder"]
    assert told["held_s"] > 0
    assert int(answer["Retry-After"]) >= 1
    assert entry(store)["label"] == "Ada"


def test_read_only_refuses_every_change(
    operator: Program, ada: str, store: Store, settings: Any
) -> None:
    etag = matching(operator, ada)
    settings.READ_ONLY = True
    refused = operator.patch(ada, {"fields": {"label": "x"}}, if_match=etag)
    assert code_of(refused) == "refused"
    assert "SESSIONSTORE_READ_ONLY" in refused.json()["detail"]
    assert operator.get(ada).status_code == 200


def test_a_viewer_changes_nothing(viewer: Program, ada: str, store: Store) -> None:
    etag = matching(viewer, ada)
    asked = [
        viewer.patch(ada, {"fields": {"label": "x"}}, if_match=etag),
        viewer.delete(ada, if_match=etag),
        viewer.post(f"{ada}/rename", {"label": "x"}),
        viewer.post("/changes/1/undo"),
    ]
    assert [code_of(answer) for answer in asked] == ["refused"] * 4
    assert entry(store)["label"] == "Ada"


# --- What goes with a model override -------------------------------------------------------------

FAILED_OVER = {
    "modelOverride": "b",
    "modelOverrideSource": "auto",
    "modelOverrideFallbackOriginModel": "a",
    "model": "b",
}


def test_a_model_set_by_a_program_is_a_persons_like_one_set_by_the_form(
    operator: Program, ada: str, store: Store
) -> None:
    store.patch(KEY, FAILED_OVER)
    body = {"fields": {"modelOverride": "c"}, "opened": {"modelOverride": "b"}}
    saved = operator.patch(ada, body).json()
    found = entry(store)
    assert (found["modelOverride"], found["modelOverrideSource"]) == ("c", "user")
    assert not {"modelOverrideFallbackOriginModel", "model"} & found.keys()
    assert {each["field"] for each in saved["changed"]} == FAILED_OVER.keys()
    operator.post(f"/changes/{saved['change_id']}/undo")
    assert entry(store).items() >= FAILED_OVER.items()


def test_a_field_of_the_override_that_is_set_or_cleared_alone_is_followed_too(
    operator: Program, ada: str, store: Store
) -> None:
    store.patch(KEY, FAILED_OVER)
    body = {"name": "modelOverride", "value": "c"}
    operator.post(f"{ada}/set-field", body, if_match=matching(operator, ada))
    assert entry(store)["modelOverrideSource"] == "user"
    store.patch(KEY, FAILED_OVER)
    body = {"name": "modelOverride"}
    operator.post(f"{ada}/clear-field", body, if_match=matching(operator, ada))
    assert not FAILED_OVER.keys() & entry(store).keys()


def test_what_a_program_names_itself_does_not_follow(
    admin: Program, ada: str, store: Store
) -> None:
    store.patch(KEY, FAILED_OVER)
    body = {"fields": {"modelOverride": "c", "model": "c"}, "opened": FAILED_OVER}
    assert admin.patch(ada, body).status_code == 200
    found = entry(store)
    assert (found["model"], found["modelOverrideSource"]) == ("c", "user")
