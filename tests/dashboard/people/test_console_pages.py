"""Settings with their source, security checks as sentences, and sign-ins that failed."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.utils import timezone

from dashboard import audit, tokens
from dashboard.acting import Actor
from dashboard.models import AgentScope, ApiToken
from dashboard.people import changes, configuration, security
from dashboard.people.changes import Access
from dashboard.people.configuration import all_settings
from dashboard.services.check import Check
from tests.conftest import PASSWORD, REPOSITORY, MakeUser

pytestmark = pytest.mark.django_db

MARKUP = "<img src=x onerror=alert(1)>"
SECRET = "sk-" + "a1" * 20


# --- Settings -------------------------------------------------------------------------------------


def test_every_setting_that_is_read_is_shown() -> None:
    source = (REPOSITORY / "dashboard" / "settings" / "__init__.py").read_text()
    read = re.findall(r'_environment\.\w+\(\s*"(SESSIONSTORE_[A-Z_]+|DATABASE_URL)"', source)
    assert sorted(setting.name for setting in all_settings()) == sorted(read)


def test_a_setting_says_its_value_and_where_it_comes_from(
    admin_client: Client, settings: Any
) -> None:
    settings.GIVEN_BY_ENVIRONMENT = frozenset({"SESSIONSTORE_READ_ONLY", "OPENCLAW_STATE_DIR"})
    settings.READ_ONLY = True
    settings.STATE_DIR = Path("/srv/state")
    found = {setting.name: setting for setting in all_settings()}
    assert (found["SESSIONSTORE_READ_ONLY"].value, found["SESSIONSTORE_READ_ONLY"].source) == (
        "on",
        "environment",
    )
    assert found["SESSIONSTORE_STATE_DIR"].source == "environment, as OPENCLAW_STATE_DIR"
    assert found["SESSIONSTORE_SESSION_IDLE_MINUTES"].value == "30 minutes"
    assert found["SESSIONSTORE_PAGE_WAIT_S"].value == "30"
    assert found["SESSIONSTORE_DEBUG"].source == "default"
    page = admin_client.get("/settings/").text
    assert "/srv/state" in page
    assert "environment, as OPENCLAW_STATE_DIR" in page


def test_no_secret_is_among_the_settings(admin_client: Client, settings: Any) -> None:
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "console",
        "HOST": "db.example",
        "USER": "app",
        "PASSWORD": "hunter2hunter2",
    }
    shown = configuration._database(database)
    assert shown == "PostgreSQL, console on db.example"
    page = admin_client.get("/settings/").text
    assert settings.SECRET_KEY not in page
    settings.METRICS_TOKEN = "monitoring-monitoring-monitoring"
    page = admin_client.get("/settings/").text
    assert settings.METRICS_TOKEN not in page
    assert "set, not shown" in page
    settings.STORE_TEMPLATE = f"/srv/{SECRET}/x"
    assert SECRET not in admin_client.get("/settings/").text


def test_values_are_shown_as_text(admin_client: Client, settings: Any) -> None:
    settings.ENVIRONMENT_NAME = MARKUP
    page = admin_client.get("/settings/").text
    assert MARKUP not in page
    assert "&lt;img src=x" in page


# --- Security checks ------------------------------------------------------------------------------


def look(*, agents: int = 2, **meta: Any) -> dict[str, Check]:
    request: Any = RequestFactory().get("/security/", **meta)
    request.unnamed_proxy = meta.get("unnamed_proxy", False)
    return {
        check.name: check for check in security.look(request, agents=agents, now=timezone.now())
    }


def test_a_console_on_loopback_with_two_admins_is_fine(
    alice: User, make_user: MakeUser, settings: Any
) -> None:
    make_user("zoe", "admin")
    states = {name: check.state for name, check in look().items()}
    assert states.pop("audit") == "unknown"
    assert set(states.values()) == {"ok"}


def test_a_console_in_the_clear_beyond_loopback_is_bad(alice: User, settings: Any) -> None:
    settings.BIND_ADDRESS = "0.0.0.0"
    found = look()
    assert (found["reach"].state, found["tls"].state) == ("watch", "bad")
    assert "0.0.0.0" in found["reach"].sentence
    settings.TLS_CERTIFICATE = Path("/cert.pem")
    assert look()["tls"].state == "ok"


def test_a_proxy_that_is_not_named_is_told(admin_client: Client) -> None:
    page = admin_client.get("/security/", headers={"X-Forwarded-For": "203.0.113.9"}).text
    assert "through a proxy that is not named" in page
    assert "through a proxy that is not named" not in admin_client.get("/security/").text


def test_a_single_admin_is_watched(alice: User) -> None:
    assert look()["admins"].state == "watch"
    assert "alice" in look()["admins"].detail


def test_people_who_see_every_agent_are_watched_where_there_are_several(
    alice: User, carol: User, bob: User
) -> None:
    AgentScope.objects.create(user=bob, agents=["main"])
    assert look()["scopes"].state == "watch"
    assert look()["scopes"].detail == "carol"
    assert look(agents=1)["scopes"].state == "ok"


def test_accounts_that_nobody_can_use_are_named(alice: User, make_user: MakeUser) -> None:
    make_user("dave", None)
    changes.make("erin", Access("viewer", None), password=None, by=Actor(1, "alice", "admin"))
    check = look()["accounts"]
    assert check.state == "watch"
    assert "dave" in check.sentence
    assert "erin" in check.sentence


def test_tokens_that_are_not_used_or_soon_expire_are_named(bob: User) -> None:
    tokens.issue(bob, name="export", role="viewer")
    assert look()["tokens"].state == "ok"
    ApiToken.objects.update(created_at=timezone.now() - timedelta(days=31))
    assert "export" in look()["tokens-unused"].sentence
    ApiToken.objects.update(expires_at=timezone.now() + timedelta(days=6))
    assert "export" in look()["tokens-ending"].sentence
    ApiToken.objects.update(revoked_at=timezone.now())
    assert look()["tokens"].state == "ok"


def test_files_that_others_can_open_are_bad(alice: User, tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path / "var"
    settings.DATA_DIR.mkdir(mode=0o755)
    for name, mode in (("console.sqlite3", 0o644), ("secret.key", 0o600), ("static.stamp", 0o644)):
        (settings.DATA_DIR / name).touch(mode=mode)
        (settings.DATA_DIR / name).chmod(mode)
    check = look()["files"]
    assert check.state == "bad"
    assert check.sentence.endswith(": console.sqlite3.")
    settings.DATA_DIR.chmod(0o700)
    assert look()["files"].state == "ok"


def test_long_limits_debug_and_read_only_are_told(alice: User, settings: Any) -> None:
    settings.SESSION_IDLE_S = 3600
    assert look()["limits"].state == "watch"
    assert look()["read-only"].sentence == "The console may change sessions."
    settings.READ_ONLY, settings.DEBUG = True, True
    assert "refuses every change" in look()["read-only"].sentence
    assert look()["debug"].state == "bad"


def test_single_sign_on_names_who_is_trusted(alice: User, settings: Any) -> None:
    assert look()["sso"].sentence == "No header can sign anybody in."
    settings.SSO_HEADER = "X-Auth-User"
    settings.TRUSTED_PROXIES = (ipaddress.ip_network("10.0.0.1"),)
    assert look()["sso"].state == "ok"
    assert "10.0.0.1" in look()["sso"].sentence
    settings.TRUSTED_PROXIES = (ipaddress.ip_network("10.0.0.0/8"),)
    assert look()["sso"].state == "watch"


def test_the_audit_says_when_it_was_verified(admin_client: Client) -> None:
    assert look()["audit"].state == "unknown"
    for _ in range(3):
        admin_client.post("/audit/verify/")
    assert look()["audit"].state == "ok"
    assert "unbroken" in look()["audit"].sentence


def test_the_page_has_every_check_with_word_and_shape(admin_client: Client) -> None:
    page = admin_client.get("/security/").text
    assert page.count('class="check-row"') == len(look())
    assert "asks for a look" in page


# --- Failed sign-ins ------------------------------------------------------------------------------


def fail(name: str, **extra: Any) -> int:
    credentials = {"username": name, "password": "wrong"}
    return int(Client().post("/login/", credentials, **extra).status_code)


@pytest.mark.parametrize(
    "name",
    [
        MARKUP,
        "<script>alert(1)</script>",
        "'\"><svg/onload=alert(1)>",
        "a\u202egnp.exe",
        "{{ 7*7 }}",
        SECRET,
        "x" * 300,
    ],
)
def test_hostile_names_are_text_wherever_they_turn_up(admin_client: Client, name: str) -> None:
    fail(name, REMOTE_ADDR="192.0.2.7", headers={"User-Agent": MARKUP, "X-Forwarded-For": MARKUP})
    for address in ("/sign-ins/failed/", "/audit/", "/sign-ins/", "/people/"):
        page = admin_client.get(address).text
        assert not re.search(r"<(img|svg/|script>alert)", page)
        assert "\u202e" not in page
        assert SECRET not in page
        assert "49" not in re.findall(r"typed-name\">([^<]*)<", page)


def test_failures_say_who_waits_and_from_how_many_addresses(
    admin_client: Client, carol: User
) -> None:
    for number in range(5):
        fail("carol", REMOTE_ADDR=f"192.0.2.{number}")
    page = admin_client.get("/sign-ins/failed/").text
    row = re.search(r"carol</span>.*?</tr>", page, re.DOTALL)
    assert row
    assert '<td class="number" data-label="Addresses">5</td>' in row[0]
    assert "s more" in row[0]


def forget(client: Client, name: str) -> None:
    page = client.get("/sign-ins/failed/").text
    row = re.search(rf">{name}</span>.*?</tr>", page, re.DOTALL)
    assert row
    ident = re.search(r'name="name" value="(\w+)"', row[0])
    assert ident
    client.post("/sign-ins/failed/forget/", {"name": ident[1]})


def test_forgetting_lets_a_name_be_tried_at_once(admin_client: Client, carol: User) -> None:
    for number in range(6):
        fail("carol", REMOTE_ADDR=f"192.0.2.{number}")
    credentials = {"username": "carol", "password": PASSWORD}
    assert Client().post("/login/", credentials, REMOTE_ADDR="198.51.100.1").status_code == 429
    forget(admin_client, "carol")
    assert Client().post("/login/", credentials, REMOTE_ADDR="198.51.100.1").status_code == 302


def test_forgetting_one_name_keeps_the_others(admin_client: Client, carol: User) -> None:
    for name in ("carol", "bob") * 6:
        fail(name, REMOTE_ADDR=f"192.0.2.{len(name)}")
    forget(admin_client, "bob")
    credentials = {"username": "carol", "password": PASSWORD}
    assert Client().post("/login/", credentials, REMOTE_ADDR="198.51.100.1").status_code == 429


def test_only_failures_are_listed(admin_client: Client, carol: User) -> None:
    audit.record(None, action="login", target="fine")
    fail("nobody-here")
    page = admin_client.get("/sign-ins/failed/").text
    assert "nobody-here" in page
    assert "fine</span>" not in page


@pytest.mark.parametrize(
    ("hooks", "mail", "said"),
    [
        (["https://hooks.example.org/x"], [], ""),
        (["http://127.0.0.1:9/x"], [], ""),
        (["http://hooks.example.org/secret"], [], "hooks.example.org"),
        ([], ["ops@example.org"], "mail.example.org"),
    ],
)
def test_alerts_that_anybody_on_the_way_can_read_are_said(
    settings: Any, hooks: list[str], mail: list[str], said: str
) -> None:
    settings.ALERT_WEBHOOKS, settings.ALERT_MAIL = hooks, mail
    settings.EMAIL_HOST = "mail.example.org"
    check = look().get("alerts")
    assert ("" if check is None else check.sentence) == (
        said and f"Alerts go without encryption to: {said}."
    )
