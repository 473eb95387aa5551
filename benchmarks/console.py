"""A real console on loopback: gunicorn over a generated state directory, and clients for it."""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from .places import CHECKOUT

_START_S = 60
_ANSWER_S = 120
_MAKE_VIEWER = (
    "import sys;"
    "from django.contrib.auth.models import User;"
    "from dashboard.roles import assign_role;"
    "assign_role(User.objects.create_user('viewer', password=sys.stdin.read()), 'viewer')"
)
_CSRF = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


class Client:
    """One browser's connection; keeps its cookies. Not for several threads."""

    def __init__(self, port: int, cookies: dict[str, str] | None = None) -> None:
        self.port = port
        self.cookies = dict(cookies or {})
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)

    def get(
        self, path: str, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The body; anything but ``status`` is an error, so that no error page is ever timed."""
        return self._ask("GET", path, None, {status}, headers)

    def look(self, path: str, headers: Mapping[str, str]) -> bytes:
        """What a live part of a page is told; 286 tells it to stop looking."""
        return self._ask("GET", path, None, {200, 286}, headers)

    def get_json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def sign_in(self, username: str, password: str) -> None:
        form = self.get("/login/").decode()
        token = _CSRF.search(form)
        assert token is not None, "the sign-in form has no token"
        fields = {"csrfmiddlewaretoken": token[1], "username": username, "password": password}
        self._ask("POST", "/login/", urlencode(fields), {302})

    def _ask(
        self,
        method: str,
        path: str,
        body: str | None,
        statuses: Container[int],
        more: Mapping[str, str] | None = None,
    ) -> bytes:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        headers |= more or {}
        if body is not None:
            origin = f"http://127.0.0.1:{self.port}"
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            # The server ends connections that were idle; a browser asks again as well.
            self._connection.close()
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
        content = answer.read()
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        if answer.status not in statuses:
            raise RuntimeError(f"{method} {path} answered {answer.status}")
        return content


@dataclass(frozen=True, slots=True)
class Console:
    """A running console and a signed-in viewer's cookies."""

    port: int
    pid: int
    cookies: dict[str, str]

    def client(self) -> Client:
        """A new connection of the viewer."""
        return Client(self.port, self.cookies)

    def cpu_s(self) -> float:
        """CPU seconds that the console's processes have used so far."""
        ticks = os.sysconf("SC_CLK_TCK")
        return sum(_cpu_ticks(pid) for pid in _family(self.pid)) / ticks


@contextmanager
def serve(state_dir: Path, data_dir: Path, **more: str) -> Iterator[Console]:
    """Start ``manage.py serve`` on a free port, with an account of the viewer role.

    ``more`` are further environment variables.
    """
    port = _free_port()
    environment = {
        **os.environ,
        "SESSIONSTORE_STATE_DIR": str(state_dir),
        "SESSIONSTORE_DATA_DIR": str(data_dir),
        "SESSIONSTORE_PORT": str(port),
        "SESSIONSTORE_LOG_LEVEL": "error",
        **more,
    }
    manage = [sys.executable, str(CHECKOUT / "manage.py")]
    with open(data_dir / "serve.log", "wb") as log:
        server = subprocess.Popen(
            [*manage, "serve"], cwd=CHECKOUT, env=environment, stdout=log, stderr=log
        )
        try:
            _wait_until_live(port, server)
            password = secrets.token_urlsafe(16)
            made = [*manage, "shell", "--no-imports", "-c", _MAKE_VIEWER]
            subprocess.run(made, cwd=CHECKOUT, env=environment, input=password.encode(), check=True)
            client = Client(port)
            client.sign_in("viewer", password)
            yield Console(port, server.pid, client.cookies)
        finally:
            server.terminate()
            server.wait(_START_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_live(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            Client(port).get("/livez")
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("the console did not start")


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [pid, *(below for child in children for below in _family(int(child)))]


def _cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    return int(fields[11]) + int(fields[12])
