"""The tag that stands for an entry: the same in every answer, and never the store's own etag."""

from __future__ import annotations

from typing import Any

import pytest

from sessionstore.store import Store

from .conftest import KEY, Program, code_of

pytestmark = pytest.mark.django_db


def tag(program: Program, ada: str) -> str:
    """The tag in a session's header, without quotes."""
    return str(program.get(ada)["ETag"]).strip('"')


def test_header_and_member_have_the_same_tag_which_is_not_the_etag(
    viewer: Program, ada: str, store: Store
) -> None:
    answer = viewer.get(ada)
    assert answer["ETag"] == f'"{answer.json()["etag"]}"'
    assert str(store.etag(KEY)) not in f"{dict(answer.headers)} {answer.text}"


def test_the_stores_own_etag_is_no_precondition(admin: Program, ada: str, store: Store) -> None:
    before = store.get(KEY)
    mine = f'"{store.etag(KEY)}"'
    assert code_of(admin.patch(ada, {"fields": {"label": "x"}}, if_match=mine)) == "moved"
    assert code_of(admin.delete(ada, if_match=mine)) == "moved"
    assert code_of(admin.post(f"{ada}/archive", if_match=mine)) == "moved"
    assert admin.get(ada, if_none_match=mine).status_code == 200
    assert store.get(KEY) == before


def test_refusals_name_the_tag_of_the_entry_now(operator: Program, ada: str, store: Store) -> None:
    old = tag(operator, ada)
    store.patch(KEY, {"label": "Theirs"})
    moved = operator.patch(ada, {"fields": {"label": "x"}}, if_match=f'"{old}"')
    body: dict[str, Any] = {"fields": {"label": "Mine"}, "opened": {"label": "Ada"}}
    overlap = operator.patch(ada, body)
    assert (code_of(moved), code_of(overlap)) == ("moved", "overlap")
    assert moved.json()["etag"] == overlap.json()["etag"] == tag(operator, ada) != old


def test_a_saved_change_answers_with_the_tag_to_go_on_with(
    operator: Program, ada: str, store: Store
) -> None:
    saved = operator.patch(ada, {"fields": {"label": "A"}}, if_match=f'"{tag(operator, ada)}"')
    assert saved.json()["etag"] == tag(operator, ada)
    again = operator.patch(ada, {"fields": {"label": "B"}}, if_match=saved["ETag"])
    assert again.status_code == 200
    assert store.get(KEY)["label"] == "B"  # type: ignore[index]
