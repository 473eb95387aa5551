"""Log lines: one event, one line, nothing that could steer a terminal or forge an event."""

from __future__ import annotations

import logging
import sys

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.logs import LineFormatter, plain_text
from tests.conftest import PASSWORD


def formatted(message: str, *arguments: object, **extra: object) -> str:
    record = logging.LogRecord(
        "name",
        logging.WARNING,
        "path",
        1,
        message,
        arguments,
        extra.get("exc_info"),  # type: ignore[arg-type]
    )
    return LineFormatter().format(record)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain – ünïcode 日本", "plain – ünïcode 日本"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b", "\\x9b"),
        ("right\u202eleft", "right\\u202eleft"),
        ("line\u2028sep", "line\\u2028sep"),
        ("\ud800", "\\ud800"),
        ("\u200b", "\\u200b"),
    ],
)
def test_plain_text_escapes_what_steers(text: str, expected: str) -> None:
    assert plain_text(text) == expected


def test_plain_text_cuts_what_is_too_long() -> None:
    assert plain_text("x" * 100, longest=10) == "x" * 9 + "…"


def test_a_message_cannot_start_a_second_event() -> None:
    line = formatted("user %s", "a\n2026-01-01T00:00:00.000Z info forged")
    assert "\n" not in line
    assert "\\n2026" in line


def test_a_traceback_cannot_start_a_second_event() -> None:
    try:
        raise ValueError("x\n2026-01-01T00:00:00.000Z info forged")
    except ValueError:
        lines = formatted("failed", exc_info=sys.exc_info()).splitlines()
    assert all(line.startswith("  | ") for line in lines[1:])


def test_a_message_and_a_traceback_are_masked() -> None:
    key = "ghp_" + "a1B2" * 9
    try:
        raise ValueError(f"cannot read {key}")
    except ValueError:
        text = formatted("Not Found: /sessions/%s/", key, exc_info=sys.exc_info())
    assert key not in text
    assert text.count("[masked]") == 2


def test_a_foreign_host_is_one_line_and_no_traceback(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    refusals = logging.getLogger("django.security")
    refusals.addHandler(handler)
    try:
        assert client.get("/login/", headers={"Host": "elsewhere.example"}).status_code == 400
    finally:
        refusals.removeHandler(handler)
    said = capsys.readouterr().err
    assert "elsewhere.example" in said
    assert len(said.splitlines()) == 1


def test_logs_hold_no_password_token_or_cookie(
    client: Client, carol: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client.post("/login/?token=t0ken", {"username": "carol", "password": "hunter2"})
    client.post("/login/?token=t0ken", {"username": "carol", "password": PASSWORD})
    client.post("/account/password/?token=t0ken", {"old_password": "hunter2"})
    client.get("/nowhere?token=t0ken")
    cookie = client.cookies["sessionstore_session"].value
    assert caplog.text
    for secret in ("hunter2", PASSWORD, "t0ken", cookie):
        assert secret not in caplog.text
