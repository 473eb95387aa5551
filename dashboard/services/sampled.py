"""How exact a figure is, in words: writers under load look at the phases of some updates only."""

from __future__ import annotations

from django.utils.translation import gettext as _


def exactness(updates: int, estimated: int) -> str:
    """``exact``, or how many of the updates were looked at where the others are estimated.

    ``estimated`` is as in ``sessionstore.metrics.Group`` and ``HotSession``.
    """
    if estimated <= 0:
        return _("exact")
    looked_at = max(updates - estimated, 0)
    if not looked_at:
        return _("not looked at")
    one_in = round(updates / looked_at)
    if one_in < 2:
        return _("sampled, most updates")
    return _("sampled, 1 update in %(n)s") % {"n": f"{one_in:,}"}
