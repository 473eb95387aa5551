"""Where a request came from: one normalised address, forwarded ones only from named proxies.

An address is never an identity. It is counted (throttling) and written down (audit), so it
must not be something the caller can choose.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.http import HttpRequest

if TYPE_CHECKING:
    from .settings.environment import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_address(text: str) -> Address | None:
    """Return the address, an IPv4 address inside an IPv6 one taken out; None if it is none."""
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_within(address: Address, networks: Sequence[Network]) -> bool:
    """Tell whether any network holds the address."""
    return any(address.version == network.version and address in network for network in networks)


def original_address(peer: str, forwarded_for: str, proxies: Sequence[Network]) -> str:
    """Return the address nearest to us that is not one of the named proxies.

    The list is read from its right end, where our own proxies wrote: what stands further left
    was sent by the client. An unreadable item ends the search at the proxy that sent it.
    """
    nearest = parse_address(peer)
    if nearest is None:
        return ""
    for item in reversed(forwarded_for.split(",") if forwarded_for else []):
        if not is_within(nearest, proxies):
            break
        further = parse_address(item)
        if further is None:
            break
        nearest = further
    return str(nearest)


def client_address(request: HttpRequest) -> str:
    """Return the address that ProxyMiddleware settled; "" where the server knows none."""
    peer = parse_address(str(request.META.get("REMOTE_ADDR", "")))
    return "" if peer is None else str(peer)


def throttle_address(request: HttpRequest) -> str:
    """Return the address to count failures by: for IPv6 the /64, which is what one client has."""
    peer = parse_address(client_address(request))
    if isinstance(peer, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((peer, 64), strict=False).network_address)
    return "" if peer is None else str(peer)
