"""Parameters of addresses: typed, bounded, and never a failure, on every address that reads.

Sidekiq (CVE-2024-32887, CVE-2023-26141) put filters and refresh delays into pages, and had days and
periods without a bound.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard import audit
from dashboard.audit_filters import AuditFilters
from dashboard.forms import SessionFilters
from dashboard.preferences import UTC
from tests.dashboard.persons import Person
from tests.dashboard.url_map import Address, all_addresses

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

READ = [address for address in all_addresses() if address.name not in {"logout", "favicon"}]
# Here and not in a test: some are found by hypothesis, which must not be asked inside itself.
MADE_UP = {address.route: address.path for address in READ}
#: Names that forms know, those that views read by themselves, and some that mean nothing.
NAMES = sorted(
    {
        *SessionFilters(QueryDict(), zone=UTC).fields,
        *AuditFilters(QueryDict(), zone=UTC).fields,
        *("tab", "field", "show", "limit", "cursor", "offset", "owner", "next", "state", "version"),
        *("a", "b", "from", "to", "hours", "days", "format", "wait", "etag", "select", "", "\x00"),
    }
)
WORDS = (
    *("", "0", "-1", "1", "99999999999999999999999", "1e309", "NaN", "١٢", "0x10", " 5 ", "5.5"),
    *("yes", "no", "all", "*", "?" * 150, "%", "\\", "'", '"', "<b>", "../../etc/passwd", "\x00"),
    *(
        "\ud800",
        "\u202e",
        "a" * 5000,
        "7d",
        "999999w",
        "2026-13-45",
        "9999-12-31 23:59",
        "-updated",
    ),
    *(
        "--updated",
        "updated",
        "64 KiB",
        "9" * 13 + "g",
        "agent:*:*",
        "[masked]",
        "null",
        "{}",
        "[]",
    ),
)
values = st.one_of(st.sampled_from(WORDS), st.text(max_size=30))
queries = st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=8)
LONGEST_S = 5.0
"""Of work; on the clock more, since other programs may have the processors."""
LONGEST_BUSY_S = 60.0


def encoded(pairs: list[tuple[str, str]]) -> str:
    query = QueryDict(mutable=True)
    for name, value in pairs:
        query.appendlist(
            name.encode("utf-8", "replace").decode(), value.encode("utf-8", "replace").decode()
        )
    return query.urlencode()


@pytest.fixture
def person(alice: User, watched_demo: Path) -> Person:
    """An admin of the demo, with something in the audit."""
    for number in range(30):
        audit.record(None, action=f"action {number % 3}", target=f"target {number}")
    return Person(alice)


@pytest.fixture
def arguments(person: Person) -> dict[str, object]:
    """A real store and session for addresses; the rest is made up, as in ``MADE_UP``."""
    row = person.client.get("/sessions.json").json()["sessions"][0]
    return {"store_id": row["store_id"], "ref": row["ref"], "user_id": person.user.pk}


@given(data=st.data())
@settings(
    max_examples=600,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_parameter_makes_an_address_fail_or_work_for_long(
    person: Person, arguments: dict[str, object], data: Any
) -> None:
    address: Address = data.draw(st.sampled_from(READ))
    path = address.at(arguments) if data.draw(st.booleans()) else MADE_UP[address.route]
    query = encoded(data.draw(queries))
    headers = data.draw(
        st.sampled_from([{}, {"HTTP_HX_REQUEST": "true"}, {"HTTP_X_LIVE": "1 2 3"}])
    )
    began, began_work = time.monotonic(), time.process_time()
    answer = person.ask(address, "GET", f"{path}?{query}", **headers)
    body = answer.getvalue()
    assert answer.status_code < 500 or answer.status_code == 503
    assert time.process_time() - began_work < LONGEST_S
    assert time.monotonic() - began < LONGEST_BUSY_S
    assert len(body) < 20_000_000


@given(data=st.data())
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_form_makes_an_address_fail(
    person: Person, arguments: dict[str, object], data: Any
) -> None:
    address: Address = data.draw(st.sampled_from(READ))
    body = encoded(data.draw(queries))
    path = address.at(arguments) if data.draw(st.booleans()) else MADE_UP[address.route]
    someone = person.again()  # since an earlier form may have ended the sign-in
    answer = someone.ask(
        address, "POST", path, data=body, content_type="application/x-www-form-urlencoded"
    )
    assert answer.status_code < 500 or answer.status_code == 503


def test_the_same_parameter_hundreds_of_times_is_answered(
    person: Person, arguments: dict[str, object]
) -> None:
    names = ("row", "cols", "status", "q", "after", "page")
    query = "&".join(f"{name}=x" for name in names * 300)
    for address in READ:
        answer = person.ask(address, "GET", f"{address.at(arguments)}?{query}")
        assert answer.status_code < 500, address.name


@pytest.mark.parametrize("size", ["per", "limit"])
@pytest.mark.parametrize("value", ["100000", "0", "-5", "1e9"])
def test_a_page_has_no_more_rows_than_the_console_allows(
    person: Person, size: str, value: str
) -> None:
    for path in ("/sessions/", "/audit/"):
        text = person.client.get(f"{path}?{size}={value}").text
        assert text.count("data-row>") + text.count("data-row ") <= 100


def test_nothing_that_is_refreshed_takes_its_delay_from_the_address(person: Person) -> None:
    for name in ("every", "delay", "refresh", "interval", "poll", "live"):
        text = person.client.get(f"/sessions/?{name}=0").text
        assert "every 0s" not in text
        assert 'hx-trigger="every 10s"' in text
