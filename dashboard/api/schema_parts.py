"""Parts that JSON Schemas of what goes in and out are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
OFFSET: Schema = {"type": "integer", "minimum": 0, "maximum": 2**53}
AT: Schema = {"type": "string", "format": "date-time"}
STORE_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{12}$"}
REF: Schema = {"type": "string", "pattern": "^([0-9a-f]{16}|[0-9a-f]{64})$"}
VERSION_ID: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}-[0-9]{13,15}-[0-9a-f]{8}$"}
ETAG: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
ENTRY: Schema = {
    "type": "object",
    "description": "The entry, secrets in it masked as `[masked]`. Unknown fields are among it.",
}
REASON: Schema = {
    "type": "string",
    "maxLength": 500,
    # No control characters: it is one line in the audit.
    "pattern": "^[^\\u0000-\\u001f\\u007f]*$",
    "description": "Why, for the audit.",
}
FIELD_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 200}
CHOICES: Schema = {
    "type": "object",
    "maxProperties": 200,
    "additionalProperties": {"enum": ["mine", "now"]},
    "description": "Settles overlaps by field: `mine` is the request's value, `now` what is there.",
}


def listed(item: Schema) -> Schema:
    """A list of these."""
    return {"type": "array", "items": item}


def maybe(schema: Schema) -> Schema:
    """This, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def record(fields: Mapping[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """An object of exactly these members."""
    return {
        "type": "object",
        "properties": dict(fields),
        "required": [name for name in fields if name not in optional],
        "additionalProperties": False,
    }


def asked(fields: Mapping[str, Schema], *, required: tuple[str, ...] = ()) -> Schema:
    """A body of these members; a reason can always be given."""
    return {
        "type": "object",
        "properties": {**fields, "reason": REASON},
        "required": list(required),
        "additionalProperties": False,
    }


def reference(name: str) -> Schema:
    """The schema of this name, where the document has it."""
    return {"$ref": f"#/components/schemas/{name}"}
