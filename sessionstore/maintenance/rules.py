"""All rules of a check, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Mapping

from . import (
    rules_access,
    rules_damage,
    rules_fields,
    rules_files,
    rules_leftovers,
    rules_sessions,
    rules_transcripts,
)
from .rule import Rule

RULES: Mapping[str, Rule] = {
    rule.slug: rule
    for rule in (
        *rules_damage.RULES,
        *rules_transcripts.RULES,
        *rules_sessions.RULES,
        *rules_fields.RULES,
        *rules_leftovers.RULES,
        *rules_files.RULES,
        *rules_access.RULES,
    )
}
"""By slug."""
