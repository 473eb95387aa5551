"""Clients that send half a request do not keep the console from the others."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.serving.worker import SEND_LIMIT_S
from tests.dashboard.test_serving import Console

HEAD = b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
THREADS = 16


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """A running console with nothing to watch."""
    state = tmp_path / "state"
    state.mkdir()
    console = Console(tmp_path, SESSIONSTORE_STATE_DIR=str(state))
    console.wait_until_it_answers()
    yield console
    console.stop()


@pytest.mark.parametrize(
    "half",
    [HEAD + b"X-Half: ", HEAD + b"Content-Length: 100000\r\n\r\nusername="],
    ids=["header", "body"],
)
def test_half_sent_requests_keep_no_thread_for_long(console: Console, half: bytes) -> None:
    clients = [socket.create_connection(("127.0.0.1", console.port)) for _ in range(2 * THREADS)]
    try:
        for client in clients:
            client.sendall(half)
        # Were they kept, this would never be answered: each of them sends nothing more.
        address = f"http://127.0.0.1:{console.port}/livez"
        with urllib.request.urlopen(address, timeout=SEND_LIMIT_S + 60) as answer:
            assert answer.read() == b"ok\n"
    finally:
        for client in clients:
            client.close()
