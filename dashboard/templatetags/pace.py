"""How often a live part looks: the one place from which templates have it."""

from __future__ import annotations

from django import template

from dashboard.services import pace

register = template.Library()


@register.simple_tag
def every(usual_s: float) -> str:
    """A trigger for a live part that usually looks every so many seconds."""
    return f"every {pace.interval_s(usual_s)}s"


@register.simple_tag
def every_s(usual_s: float) -> int:
    """The same as a number of seconds, for a sentence."""
    return pace.interval_s(usual_s)
