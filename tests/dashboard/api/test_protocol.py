"""How the API refuses: who may ask, what a request must look like, always as problem+json."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard import tokens
from dashboard.api import limits
from dashboard.api.kinds import KINDS
from dashboard.models import ApiToken, AuditEvent, SignIn
from sessionstore.store import Store
from tests.conftest import client_for

from .conftest import KEY, Program, code_of

pytestmark = pytest.mark.django_db

ADDRESSES = ("/api/", "/api/v1/", "/api/v1/stores", "/api/v1/nothing/here", "/api/v2/stores")


# --- Who asks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"])
def test_strangers_get_nothing(client: Client, address: str, method: str) -> None:
    answer = client.generic(method, address)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"] == "application/problem+json"


def test_a_browsers_sign_in_counts_for_nothing(
    admin_client: Client, alice: User, ada: str, store: Store
) -> None:
    seen = SignIn.objects.get().seen_at
    for method in ("GET", "PATCH", "DELETE"):
        body = json.dumps({"fields": {"label": "x"}, "opened": {"label": "Ada"}})
        answer = admin_client.generic(method, f"/api/v1{ada}", body, "application/json")
        assert code_of(answer) == "no_token"
    assert SignIn.objects.get().seen_at == seen
    assert (store.get(KEY) or {})["label"] == "Ada"


def test_a_cookie_beside_a_token_is_ignored(viewer: Program, alice: User, ada: str) -> None:
    both = Program(viewer.token, client_for(alice))
    answer = both.delete(ada, if_match=both.get(ada)["ETag"])
    assert code_of(answer) == "refused"
    assert not answer.cookies


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Basic YTpi", "bearer sst_00000000_" + "a" * 43, "Bearer \x00"],
)
def test_what_is_no_token_is_refused(client: Client, store: Store, header: str) -> None:
    answer = client.get("/api/v1/stores", headers={"Authorization": header})
    assert code_of(answer) == "no_token"


@pytest.mark.parametrize("state", ["revoked", "expired", "disabled"])
def test_a_token_that_does_not_count_any_more_is_refused(
    viewer: Program, store: Store, state: str
) -> None:
    now = timezone.now()
    if state == "revoked":
        ApiToken.objects.update(revoked_at=now)
    elif state == "expired":
        ApiToken.objects.update(expires_at=now - timedelta(seconds=1))
    else:
        User.objects.update(is_active=False)
    assert code_of(viewer.get("/stores")) == "no_token"


def test_an_owner_who_may_less_than_the_token_counts(admin: Program, ada: str) -> None:
    from dashboard import roles

    roles.assign_role(User.objects.get(), "viewer")
    assert admin.get(ada).status_code == 200
    assert code_of(admin.post(f"{ada}/archive")) == "refused"


def test_guessing_tokens_is_slowed_down(client: Client, viewer: Program) -> None:
    wrong = {"Authorization": "Bearer sst_00000000_" + "a" * 43}
    codes = [client.get("/api/v1/stores", headers=wrong).status_code for _ in range(12)]
    assert set(codes) == {401, 429}
    answer = client.get("/api/v1/stores", headers=wrong)
    assert code_of(answer) == "too_many_requests"
    assert int(answer["Retry-After"]) > 0


@pytest.mark.parametrize("method", ["GET", "PATCH"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_other_sites_are_refused(
    operator: Program, ada: str, method: str, site: str
) -> None:
    answer = operator.ask(method, ada, {}, headers={"Sec-Fetch-Site": site})
    assert code_of(answer) == "refused"


def test_no_other_origin_is_ever_allowed(viewer: Program, ada: str) -> None:
    for method in ("GET", "OPTIONS"):
        headers = {"Origin": "https://other.example", "Access-Control-Request-Method": "PATCH"}
        answer = viewer.ask(method, ada, headers=headers)
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_a_token_in_the_clear_is_refused_where_https_is_asked_for(
    viewer: Program, ada: str, settings: Any
) -> None:
    settings.HTTPS_ONLY = settings.SECURE_SSL_REDIRECT = True
    assert code_of(viewer.get(ada)) == "refused"
    headers = {"Authorization": f"Bearer {viewer.token}"}
    assert viewer.client.get(f"/api/v1{ada}", secure=True, headers=headers).status_code == 200


# --- What a request must look like ---------------------------------------------------------------


def test_an_address_that_is_not_there_is_told_as_json(viewer: Program) -> None:
    for path in ("/", "/nothing", "/stores/", "/stores/XYZ", "/changes/0", "/changes/" + "9" * 30):
        assert code_of(viewer.get(path)) == "not_found"


def test_another_method_is_told_with_those_there_are(viewer: Program, ada: str) -> None:
    answer = viewer.ask("PUT", ada)
    assert code_of(answer) == "method_not_allowed"
    assert answer["Allow"] == "DELETE, GET, HEAD, PATCH"


def test_head_is_get_without_its_body(viewer: Program, ada: str) -> None:
    answer = viewer.ask("HEAD", ada)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["ETag"] == viewer.get(ada)["ETag"]


@pytest.mark.parametrize(
    ("body", "line", "column"),
    [
        (b"{", 1, 2),
        (b'{\n "fields": {,}}', 2, 13),
        (b"\xff", 1, 1),
        (b'{"fields":\n {"label": "\xe9"}}', 2, 13),
    ],
)
def test_bad_json_is_told_with_its_place(
    operator: Program, ada: str, body: bytes, line: int, column: int
) -> None:
    answer = operator.patch(ada, body)
    assert code_of(answer) == "bad_json"
    assert (answer.json()["line"], answer.json()["column"]) == (line, column)


@pytest.mark.parametrize(
    "body",
    [
        b'{"fields": {"a": 1, "a": 2}}',
        b'{"fields": {"a": NaN}}',
        b'{"fields": {"a": 1e999}}',
        b'{"fields": {"a": "\\ud800"}}',
        b'{"fields": {"a": [["\\udfff"]]}}',
        b'{"fields": {"\\ud800": 1}}',
        b'{"fields": {"a": ' + b"9" * 5_000 + b"}}",
        b'{"fields": {"a": ' + b"[" * 100 + b"]" * 100 + b"}}",
        b"[" * 200_000,
    ],
)
def test_json_that_could_mean_two_things_or_none_is_refused(
    admin: Program, ada: str, store: Store, body: bytes
) -> None:
    before = store.get(KEY)
    assert code_of(admin.patch(ada, body)) == "bad_json"
    assert store.get(KEY) == before


def test_a_whole_number_of_any_size_stays_what_it_is(
    admin: Program, ada: str, store: Store
) -> None:
    number = 2**70 + 1
    body = {"fields": {"far": number}, "opened": {}}
    assert admin.patch(ada, body).json()["entry"]["far"] == number
    assert (store.get(KEY) or {})["far"] == number


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_of_another_media_type_is_refused(operator: Program, ada: str, kind: str) -> None:
    headers = {"Authorization": f"Bearer {operator.token}"}
    answer = operator.client.generic("PATCH", f"/api/v1{ada}", b"{}", kind, headers=headers)
    assert code_of(answer) == "unsupported_media_type"


@pytest.mark.parametrize(
    "extra",
    [{"CONTENT_TYPE": "application/json; charset=latin-1"}, {"HTTP_CONTENT_ENCODING": "gzip"}],
)
def test_a_body_in_another_encoding_is_refused(
    operator: Program, ada: str, extra: dict[str, str]
) -> None:
    given = {"CONTENT_TYPE": "application/json", **extra}
    sent = {"HTTP_AUTHORIZATION": f"Bearer {operator.token}", **given}
    answer = operator.client.generic("PATCH", f"/api/v1{ada}", b"{}", given["CONTENT_TYPE"], **sent)  # type: ignore[arg-type]
    assert code_of(answer) == "unsupported_media_type"


def test_a_body_that_is_too_large_is_refused(admin: Program, ada: str, store: Store) -> None:
    body = json.dumps({"fields": {"a": "x" * (1 << 20)}, "opened": {}}).encode()
    assert code_of(admin.patch(ada, body)) == "too_large"
    assert "a" not in (store.get(KEY) or {})


def test_a_body_without_a_length_is_refused(operator: Program, ada: str) -> None:
    answer = operator.client.generic(
        "PATCH",
        f"/api/v1{ada}",
        headers={"Authorization": f"Bearer {operator.token}", "Transfer-Encoding": "chunked"},
    )
    assert code_of(answer) == "length_required"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "/"),
        ({}, "/fields"),
        ({"fields": {}}, "/fields"),
        ({"fields": {"a": 1}, "colour": 1}, "/colour"),
        ({"fields": 1}, "/fields"),
        ({"fields": {"a": 1}, "choices": {"a/b": "theirs"}}, "/choices/a~1b"),
        ({"fields": {"a": 1}, "reason": "two\nlines"}, "/reason"),
        ({"fields": {"a": 1}, "reason": "x" * 501}, "/reason"),
    ],
)
def test_a_member_that_is_not_valid_is_told_by_its_pointer(
    operator: Program, ada: str, body: object, field: str
) -> None:
    answer = operator.patch(ada, body)
    assert code_of(answer) == "invalid"
    [told] = answer.json()["errors"]
    assert (told["in"], told["field"]) == ("body", field)


def test_refusals_do_not_repeat_what_was_sent(operator: Program, ada: str) -> None:
    secret = "hunter2-hunter2-hunter2"
    for body in ({"fields": secret}, {"fields": {"label": 1}, "reason": [secret]}, [secret]):
        assert secret not in operator.patch(ada, body).text


# --- Failures ------------------------------------------------------------------------------------


def test_a_foreign_host_is_told_as_json(viewer: Program) -> None:
    answer = viewer.ask("GET", "/stores", headers={"Host": "evil.example"})
    assert code_of(answer) == "bad_request"
    assert "evil" not in answer.text


def test_a_failure_of_the_console_is_told_by_the_requests_id(
    viewer: Program, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_options: object) -> None:
        raise RuntimeError("the secret cause")

    monkeypatch.setattr("dashboard.views.api.stores.list_stores", fail)
    answer = viewer.get("/stores")
    assert code_of(answer) == "failed"
    assert answer.json()["request_id"] == answer["X-Request-ID"]
    assert "secret cause" not in answer.text


def test_every_answer_is_neither_stored_nor_run(viewer: Program, ada: str) -> None:
    for path in (ada, "/stores", "/openapi.json", "/nothing"):
        answer = viewer.get(path)
        assert answer["Cache-Control"] == "no-store"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer["Content-Security-Policy"]


def test_a_kind_of_problem_is_described_at_its_type(viewer: Program) -> None:
    told = viewer.get("/nothing").json()
    described = viewer.get(told["type"].removeprefix("/api/v1")).json()
    assert described["code"] == told["code"]
    assert described["meaning"] == KINDS["not_found"].meaning
    assert code_of(viewer.get("/problems/colour")) == "not_found"


# --- How often -----------------------------------------------------------------------------------


def test_a_token_may_make_so_many_requests_a_minute(
    viewer: Program, operator: Program, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REQUESTS", 3)
    monkeypatch.setattr("dashboard.api.limits.time.time", lambda: 600.0)
    codes = [viewer.get("/stores").status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    answer = viewer.get("/stores")
    assert code_of(answer) == "too_many_requests"
    assert answer["Retry-After"] == "60"
    assert operator.get("/stores").status_code == 200
    monkeypatch.setattr("dashboard.api.limits.time.time", lambda: 660.0)
    assert viewer.get("/stores").status_code == 200


def test_changes_have_a_limit_of_their_own(
    operator: Program, ada: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CHANGES", 1)
    monkeypatch.setattr("dashboard.api.limits.time.time", lambda: 630.0)
    assert operator.post(f"{ada}/archive").status_code == 200
    refused = operator.post(f"{ada}/unarchive")
    assert (code_of(refused), refused["Retry-After"]) == ("too_many_requests", "30")
    assert "archivedAt" in (store.get(KEY) or {})
    assert operator.get(ada).status_code == 200


def test_no_token_is_in_the_audit_or_the_database(operator: Program, ada: str) -> None:
    operator.post(f"{ada}/archive")
    secret = operator.token[13:]
    rows = [*AuditEvent.objects.values_list(), *ApiToken.objects.values_list()]
    assert rows
    assert secret not in repr(rows)
    assert tokens.prefix_of(operator.token) in repr(rows)


def test_the_pages_do_not_use_the_api() -> None:
    root = Path(__file__).resolve().parents[3]
    files = [*(root / "templates").rglob("*.html"), *(root / "static" / "app").rglob("*.*")]
    assert len(files) > 50
    asking = re.compile(r"""(href|src|action|hx-[a-z]+|fetch\()=?["'(]*[^"'>]*/api/""")
    named = re.compile(r"{% url ['\"]api")
    found: list[Any] = [
        path.name
        for path in files
        if asking.search(text := path.read_text("utf-8", "replace")) or named.search(text)
    ]
    assert found == []
