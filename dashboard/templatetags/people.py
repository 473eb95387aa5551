"""What pages about people show: moments, roles, and whether the password is asked again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.http import HttpRequest
from django.template.context import Context
from django.utils.translation import gettext as _

from dashboard import recent, tokens
from dashboard.models import ApiToken
from dashboard.people.programs import program_words
from dashboard.services.tree import visible

register = template.Library()
register.filter(visible)
register.filter(program_words)


@register.filter
def ms(moment: datetime | None) -> int | None:
    """A moment as epoch milliseconds, which ``{% when %}`` takes."""
    return None if moment is None else int(moment.timestamp() * 1000)


@register.filter
def agents_words(agents: Any) -> str:
    """A scope in words: all agents, none, or their names."""
    if agents is None:
        return _("all agents")
    return ", ".join(visible(name) for name in agents) or _("no agent")


@register.simple_tag(takes_context=True)
def recent_sign_in(context: Context) -> bool:
    """Whether the person has proved who they are a short while ago."""
    request = context.get("request")
    return isinstance(request, HttpRequest) and recent.is_recent(request)


@register.simple_tag
def token_state(token: ApiToken, now: datetime) -> str:
    """Whether a token counts: valid, revoked, expired, or disabled with its owner."""
    return tokens.state_of(token, now)
