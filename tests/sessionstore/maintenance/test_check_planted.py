"""A store with every finding planted once and a clean one beside it: those are found, no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstore.errors import Finding
from sessionstore.maintenance import RULES, examine, take
from tests.sessionstore.maintenance.state import PLANTS, State


def found_in(state: State) -> list[Finding]:
    return list(examine(take(state.store)).findings)


def subject(state: State, finding: Finding) -> str:
    """The key, else the path relative to the store's folder; empty for the folder itself."""
    if finding.key is not None:
        return finding.key
    assert finding.path is not None
    path = Path(finding.path)
    return "" if path == state.folder else str(path.relative_to(state.folder))


def is_as_planted(state: State, finding: Finding, rule: str, severity: str, what: str) -> bool:
    return (
        finding.rule == rule
        and finding.severity == severity
        and subject(state, finding) in what.split("|")
    )


def test_clean_store_has_no_finding(state: State) -> None:
    assert found_in(state) == []


@pytest.mark.parametrize("name", PLANTS)
def test_what_is_planted_is_found_and_nothing_else(state: State, name: str) -> None:
    rule, severity, make = PLANTS[name]
    what = make(state)
    [finding] = found_in(state)
    assert is_as_planted(state, finding, rule, severity, what), finding


def test_everything_planted_at_once_is_found_once_each(state: State) -> None:
    wanted = [(rule, severity, make(state)) for rule, severity, make in PLANTS.values()]
    left = found_in(state)
    for rule, severity, what in wanted:
        matching = [one for one in left if is_as_planted(state, one, rule, severity, what)]
        assert len(matching) == 1, (rule, what, matching)
        left.remove(matching[0])
    assert left == []


@pytest.mark.parametrize("name", PLANTS)
def test_finding_says_how_sure_it_is_and_what_to_do(state: State, name: str) -> None:
    rule, _, make = PLANTS[name]
    make(state)
    for finding in found_in(state):
        assert finding.confidence in ("certain", "likely", "possible")
        assert finding.message
        assert finding.hint
        assert finding.severity in RULES[rule].severities
