"""Sign-ins: listed by a handle that opens nothing, ended by oneself or by an admin."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from dashboard import sign_ins
from dashboard.models import AuditEvent, SignIn
from dashboard.people.programs import program_words
from tests.conftest import PASSWORD, client_for

pytestmark = pytest.mark.django_db


def in_as(name: str, **extra: Any) -> Client:
    client = Client(**extra)
    assert client.post("/login/", {"username": name, "password": PASSWORD}).status_code == 302
    return client


def test_a_sign_in_is_written_down_with_address_and_program(carol: User) -> None:
    in_as("carol", REMOTE_ADDR="::ffff:192.0.2.7", headers={"User-Agent": "Browser\n1 \u202e"})
    row = SignIn.objects.get()
    assert (row.user, row.address) == (carol, "192.0.2.7")
    assert row.program == "Browser\\n1 \\u202e"
    assert row.ended_at is None


def test_no_list_has_the_sessions_own_key_or_handle(
    admin_client: Client, alice: User, carol: User
) -> None:
    client_for(carol)
    keys = [*Session.objects.values_list("session_key", flat=True)]
    handles = [*SignIn.objects.values_list("handle", flat=True)]
    assert len(keys) == len(handles) == 2
    for path in ("/sign-ins/", "/sign-ins.json", "/sign-ins.csv", "/account/", "/people/"):
        text = admin_client.get(path).getvalue().decode()
        assert [secret for secret in (*keys, *handles) if secret in text] == [], path


def test_the_row_has_nothing_that_opens_the_session(carol: User) -> None:
    client = client_for(carol)
    stored = str(list(SignIn.objects.values()))
    assert client.cookies["sessionstore_session"].value not in stored


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36",
            "Chrome on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/150.0 Safari/537.36 Edg/150.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/17.4 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0",
            "Firefox on Android",
        ),
        ("Firefox/1.0 <b>of nobody</b>", "Firefox/1.0 <b>of nobody</b>"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", ""),
    ],
)
def test_a_program_is_named_so_that_its_owner_knows_it(header: str, words: str) -> None:
    assert program_words(header) == words


def test_the_whole_header_is_at_hand(carol: User) -> None:
    header = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36"
    page = in_as("carol", headers={"User-Agent": header}).get("/account/").text
    assert f'title="{header}">Chrome on Linux</span>' in page


def test_the_account_page_lists_ones_own_sign_ins_only(carol: User, alice: User) -> None:
    in_as("carol", headers={"User-Agent": "Phone of carol"})
    in_as("alice", headers={"User-Agent": "Laptop of alice"})
    page = in_as("carol", headers={"User-Agent": "Laptop of carol"}).get("/account/").text
    assert "Phone of carol" in page
    assert "Laptop of carol" in page
    assert "Laptop of alice" not in page


def test_ending_one_sign_in_leaves_the_others(carol: User) -> None:
    here, there, third = client_for(carol), client_for(carol), client_for(carol)
    row = SignIn.objects.get(handle=there.session[sign_ins.HANDLE])
    assert here.post(f"/sign-ins/{row.pk}/end/").status_code == 302
    assert [client.get("/account/").status_code for client in (here, there, third)] == [
        200,
        302,
        200,
    ]
    assert "you ended it from elsewhere" in there.get("/login/").text


def test_ending_all_others_keeps_this_one(carol: User) -> None:
    here, there, third = client_for(carol), client_for(carol), client_for(carol)
    here.post("/account/sign-ins/end/")
    assert [client.get("/account/").status_code for client in (here, there, third)] == [
        200,
        302,
        302,
    ]


def test_nobody_but_an_admin_ends_the_sign_ins_of_others(
    viewer_client: Client, operator_client: Client, admin_client: Client
) -> None:
    carols = SignIn.objects.get(user__username="carol")
    assert operator_client.post(f"/sign-ins/{carols.pk}/end/").status_code == 404
    assert viewer_client.get("/account/").status_code == 200
    assert admin_client.post(f"/sign-ins/{carols.pk}/end/").status_code == 302
    assert viewer_client.get("/account/").status_code == 302
    event = AuditEvent.objects.get(action="session.end", actor="alice")
    assert event.target == "carol"


def test_an_admin_ends_all_of_a_person(admin_client: Client, carol: User) -> None:
    clients = [client_for(carol), client_for(carol)]
    admin_client.post(f"/people/{carol.pk}/sign-ins/", {"next": "/sign-ins/"})
    assert [client.get("/account/").status_code for client in clients] == [302, 302]


def test_signing_out_ends_the_row_and_the_cookie_opens_nothing(carol: User) -> None:
    client = client_for(carol)
    cookie = client.cookies["sessionstore_session"].value
    client.post("/logout/")
    assert SignIn.objects.get().ended_because == "you signed out."
    again = Client()
    again.cookies["sessionstore_session"] = cookie
    assert again.get("/account/").status_code == 302


@pytest.mark.parametrize("name", ["carol", "alice"])
def test_signing_in_again_ends_the_sign_in_before(carol: User, alice: User, name: str) -> None:
    client = in_as("carol")
    client.post("/login/", {"username": name, "password": PASSWORD})
    ended, current = SignIn.objects.order_by("pk")
    assert ended.ended_because == "you signed in anew."
    assert (current.user.get_username(), current.ended_at) == (name, None)
    assert client.get("/account/").status_code == 200


def test_an_ended_sign_in_is_audited_once(viewer_client: Client, carol: User) -> None:
    SignIn.objects.update(ended_at=timezone.now(), ended_because="an admin ended it.")
    viewer_client.get("/account/")
    viewer_client.get("/account/")
    assert not AuditEvent.objects.filter(action="session.end").exists()


def test_the_list_leaves_out_what_is_over_by_its_limits(carol: User, admin_client: Client) -> None:
    client_for(carol)
    SignIn.objects.filter(user=carol).update(seen_at=timezone.now() - timedelta(minutes=31))
    listed = json.loads(admin_client.get("/sign-ins.json").text)["sign_ins"]
    assert [row["person"] for row in listed] == ["alice"]
    row = SignIn.objects.get(user=carol)
    SignIn.objects.filter(pk=row.pk).update(
        seen_at=timezone.now(), created_at=timezone.now() - timedelta(hours=9)
    )
    assert len(json.loads(admin_client.get("/sign-ins.json").text)["sign_ins"]) == 1


def test_a_session_with_the_handle_of_somebody_else_is_ended(carol: User, alice: User) -> None:
    mine, theirs = client_for(carol), client_for(alice)
    session = mine.session
    session[sign_ins.HANDLE] = theirs.session[sign_ins.HANDLE]
    session.save()
    assert mine.get("/account/").status_code == 302
    assert theirs.get("/account/").status_code == 200


def test_use_is_written_down_at_most_once_a_minute_and_never_by_a_live_page(
    viewer_client: Client, django_assert_num_queries: Any
) -> None:
    for ago, live, moves in ((50, False, False), (70, True, False), (70, False, True)):
        then = timezone.now() - timedelta(seconds=ago)
        SignIn.objects.update(seen_at=then)
        viewer_client.get("/account/", headers={"X-Live": "1"} if live else {})
        assert (SignIn.objects.get().seen_at != then) is moves


def test_the_next_page_after_ending_must_be_ours(viewer_client: Client, carol: User) -> None:
    other = client_for(carol)
    row = SignIn.objects.get(handle=other.session[sign_ins.HANDLE])
    form = {"next": "https://elsewhere.example/"}
    assert viewer_client.post(f"/sign-ins/{row.pk}/end/", form)["Location"] == "/account/"
