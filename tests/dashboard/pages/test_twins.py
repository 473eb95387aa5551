"""JSON and CSV of a list: the same rows, masked, and harmless to open."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from django.test import Client

from dashboard import twins
from tests.dashboard.pages.hostile import FORMULA, MARKUP, SECRET


def csv_rows(client: Client, query: str = "") -> list[dict[str, str]]:
    text = client.get(f"/sessions.csv?{query}").getvalue().decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_and_json_hold_every_matching_row_in_the_same_order(demo_client: Client) -> None:
    query = "kind=direct&sort=size"
    expected = demo_client.get(f"/sessions.json?{query}").json()
    rows = csv_rows(demo_client, query)
    assert len(rows) == expected["matched"] > 50
    assert [row["ref"] for row in rows] == [row["ref"] for row in expected["sessions"]]


def test_csv_with_a_page_in_the_address_is_that_page(demo_client: Client) -> None:
    assert len(csv_rows(demo_client, "per=25&page=2")) == 25


def test_csv_has_the_columns_that_the_address_chooses(demo_client: Client) -> None:
    rows = csv_rows(demo_client, "cols=kind&cols=size")
    assert list(rows[0]) == ["store_id", "agent", "key", "title", "kind", "size_bytes"]


def test_selected_rows_are_all_that_is_given(small_state: Path, viewer_client: Client) -> None:
    row = viewer_client.get("/sessions.json").json()["sessions"][1]
    chosen = f"row={row['store_id']}-{row['ref']}"
    assert [found["key"] for found in csv_rows(viewer_client, chosen)] == [row["key"]]


@pytest.mark.parametrize("path", ["/sessions.csv", "/sessions.json", "/stores.csv"])
def test_downloads_are_not_stored_sniffed_or_run(
    path: str, small_state: Path, viewer_client: Client
) -> None:
    answer = viewer_client.get(path)
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert "filename=" in answer["Content-Disposition"]
    assert path.endswith(".json") or answer["Content-Disposition"].startswith("attachment")


def test_formulas_are_text(hostile_state: Path, viewer_client: Client) -> None:
    titles = [row["title"] for row in csv_rows(viewer_client)]
    assert f"'{FORMULA}" in titles
    assert not any(title.startswith(("=", "+", "-", "@")) for title in titles)


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "＝1"])
def test_every_formula_sign_is_neutralised(text: str) -> None:
    assert str(twins.cell(text)).startswith("'")


@pytest.mark.parametrize("value", [-5, 3.5, 0])
def test_numbers_stay_numbers(value: float) -> None:
    assert twins.cell(value) == value


@pytest.mark.parametrize("name", ["../../etc/passwd", 'a"b\r\nX: 1', "", "ключ", "x" * 500])
def test_file_names_are_safe(name: str) -> None:
    safe = twins.safe_name(name)
    assert safe.replace("-", "").replace(".", "").replace("_", "").isalnum()
    assert len(safe) <= 80
    assert not safe.startswith(".")


@pytest.mark.parametrize(
    "path", ["/", "/sessions/", "/sessions.json", "/sessions.csv", "/stores/", "/stores.json"]
)
def test_no_output_holds_a_secret_or_live_markup(
    path: str, hostile_state: Path, viewer_client: Client
) -> None:
    answer = viewer_client.get(path)
    body = (answer.getvalue() if answer.streaming else answer.content).decode()
    assert SECRET not in body
    if not path.endswith((".json", ".csv")):
        assert MARKUP not in body
        assert "<script>window" not in body
