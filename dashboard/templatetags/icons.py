"""``{% icon "ok" "state-shape" %}``: small line drawings, decoration beside a word.

Drawn inline so that they take the text's colour in both themes and in forced colours, and
need no request. The shapes of states differ in outline, not only in colour.
"""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

# One path each, on a 16 × 16 grid, stroked.
ICONS = {
    "ok": "M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 0 0 0-12.5M5.25 8.25l2 2l3.5-4.25",
    "watch": "M8 2.1L14.6 13.6H1.4ZM8 6.4v3.4M8 11.7v.1",
    "bad": (
        "M5.3 1.75h5.4l3.55 3.55v5.4l-3.55 3.55H5.3L1.75 10.7V5.3ZM5.8 5.8l4.4 4.4M10.2"
        " 5.8l-4.4 4.4"
    ),
    "unknown": (
        "M6.4 1.95a6.2 6.2 0 0 1 3.2 0M12.5 3.75a6.2 6.2 0 0 1 1.55 2.75M14.05 9.5a6.2 6.2 0 0"
        " 1-1.55 2.75M9.6 14.05a6.2 6.2 0 0 1-3.2 0M3.5 12.25A6.2 6.2 0 0 1 1.95 9.5M1.95"
        " 6.5A6.2 6.2 0 0 1 3.5 3.75M5.5 8h5"
    ),
    "live": (
        "M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 0 0 0-12.5M8 6.2a1.8 1.8 0 1 0 0 3.6a1.8"
        " 1.8 0 0 0 0-3.6"
    ),
    "info": "M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 0 0 0-12.5M8 7.4v3.6M8 5v.1",
    "overview": "M2 8.5h2.75l1.75-5l3 9.5l1.75-4.5H14",
    "checks": "M2 4.2l1.4 1.4l2.4-2.8M8.25 4h5.5M2 9.2l1.4 1.4l2.4-2.8M8.25 9h5.5M2.6 13.6h11.15",
    "sessions": "M2.25 3.25h11.5M2.25 8h11.5M2.25 12.75h7.5",
    "stores": (
        "M8 1.9c3.2 0 5.6.9 5.6 2.1S11.2 6.1 8 6.1S2.4 5.2 2.4 4S4.8 1.9 8 1.9M2.4 4v8c0 1.2"
        " 2.4 2.1 5.6 2.1s5.6-.9 5.6-2.1V4M2.4 8c0 1.2 2.4 2.1 5.6 2.1s5.6-.9 5.6-2.1"
    ),
    "audit": "M4 1.9h5.4L12.5 5v9.1H4ZM9.2 2v3.2h3.2M6.2 8.4h4.1M6.2 11h4.1",
    "people": (
        "M6 7.4a2.4 2.4 0 1 0 0-4.8a2.4 2.4 0 0 0 0 4.8M1.8 13.4c.3-2.6 2-4 4.2-4s3.9 1.4 4.2 4"
        "M10.8 3a2.2 2.2 0 0 1 0 4.2M12 9.8c1.3.6 2 1.8 2.2 3.6"
    ),
    "latency": "M2 13.5h12M3.5 11V8.5M6.5 11V5.5M9.5 11V7M12.5 11V2.5",
    "jobs": "M2.25 3.5h11.5M2.25 8h7M2.25 12.5h4.5M12 6.5v5M9.75 9.75L12 12l2.25-2.25",
    "migration": "M2.25 3h4.5v10h-4.5ZM9.5 3h4.25M9.5 6.3h4.25M9.5 9.7h4.25M9.5 13h4.25",
    "backup": "M2.25 3.25h11.5v3.5H2.25ZM3.5 6.75v6.5h9v-6.5M6.25 9.5h3.5",
    "tidy": "M9.6 1.9L8.3 7.2M5.2 6.9l6 1.5l.9 5.7H3.1ZM6.2 14v-2.4M8.6 14v-2.4",
    "incident": "M3.25 14.25V2M3.25 2.75h9.5l-2.25 3l2.25 3h-9.5",
    "keyboard": "M1.75 4h12.5v8H1.75ZM4.4 6.6v.1M7 6.6v.1M9.6 6.6v.1M11.9 6.6v.1M5 9.6h6",
    "search": "M7 2.25a4.75 4.75 0 1 0 0 9.5a4.75 4.75 0 0 0 0-9.5M10.6 10.6l3.4 3.4",
    "menu": "M2 4.25h12M2 8h12M2 11.75h12",
    "close": "M4 4l8 8M12 4l-8 8",
    "up": "M8 13V3.2M4 7.2l4-4l4 4",
    "down": "M8 3v9.8M4 8.8l4 4l4-4",
    "pause": "M5.5 3.25v9.5M10.5 3.25v9.5",
    "play": "M4.5 2.9v10.2L13 8Z",
    "refresh": "M13.4 7.2A5.5 5.5 0 1 0 12 11.8M13.6 3.4v3.9H9.7",
    "undo": "M5.6 2.6L2.4 5.8l3.2 3.2M2.6 5.8h6.6a4 4 0 0 1 0 8H6.4",
    "lock": "M3.25 7.25h9.5v6.5h-9.5ZM5.25 7.25V5a2.75 2.75 0 0 1 5.5 0v2.25",
    "download": "M8 2.25v7.5M4.75 6.75L8 10l3.25-3.25M2.5 13.5h11",
    "columns": "M2 3h12v10H2ZM6 3v10M10 3v10",
    "link": (
        "M6.6 9.4a2.6 2.6 0 0 0 3.7 0l2.5-2.5a2.6 2.6 0 0 0-3.7-3.7l-.9.9M9.4 6.6a2.6 2.6 0 0"
        " 0-3.7 0L3.2 9.1a2.6 2.6 0 0 0 3.7 3.7l.9-.9"
    ),
    "brand": "M2.2 3.4h7.6v3.4H2.2ZM6.2 9.2h7.6v3.4H6.2ZM4 6.8v4.1h2.2M12 9.2V5.1H9.8",
}


@register.simple_tag
def icon(name: str, css_class: str = "nav-icon") -> SafeString:
    """Draw an icon; the word beside it carries the meaning, so it is hidden from readers."""
    return format_html(
        '<svg class="{}" viewBox="0 0 16 16" width="16" height="16" fill="none" '
        'stroke="currentColor" stroke-width="1.5" stroke-linecap="round" '
        'stroke-linejoin="round" aria-hidden="true" focusable="false"><path d="{}"/></svg>',
        css_class,
        ICONS[name],
    )
