"""``{% sparkline line.points line.label %}``: a small line as SVG, drawn by the server.

Attributes only, no style, so that the strictest content policy draws it. Gaps are breaks in the
line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

_WIDTH, _HEIGHT, _INSET = 120, 24, 2


@register.simple_tag
def sparkline(points: Sequence[float | None], label: str) -> SafeString:
    """Draw points from left to right; None is a gap. ``label`` is what is read aloud."""
    return format_html(
        '<svg class="sparkline" viewBox="0 0 {} {}" width="{}" height="{}" '
        'preserveAspectRatio="none" role="img" aria-label="{}" focusable="false">'
        '<path class="sparkline-base" d="M0 {}H{}"/><path class="sparkline-line" d="{}"/></svg>',
        *(_WIDTH, _HEIGHT, _WIDTH, _HEIGHT, label),
        *(_HEIGHT - 1, _WIDTH, "".join(_path(points))),
    )


def _path(points: Sequence[float | None]) -> Iterator[str]:
    highest = max((point for point in points if point is not None), default=0.0) or 1.0
    across = (_WIDTH - 2 * _INSET) / max(1, len(points) - 1)
    is_drawing = False
    for place, point in enumerate(points):
        if point is None:
            is_drawing = False
            continue
        x = _INSET + place * across
        y = _HEIGHT - _INSET - max(0.0, point) / highest * (_HEIGHT - 2 * _INSET)
        is_alone = not is_drawing and (place + 1 == len(points) or points[place + 1] is None)
        yield f"{'L' if is_drawing else 'M'}{x:.1f} {y:.1f}{'h0.01' if is_alone else ''}"
        is_drawing = True
