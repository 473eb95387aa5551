"""Whatever is sent to the API, it answers as its document says, while writers are at work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dashboard.api import limits
from dashboard.services.entry_tags import tag_of
from dashboard.services.fleet import fleet
from dashboard.wsgi import application
from sessionstore.store import Store

from .conftest import AT, KEY, SECRET, MakeProgram, Program, ref_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 4
ENTRY = {"sessionId": "id-ada", "updatedAt": AT, "label": "Ada", "botToken": SECRET}
#: Writes as a gateway does, until it is killed.
WRITER = f"""
import itertools, sys, time
from sessionstore import open_store
store = open_store(sys.argv[1])
for count in itertools.count():
    store.patch({KEY!r}, {{"totalTokens": count}})
    time.sleep(0.02)
"""


@pytest.fixture
def writer(store: Store) -> Iterator[None]:
    """A process that changes Ada's session all the time."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(store.path)])
    yield
    assert process.poll() is None
    process.kill()
    process.wait()


@pytest.fixture
def programs(make_program: MakeProgram, monkeypatch: pytest.MonkeyPatch) -> list[Program]:
    """A program of each role; they may ask as often as they like."""
    monkeypatch.setattr(limits, "REQUESTS", 10**9)
    monkeypatch.setattr(limits, "CHANGES", 10**9)
    return [make_program("viewer"), make_program("operator"), make_program("admin")]


def real_ids(store: Store, store_id: str, programs: list[Program], ada: str) -> dict[str, Any]:
    """Ids of what is there, made once."""
    saved = programs[1].post(f"{ada}/rename", {"label": "Again"}).json()
    return {
        "store_id": store_id,
        "ref": ref_of(KEY),
        "version_id": saved["version_id"],
        "change_id": saved["change_id"],
    }


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_operation_answers_as_documented(
    mode: GenerationMode,
    store: Store,
    store_id: str,
    ada: str,
    programs: list[Program],
    writer: None,
) -> None:
    bearer = {"Authorization": f"Bearer {programs[0].token}"}
    document = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application, headers=bearer)
    ids = real_ids(store, store_id, programs, ada)
    viewer, operator, admin = programs
    seen: set[int] = set()
    operations: Any = document.get_all_operations()
    for result in operations:
        for program, known in ((viewer, ids), (operator, ids), (admin, ids), (admin, {})):
            seen |= statuses(result.ok().as_strategy(generation_mode=mode), store, program, known)
    assert seen >= {200, 403, 404, 412, 422}


def tag_now(store: Store) -> str:
    """What the API would give as the session's entity tag."""
    return tag_of(fleet().refreshed().readers[0].id, KEY, store.etag(KEY) or "")


def statuses(cases: Any, store: Store, program: Program, ids: dict[str, Any]) -> set[int]:
    """Send some cases to what is there, or with no ids to what most likely is not."""
    seen: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def send(case: Any) -> None:
        if store.get(KEY) is None:
            store.put(KEY, dict(ENTRY))
        case.headers = {n: v for n, v in case.headers.items() if n.lower() != "authorization"}
        headers = {"Authorization": f"Bearer {program.token}"}
        if ids:
            found = (case.path_parameters or {}).items()
            case.path_parameters = {name: ids.get(name, value) for name, value in found}
            headers["If-Match"] = f'"{tag_now(store)}"'
        response = case.call(headers=headers)
        seen.add(response.status_code)
        case.validate_response(response, checks=CHECKS)
        assert SECRET.encode() not in response.content

    send()
    return seen
