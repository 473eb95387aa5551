"""A state with two agents, windows as writers leave them, and receivers on real sockets."""

from __future__ import annotations

import itertools
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.models import Chore
from dashboard.services.check_evaluating import CHORE, found_in, keep
from dashboard.services.fleet import fleet
from dashboard.services.stores import list_stores
from sessionstore.metrics import HOLD, WAIT, WRITE, Group, Histogram, Labels, Process, Window
from sessionstore.recording.records import VERSION, pack_frame
from sessionstore.store import open_store

MS = 1_000_000  # nanoseconds
_numbers = itertools.count(1)


@pytest.fixture
def state(tmp_path: Path, settings: Any) -> Path:
    """Two agents, one session each, watched."""
    path = tmp_path / "state"
    for agent in ("main", "work"):
        with open_store(path / "agents" / agent / "sessions", report=False) as store:
            store.put(f"agent:{agent}:one", {"sessionId": agent, "updatedAt": 1_790_000_000_000})
    settings.STATE_DIR = path
    settings.DATA_DIR = tmp_path / "var"
    settings.DATA_DIR.mkdir()
    settings.GATEWAY_LOCK_DIR = tmp_path
    return path


def report(
    state: Path,
    agent: str = "main",
    *,
    wait_ms: float = 1,
    hold_ms: float = 1,
    write_ms: float = 1,
    count: int = 100,
    contended: int = 0,
    outcome: str = "written",
    layout: str = "directory",
    age_s: float = 20,
) -> None:
    """Leave a window of equal updates, as a writer does."""
    until_ms = int((time.time() - age_s) * 1000)
    series = {}
    for name, value in ((WAIT, wait_ms), (HOLD, hold_ms), (WRITE, write_ms)):
        histogram = Histogram({})
        histogram.add(int(value * MS), count)
        series[name] = histogram
    group = Group(Labels("update", outcome, "session", layout), count, contended, series)
    process = Process("host", 4_000_000, until_ms, "writer")
    window = Window(VERSION, until_ms - 5_000, until_ms - 5_000, until_ms, [process], [group])
    reader = next(one for one in fleet().refreshed().readers if one.agent == agent)
    folder = reader.paths.sidecar / "stats"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A name of its own, as each process of a writer has: readers only look at what is appended.
    (folder / f"host-4000000-{next(_numbers)}.windows").write_bytes(pack_frame(window))


def clear_reports(state: Path) -> None:
    """As if nobody had ever reported."""
    for path in state.rglob("*.windows"):
        path.unlink()


def checks_of(client: Client) -> dict[str, dict[str, Any]]:
    """The overview's checks by name."""
    return {check["name"]: check for check in client.get("/overview.json").json()["checks"]}


def evaluate(times: int = 1) -> None:
    """Evaluate as a runner does, one after the other."""
    for _turn in range(times):
        begun = timezone.now()
        Chore.objects.update_or_create(pk=CHORE, defaults={"begun_at": begun})
        stores = list_stores()
        assert keep(stores, found_in(stores), begun=Chore.objects.get(pk=CHORE).begun_at)


# --- Receivers -----------------------------------------------------------------------------------


@dataclass
class Hook:
    """A web server that takes alerts. ``answers`` are statuses to come; then 204."""

    port: int = 0
    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/secretpath"

    @property
    def alerts(self) -> list[dict[str, str]]:
        return [json.loads(body) for _headers, body in self.got]


@pytest.fixture
def hook(settings: Any) -> Iterator[Hook]:
    """A webhook that is set as target."""
    seen = Hook()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.got.append((dict(self.headers), body))
            status = seen.answers.pop(0) if seen.answers else 204
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"{seen.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            seen.got.append(({"method": "GET"}, b"{}"))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    seen.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    settings.ALERT_WEBHOOKS = [seen.url]
    yield seen
    server.shutdown()
    server.server_close()


@dataclass
class Post:
    """A mail server. ``refuses`` is what it says to recipients, if anything."""

    port: int = 0
    refuses: str = ""
    mails: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)


@pytest.fixture
def post(settings: Any) -> Iterator[Post]:
    """A mail server of few words (RFC 5321) that is set, with one recipient."""
    seen = Post()

    class Receiver(socketserver.StreamRequestHandler):
        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline().decode("ascii", "replace").strip():
                word = line[:4].upper()
                if word == "DATA":
                    self.take()
                elif word == "RCPT":
                    seen.recipients.append(line)
                    self.say(seen.refuses or "250 ok")
                elif word == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

        def take(self) -> None:
            self.say("354 go on")
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line.decode())
            seen.mails.append("".join(lines))
            self.say("250 taken")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Receiver)
    seen.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    settings.ALERT_MAIL = ["ops@example.org"]
    settings.DEFAULT_FROM_EMAIL = "console@example.org"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", seen.port
    yield seen
    server.shutdown()
    server.server_close()
