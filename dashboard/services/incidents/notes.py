"""The notes of an incident, as pages and programs show them: masked, oldest first."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.models import Incident

from ..tree import shown
from .seeing import ms_of


@dataclass(frozen=True, slots=True)
class NoteRow:
    """One note; ``text`` may have several lines."""

    id: int
    at_ms: int
    actor: str
    text: str


def notes_of(incident: Incident) -> list[NoteRow]:
    """Every note of an incident."""
    return [
        NoteRow(note.pk, ms_of(note.at), shown(note.actor), shown(note.text))
        for note in incident.notes.all()
    ]
