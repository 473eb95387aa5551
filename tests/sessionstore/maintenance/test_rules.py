"""The registry of rules: complete, in words, and documented."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import sessionstore
from sessionstore.maintenance import RULES

PACKAGE = Path(sessionstore.__file__).parent
DOCUMENT = PACKAGE.parent / "docs" / "audit.md"
SCANNERS = ("paths.py", "problems.py", "adoption.py", "entryfiles.py", "mirrorfile.py")


def slugs_in(module: Path) -> set[str]:
    """The rules of the findings that a module makes, where they are spelt out."""
    calls = (node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call))
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "Finding" and call.args
        if isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    }


@pytest.mark.parametrize("module", SCANNERS)
def test_what_reading_a_store_finds_has_a_rule(module: str) -> None:
    found = slugs_in(PACKAGE / module)
    assert found
    assert found <= RULES.keys()


@pytest.mark.parametrize("slug", RULES)
def test_rule_is_explained_in_the_document(slug: str) -> None:
    rule = RULES[slug]
    assert rule.slug == slug
    assert rule.title
    assert rule.meaning.endswith(".")
    told = f"| `{slug}`<br>{rule.title} | {rule.meaning} | {', '.join(rule.severities)} |"
    assert told in DOCUMENT.read_text()


def test_no_two_rules_have_the_same_title() -> None:
    titles = [rule.title for rule in RULES.values()]
    assert len(set(titles)) == len(titles)
