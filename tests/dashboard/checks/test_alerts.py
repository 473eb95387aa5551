"""Alerts: once for a change and once for its end, over real sockets, and through failures."""

from __future__ import annotations

import email
import email.policy
import hashlib
import hmac
import shutil
import socket
import socketserver
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.models import Alert, AlertDelivery, AuditEvent, CheckState
from dashboard.services import alert_delivering, alert_sending
from dashboard.services.alert_delivering import MOST_ATTEMPTS, deliver_due, pause_after
from dashboard.services.alert_raising import GREY_FOR, KEPT_FOR, remove_old_alerts
from tests.dashboard.checks.conftest import Hook, Post, clear_reports, evaluate, report

pytestmark = pytest.mark.django_db


@pytest.fixture
def quiet(state: Path, settings: Any) -> Path:
    """A state whose checks were evaluated once and told of what is bad from the beginning."""
    targets, settings.ALERT_WEBHOOKS = settings.ALERT_WEBHOOKS, []
    mails, settings.ALERT_MAIL = settings.ALERT_MAIL, []
    evaluate()
    settings.ALERT_WEBHOOKS, settings.ALERT_MAIL = targets, mails
    return state


def told(kind: str = "bad") -> list[Alert]:
    return list(Alert.objects.filter(kind=kind, check_name="lock-wait"))


def make_due() -> None:
    AlertDelivery.objects.update(next_at=timezone.now() - timedelta(seconds=1))


def test_a_check_that_turns_bad_is_told_once_and_its_end_once(hook: Hook, quiet: Path) -> None:
    report(quiet)
    evaluate(2)
    clear_reports(quiet)
    report(quiet, wait_ms=2_000)
    evaluate()
    assert told() == []  # one look is not enough
    evaluate(5)
    deliver_due()
    clear_reports(quiet)
    report(quiet)
    evaluate(5)
    deliver_due()
    deliver_due()
    [bad, clear] = hook.alerts
    assert (bad["kind"], bad["check"], bad["agent"], bad["state"]) == (
        *("bad", "lock-wait", "main", "bad"),
    )
    assert (clear["kind"], clear["about"], clear["state"]) == ("clear", bad["id"], "ok")
    assert "p95 2.0 s" in bad["sentence"]
    assert bad["link"].endswith("/checks/#rule-lock-wait")
    assert AlertDelivery.objects.filter(sent_at=None).count() == 0


def test_a_timeout_is_told_by_one_look(hook: Hook, quiet: Path) -> None:
    report(quiet, outcome="timeout", count=1)
    evaluate()
    deliver_due()
    assert [one["check"] for one in hook.alerts] == ["timeouts"]


def test_what_was_settled_survives_a_restart(hook: Hook, quiet: Path) -> None:
    report(quiet, wait_ms=2_000)
    evaluate(2)
    for _restart in range(3):
        evaluate()
        deliver_due()
    assert [one["check"] for one in hook.alerts] == ["lock-wait"]


def test_several_agents_that_turn_bad_at_once_are_one_alert(hook: Hook, quiet: Path) -> None:
    report(quiet, "main", wait_ms=2_000)
    report(quiet, "work", wait_ms=2_000)
    evaluate(2)
    deliver_due()
    [bad] = hook.alerts
    assert bad["agent"] == "main, work"
    assert "1 other agent turned bad with it" in bad["sentence"]
    clear_reports(quiet)
    report(quiet, "main")
    report(quiet, "work", wait_ms=2_000)
    evaluate(3)
    assert told("clear") == []  # work is bad still
    clear_reports(quiet)
    report(quiet, "main")
    report(quiet, "work")
    evaluate(3)
    assert len(told("clear")) == 1


def test_a_check_that_turns_grey_stays_open_for_an_hour(quiet: Path) -> None:
    report(quiet, wait_ms=2_000)
    evaluate(2)
    clear_reports(quiet)
    evaluate(3)
    assert CheckState.objects.get(check_name="lock-wait", agent="main").state == "unknown"
    assert told("clear") == []
    CheckState.objects.update(since=timezone.now() - GREY_FOR)
    evaluate()
    [clear] = told("clear")
    assert clear.sentence.startswith("For an hour nothing has been known of it")


def test_a_store_that_is_gone_ends_its_alerts(quiet: Path) -> None:
    report(quiet, "work", wait_ms=2_000)
    evaluate(2)
    shutil.rmtree(quiet / "agents" / "work")
    evaluate()
    [clear] = told("clear")
    assert "not measured any more" in clear.sentence
    assert not CheckState.objects.filter(agent="work").exists()


