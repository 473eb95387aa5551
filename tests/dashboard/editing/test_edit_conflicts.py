"""A real writer between opening and saving: merged where it can be, asked where it cannot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from dashboard.models import Change
from sessionstore.store import Store
from tests.dashboard.editing.conftest import ADA, SECRET, Address, form_of, opened
from tests.sessionstore.children.working import patch_on_demand
from tests.sessionstore.helpers import Child, child

pytestmark = pytest.mark.django_db(transaction=True)

OTHER_SECRET = "sk-ant-" + "Z9y8X7w6V5u4T3s2" * 2


@pytest.fixture
def writer(store: Store) -> Iterator[Child]:
    """A gateway-like process that patches Ada with what it is told."""
    with child(patch_on_demand, store.path, ADA) as writer:
        yield writer


def write(writer: Child, **fields: Any) -> None:
    writer.say(fields)
    assert writer.hear() == "written"


def conflict(client: Client, address: str, form: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Post a form that must end in a conflict: the page, and its form with no choice yet."""
    answer = client.post(address, form | {"do": "save"})
    text = answer.content.decode()
    assert answer.status_code == 409, text
    assert "Choose what stays" in text
    return text, form_of(text)


def choices(text: str) -> list[str]:
    """Names of the choices to be made, in the order of the page."""
    return re.findall(r'name="(c-[0-9a-f]+)" value="mine"', text)


def chosen(form: dict[str, str], text: str, *values: str) -> dict[str, str]:
    names = choices(text)
    assert len(names) == len(values)
    return form | dict(zip(names, values, strict=True)) | {"do": "save"}


