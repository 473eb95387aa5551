"""gunicorn's threaded worker, with a limit on how long a client may take to send and to receive.

Without it sixteen connections that each send half a request keep all threads for ever, the
probes' too.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from concurrent.futures import Future
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

SEND_LIMIT_S = 10.0
"""A request must have arrived by then: what came later reads as the end of it."""
WHOLE_LIMIT_S = 120.0
"""An answer must have been taken by then."""


class BoundedWorker(ThreadWorker):  # type: ignore[misc]
    """Ends what a connection may still send, and later the connection, while a thread has it.

    All three methods run in the worker's main thread.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._since: dict[TConn, float] = {}

    def enqueue_req(self, conn: TConn) -> None:
        """Start the clock of a request."""
        self._since[conn] = time.monotonic()
        super().enqueue_req(conn)

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Stop it."""
        self._since.pop(conn, None)
        super().finish_request(conn, fs)

    def notify(self) -> None:
        """Look at all clocks; gunicorn calls this at least once a second."""
        super().notify()
        now = time.monotonic()
        for conn, since in self._since.items():
            if now - since > WHOLE_LIMIT_S:
                _shut(conn.sock, socket.SHUT_RDWR)
            elif now - since > SEND_LIMIT_S:
                _shut(conn.sock, socket.SHUT_RD)


def _shut(sock: socket.socket, how: int) -> None:
    # A copy of the descriptor: shutting a TLS socket itself would drop its encryption. What has
    # arrived already can still be read, so a request that waited for a thread is answered.
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(sock.fileno())) as copy:
        copy.shutdown(how)
