"""``{% facet_choice choice %}``: one value to narrow the list by; a list has some forty."""

from __future__ import annotations

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from dashboard.listing import Choice

from .icons import icon

register = template.Library()


@register.simple_tag
def facet_choice(choice: Choice) -> SafeString:
    """A link that adds the value to the address, or takes it out."""
    url, label = escape(choice.url), escape(choice.label)
    current, mark = "", f'<span class="facet-count">{choice.count:,}</span>'
    if choice.chosen:
        current = ' aria-current="true"'
        told = escape(_("chosen, click to take it out"))
        mark = f'{icon("close", "chip-mark")}<span class="visually-hidden">{told}</span>'
    return SafeString(
        f'<li><a id="{choice.id}" class="facet-choice" href="{url}" hx-get="{url}"'
        f' hx-target="#session-view" hx-swap="outerHTML" hx-push-url="true"{current}>'
        f'<span class="facet-value" title="{label}">{label}</span>{mark}</a></li>'
    )
