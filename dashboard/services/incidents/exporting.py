"""Hand out an incident's bundle, on record: an intent before it is made, an outcome after."""

from __future__ import annotations

import time
from typing import Any

from django.utils.translation import gettext as _

from dashboard import audit
from dashboard.acting import Actor
from dashboard.refusals import RefusedError
from dashboard.roles import includes

from .bundle import Bundle, make_bundle
from .seeing import find_incident, readers_of


def export(actor: Actor, incident_id: int, *, shows_keys: bool = False) -> Bundle:
    """The bundle of one incident.

    Raises:
        RefusedError: masked keys are asked for by somebody who is no admin.
        ProblemError: it is not there.
    """
    incident = find_incident(incident_id)
    if shows_keys and not includes(actor.role, "admin"):
        raise RefusedError(
            _("Only an admin may take session keys along, even masked ones."),
            _("Take the bundle with digests in their place."),
        )
    asked = {"incident": incident.pk, "keys": "masked" if shows_keys else "digests"}
    intent = _record(actor, str(incident), "started", asked)
    try:
        now_ms = time.time_ns() // 1_000_000
        bundle = make_bundle(incident, readers_of(incident), now_ms, shows_keys=shows_keys)
    except BaseException:
        _record(actor, str(incident), "failed", {**asked, "intent": intent})
        raise
    given = {"bytes": len(bundle.content), "files": len(bundle.files), "cut": list(bundle.cut)[:50]}
    _record(actor, str(incident), "done", {**asked, **given, "intent": intent})
    return bundle


def _record(actor: Actor, target: str, outcome: str, details: dict[str, Any]) -> int:
    return audit.record(
        None,
        by=actor,
        action="incident.export",
        target=target,
        outcome=outcome,
        details=details,
    ).sequence