def test_fields_of_others_are_merged_without_a_question(
    store: Store, at: Address, operator_client: Client, writer: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine", "do": "save"}
    write(writer, totalTokens=5, category="theirs")
    assert operator_client.post(at(), form).status_code == 302
    entry = store.get(ADA) or {}
    assert (entry["label"], entry["category"], entry["totalTokens"]) == ("mine", "theirs", 5)


def test_an_overlap_shows_three_values_and_writes_nothing(
    store: Store, at: Address, operator_client: Client, writer: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine", "f-fastMode": "true"}
    write(writer, label="theirs", category="x")
    text, _form = conflict(operator_client, at(), form)
    for value in ("&quot;Ada&quot;", "&quot;theirs&quot;", "&quot;mine&quot;"):
        assert value in text
    assert len(choices(text)) == 1
    assert "<code>fastMode</code>" in text  # saved along
    assert "<code>category</code>" in text  # left as the writer has it
    assert (store.get(ADA) or {})["label"] == "theirs"
    assert not Change.objects.exists()


def test_using_mine_writes_over_what_the_page_showed(
    store: Store, at: Address, operator_client: Client, writer: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine", "f-fastMode": "true"}
    write(writer, label="theirs")
    text, again = conflict(operator_client, at(), form)
    assert operator_client.post(at(), chosen(again, text, "mine")).status_code == 302
    entry = store.get(ADA) or {}
    assert (entry["label"], entry["fastMode"]) == ("mine", True)


def test_keeping_theirs_saves_only_the_rest(
    store: Store, at: Address, operator_client: Client, writer: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine", "f-fastMode": "true"}
    write(writer, label="theirs")
    text, again = conflict(operator_client, at(), form)
    assert operator_client.post(at(), chosen(again, text, "now")).status_code == 302
    entry = store.get(ADA) or {}
    assert (entry["label"], entry["fastMode"]) == ("theirs", True)


def test_without_a_choice_theirs_stays(
    store: Store, at: Address, operator_client: Client, writer: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine"}
    write(writer, label="theirs")
    _text, again = conflict(operator_client, at(), form)
    assert "No change" in operator_client.post(at(), again | {"do": "save"}).content.decode()
    assert (store.get(ADA) or {})["label"] == "theirs"


def test_each_overlap_has_a_choice_of_its_own(
    store: Store, at: Address, operator_client: Client, writer: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine", "f-thinkingLevel": "high"}
    write(writer, label="theirs", thinkingLevel="off")
    text, again = conflict(operator_client, at(), form)
    assert operator_client.post(at(), chosen(again, text, "now", "mine")).status_code == 302
    entry = store.get(ADA) or {}
    assert (entry["label"], entry["thinkingLevel"]) == ("theirs", "high")


def test_a_second_change_after_the_page_is_asked_about_again(
    store: Store, at: Address, operator_client: Client, writer: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine"}
    write(writer, label="theirs")
    text, again = conflict(operator_client, at(), form)
    write(writer, label="theirs again")
    text, again = conflict(operator_client, at(), chosen(again, text, "mine"))
    assert "theirs again" in text
    assert operator_client.post(at(), chosen(again, text, "mine")).status_code == 302
    assert (store.get(ADA) or {})["label"] == "mine"


def test_a_masked_value_of_theirs_is_shown_as_a_mask_and_never_posted(
    store: Store, at: Address, operator_client: Client, writer: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine", "f-fastMode": "true"}
    write(writer, label=SECRET)
    text, again = conflict(operator_client, at(), form)
    assert "[masked]" in text
    assert SECRET not in text
    assert operator_client.post(at(), chosen(again, text, "now")).status_code == 302
    entry = store.get(ADA) or {}
    assert (entry["label"], entry["fastMode"]) == (SECRET, True)


def test_mine_over_a_masked_value_is_refused_when_that_has_changed_again(
    store: Store, at: Address, operator_client: Client, writer: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine"}
    write(writer, label=SECRET)
    text, again = conflict(operator_client, at(), form)
    write(writer, label=OTHER_SECRET)
    text, again = conflict(operator_client, at(), chosen(again, text, "mine"))
    assert "not shown" in text
    assert (store.get(ADA) or {})["label"] == OTHER_SECRET
    assert operator_client.post(at(), chosen(again, text, "mine")).status_code == 302
    assert (store.get(ADA) or {})["label"] == "mine"


def test_a_model_that_a_failover_chose_meanwhile_is_asked_about_once(
    store: Store, at: Address, operator_client: Client, writer: Child
) -> None:
    form = opened(operator_client, at()) | {"f-modelOverride": "mine"}
    write(writer, modelOverride="fallback", modelOverrideSource="auto", model="fallback")
    text, again = conflict(operator_client, at(), form)
    assert operator_client.post(at(), chosen(again, text, "mine")).status_code == 302
    entry = store.get(ADA) or {}
    assert (entry["modelOverride"], entry["modelOverrideSource"]) == ("mine", "user")
    assert "model" not in entry


@pytest.mark.parametrize(("choice", "label"), [("mine", "mine"), ("now", "theirs")])
def test_raw_json_has_the_same_choices(
    choice: str, label: str, store: Store, at: Address, admin_client: Client, writer: Child
) -> None:
    address = at(ADA, "edit/json/")
    form = opened(admin_client, address)
    form["text"] = form["text"].replace('"Ada"', '"mine"').replace("{", '{"extra": [1],', 1)
    write(writer, label="theirs", odd={"a": 1})
    text, again = conflict(admin_client, address, form)
    assert admin_client.post(address, chosen(again, text, choice)).status_code == 302
    entry = store.get(ADA) or {}
    assert (entry["label"], entry["extra"], entry["odd"]) == (label, [1], {"a": 1})


@pytest.mark.parametrize(("choice", "value"), [("mine", "mine"), ("now", SECRET)])
def test_raw_json_keeps_a_masked_value_of_theirs_unless_mine_is_chosen(
    choice: str, value: str, store: Store, at: Address, admin_client: Client, writer: Child
) -> None:
    address = at(ADA, "edit/json/")
    form = opened(admin_client, address)
    form["text"] = form["text"].replace("{", '{"note": "mine", "extra": 1,', 1)
    write(writer, note=SECRET)
    text, again = conflict(admin_client, address, form)
    assert SECRET not in text
    assert admin_client.post(address, chosen(again, text, choice)).status_code == 302
    entry = store.get(ADA) or {}
    assert (entry["note"], entry["extra"]) == (value, 1)


# --- a session that went away ------------------------------------------------------------------


def test_a_session_that_was_deleted_is_made_again_only_when_asked(
    store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at()) | {"f-category": "kept", "do": "save"}
    store.delete(ADA)
    answer = operator_client.post(at(), form)
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "The session is gone" in text
    assert store.get(ADA) is None
    again = form_of(text)
    assert again["create"] == "yes"
    assert operator_client.post(at(), again | {"do": "save"}).status_code == 302
    entry = store.get(ADA) or {}
    assert (entry["label"], entry["category"], entry["thinkingLevel"]) == ("Ada", "kept", "low")
    assert entry["sessionId"] != "id-ada"


def test_making_it_again_keeps_what_no_control_could_carry(
    store: Store, at: Address, operator_client: Client
) -> None:
    store.patch(ADA, {"category": "a\nb", "pinnedAt": 5})
    form = opened(operator_client, at()) | {"f-label": "new", "do": "save"}
    store.delete(ADA)
    again = form_of(operator_client.post(at(), form).content.decode())
    assert operator_client.post(at(), again | {"do": "save"}).status_code == 302
    entry = store.get(ADA) or {}
    assert (entry["label"], entry["category"], entry["pinnedAt"]) == ("new", "a\nb", 5)


def test_a_session_that_came_back_by_itself_is_not_written_over(
    store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine", "do": "save"}
    store.delete(ADA)
    again = form_of(operator_client.post(at(), form).content.decode())
    store.put(ADA, {"sessionId": "new", "label": "theirs"})
    text, _form = conflict(operator_client, at(), again)
    assert "&quot;theirs&quot;" in text
    assert (store.get(ADA) or {})["label"] == "theirs"


def test_raw_json_makes_a_deleted_session_again(
    store: Store, at: Address, admin_client: Client
) -> None:
    address = at(ADA, "edit/json/")
    form = opened(admin_client, address) | {"do": "save"}
    store.delete(ADA)
    again = form_of(admin_client.post(address, form).content.decode())
    assert admin_client.post(address, again | {"do": "save"}).status_code == 302
    assert (store.get(ADA) or {})["sessionId"] == "id-ada"