def test_a_state_directory_that_is_away_ends_nothing(quiet: Path, settings: Any) -> None:
    report(quiet, wait_ms=2_000)
    evaluate(2)
    settings.STATE_DIR = quiet / "nowhere"
    evaluate(3)
    assert told("clear") == []
    assert Alert.objects.filter(check_name="state-directory", kind="bad").count() == 1
    settings.STATE_DIR = quiet
    evaluate(3)
    assert Alert.objects.filter(check_name="state-directory", kind="clear").count() == 1
    assert len(told()) == 1


def test_damage_is_told_and_ended_too(quiet: Path) -> None:
    place = quiet / "agents" / "main" / "sessions" / "sessions.d" / "agent%3Amain%3Atwo.json"
    place.write_text("{")
    evaluate(2)
    place.unlink()
    evaluate(3)
    kinds = list(Alert.objects.filter(check_name="damaged").values_list("kind", flat=True))
    assert kinds == ["clear", "bad"]


# --- Sending -------------------------------------------------------------------------------------


def raise_one(state: Path) -> None:
    report(state, wait_ms=2_000)
    evaluate(2)


def test_a_webhook_is_signed_and_bounded(hook: Hook, quiet: Path, settings: Any) -> None:
    settings.ALERT_SECRET = "between us"
    raise_one(quiet)
    deliver_due()
    [(headers, body)] = hook.got
    assert len(body) < 4_096
    stamp, _comma, signature = headers["X-Sessionstore-Signature"].partition(",")
    signed = stamp.removeprefix("t=").encode() + b"." + body
    expected = hmac.new(b"between us", signed, hashlib.sha256).hexdigest()
    assert signature == f"v1={expected}"
    assert headers["X-Sessionstore-Id"] == hook.alerts[0]["id"]
    assert b"agent:main:one" not in body


def test_a_failure_is_tried_again_later_with_the_same_id(
    hook: Hook, quiet: Path, admin_client: Client
) -> None:
    hook.answers = [503, 500]
    raise_one(quiet)
    assert deliver_due() == 0
    assert deliver_due() == 0  # not yet
    page = admin_client.get("/checks/").content.decode()
    assert "It answered with status 503." in page
    assert "Next try:" in page
    assert "secretpath" not in page
    make_due()
    deliver_due()
    make_due()
    assert deliver_due() == 1
    assert len({one["id"] for one in hook.alerts}) == 1
    assert AlertDelivery.objects.get().attempts == 3
    assert "arrived" in admin_client.get("/checks/").content.decode()


def test_no_redirect_is_followed(hook: Hook, quiet: Path) -> None:
    hook.answers = [302, 307, 308]
    raise_one(quiet)
    for _turn in range(3):
        make_due()
        deliver_due()
    assert len(hook.got) == 3
    assert all("method" not in headers for headers, _body in hook.got)
    assert "status 308" in AlertDelivery.objects.get().problem


DRIPS = {
    "webhook": b"HTTP/1.1 204 No Content\r\nX-Long: " + b"x" * 2_000,
    "mail": b"220-" + b"x" * 2_000,
}


