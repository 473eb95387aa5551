"""API tokens: never more than their owner, checked in order, of no use as or beside a cookie."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from django.utils import timezone

from dashboard import recent, roles, scope, token_limits, tokens
from dashboard import urls as console_urls
from dashboard.models import AgentScope, ApiToken, AuditEvent
from dashboard.refusals import RefusedError
from dashboard.requests import ConsoleRequest
from dashboard.services.problems import ProblemError
from sessionstore.entries import redact
from tests.conftest import PASSWORD, MakeUser, client_for

pytestmark = pytest.mark.django_db

Ask = Callable[..., Any]


@roles.token_required("viewer")
def who(request: ConsoleRequest) -> HttpResponse:
    agents = scope.current()
    told = "all" if agents is None else ",".join(sorted(agents))
    return HttpResponse(f"{request.user} {request.role} {told} {request.via}")


class UrlsWithProbe:
    urlpatterns = [*console_urls.urlpatterns, path("probe", who)]
    handler403 = console_urls.handler403


@pytest.fixture
def ask(settings: Any) -> Ask:
    """Return a function that asks for a page which wants a token, and says who it takes one for."""
    settings.ROOT_URLCONF = UrlsWithProbe

    def ask(token: str, *, client: Client | None = None, **extra: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return (client or Client()).get("/probe", headers=headers, **extra)

    return ask


# --- What a token may -----------------------------------------------------------------------------


def test_a_token_acts_for_its_owner(ask: Ask, bob: User) -> None:
    token = tokens.issue(bob, name="job", role="operator")
    assert ask(token).text == f"bob operator all api {token[:12]}"


def test_the_role_is_the_lesser_of_the_owners_now_and_the_tokens(ask: Ask, bob: User) -> None:
    token = tokens.issue(bob, name="job", role="operator")
    lesser = tokens.issue(bob, name="job", role="viewer")
    assert " viewer " in ask(lesser).text
    roles.assign_role(bob, "viewer")
    assert " viewer " in ask(token).text
    roles.assign_role(bob, "admin")
    assert " operator " in ask(token).text


def test_the_agents_are_those_of_owner_and_token_both(ask: Ask, bob: User) -> None:
    token = tokens.issue(bob, name="job", role="viewer", agents=["main", "work"])
    assert " main,work " in ask(token).text
    AgentScope.objects.create(user=bob, agents=["work", "lab"])
    assert " work " in ask(token).text
    AgentScope.objects.update(agents=[])
    assert "viewer  api" in ask(token).text


def test_a_token_of_an_admin_may_be_limited_to_agents(ask: Ask, alice: User) -> None:
    token = tokens.issue(alice, name="job", role="admin", agents=["main"])
    assert " admin main " in ask(token).text


def test_a_lesser_token_is_refused_what_asks_for_more(settings: Any, alice: User) -> None:
    settings.ROOT_URLCONF = UrlsWithAdminProbe
    token = tokens.issue(alice, name="job", role="operator")
    answer = Client().get("/probe", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403
    assert "asks for the role admin" in answer.text


class UrlsWithAdminProbe:
    urlpatterns = [
        path("probe", roles.token_required("admin")(lambda request: HttpResponse("in"))),
        *console_urls.urlpatterns,
    ]
    handler403 = console_urls.handler403


@pytest.mark.parametrize(
    ("role", "agents", "days"),
    [
        ("admin", None, 90),
        ("owner", None, 90),
        ("viewer", ["other"], 90),
        ("viewer", None, 366),
        ("viewer", None, 0),
    ],
)
def test_no_token_is_more_than_its_owner_or_lasts_over_a_year(
    bob: User, role: str, agents: list[str] | None, days: int
) -> None:
    AgentScope.objects.create(user=bob, agents=["main"])
    with pytest.raises(RefusedError):
        tokens.issue(bob, name="x", role=role, agents=agents, lifetime=timedelta(days=days))
    assert not ApiToken.objects.exists()


# --- The order of the checks ----------------------------------------------------------------------


def broken(token: str) -> str:
    return token[:-1] + ("A" if token[-1] != "A" else "B")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("malformed", "not the form of an API token"),
        ("unknown", "No such API token"),
        ("wrong secret", "No such API token"),
        ("revoked", "was revoked"),
        ("revoked and expired", "was revoked"),
        ("expired", "has expired"),
        ("expired, owner disabled", "has expired"),
        ("owner disabled", "disabled or has no role"),
        ("owner without a role", "disabled or has no role"),
    ],
)
def test_why_a_token_does_not_count(ask: Ask, bob: User, state: str, said: str) -> None:
    token = tokens.issue(bob, name="job", role="viewer")
    if "revoked" in state:
        ApiToken.objects.update(revoked_at=timezone.now())
    if "expired" in state:
        ApiToken.objects.update(expires_at=timezone.now())
    if "disabled" in state:
        User.objects.update(is_active=False)
    if "without a role" in state:
        bob.groups.clear()
    sent = {
        "malformed": "sst_short",
        "unknown": "sst_00000000_" + "x" * 43,
        "wrong secret": broken(token),
    }.get(state, token)
    answer = ask(sent)
    assert answer.status_code == 401
    assert said in answer.text
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert AuditEvent.objects.get(action="token").outcome == "failed"


@pytest.mark.parametrize("state", ["revoked_at", "expires_at"])
def test_without_the_secret_nobody_learns_what_became_of_a_token(
    ask: Ask, bob: User, state: str
) -> None:
    token = tokens.issue(bob, name="job", role="viewer")
    ApiToken.objects.update(**{state: timezone.now()})
    assert "No such API token" in ask(broken(token)).text


@pytest.mark.parametrize(
    "header",
    ["", "Basic Ym9iOnB3", "Bearer", "Bearer ", "bearer x y", "Token {token}", "{token}"],
)
def test_other_headers_are_no_token(ask: Ask, bob: User, header: str) -> None:
    token = tokens.issue(bob, name="job", role="viewer")
    ask("")  # sets the addresses
    answer = Client().get("/probe", headers={"Authorization": header.format(token=token)})
    assert answer.status_code == 401


def test_a_token_that_is_sent_twice_is_none(ask: Ask, bob: User) -> None:
    token = tokens.issue(bob, name="job", role="viewer")
    ask("")
    joined = f"Bearer {token},Bearer {token}"  # as servers join headers that come twice
    assert Client().get("/probe", headers={"Authorization": joined}).status_code == 401


def test_secrets_are_compared_in_constant_time(
    ask: Ask, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tokens.issue(bob, name="job", role="viewer")
    compared: list[tuple[int, int]] = []
    original = hmac.compare_digest

    def compare(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return original(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for sent in (token, broken(token), "sst_00000000_" + "x" * 43):
        ask(sent)
    assert compared == [(64, 64)] * 3


# --- Cookies and tokens stay apart ----------------------------------------------------------------


def test_a_signed_in_browser_without_a_token_gets_nothing(ask: Ask, alice: User) -> None:
    answer = ask("", client=client_for(alice))
    assert answer.status_code == 401
    assert "cookies do not count" in answer.text


def test_beside_a_token_the_cookie_counts_for_nothing(ask: Ask, alice: User, carol: User) -> None:
    token = tokens.issue(carol, name="job", role="viewer")
    assert ask(token, client=client_for(alice)).text.startswith("carol viewer")
    assert ask(broken(token), client=client_for(alice)).status_code == 401


def test_a_token_opens_no_page_of_the_console(alice: User) -> None:
    token = tokens.issue(alice, name="job", role="admin")
    headers = {"Authorization": f"Bearer {token}"}
    for address in ("/", "/people/", "/sessions.json", "/account/"):
        assert Client().get(address, headers=headers).status_code == 302
    assert Client().post("/logout/", headers=headers).status_code == 302


def test_a_token_gives_no_cookie(ask: Ask, bob: User) -> None:
    answer = ask(tokens.issue(bob, name="job", role="viewer"))
    assert not answer.cookies


def test_a_token_is_no_recent_sign_in(ask: Ask, alice: User) -> None:
    seen: list[str] = []

    class Urls(UrlsWithProbe):
        urlpatterns = [
            path("probe", roles.token_required("admin")(lambda r: _note(r, seen))),
            *console_urls.urlpatterns,
        ]

    from django.conf import settings

    settings.ROOT_URLCONF = Urls
    ask(tokens.issue(alice, name="job", role="admin"))
    assert seen == ["False"]


def _note(request: HttpRequest, seen: list[str]) -> HttpResponse:
    seen.append(str(recent.is_recent(request)))
    return HttpResponse()


# --- Keeping, throttling, auditing ----------------------------------------------------------------


def test_only_a_hash_is_kept_and_the_audit_has_the_prefix(bob: User) -> None:
    token = tokens.issue(bob, name="job", role="viewer")
    secret = token[13:]
    stored = f"{list(ApiToken.objects.values())} {list(AuditEvent.objects.values())}"
    assert secret not in stored
    assert AuditEvent.objects.get(action="token.make").target == token[:12]
    assert re.fullmatch(r"sst_[0-9a-f]{8}_[\w-]{43}", token)


def test_failures_are_audited_without_the_token(ask: Ask, bob: User) -> None:
    token = tokens.issue(bob, name="job", role="viewer")
    ask(broken(token))
    ask("hunter2-is-no-token")
    events = AuditEvent.objects.filter(action="token").order_by("sequence")
    assert [event.target for event in events] == [token[:12], ""]
    assert broken(token)[13:] not in str(list(AuditEvent.objects.values()))
    assert "hunter2" not in str(list(AuditEvent.objects.values()))


def test_tokens_are_masked_wherever_they_turn_up(bob: User) -> None:
    token = tokens.issue(bob, name="job", role="viewer")
    assert token[13:] not in redact(f"curl -H 'X: {token}'")


def test_failures_wait_by_address_in_both_forms(ask: Ask, bob: User) -> None:
    token = tokens.issue(bob, name="job", role="viewer")
    forms = ("192.0.2.1", "::ffff:192.0.2.1")
    answers = [ask("wrong", REMOTE_ADDR=forms[n % 2]).status_code for n in range(12)]
    assert answers[:9] == [401] * 9
    assert answers[-1] == 429
    refused = ask(token, REMOTE_ADDR=forms[0])
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert ask(token, REMOTE_ADDR="192.0.2.2").status_code == 200


def test_nobody_is_locked_out_by_the_public_part_of_their_token(ask: Ask, bob: User) -> None:
    token = tokens.issue(bob, name="job", role="viewer")
    for n in range(8):
        ask(broken(token), REMOTE_ADDR=f"198.51.{n}.1")
    assert ask(token, REMOTE_ADDR="192.0.2.2").status_code == 200


def test_failed_tokens_do_not_lock_the_owners_sign_in(ask: Ask, client: Client, bob: User) -> None:
    token = tokens.issue(bob, name="job", role="viewer")
    for _ in range(6):
        ask(broken(token), REMOTE_ADDR="192.0.2.1")
    credentials = {"username": "bob", "password": PASSWORD}
    assert client.post("/login/", credentials, REMOTE_ADDR="192.0.2.2").status_code == 302


def test_use_is_written_down_at_most_once_a_minute(ask: Ask, bob: User) -> None:
    token = tokens.issue(bob, name="job", role="viewer")
    ask(token, REMOTE_ADDR="192.0.2.1")
    first = ApiToken.objects.get()
    ask(token, REMOTE_ADDR="192.0.2.2")
    assert ApiToken.objects.get().last_used_at == first.last_used_at
    assert first.last_used_address == "192.0.2.1"
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    ask(token, REMOTE_ADDR="192.0.2.2")
    assert ApiToken.objects.get().last_used_address == "192.0.2.2"


# --- How many -------------------------------------------------------------------------------------


def test_a_person_has_so_many_tokens_that_count_and_no_more(
    operator_client: Client, bob: User, carol: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_limits, "MOST", 3)
    for _ in range(3):
        tokens.issue(bob, name="job", role="viewer")
    refused = operator_client.post("/tokens/new/", FORM)
    assert refused.status_code == 409
    assert "bob has 3 API tokens" in refused.text
    assert "Revoke one" in refused.text
    tokens.issue(carol, name="of somebody else", role="viewer")
    row = ApiToken.objects.filter(user=bob).first()
    assert row is not None
    shown_in(operator_client.post(f"/tokens/{row.pk}/rotate/").text)
    tokens.revoke(ApiToken.objects.filter(user=bob, revoked_at=None)[0])
    ApiToken.objects.filter(user=bob, revoked_at=None).update(expires_at=timezone.now())
    shown_in(operator_client.post("/tokens/new/", FORM).text)


def test_of_tokens_that_are_over_the_newest_stay(
    bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_limits, "MOST_OVER", 2)
    tokens.issue(bob, name="job", role="viewer")
    for _ in range(6):
        tokens.rotate(ApiToken.objects.get(revoked_at=None))
    rows = ApiToken.objects.order_by("created_at")
    assert [row.revoked_at is None for row in rows] == [False, False, True]
    assert AuditEvent.objects.filter(action="token.revoke").count() == 6


@pytest.mark.django_db(transaction=True)
def test_tokens_made_at_once_do_not_pass_the_limit(
    bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_limits, "MOST", 3)

    def make(_number: int) -> bool:
        try:
            tokens.issue(bob, name="job", role="viewer")
        except ProblemError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(make, range(8))) == 3
    assert ApiToken.objects.count() == 3


# --- Pages ----------------------------------------------------------------------------------------


FORM = {"name": "nightly export", "role": "viewer", "days": "30"}


def shown_in(page: str) -> str:
    [found] = re.findall(r"sst_[0-9a-f]{8}_[\w-]{43}", page)
    return str(found)


def test_a_new_token_is_shown_once_and_works(ask: Ask, admin_client: Client) -> None:
    token = shown_in(admin_client.post("/tokens/new/", FORM).text)
    assert ask(token).text.startswith("alice viewer all")
    for address in ("/tokens/", "/tokens.json", "/tokens.csv", "/people/"):
        text = admin_client.get(address).getvalue().decode()
        assert token[13:] not in text
    assert token[:12] in admin_client.get("/tokens/").text


def test_ones_own_tokens_are_listed_to_others_only_if_they_are_admins(
    viewer_client: Client, admin_client: Client, bob: User
) -> None:
    tokens.issue(bob, name="token of bob", role="viewer")
    assert "token of bob" not in viewer_client.get("/tokens/").text
    assert viewer_client.get("/tokens.json").json()["tokens"] == []
    assert "token of bob" in admin_client.get("/tokens/").text


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "operator"},
        {"role": ""},
        {"days": "366"},
        {"days": "0"},
        {"days": "9" * 40},
        {"name": ""},
        {"name": "a\u202eb"},
        {"agents": ["work"]},
    ],
)
def test_a_form_that_asks_for_too_much_is_refused(
    viewer_client: Client, carol: User, fields: dict[str, Any]
) -> None:
    AgentScope.objects.create(user=carol, agents=["main"])
    assert viewer_client.post("/tokens/new/", FORM | fields).status_code == 422
    assert not ApiToken.objects.exists()


def test_an_admin_makes_a_token_for_somebody_else(admin_client: Client, carol: User) -> None:
    admin_client.post(f"/tokens/new/?owner={carol.pk}", FORM)
    assert ApiToken.objects.get().user == carol
    answer = admin_client.post(f"/tokens/new/?owner={carol.pk}", FORM | {"role": "admin"})
    assert answer.status_code == 422


def test_others_cannot_make_tokens_for_somebody_else(
    viewer_client: Client, alice: User, carol: User
) -> None:
    viewer_client.post(f"/tokens/new/?owner={alice.pk}", FORM)
    assert ApiToken.objects.get().user == carol


def test_rotating_replaces_the_token_at_once(ask: Ask, operator_client: Client, bob: User) -> None:
    old = tokens.issue(bob, name="job", role="viewer", agents=["main"], lifetime=timedelta(days=7))
    row = ApiToken.objects.get()
    new = shown_in(operator_client.post(f"/tokens/{row.pk}/rotate/").text)
    assert "was revoked" in ask(old).text
    assert " viewer main " in ask(new).text
    fresh = ApiToken.objects.get(prefix=new[:12])
    assert fresh.expires_at - fresh.created_at == timedelta(days=7)


def test_rotating_a_revoked_token_is_refused(operator_client: Client, bob: User) -> None:
    tokens.issue(bob, name="job", role="viewer")
    row = ApiToken.objects.get()
    operator_client.post(f"/tokens/{row.pk}/revoke/")
    assert operator_client.post(f"/tokens/{row.pk}/rotate/").status_code == 409
    assert ApiToken.objects.count() == 1


def test_rotating_gives_no_more_than_the_owner_may_now(
    operator_client: Client, bob: User, admin_client: Client
) -> None:
    tokens.issue(bob, name="job", role="operator")
    roles.assign_role(bob, "viewer")
    row = ApiToken.objects.get()
    assert admin_client.post(f"/tokens/{row.pk}/rotate/").status_code == 403
    assert ApiToken.objects.get().revoked_at is None


def test_revoking_ends_a_token(ask: Ask, operator_client: Client, bob: User) -> None:
    token = tokens.issue(bob, name="job", role="viewer")
    row = ApiToken.objects.get()
    assert operator_client.post(f"/tokens/{row.pk}/revoke/")["Location"] == "/tokens/"
    assert ask(token).status_code == 401
    assert AuditEvent.objects.get(action="token.revoke").target == token[:12]


@pytest.mark.parametrize("step", ["rotate", "revoke"])
def test_the_tokens_of_others_are_not_there(
    viewer_client: Client, make_user: MakeUser, step: str
) -> None:
    tokens.issue(make_user("dave", "viewer"), name="job", role="viewer")
    row = ApiToken.objects.get()
    assert viewer_client.post(f"/tokens/{row.pk}/{step}/").status_code == 404
    assert ApiToken.objects.get().revoked_at is None
