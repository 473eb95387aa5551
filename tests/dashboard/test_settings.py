"""Settings: typed, and a malformed one stops the start with its name."""

from __future__ import annotations

import ipaddress
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from dashboard.settings.environment import Environment
from dashboard.settings.files import private_directory, secret_key
from tests.conftest import REPOSITORY


def one(value: str) -> Environment:
    return Environment({"SESSIONSTORE_X": value})


X = "SESSIONSTORE_X"


def test_unset_and_blank_values_give_the_default() -> None:
    for environment in (Environment({}), one(""), one("  ")):
        assert environment.text(X, default="d") == "d"
        assert environment.flag(X, default=True) is True
        assert environment.number(X, default=3, least=1, most=5) == 3
        assert environment.choice(X, ["a"], default="a") == "a"
        assert environment.path(X) is None
        assert environment.hosts(X) == []
        assert environment.networks(X) == ()


def test_good_values_are_typed() -> None:
    assert one(" On ").flag(X) is True
    assert one("no").flag(X) is False
    assert one("5").number(X, default=1, least=1, most=5) == 5
    assert one("RED").choice(X, ["red"], default="red") == "red"
    assert one("/srv/state").path(X) == Path("/srv/state")
    assert one("~/state").path(X) == Path.home() / "state"
    assert one("a.example, 192.0.2.1,[::1] ,.b.example").hosts(X) == [
        "a.example",
        "192.0.2.1",
        "[::1]",
        ".b.example",
    ]
    assert one("10.0.0.0/8, fd00::1").networks(X) == (
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("fd00::1/128"),
    )
    assert one("[::1]").address(X, default="127.0.0.1") == "::1"


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("flag", "ture"),
        ("flag", "2"),
        ("path", "relative/path"),
        ("path", "~nobody-of-this-name/x"),
        ("path", "/a\nb"),
        ("hosts", "*"),
        ("hosts", "a b"),
        ("hosts", "https://a.example"),
        ("hosts", "a.example:8000"),
        ("networks", "10.0.0.1/8"),
        ("networks", "proxy.example"),
        ("networks", "0.0.0.0/33"),
    ],
)
def test_malformed_values_are_errors_that_name_the_setting(reader: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^SESSIONSTORE_X: "):
        getattr(one(value), reader)(X)


@pytest.mark.parametrize("value", ["0", "6", "-1", "1.5", "١", "9" * 30, "ten"])
def test_malformed_numbers_are_errors(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SESSIONSTORE_X"):
        one(value).number(X, default=1, least=1, most=5)


def test_words_outside_the_list_are_errors() -> None:
    with pytest.raises(ImproperlyConfigured, match="not one of red, blue"):
        one("pink").choice(X, ["red", "blue"], default="red")


@pytest.mark.parametrize("url", ["postgres://u:hunter2@h:port/x", "mysql://u:hunter2@h/x"])
def test_a_malformed_database_address_is_not_quoted(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        Environment({"DATABASE_URL": url}).database("DATABASE_URL", default={})
    assert "hunter2" not in str(caught.value)


def test_database_address_of_postgresql_is_read() -> None:
    url = "postgres://u:p@%2Frun%2Fpg/console"
    database = Environment({"DATABASE_URL": url}).database("DATABASE_URL", default={})
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert database["HOST"] == "/run/pg"


def test_mail_servers_are_read_in_three_ways() -> None:
    plain = one("smtp://mail.example").mail_server(X)
    starttls = one("smtp+tls://me%40x:p%2Fw@mail.example:2525").mail_server(X)
    tls = one("smtps://mail.example").mail_server(X)
    assert plain is not None
    assert starttls is not None
    assert tls is not None
    assert (plain.port, plain.tls, plain.starttls) == (25, False, False)
    assert (starttls.user, starttls.password, starttls.port) == ("me@x", "p/w", 2525)
    assert (starttls.tls, starttls.starttls) == (False, True)
    assert (tls.port, tls.tls, tls.starttls) == (465, True, False)


@pytest.mark.parametrize(
    "url", ["http://me:hunter2@h", "smtp://", "smtp://me:hunter2@h/x", "smtp://me:hunter2@h:x"]
)
def test_a_malformed_mail_server_is_not_quoted(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=X) as told:
        one(url).mail_server(X)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    ["ftp://h/hunter2", "file:///hunter2", "https:///hunter2", "https://me@h/hunter2", "hunter2"],
)
def test_a_malformed_web_address_is_not_quoted(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=X) as told:
        one(f"https://fine.example/x,{url}").web_addresses(X)
    assert "hunter2" not in str(told.value)


def test_good_web_and_mail_addresses_are_taken() -> None:
    assert one("https://a.example/x?y=1, http://127.0.0.1:9/").web_addresses(X) == [
        "https://a.example/x?y=1",
        "http://127.0.0.1:9/",
    ]
    assert one("a@b.example,c@d").mail_addresses(X) == ["a@b.example", "c@d"]
    for wrong in ("a", "Ada <a@b>", "a@b c@d"):
        with pytest.raises(ImproperlyConfigured, match=X):
            one(wrong).mail_addresses(X)


def test_unknown_settings_with_our_prefix_are_errors_with_a_suggestion() -> None:
    environment = Environment({"SESSIONSTORE_READONLY": "1", "OTHER": "x"})
    environment.flag("SESSIONSTORE_READ_ONLY")
    with pytest.raises(ImproperlyConfigured, match="did you mean SESSIONSTORE_READ_ONLY"):
        environment.refuse_unknown()


# --- The whole of it, in a process of its own -----------------------------------------------------


def manage(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SESSIONSTORE_", "OPENCLAW_", "DJANGO_", "DATABASE_"))
    }
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "manage.py"), *arguments],
        env={
            **clean,
            "HOME": str(tmp_path),
            "SESSIONSTORE_DATA_DIR": str(tmp_path / "var"),
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SESSIONSTORE_READ_ONLY", "perhaps"),
        ("SESSIONSTORE_PORT", "http"),
        ("SESSIONSTORE_ENVIRONMENT_COLOUR", "pink"),
        ("SESSIONSTORE_TLS_KEY", "/only/the/key"),
        ("SESSIONSTORE_NO_SUCH", "1"),
        ("DATABASE_URL", "oracle://x"),
    ],
)
def test_a_malformed_setting_stops_every_command_in_one_line(
    tmp_path: Path, name: str, value: str
) -> None:
    ended = manage(tmp_path, "check", **{name: value})
    assert ended.returncode == 1
    assert ended.stderr.startswith("configuration error: ")
    assert ended.stderr.count("\n") == 1
    assert name in ended.stderr


