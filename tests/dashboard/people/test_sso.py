"""Single sign-on: a header counts from named proxies only, and only for mapped people."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard import sso
from dashboard.models import AuditEvent, SignIn, SsoName
from dashboard.settings.environment import Environment
from tests.conftest import PASSWORD
from tests.dashboard.test_serving import Console
from tests.dashboard.test_settings import manage

pytestmark = pytest.mark.django_db

PROXY, STRANGER = "10.0.0.1", "203.0.113.9"
BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    sso.BACKEND,
]


@pytest.fixture(autouse=True)
def switched_on(settings: Any) -> None:
    """Sign-in by X-Auth-User from 10.0.0.0/8."""
    settings.SSO_HEADER = "X-Auth-User"
    settings.TRUSTED_PROXIES = (ipaddress.ip_network("10.0.0.0/8"),)
    settings.AUTHENTICATION_BACKENDS = BACKENDS


@pytest.fixture
def mapped(carol: User) -> SsoName:
    """Whom the proxy calls carol@corp is carol."""
    return SsoName.objects.create(name="carol@corp", user=carol)


def through(name: str | None, *, peer: str = PROXY, header: str = "X-Auth-User") -> Client:
    """A browser behind a proxy that sends this name with each request."""
    headers = {} if name is None else {header: name}
    return Client(REMOTE_ADDR=peer, headers=headers)


def sign_in(client: Client) -> Any:
    return client.post("/login/sso/", {"next": "/stores/"})


# --- Signing in -----------------------------------------------------------------------------------


def test_a_mapped_person_signs_in_with_one_click(mapped: SsoName) -> None:
    client = through("carol@corp")
    assert "names you carol@corp" in client.get("/login/").text
    answer = sign_in(client)
    assert answer["Location"] == "/stores/"
    assert "carol" in client.get("/account/").text
    assert SignIn.objects.get().sso_name == "carol@corp"
    event = AuditEvent.objects.get(action="login")
    assert (event.actor, event.outcome) == ("carol", "done")
    assert "carol@corp" in event.details


def test_looking_at_the_login_page_signs_nobody_in(mapped: SsoName) -> None:
    client = through("carol@corp")
    client.get("/login/")
    assert client.get("/account/").status_code == 302
    assert not SignIn.objects.exists()


def test_signing_in_needs_the_form_token(mapped: SsoName) -> None:
    client = Client(
        REMOTE_ADDR=PROXY, headers={"X-Auth-User": "carol@corp"}, enforce_csrf_checks=True
    )
    client.get("/login/")
    assert sign_in(client).status_code == 403
    token = client.cookies["sessionstore_csrf"].value
    assert client.post("/login/sso/", {"csrfmiddlewaretoken": token}).status_code == 302


def test_a_page_of_another_site_cannot_sign_somebody_in(mapped: SsoName) -> None:
    client = Client(
        REMOTE_ADDR=PROXY, headers={"X-Auth-User": "carol@corp", "Sec-Fetch-Site": "cross-site"}
    )
    assert sign_in(client).status_code == 403
    assert not SignIn.objects.exists()


def test_the_next_page_must_be_ours(mapped: SsoName) -> None:
    client = through("carol@corp")
    answer = client.post("/login/sso/", {"next": "https://elsewhere.example/"})
    assert answer["Location"] == "/"


# --- Who counts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", [STRANGER, "127.0.0.1", "::1", "::ffff:203.0.113.9", ""])
def test_from_anybody_but_a_named_proxy_the_header_counts_for_nothing(
    mapped: SsoName, peer: str
) -> None:
    client = through("carol@corp", peer=peer)
    assert "carol@corp" not in client.get("/login/").text
    assert sign_in(client).status_code == 403
    assert not SignIn.objects.exists()


def test_a_forwarded_address_of_a_proxy_does_not_make_one(mapped: SsoName) -> None:
    headers = {"X-Auth-User": "carol@corp", "X-Forwarded-For": PROXY}
    client = Client(REMOTE_ADDR=STRANGER, headers=headers)
    assert sign_in(client).status_code == 403


def test_a_proxy_in_ipv6_clothes_is_the_proxy(mapped: SsoName) -> None:
    assert sign_in(through("carol@corp", peer=f"::ffff:{PROXY}")).status_code == 302


@pytest.mark.parametrize(
    "name",
    [
        "Carol@corp",
        "carol@CORP",
        "carol@corp.attacker.example",
        "xcarol@corp",
        " carol@corp",
        "carol@corp ",
        "carol",
        "carol@corp,carol@corp",
        "carol@corp, alice@corp",
        "carol@corp\u200b".encode().decode("latin-1"),
        "ｃarol@corp".encode().decode("latin-1"),
        "",
        "x" * 151,
        "a\x07b",
        "\xff\xfe",
    ],
)
def test_names_are_compared_whole_and_to_the_character(mapped: SsoName, name: str) -> None:
    before = User.objects.count()
    assert sign_in(through(name)).status_code == 403
    assert not SignIn.objects.exists()
    assert User.objects.count() == before


def test_names_in_other_scripts_arrive_as_they_are(carol: User) -> None:
    SsoName.objects.create(name="ädä@corp", user=carol)
    assert sign_in(through("ädä@corp".encode().decode("latin-1"))).status_code == 302


@pytest.mark.parametrize("header", ["X-Auth-Use", "Remote-User", "X-Auth-User2"])
def test_other_headers_count_for_nothing(mapped: SsoName, header: str) -> None:
    assert sign_in(through("carol@corp", header=header)).status_code == 403


def test_an_unknown_name_is_refused_and_told_what_to_do() -> None:
    answer = sign_in(through("<b>mallory</b>@corp"))
    assert answer.status_code == 403
    assert "Ask an admin to map your name" in answer.text
    assert not User.objects.exists()
    event = AuditEvent.objects.get(action="login.sso")
    assert (event.target, event.outcome) == ("<b>mallory</b>@corp", "failed")


def test_the_login_page_shows_a_hostile_name_as_text() -> None:
    page = through("<script>alert(1)</script>").get("/login/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_disabled_person_is_refused(mapped: SsoName, carol: User) -> None:
    User.objects.update(is_active=False)
    assert sign_in(through("carol@corp")).status_code == 403


def test_an_account_of_the_same_name_is_not_the_mapped_one(carol: User) -> None:
    assert sign_in(through("carol")).status_code == 403


def test_names_that_are_refused_again_and_again_wait(mapped: SsoName) -> None:
    answers = [sign_in(through(f"guess{n}@corp")).status_code for n in range(11)]
    assert answers[0] == 403
    assert answers[-1] == 429
    assert sign_in(through("carol@corp")).status_code == 429


# --- What a sign-in by proxy is worth -------------------------------------------------------------


@pytest.mark.parametrize("later", [None, "alice@corp", "carol@CORP"])
def test_the_session_ends_when_the_proxy_names_somebody_else(
    mapped: SsoName, later: str | None
) -> None:
    client = through("carol@corp")
    sign_in(client)
    other = through(later)
    other.cookies = client.cookies
    assert other.get("/account/").status_code == 302
    assert client.get("/account/").status_code == 302
    assert "the proxy does not name you any more" in SignIn.objects.get().ended_because


def test_the_cookie_is_worth_nothing_without_the_proxy(mapped: SsoName) -> None:
    client = through("carol@corp")
    sign_in(client)
    stolen = through("carol@corp", peer=STRANGER)
    stolen.cookies = client.cookies
    assert stolen.get("/account/").status_code == 302


def test_turning_single_sign_on_off_ends_its_sessions(mapped: SsoName, settings: Any) -> None:
    client = through("carol@corp")
    sign_in(client)
    settings.SSO_HEADER = ""
    settings.AUTHENTICATION_BACKENDS = BACKENDS[:2]
    assert client.get("/account/").status_code == 302
    assert sign_in(client).status_code == 404


def test_taking_the_name_out_ends_its_sessions(mapped: SsoName, admin_client: Client) -> None:
    client = through("carol@corp")
    sign_in(client)
    address = f"/people/{mapped.user_id}/sso/{mapped.pk}/"
    assert admin_client.post(address).status_code == 302
    assert client.get("/account/").status_code == 302
    assert sign_in(client).status_code == 403


def test_a_password_sign_in_behind_the_proxy_needs_no_header(carol: User) -> None:
    client = through(None)
    client.post("/login/", {"username": "carol", "password": PASSWORD})
    assert client.get("/account/").status_code == 200
    assert SignIn.objects.get().sso_name == ""


def test_no_form_signs_in_through_the_proxys_backend(carol: User, settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = [sso.BACKEND]
    credentials = {"username": "carol", "password": PASSWORD}
    assert Client().post("/login/", credentials).status_code == 422


# --- Mapping --------------------------------------------------------------------------------------


def test_an_admin_maps_a_name(admin_client: Client, carol: User) -> None:
    answer = admin_client.post(f"/people/{carol.pk}/sso/", {"name": "carol@corp"})
    assert answer.status_code == 302
    assert sign_in(through("carol@corp")).status_code == 302
    assert AuditEvent.objects.get(action="user.sso-add").target == "carol"


@pytest.mark.parametrize("name", ["", "a,b", " carol", "carol ", "x" * 151, "a\u202eb", "taken"])
def test_a_name_that_could_be_anothers_is_refused(
    admin_client: Client, alice: User, carol: User, name: str
) -> None:
    SsoName.objects.create(name="taken", user=alice)
    answer = admin_client.post(f"/people/{carol.pk}/sso/", {"name": name})
    assert answer.status_code == 422
    assert SsoName.objects.count() == 1


# --- Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["X_Auth_User", "Cookie", "authorization", "X-Forwarded-For", "Host", "a b", "Sec-X"]
)
def test_a_header_that_means_something_else_stops_the_start(value: str) -> None:
    from django.core.exceptions import ImproperlyConfigured

    with pytest.raises(ImproperlyConfigured, match=r"^SESSIONSTORE_X: "):
        Environment({"SESSIONSTORE_X": value}).header("SESSIONSTORE_X")


def test_the_header_without_a_named_proxy_stops_the_start(tmp_path: Path) -> None:
    ended = manage(tmp_path, "check", SESSIONSTORE_SSO_HEADER="X-Auth-User")
    assert ended.returncode == 1
    assert "SESSIONSTORE_TRUSTED_PROXIES" in ended.stderr
    assert ended.stderr.count("\n") == 1


# --- Through the real server ----------------------------------------------------------------------


@contextmanager
def served(tmp_path: Path, proxies: str) -> Iterator[int]:
    (tmp_path / "state").mkdir()
    variables = {
        "SESSIONSTORE_STATE_DIR": str(tmp_path / "state"),
        "SESSIONSTORE_SSO_HEADER": "X-Auth-User",
        "SESSIONSTORE_TRUSTED_PROXIES": proxies,
    }
    console = Console(tmp_path, **variables)
    try:
        console.wait_until_it_answers()
        yield console.port
    finally:
        console.stop()


def login_page(port: int, *lines: str) -> str:
    request = "\r\n".join(("GET /login/ HTTP/1.1", "Host: localhost", "Connection: close", *lines))
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"{request}\r\n\r\n".encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return answer.decode("utf-8", "replace")


@pytest.mark.slow
def test_the_real_server_takes_the_header_from_a_named_proxy_only_once_and_as_spelt(
    tmp_path: Path,
) -> None:
    with served(tmp_path, "127.0.0.1") as port:
        assert "names you ada@corp" in login_page(port, "X-Auth-User: ada@corp")
        for lines in (
            ("X_Auth_User: ada@corp",),
            ("X-Auth_User: ada@corp",),
            ("X-Auth-User: ada@corp", "X-Auth-User: bob@corp"),
            ("X-Auth-User: ada@corp", "X_Auth_User: bob@corp", "X-Auth-User: ada@corp"),
            ("X-Auth-User: ada@corp,bob@corp",),
        ):
            assert not re.search("names you|a(da|bob)@corp", login_page(port, *lines)), lines
        both = login_page(port, "X-Auth-User: ada@corp", "X_Auth_User: bob@corp")
        assert "bob@corp" not in both


@pytest.mark.slow
def test_the_real_server_takes_no_header_from_loopback_that_is_not_named(
    tmp_path: Path,
) -> None:
    with served(tmp_path, "10.0.0.0/8") as port:
        page = login_page(port, "X-Auth-User: ada@corp", "X-Forwarded-For: 10.0.0.1")
        assert "Sign in" in page
        assert "ada@corp" not in page
