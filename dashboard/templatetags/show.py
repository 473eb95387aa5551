"""How values are shown: times relative with the exact one at hand, binary sizes, grouped counts."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django import template
from django.http import HttpRequest
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from dashboard.preferences import Preferences, preferences_of
from dashboard.services.amounts import binary, duration, latency, trimmed

register = template.Library()
register.filter(duration)
register.filter(binary)
register.filter(latency)
register.filter(trimmed)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@register.simple_tag(takes_context=True)
def preferences(context: Context) -> Preferences:
    """The choices of whoever asked; the defaults on a page made without a request."""
    return _preferences(context)


def _preferences(context: Context) -> Preferences:
    request = context.get("request")
    return preferences_of(request if isinstance(request, HttpRequest) else None)


@register.simple_tag(takes_context=True)
def when(context: Context, at_ms: int | None) -> SafeString | str:
    """A time as relative text, with the exact one as title and in ``datetime``."""
    moment = moment_of(at_ms)
    if moment is None:
        return _("unknown")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        exactly(moment, _preferences(context).shown_zone),
        relatively(moment.timestamp() - time.time()),
    )


@register.simple_tag(takes_context=True)
def exact(context: Context, at_ms: int | None) -> SafeString | str:
    """A time written out, in the zone that the person chose."""
    moment = moment_of(at_ms)
    if moment is None:
        return _("not a time")
    return format_html(
        '<time datetime="{}">{}</time>',
        moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        exactly(moment, _preferences(context).shown_zone),
    )


@register.simple_tag(takes_context=True)
def clock(context: Context, at_ms: int) -> SafeString:
    """A time of today, to the second."""
    moment = _EPOCH + timedelta(milliseconds=at_ms)
    zone = _preferences(context).shown_zone
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        exactly(moment, zone),
        moment.astimezone(zone).strftime("%H:%M:%S %Z"),
    )


def moment_of(at_ms: int | float | None) -> datetime | None:
    """Epoch milliseconds as a moment; None when missing or beyond what a calendar holds."""
    if at_ms is None:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=at_ms)
    except (OverflowError, ValueError):
        return None


def exactly(moment: datetime, zone: ZoneInfo) -> str:
    """Write a moment out to the millisecond, with its zone."""
    local = moment.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {local:%Z}"


def relatively(seconds: float) -> str:
    """Say how far away a moment is: ``12 min ago``, ``in 3 h``."""
    if abs(seconds) < 1:
        return _("just now")
    length = span(abs(seconds))
    return _("in %s") % length if seconds > 0 else _("%s ago") % length


def span(seconds: float) -> str:
    """A length of time in its largest fitting unit, cut down, never rounded up."""
    if seconds < _MINUTE:
        return _("%d s") % seconds
    if seconds < _HOUR:
        return _("%d min") % (seconds // _MINUTE)
    if seconds < 2 * _DAY:
        return _("%d h") % (seconds // _HOUR)
    if seconds < 60 * _DAY:
        return _("%d d") % (seconds // _DAY)
    if seconds < 730 * _DAY:
        return _("%d mo") % (seconds // (30.44 * _DAY))
    return _("%d y") % (seconds // (365.25 * _DAY))


@register.simple_tag
def size(count: int | None) -> SafeString | str:
    """Bytes in binary units, with the exact number as title."""
    if count is None:
        return _("unknown")
    return format_html(
        '<data value="{}" title="{}">{}</data>',
        count,
        _("%s bytes") % f"{count:,}",
        binary(count),
    )


@register.filter
def grouped(count: int | None) -> str:
    """A count with thousands grouped; a dash where there is none."""
    return "–" if count is None else f"{count:,}"


@register.filter
def unlocalized(number: float | int) -> str:
    """A number as programs read it, in attributes: no grouping, a dot."""
    return repr(number)
