"""All JSON Schemas by name: bodies are checked by them, and the OpenAPI document has them."""

from __future__ import annotations

from .answer_schemas import ANSWERS
from .kinds import KINDS
from .schema_parts import (
    CHOICES,
    COUNT,
    ETAG,
    FIELD_NAME,
    OFFSET,
    TEXT,
    Schema,
    asked,
    listed,
    maybe,
    record,
)

_OVERLAP = record(
    {"field": TEXT, "opened": {}, "now": {}, "yours": {}}, optional=("opened", "now", "yours")
)
_TOLD = record({"in": {"enum": ["query", "body", "entry"]}, "field": TEXT, "message": TEXT})

PROBLEM: Schema = {
    "type": "object",
    "description": "A problem as RFC 9457 has it. `code` is the last part of `type`.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"enum": list(KINDS)},
        "detail": TEXT,
        "next_step": TEXT,
        "request_id": TEXT,
        "errors": listed(_TOLD),
        "overlaps": listed(_OVERLAP),
        "etag": ETAG,
        "holder": TEXT,
        "held_s": maybe({"type": "number"}),
        "waited_s": {"type": "number"},
        "line": COUNT,
        "column": COUNT,
    },
    "required": ["type", "title", "status", "code", "detail", "next_step", "request_id"],
    "additionalProperties": False,
}
BODIES: dict[str, Schema] = {
    "Patch": asked(
        {
            "fields": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 200,
                "description": "Top-level fields with their new values; null removes one. "
                "All others stay as they are.",
            },
            "opened": {
                "type": "object",
                "maxProperties": 1000,
                "description": "Fields as they were read. Those in `fields` that are missing here "
                "were not there.",
            },
            "choices": CHOICES,
        },
        required=("fields",),
    ),
    "Rename": asked({"label": {"type": "string", "maxLength": 512}}, required=("label",)),
    "ClearOverrides": asked({"origin": {"enum": ["any", "user", "auto"], "default": "any"}}),
    "Reset": asked({"archive_transcript": {"type": "boolean", "default": True}}),
    "SetField": asked(
        {
            "name": FIELD_NAME,
            "value": {"not": {"type": "null"}, "description": "Any JSON value but null."},
        },
        required=("name", "value"),
    ),
    "ClearField": asked({"name": FIELD_NAME}, required=("name",)),
    "ReadTranscript": asked(
        {
            "before": OFFSET,
            "after": OFFSET,
            "file": {
                "type": "string",
                "pattern": "^(current|[0-9a-f]{16})$",
                "description": "`current`, or the id of another file of the session.",
            },
            "all_lines": {
                "type": "boolean",
                "default": False,
                "description": "Also lines that the active branch left behind.",
            },
        }
    ),
    "Reason": asked({}),
    "Undo": asked({"choices": CHOICES}),
    "Restore": asked(
        {
            "fields": {
                **listed(FIELD_NAME),
                "minItems": 1,
                "maxItems": 200,
                "description": "Only these fields; without it the whole entry.",
            }
        }
    ),
}
SCHEMAS: dict[str, Schema] = {**ANSWERS, "Problem": PROBLEM, **BODIES}
