"""What the store finds wrong, as it may be shown: masked, with paths below the state directory."""

from __future__ import annotations

from sessionstore.errors import Finding

from .fleet import below_state
from .tree import shown


def masked_finding(finding: Finding) -> Finding:
    """The finding with every text of it masked."""
    return Finding(
        finding.rule,
        finding.severity,
        None if finding.key is None else shown(finding.key),
        None if finding.path is None else below_state(shown(finding.path)),
        below_state(shown(finding.message)),
        shown(finding.hint),
        finding.confidence,
        tuple(below_state(shown(text)) for text in finding.evidence),
        finding.size_bytes,
        finding.at_ms,
    )