@pytest.mark.parametrize("kind", DRIPS)
def test_a_receiver_that_drips_is_left_when_the_time_is_over(
    kind: str, quiet: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_sending, "TOTAL_S", 1.0)

    class Drip(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the other side has left
                for byte in DRIPS[kind]:
                    self.request.sendall(bytes([byte]))
                    time.sleep(0.05)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        if kind == "webhook":
            settings.ALERT_WEBHOOKS = [f"http://127.0.0.1:{port}/hook"]
        else:
            settings.ALERT_MAIL, settings.EMAIL_HOST = ["ops@example.org"], "127.0.0.1"
            settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = port, 10
        report(quiet, outcome="timeout")
        evaluate()
        assert deliver_due() == 0
        server.shutdown()
    [delivery] = AlertDelivery.objects.all()
    assert delivery.problem == "It did not finish in 1 seconds."


def test_nobody_there_is_said_without_the_address(quiet: Path, settings: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings.ALERT_WEBHOOKS = [f"http://127.0.0.1:{port}/secretpath"]
    raise_one(quiet)
    deliver_due()
    assert AlertDelivery.objects.get().problem == "Nothing listens there."


def test_a_certificate_that_nobody_vouches_for_is_refused(
    quiet: Path, settings: Any, tmp_path: Path
) -> None:
    import ssl
    import subprocess
    import threading

    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    got: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _address = server.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                got.append(secure.recv(10))
        except OSError:
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    settings.ALERT_WEBHOOKS = [f"https://localhost:{server.getsockname()[1]}/"]
    raise_one(quiet)
    deliver_due()
    thread.join(10)
    server.close()
    assert "could not be reached (SSLCertVerificationError)" in AlertDelivery.objects.get().problem
    assert got == []


def test_an_end_never_comes_before_its_beginning(hook: Hook, quiet: Path) -> None:
    hook.answers = [503]
    raise_one(quiet)
    deliver_due()
    clear_reports(quiet)
    report(quiet)
    evaluate(3)
    assert deliver_due() == 0
    make_due()
    assert deliver_due() == 2
    assert [one["kind"] for one in hook.alerts[1:]] == ["bad", "clear"]


def test_one_target_that_fails_keeps_no_other_waiting(hook: Hook, post: Post, quiet: Path) -> None:
    hook.answers = [503]
    raise_one(quiet)
    assert deliver_due() == 1
    assert len(post.mails) == 1


def test_it_is_given_up_after_many_tries_and_the_next_goes_on(hook: Hook, quiet: Path) -> None:
    hook.answers = [503]
    raise_one(quiet)
    AlertDelivery.objects.update(attempts=MOST_ATTEMPTS - 1)
    deliver_due()
    assert AlertDelivery.objects.get().gave_up
    clear_reports(quiet)
    report(quiet)
    evaluate(3)
    assert deliver_due() == 1
    assert [one["kind"] for one in hook.alerts] == ["bad", "clear"]


def test_a_target_that_left_the_settings_is_given_up(
    hook: Hook, quiet: Path, settings: Any
) -> None:
    raise_one(quiet)
    settings.ALERT_WEBHOOKS = []
    assert deliver_due() == 0
    assert AlertDelivery.objects.get().gave_up


def test_a_second_runner_does_not_send_what_one_has_taken(hook: Hook, quiet: Path) -> None:
    raise_one(quiet)
    pk = AlertDelivery.objects.get().pk
    assert alert_delivering._take(pk)
    assert deliver_due() == 0
    assert hook.got == []


def test_pauses_grow_to_an_hour() -> None:
    assert [pause_after(n).total_seconds() for n in (1, 2, 3, 20)] == [10, 20, 40, 3_600]


def test_mail_says_it_with_a_lasting_id(post: Post, quiet: Path) -> None:
    raise_one(quiet)
    assert deliver_due() == 1
    message = email.message_from_string(post.mails[0], policy=email.policy.default)
    alert = told()[0]
    assert message["Message-ID"] == f"<{alert.uid}@sessionstore.invalid>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["To"] == "ops@example.org"
    assert "Bad: Lock wait, p95 of 5 minutes main" in message["Subject"]
    assert "p95 2.0 s" in message.get_content()
    assert post.recipients == ["rcpt TO:<ops@example.org>"]


def test_mail_that_is_refused_is_tried_again(post: Post, quiet: Path) -> None:
    post.refuses = "550 no such person"
    raise_one(quiet)
    assert deliver_due() == 0
    assert AlertDelivery.objects.get().problem == "The mail server refused the recipients."
    post.refuses = ""
    make_due()
    assert deliver_due() == 1


def test_hostile_agent_names_stay_text(hook: Hook, post: Post, state: Path) -> None:
    from dashboard.services.alert_raising import Followed, follow

    secret = "sk-ant-" + "a1B2c3D4e5F6g7H8" * 2
    now = timezone.now()
    row = CheckState(
        check_name="lock-wait", agent=f"evil\r\nBcc: x@example.org {secret}", state="bad",
        since=now, evaluated_at=now,
    )  # fmt: skip
    follow([Followed(row, f"evil\r\n.\r\n{secret}")], now)
    assert deliver_due() == 2
    assert secret not in post.mails[0]
    assert secret not in hook.got[0][1].decode()
    message = email.message_from_string(post.mails[0], policy=email.policy.default)
    assert message["Bcc"] is None
    assert post.recipients == ["rcpt TO:<ops@example.org>"]


# --- Tests of people, and keeping ----------------------------------------------------------------


def test_an_admin_sends_a_test(hook: Hook, state: Path, admin_client: Client) -> None:
    answer = admin_client.post("/checks/test-alert/")
    assert answer.status_code == 302
    deliver_due()
    assert [one["kind"] for one in hook.alerts] == ["test"]
    assert "asked for by alice" in hook.alerts[0]["sentence"]
    assert AuditEvent.objects.get(action="alert.test").details == '{"targets":["webhook-1"]}'


def test_a_test_without_a_target_is_refused(state: Path, admin_client: Client) -> None:
    assert admin_client.post("/checks/test-alert/").status_code == 409
    assert not Alert.objects.exists()


def test_old_alerts_go_and_open_ones_stay(quiet: Path) -> None:
    raise_one(quiet)
    Alert.objects.update(at=timezone.now() - KEPT_FOR - timedelta(days=1))
    Alert.objects.create(
        uid="a" * 32, kind="test", check_name="test", state="ok", sentence="x",
        at=timezone.now() - KEPT_FOR - timedelta(days=1),
    )  # fmt: skip
    remove_old_alerts(timezone.now())
    assert told()
    assert not Alert.objects.filter(kind="test").exists()
