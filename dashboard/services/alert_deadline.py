"""One deadline over a whole sending, however slowly the other side answers.

The timeout of a socket is that of each single read: a receiver that drips a byte now and then
would hold the thread that sends alerts for good, and beyond the time that it has an alert to
itself. So what is connected is shut when the time is over, and the read that waits there ends.
"""

from __future__ import annotations

import http.client
import smtplib
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from django.core.mail.backends.smtp import EmailBackend


class Deadline:
    """What one sending has connected. ``is_over``: it was shut since its time was over."""

    def __init__(self) -> None:
        self.is_over = False
        self._guard = threading.Lock()
        self._twin: socket.socket | None = None

    def watch(self, connected: socket.socket) -> None:
        """Shut this one, too. A duplicate stays valid when TLS takes over the original."""
        with self._guard:
            self._twin = connected.dup()
            if self.is_over:
                self._shut()

    def end(self) -> None:
        """The time is over."""
        with self._guard:
            self.is_over = True
            self._shut()

    def forget(self) -> None:
        """It was over before its time."""
        with self._guard:
            if self._twin is not None:
                self._twin.close()
                self._twin = None

    def _shut(self) -> None:
        if self._twin is not None:
            with suppress(OSError):  # the other side was faster
                self._twin.shutdown(socket.SHUT_RDWR)


_current: ContextVar[Deadline | None] = ContextVar("alert_deadline", default=None)


@contextmanager
def within(seconds: float) -> Iterator[Deadline]:
    """Shut what the block has connected after so many seconds."""
    deadline = Deadline()
    timer = threading.Timer(seconds, deadline.end)
    timer.daemon = True
    token = _current.set(deadline)
    timer.start()
    try:
        yield deadline
    finally:
        timer.cancel()
        _current.reset(token)
        deadline.forget()


def _watched(connected: socket.socket) -> None:
    deadline = _current.get()
    if deadline is not None:
        deadline.watch(connected)


class _Plain(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _watched(self.sock)


class _Secure(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _watched(self.sock)


class HTTPHandler(urllib.request.HTTPHandler):
    """As Django's and Python's own, watched."""

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Plain, request)


class HTTPSHandler(urllib.request.HTTPSHandler):
    """The same over TLS; certificates are checked."""

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Secure, request)


class _SMTP(smtplib.SMTP):
    def _get_socket(self, *args: Any) -> socket.socket:
        connected: socket.socket = super()._get_socket(*args)  # type: ignore[misc]
        _watched(connected)
        return connected


class _SMTPS(smtplib.SMTP_SSL):
    def _get_socket(self, *args: Any) -> socket.socket:
        connected: socket.socket = super()._get_socket(*args)  # type: ignore[misc]
        _watched(connected)
        return connected


class Mail(EmailBackend):
    """Django's mail, watched: from the greeting on, also once TLS has begun."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _SMTPS if self.use_ssl else _SMTP
