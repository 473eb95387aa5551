"""The OpenAPI document, made from the routes and the descriptions of their operations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.urls import URLPattern, get_resolver

from .bodies import LARGEST_BODY
from .checking import Parameter
from .kinds import KINDS
from .limits import CHANGES, REQUESTS
from .operations import Operation
from .schema_parts import REF, STORE_ID, VERSION_ID, Schema, reference
from .schemas import SCHEMAS

PREFIX = "/api/"
_ALWAYS = ("no_token", "refused", "too_many_requests", "failed", "unavailable")
_WITH_QUERY = ("invalid",)
_WITH_BODY = ("invalid", "bad_json", "length_required", "too_large", "unsupported_media_type")
_NUMBER: Schema = {"type": "integer", "minimum": 1, "maximum": 10**18 - 1}
_IDS: dict[str, Schema] = {
    "store_id": STORE_ID,
    "ref": REF,
    "version_id": VERSION_ID,
    "change_id": _NUMBER,
    "job_id": _NUMBER,
    "code": {"enum": list(KINDS)},
}
_HEADERS: dict[str, Schema] = {
    "ETag": {"description": "The session's entity tag, strong.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "WWW-Authenticate": {"description": "How to say who asks.", "schema": {"type": "string"}},
    "Allow": {"description": "The methods there are.", "schema": {"type": "string"}},
}
_OF_PROBLEMS = {401: ("WWW-Authenticate",), 429: ("Retry-After",)}
_ABOUT = f"""Reads and changes sessions as the console does, with the same locks, checks,
versions and audit. Every request needs `Authorization: Bearer` with an API token, which
never may more than its owner. A token may make {REQUESTS} requests a minute, {CHANGES} of them
changes; a body has at most {LARGEST_BODY:,} bytes. No request creates a session. Secrets are
masked in every answer, and a value that holds a mask is never accepted."""


def document() -> dict[str, Any]:
    """The document. Costs about a millisecond."""
    paths: dict[str, Any] = {}
    for path, method, one in every_operation():
        paths.setdefault(path, {})[method.lower()] = _operation(path, one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "sessionstore console", "version": "1", "description": _ABOUT},
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": SCHEMAS,
            "headers": _HEADERS,
            "responses": {kind.code: _problem([kind.code]) for kind in KINDS.values()},
        },
    }


def every_operation() -> Iterator[tuple[str, str, Operation]]:
    """Each operation with its path, as the document writes it, and its method."""
    for pattern in get_resolver("dashboard.urls_api").url_patterns:
        assert isinstance(pattern, URLPattern)
        path = PREFIX + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))
        operations: Mapping[str, Operation] = getattr(pattern.callback, "operations", {})
        for method, one in operations.items():
            yield path, method, one


def codes_of(one: Operation) -> tuple[str, ...]:
    """Every code of a problem that an operation may answer with."""
    codes = [*_ALWAYS, *one.problems, *_WITH_QUERY, *(_WITH_BODY if one.body else ())]
    return tuple(dict.fromkeys(codes))


def _operation(path: str, one: Operation) -> dict[str, Any]:
    ids = re.findall(r"{(\w+)}", path)
    described: dict[str, Any] = {
        "operationId": one.id,
        "summary": one.summary,
        "description": f"{one.description}\n\nAsks for the role {one.role}.".strip(),
        "tags": [one.group],
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": _IDS[name]} for name in ids),
            *map(_parameter, one.parameters),
            *(_precondition(name, one) for name in one.preconditions),
        ],
        "responses": {**_answers(one), **_problems(codes_of(one))},
    }
    if one.body:
        described["requestBody"] = {
            "required": bool(SCHEMAS[one.body]["required"]),
            "content": {"application/json": {"schema": reference(one.body)}},
        }
    return described


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.description,
        "required": parameter.is_required,
        "schema": dict(parameter.schema),
    }


def _precondition(name: str, one: Operation) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "description": "Entity tags as they were given, in double quotes.",
        "required": name == "If-Match" and one.needs_if_match,
        "schema": {"type": "string", "pattern": '^([*]|"[!#-~]*"(, "[!#-~]*")*)$'},
    }


def _answers(one: Operation) -> dict[str, Any]:
    content = {"application/json": {"schema": reference(one.answer)}}
    headers = {"ETag": {"$ref": "#/components/headers/ETag"}} if one.has_etag else {}
    answers: dict[str, Any] = {
        "200": {"description": one.summary, "headers": headers, "content": content}
    }
    if one.preconditions == ("If-None-Match",):
        answers["304"] = {"description": "The caller has it as it is.", "headers": headers}
    return answers


def _problems(codes: tuple[str, ...]) -> dict[str, Any]:
    """One answer for each status, with all codes that it may stand for."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {
        str(status): _problem(found) if len(found) > 1 else _reference(found[0])
        for status, found in sorted(by_status.items())
    }


def _reference(code: str) -> dict[str, Any]:
    return {"$ref": f"#/components/responses/{code}"}


def _problem(codes: list[str]) -> dict[str, Any]:
    names = _OF_PROBLEMS.get(KINDS[codes[0]].status, ())
    limited = {"properties": {"code": {"enum": codes}}}
    return {
        "description": " ".join(f"`{code}`: {KINDS[code].meaning}" for code in codes),
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {
            "application/problem+json": {"schema": {"allOf": [reference("Problem"), limited]}}
        },
    }
