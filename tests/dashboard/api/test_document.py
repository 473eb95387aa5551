"""The OpenAPI document says what the API does: no more, no less."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from dashboard.api.kinds import KINDS
from sessionstore.store import Store

from .conftest import KEY, SECRET, Program, ref_of

pytestmark = pytest.mark.django_db

METHODS = ("get", "post", "put", "patch", "delete", "options", "trace")
Document = dict[str, Any]


@pytest.fixture
def document(viewer: Program) -> Document:
    """The document as a program reads it."""
    found: Document = viewer.get("/openapi.json").json()
    return found


def routes() -> Iterator[str]:
    """Every route below the API, as the document writes paths; but not the one for all others."""
    for pattern in get_resolver("dashboard.urls_api").url_patterns:
        assert isinstance(pattern, URLPattern)
        if pattern.name not in ("api_root", "api_nothing"):
            yield "/api/" + re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern))


def filled(path: str, store_id: str) -> str:
    """A path with ids of the right form."""
    ids = {
        "store_id": store_id,
        "ref": ref_of(KEY),
        "version_id": f"{'0' * 32}-1790000000000-00000000",
        "change_id": "1",
        "job_id": "1",
        "code": "moved",
    }
    return re.sub(r"{(\w+)}", lambda found: ids[found[1]], path).removeprefix("/api/v1")


def test_every_route_is_in_the_document_and_nothing_else(document: Document) -> None:
    assert sorted(document["paths"]) == sorted(routes())


def test_an_address_takes_the_methods_of_the_document_and_no_others(
    document: Document, admin: Program, store_id: str
) -> None:
    for path, described in document["paths"].items():
        for method in METHODS:
            status = admin.ask(method.upper(), filled(path, store_id)).status_code
            assert (status != 405) is (method in described), (method, path)


def test_each_operation_asks_for_the_role_that_it_names(
    document: Document, viewer: Program, operator: Program, admin: Program, store_id: str
) -> None:
    ranks = {"viewer": viewer, "operator": operator, "admin": admin}
    for path, described in document["paths"].items():
        for method, one in described.items():
            needed = one["description"].rpartition("role ")[2].rstrip(".")
            at = list(ranks).index(needed)
            for rank, program in enumerate(ranks.values()):
                status = program.ask(method.upper(), filled(path, store_id)).status_code
                assert (status == 403) is (rank < at), (method, path, rank)


def test_operations_have_names_of_their_own(document: Document) -> None:
    names = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(set(names)) == len(names) > 20


def test_every_reference_leads_somewhere(document: Document) -> None:
    for reference in set(re.findall(r"'\$ref': '([^']+)'", str(document))):
        at: Any = document
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]
        assert at


def test_every_kind_of_problem_is_in_the_document(document: Document) -> None:
    assert set(document["components"]["responses"]) == set(KINDS)
    described = [one for path in document["paths"].values() for one in path.values()]
    answers = [str(answer) for one in described for answer in one["responses"].values()]
    named = {code for code in KINDS if any(f"{code}'" in answer for answer in answers)}
    # These come before an operation is found.
    assert set(KINDS) - named == {"method_not_allowed", "bad_request"}


def test_every_schema_is_one(document: Document) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_strangers_do_not_get_the_document(client: Client) -> None:
    assert client.get("/api/v1/openapi.json").status_code == 401


# --- Real answers --------------------------------------------------------------------------------


class Witness:
    """Asks, and holds each answer against what the document says of it."""

    def __init__(self, document: Document, program: Program) -> None:
        self.document = document
        self.program = program
        self.seen: set[str] = set()
        resource: Any = DRAFT202012.create_resource(document)
        self.registry: Any = Registry().with_resource("urn:document", resource)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Ask as :meth:`Program.ask` does."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.program.ask(method, path, body, headers=sent)
        one = self._described(method, path.partition("?")[0])
        self.seen.add(one["operationId"])
        said = one["responses"][str(answer.status_code)]
        if "$ref" in said:
            said = self.document["components"]["responses"][said["$ref"].rpartition("/")[2]]
        for header in said.get("headers", {}):
            assert header in answer.headers or answer.json()["etag"] is None
        if answer.status_code != 304:
            schema = said["content"][answer["Content-Type"]]["schema"]
            self._check(schema, answer.json())
        return answer

    def _described(self, method: str, path: str) -> Any:
        for template, described in sorted(
            self.document["paths"].items(), key=lambda p: "{" in p[0]
        ):
            pattern = re.sub(r"{\w+}", "[^/]+", template)
            if re.fullmatch(pattern, f"/api/v1{path}") and method.lower() in described:
                return described[method.lower()]
        raise AssertionError(f"{method} {path} is not in the document")

    def _check(self, schema: Any, content: Any) -> None:
        anchored = {"$ref": "urn:document" + schema["$ref"]} if "$ref" in schema else schema
        if "allOf" in schema:
            anchored = {
                "allOf": [
                    {"$ref": "urn:document" + s["$ref"]} if "$ref" in s else s
                    for s in schema["allOf"]
                ]
            }
        validator = Draft202012Validator(
            anchored, registry=self.registry, format_checker=FormatChecker()
        )
        assert [error.message for error in validator.iter_errors(content)] == []


def test_real_answers_are_as_the_document_says(
    document: Document, admin: Program, store: Store, store_id: str, ada: str
) -> None:
    witness = Witness(document, admin)
    ask = witness.ask
    damaged = store.paths.directory / "agent%3Amain%3Asignal%3Adirect%3Abad.json"
    damaged.write_bytes(b'{"label": ')
    store.put("агент:main:<b>", {"sessionId": "odd", "updatedAt": 5, "x": [None, {"y": 1.5}]})

    ask("GET", "/openapi.json")
    ask("GET", "/problems/locked")
    ask("GET", "/problems/nothing")
    ask("GET", "/stores")
    ask("GET", "/stores?sort=sideways")
    ask("GET", f"/stores/{store_id}")
    ask("GET", "/stores/000000000000")
    ask("GET", "/sessions")
    ask("GET", f"/stores/{store_id}/sessions?machine=yes&damaged=yes")
    ask(
        "GET", f"/stores/{store_id}/sessions/by-key?key=%D0%B0%D0%B3%D0%B5%D0%BD%D1%82:main:%3Cb%3E"
    )
    ask("GET", f"/stores/{store_id}/sessions/by-key?key=%00")
    ask("GET", f"/stores/{store_id}/sessions/{ref_of('agent:main:signal:direct:bad')}")
    etag = ask("GET", ada)["ETag"]
    ask("GET", ada, if_none_match=etag)
    ask("GET", ada, if_none_match="x")
    saved = ask("PATCH", ada, {"fields": {"label": "New", "x": 1}}, if_match=etag).json()
    ask("PATCH", ada, {"fields": {"label": "New"}}, if_match=etag)
    ask("PATCH", ada, {"fields": {"label": "Other"}})
    ask("PATCH", ada, {"fields": {"botToken": 1, "label": "y"}, "opened": {"label": "z"}})
    ask("PATCH", ada, b"{")
    ask("PATCH", ada, {"fields": {"label": 5}, "opened": {"label": "New"}})
    store.path.with_name(f"{(store.get(KEY) or {})['sessionId']}.jsonl").write_text(
        '{"type": "message", "id": "a", "timestamp": "2026-11-20T21:36:48.231Z", "message": '
        '{"role": "assistant", "model": "m", "content": [{"type": "text", "text": "x"}]}}\n{"\n'
    )
    ask("POST", f"{ada}/transcript/read", {"all_lines": True})
    ask("POST", f"{ada}/transcript/read", {"file": "0123456789abcdef"})
    for action in ("archive", "unarchive", "clear-overrides", "reset"):
        ask("POST", f"{ada}/{action}")
    ask("POST", f"{ada}/rename", {"label": "Lin"})
    ask("POST", f"{ada}/rename", {"label": "Later"})
    etag = ask("GET", ada)["ETag"]
    etag = ask("POST", f"{ada}/set-field", {"name": "category", "value": "v"}, if_match=etag)[
        "ETag"
    ]
    etag = ask("POST", f"{ada}/clear-field", {"name": "category"}, if_match=etag)["ETag"]
    ask("GET", f"{ada}/history")
    ask("GET", f"{ada}/versions")
    ask("GET", f"{ada}/versions/{saved['version_id']}")
    ask("POST", f"{ada}/versions/{saved['version_id']}/restore", {}, if_match=etag)
    ask("GET", "/changes")
    ask("GET", f"/changes?store_id={store_id}")
    ask("GET", f"{ada}/changes")
    ask("GET", f"/changes/{saved['change_id']}")
    ask("POST", f"/changes/{saved['change_id']}/undo")
    ask("POST", f"/changes/{saved['change_id']}/undo", {"choices": {"label": "now", "x": "now"}})
    ask("POST", f"/changes/{saved['change_id']}/undo")
    etag = ask("GET", ada)["ETag"]
    gone = ask("DELETE", ada, if_match=etag).json()
    assert SECRET not in str(gone)
    ask("GET", ada)
    ask("GET", "/jobs")
    ask("GET", "/jobs/1")
    described = {o["operationId"] for p in document["paths"].values() for o in p.values()}
    assert witness.seen == described