def shown(tmp_path: Path, expression: str, **variables: str) -> str:
    code = f"from django.conf import settings; print({expression})"
    ended = manage(tmp_path, "shell", "--no-imports", "-v0", "-c", code, **variables)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_state_dir_is_taken_from_the_first_that_is_set(tmp_path: Path) -> None:
    expression = "settings.STATE_DIR"
    ours = {"SESSIONSTORE_STATE_DIR": "/ours"}
    theirs = {"OPENCLAW_STATE_DIR": "/theirs"}
    assert shown(tmp_path, expression) == "None"
    (tmp_path / ".openclaw").mkdir()
    assert shown(tmp_path, expression) == str(tmp_path / ".openclaw")
    assert shown(tmp_path, expression, **theirs) == "/theirs"
    assert shown(tmp_path, expression, **ours, **theirs) == "/ours"


def test_deployment_checks_pass_with_https_only(tmp_path: Path) -> None:
    ended = manage(
        tmp_path, "check", "--deploy", "--fail-level=WARNING", SESSIONSTORE_HTTPS_ONLY="1"
    )
    assert ended.returncode == 0, ended.stderr


# --- Own files ------------------------------------------------------------------------------------


def test_data_directory_and_key_are_private(tmp_path: Path) -> None:
    directory = private_directory(tmp_path / "a" / "var", setting=X)
    secret_key(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "secret.key").stat().st_mode) == 0o600
    assert [path.name for path in directory.iterdir()] == ["secret.key"]


def test_secret_key_is_made_once_however_many_start_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: secret_key(tmp_path), range(32)))
    assert len(keys) == 1
    assert len(keys.pop()) >= 64


def test_secret_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret_key(tmp_path)
    (tmp_path / "secret.key").chmod(0o640)
    with pytest.raises(ImproperlyConfigured, match="readable by others"):
        secret_key(tmp_path)


@pytest.mark.parametrize("content", ["", "short"])
def test_secret_key_that_is_too_short_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secret.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(ImproperlyConfigured, match="shorter than"):
        secret_key(tmp_path)


def test_links_in_place_of_own_files_are_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "var").symlink_to(elsewhere)
    with pytest.raises(ImproperlyConfigured, match="links are refused"):
        private_directory(tmp_path / "var", setting=X)
    (elsewhere / "secret.key").symlink_to(tmp_path / "x")
    (tmp_path / "x").write_text("k" * 64)
    with pytest.raises(ImproperlyConfigured, match=r"secret\.key"):
        secret_key(elsewhere)


@pytest.mark.parametrize("value", ["tooshort", "has a blank in its middle", "grün" * 8])
def test_a_secret_that_is_none_is_refused_without_quoting_it(value: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        Environment({"SESSIONSTORE_METRICS_TOKEN": value}).secret(
            "SESSIONSTORE_METRICS_TOKEN", least=20
        )
    assert value not in str(refused.value)
