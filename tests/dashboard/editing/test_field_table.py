"""The one field table: complete, consistent, and the source of the page about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from dashboard.services.entry_rules import editable_fields, writable_fields
from dashboard.services.field_page import field_page
from dashboard.services.field_spec import KINDS
from dashboard.services.field_table import (
    FIELDS,
    FORM_FIELDS,
    GROUPS,
    SECTIONS,
    UNKNOWN,
    spec_of,
)

ROOT = Path(__file__).resolve().parents[3]

# What sessions.patch takes (openclaw-format §3.8), by the names that it writes.
PATCHABLE = {
    *("label", "category", "thinkingLevel", "fastMode", "verboseLevel", "traceLevel"),
    *("reasoningLevel", "elevatedLevel", "responseUsage", "execHost", "execSecurity", "execAsk"),
    *("execNode", "providerOverride", "modelOverride", "sendPolicy", "groupActivation"),
    *("pinnedAt", "markedUnreadAt"),
}
NEVER_BY_FORM = {
    *("sessionId", "sessionFile", "updatedAt", "deliveryContext", "route", "lastTo", "lastChannel"),
    *("totalTokens", "inputTokens", "outputTokens", "displayName", "spawnedBy", "archivedAt"),
}


def test_what_the_gateway_lets_people_patch_is_on_the_form() -> None:
    assert PATCHABLE - editable_fields() == set()


def test_ids_routes_and_tokens_are_not_on_the_form() -> None:
    assert editable_fields() & NEVER_BY_FORM == set()
    assert writable_fields() & NEVER_BY_FORM == set()


def test_what_belongs_to_a_model_override_may_be_written_with_it() -> None:
    assert "modelOverrideSource" in writable_fields() - editable_fields()


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_has_all_that_its_pages_say(name: str) -> None:
    spec = FIELDS[name]
    assert spec.kind in KINDS
    assert spec.group in dict(GROUPS)
    assert str(spec.words)
    if spec.section:
        assert spec.section in dict(SECTIONS)
        assert str(spec.unset)
    else:
        assert str(spec.why_not).endswith(".")
    assert (spec.kind == "choice") == bool(spec.choices)
    assert spec.expected.endswith(".")


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_has_a_sound_schema(name: str) -> None:
    Draft202012Validator.check_schema(FIELDS[name].schema)


def test_fields_of_the_form_are_in_the_order_of_its_sections() -> None:
    order = [section for section, _title in SECTIONS]
    places = [order.index(spec.section) for spec in FORM_FIELDS]
    assert places == sorted(places)
    assert FORM_FIELDS[0].name == "label"


def test_an_unknown_field_and_a_family_of_fields_have_a_row() -> None:
    assert spec_of("brandNew") is UNKNOWN
    assert spec_of("pendingFinalDeliveryText").name == "pendingFinalDelivery"


def test_the_page_about_fields_is_current() -> None:
    page = (ROOT / "docs" / "fields.md").read_text()
    assert page == field_page(), "run: manage.py field_page > docs/fields.md"


def test_the_page_escapes_nothing_that_would_break_its_tables() -> None:
    rows = [line for line in field_page().splitlines() if line.startswith("| `")]
    assert len(rows) == len(FIELDS)
    assert {line.count(" | ") for line in rows} == {3}
