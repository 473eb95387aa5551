"""Read settings from environment variables, typed; a malformed one stops the start.

No reader falls back to its default when a value is there but wrong, and a variable with our
prefix that nobody knows is an error too: ``SESSIONSTORE_READONLY=1`` must not leave a console
writable because the name wanted another underscore.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

PREFIX = "SESSIONSTORE_"
_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"0", "false", "no", "off"})
_HOST = re.compile(r"\.?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")

# Headers that mean something already, or that the server itself settles.
_TAKEN_HEADERS = re.compile(
    r"host|cookie|authorization|content-.*|accept.*|user-agent|origin|referer|forwarded|x-real-ip"
    r"|x-forwarded-(for|proto|host|port|ssl)|x-csrftoken|x-live|hx-.*|sec-.*|connection|upgrade",
    re.IGNORECASE,
)

_MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
_MAIL_ADDRESS = re.compile(r"[^\s@,;:<>\"()]+@[^\s@,;:<>\"()]+")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed in, and how."""

    host: str
    port: int
    user: str
    password: str
    starttls: bool
    tls: bool


class Environment:
    """A view of environment variables that remembers which names were asked for."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._known: set[str] = set()

    def text(self, name: str, *, default: str = "", longest: int = 4096) -> str:
        """Return the trimmed value; control characters and overlong values are errors."""
        self._known.add(name)
        value = self._variables.get(name)
        if value is None or not value.strip():
            return default
        if len(value) > longest:
            raise ImproperlyConfigured(f"{name}: longer than {longest} characters")
        if not value.isprintable():
            raise ImproperlyConfigured(f"{name}: holds control characters")
        return value.strip()

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a switch: 1/true/yes/on or 0/false/no/off."""
        value = self.text(name).lower()
        if not value:
            return default
        if value not in _ON | _OFF:
            raise ImproperlyConfigured(f"{name}: {value!r} is neither on (1) nor off (0)")
        return value in _ON

    def number(self, name: str, *, default: int, least: int, most: int) -> int:
        """Return a whole number within bounds."""
        value = self.text(name)
        if not value:
            return default
        if not re.fullmatch(r"[0-9]{1,12}", value) or not least <= int(value) <= most:
            raise ImproperlyConfigured(
                f"{name}: {value!r} is not a whole number from {least} to {most}"
            )
        return int(value)

    def secret(self, name: str, *, least: int) -> str:
        """Return a secret of visible ASCII characters, "" when unset; errors do not quote it."""
        value = self.text(name, longest=512)
        if value and (len(value) < least or not re.fullmatch(r"[!-~]+", value)):
            raise ImproperlyConfigured(
                f"{name}: shorter than {least} characters, or not of visible ASCII characters"
            )
        return value

    def choice(self, name: str, choices: Iterable[str], *, default: str) -> str:
        """Return one of a fixed set of words."""
        value = self.text(name).lower()
        allowed = tuple(choices)
        if not value:
            return default
        if value not in allowed:
            raise ImproperlyConfigured(f"{name}: {value!r} is not one of {', '.join(allowed)}")
        return value

    def path(self, name: str) -> Path | None:
        """Return an absolute path (``~`` expanded), or None when unset."""
        value = self.text(name)
        if not value:
            return None
        try:
            path = Path(value).expanduser()
        except RuntimeError as error:
            raise ImproperlyConfigured(f"{name}: {value!r}: {error}") from error
        if not path.is_absolute():
            raise ImproperlyConfigured(f"{name}: {value!r} is not an absolute path")
        return path

    def address(self, name: str, *, default: str) -> str:
        """Return an IP address to listen on, or ``localhost``."""
        value = self.text(name, default=default)
        if value == "localhost":
            return value
        try:
            return str(ipaddress.ip_address(value.removeprefix("[").removesuffix("]")))
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: {error}") from error

    def hosts(self, name: str) -> list[str]:
        """Return host names and addresses for an allow list; ``*`` is refused."""
        return [_host(name, item) for item in self._items(name)]

    def networks(self, name: str) -> tuple[Network, ...]:
        """Return addresses or CIDR networks."""
        networks = []
        for item in self._items(name):
            try:
                networks.append(ipaddress.ip_network(item))
            except ValueError as error:
                raise ImproperlyConfigured(f"{name}: {error}") from error
        return tuple(networks)

    def header(self, name: str) -> str:
        """Return the name of a request header; one that means something else is refused.

        Underscores are refused: servers hand ``A_B`` and ``A-B`` on as one.
        """
        value = self.text(name, longest=80)
        if value and re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", value) is None:
            raise ImproperlyConfigured(f"{name}: {value!r} is not the name of a header")
        if _TAKEN_HEADERS.fullmatch(value):
            raise ImproperlyConfigured(f"{name}: the header {value} has another meaning")
        return value

    def database(self, name: str, *, default: Mapping[str, Any]) -> dict[str, Any]:
        """Return Django's database settings from a URL; the message never holds the URL."""
        url = self.text(name)
        if not url:
            return dict(default)
        if not url.startswith(("postgres://", "postgresql://")):
            raise ImproperlyConfigured(f"{name}: only postgresql:// addresses are supported")
        try:
            return dict(dj_database_url.parse(url, conn_max_age=60, conn_health_checks=True))
        except ValueError as error:
            # The URL holds a password, and the parser's error may quote the URL.
            raise ImproperlyConfigured(f"{name}: not a valid database address") from error

    def web_addresses(self, name: str) -> list[str]:
        """Return http(s) addresses; a message never holds one, since its path may be a secret."""
        return [_web_address(name, item) for item in self._items(name)]

    def mail_addresses(self, name: str) -> list[str]:
        """Return mail addresses, without names."""
        items = self._items(name)
        for item in items:
            if _MAIL_ADDRESS.fullmatch(item) is None:
                raise ImproperlyConfigured(f"{name}: {item!r} is not a mail address")
        return items

    def mail_server(self, name: str) -> MailServer | None:
        """Return a mail server from ``smtp://``, ``smtp+tls://`` (STARTTLS) or ``smtps://``.

        The message never holds the address, which may hold a password.
        """
        url = self.text(name)
        if not url:
            return None
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ImproperlyConfigured(f"{name}: not the address of a mail server") from None
        if parts.scheme not in _MAIL_PORTS or not parts.hostname:
            raise ImproperlyConfigured(
                f"{name}: not the address of a mail server, such as smtp+tls://name:password@host"
            )
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise ImproperlyConfigured(f"{name}: nothing may follow host and port")
        return MailServer(
            host=parts.hostname,
            port=port or _MAIL_PORTS[parts.scheme],
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            starttls=parts.scheme == "smtp+tls",
            tls=parts.scheme == "smtps",
        )

    def given(self) -> frozenset[str]:
        """Names that were asked for and are set: what is not a default."""
        return frozenset(name for name in self._known if self._variables.get(name, "").strip())

    def refuse_unknown(self) -> None:
        """Stop when a variable with our prefix was set that no setting has asked for."""
        for name in sorted(self._variables):
            if name.startswith(PREFIX) and name not in self._known:
                near = difflib.get_close_matches(name, self._known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ImproperlyConfigured(f"{name}: no such setting{hint}")

    def _items(self, name: str) -> list[str]:
        return [item.strip() for item in self.text(name).split(",") if item.strip()]


def _web_address(name: str, item: str) -> str:
    try:
        parts = urlsplit(item)
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or parts.username is not None or parts.fragment or " " in item:
        raise ImproperlyConfigured(
            f"{name}: one is not an http or https address without user and fragment"
        )
    return item


def _host(name: str, item: str) -> str:
    bare = item.removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        if _HOST.fullmatch(item.lower()) is None:
            raise ImproperlyConfigured(f"{name}: {item!r} is not a host name or address") from None
        return item.lower()
    return f"[{address}]" if address.version == 6 else str(address)
