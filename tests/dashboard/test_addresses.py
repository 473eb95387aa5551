"""Addresses are taken from named proxies only, read from the right, and normalised."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse

from dashboard.addresses import client_address, original_address, parse_address, throttle_address
from dashboard.middleware import ProxyMiddleware

PROXIES = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.2.0.1", "1.2.3.4"),
        ("10.0.0.1", "1.2.3.4, garbage", "10.0.0.1"),
        ("10.0.0.1", "<script>alert(1)</script>", "10.0.0.1"),
        ("10.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"),
        ("::ffff:10.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"),
        ("fd00::1", "2001:DB8::1", "2001:db8::1"),
        ("", "1.2.3.4", ""),
        ("not an address", "1.2.3.4", ""),
    ],
)
def test_original_address(peer: str, forwarded_for: str, expected: str) -> None:
    assert original_address(peer, forwarded_for, PROXIES) == expected


def test_parse_address_takes_the_ipv4_address_out_of_ipv6() -> None:
    assert parse_address("::ffff:192.0.2.1") == ipaddress.ip_address("192.0.2.1")
    assert parse_address("fe80::1%eth0") == ipaddress.ip_address("fe80::1")
    assert parse_address("192.0.2.1:443") is None


def passed_through(settings: Any, peer: str, **headers: str) -> HttpRequest:
    settings.TRUSTED_PROXIES = PROXIES
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", **headers}
    ProxyMiddleware(lambda request: HttpResponse())(request)  # type: ignore[arg-type]
    return request


def test_named_proxy_sets_address_and_scheme(settings: Any) -> None:
    request = passed_through(
        settings, "10.0.0.1", HTTP_X_FORWARDED_FOR="1.2.3.4", HTTP_X_FORWARDED_PROTO="http, https"
    )
    assert client_address(request) == "1.2.3.4"
    assert request.META["wsgi.url_scheme"] == "https"


def test_strangers_cannot_set_address_or_scheme(settings: Any) -> None:
    request = passed_through(
        settings,
        "203.0.113.9",
        HTTP_X_FORWARDED_FOR="1.2.3.4",
        HTTP_X_FORWARDED_PROTO="https",
        HTTP_X_FORWARDED_HOST="elsewhere.example",
        HTTP_X_REAL_IP="1.2.3.4",
        HTTP_FORWARDED="for=1.2.3.4",
    )
    assert client_address(request) == "203.0.113.9"
    assert request.META["wsgi.url_scheme"] == "http"
    assert not [name for name in request.META if "FORWARDED" in name or "REAL_IP" in name]


def test_throttle_address_counts_an_ipv6_network_as_one() -> None:
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": "2001:db8:1:2:3:4:5:6"}
    assert throttle_address(request) == "2001:db8:1:2::"
    request.META = {"REMOTE_ADDR": "::ffff:192.0.2.1"}
    assert throttle_address(request) == "192.0.2.1"
