"""What else went on in the span of an incident: jobs, changes, mirrors, other incidents."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse

from dashboard.models import Incident

from ..event_marks import Mark, marks_between
from ..readers import Reader
from .seeing import ms_of


def marks_of(incident: Incident, readers: Sequence[Reader], end_ms: int) -> list[Mark]:
    """The marks of its stores in its span, oldest first, but not its own."""
    own = reverse("incident", args=[incident.pk])
    found = marks_between(readers, ms_of(incident.started_at), end_ms)
    return [mark for mark in found if mark.url != own]
