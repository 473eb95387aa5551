"""Checking what is asked against its description: parameters of the address and bodies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from jsonschema import Draft202012Validator, ValidationError

from dashboard.services.tree import shown

from .answers import ApiError
from .schemas import SCHEMAS

Told = dict[str, str]
"""One thing that is not valid: ``in`` (query, body or entry), ``field`` and ``message``."""

_LONGEST_NAME = 100
_MOST_ERRORS = 50


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of the query string. A schema of type array lets it be repeated."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    is_required: bool = False


def checked_query(query: QueryDict, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The parameters' values, numbers as numbers.

    Raises:
        ApiError: one is unknown, missing, repeated where it must not be, or not valid.
    """
    known = {parameter.name: parameter for parameter in parameters}
    errors = [
        _told("query", name, _("There is no such parameter."))
        for name in query
        if name not in known
    ]
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        given = query.getlist(name)
        if not given:
            if parameter.is_required:
                errors.append(_told("query", name, _("It is missing.")))
            continue
        value, message = _read(given, parameter.schema)
        if message:
            errors.append(_told("query", name, message))
        else:
            values[name] = value
    refuse(errors)
    return values


def checked_body(body: Any, schema: str) -> dict[str, Any]:
    """The body, when it satisfies the schema of this name.

    Raises:
        ApiError: it does not; each place is told by its JSON pointer.
    """
    found = Draft202012Validator(SCHEMAS[schema]).iter_errors(body)
    refuse(told for error in found for told in _in_body(error))
    assert isinstance(body, dict)
    return body


def refuse(errors: Iterable[Told]) -> None:
    """Raise for what is not valid, if anything is."""
    told = list(errors)[:_MOST_ERRORS]
    if told:
        said = _("%(field)s: %(message)s") % told[0]
        more = _(" There are %d more.") % (len(told) - 1) if len(told) > 1 else ""
        raise ApiError("invalid", said + more, next_step=_("Nothing was written."), errors=told)


def _read(given: list[str], schema: Mapping[str, Any]) -> tuple[Any, str]:
    """A parameter's value, and what is wrong with it."""
    if schema.get("type") == "array":
        value: Any = given
    elif len(given) > 1:
        return None, _("It is given more than once.")
    elif schema.get("type") == "integer":
        text = given[0]
        if not (text.isascii() and text.removeprefix("-").isdecimal() and len(text) <= 18):
            return None, _("It is a whole number.")
        value = int(text)
    else:
        value = given[0]
    error = next(iter(Draft202012Validator(schema).iter_errors(value)), None)
    return value, "" if error is None else _message(error)


def _in_body(error: ValidationError) -> list[Told]:
    place = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in error.path)
    rule: Any = error.validator_value
    given: Any = error.instance
    if error.validator == "required":
        missing = [name for name in rule if name not in given]
        return [_told("body", f"{place}/{name}", _("It is missing.")) for name in missing[:1]]
    if error.validator == "additionalProperties" and rule is False:
        schema: Any = error.schema
        known = schema.get("properties", {})
        others = [name for name in given if name not in known]
        return [_told("body", f"{place}/{name}", _("There is no such member.")) for name in others]
    return [_told("body", place or "/", _message(error))]


def _message(error: ValidationError) -> str:
    """What is asked for. Never what was given: it may be long, or a secret."""
    limit: Any = error.validator_value
    messages = {
        "type": _("It is of the type %s."),
        "enum": _("It is one of: %s."),
        "minLength": _("It has at least %s characters."),
        "maxLength": _("It has at most %s characters."),
        "minimum": _("It is at least %s."),
        "maximum": _("It is at most %s."),
        "minItems": _("It has at least %s items."),
        "maxItems": _("It has at most %s items."),
        "minProperties": _("It has at least %s members."),
        "maxProperties": _("It has at most %s members."),
        "pattern": _("It has the form %s."),
    }
    if isinstance(limit, list):
        limit = ", ".join(map(str, limit))
    return messages.get(str(error.validator), _("It is not valid.")).replace("%s", str(limit))


def _told(place: str, name: str, message: str) -> Told:
    return {"in": place, "field": shown(name)[:_LONGEST_NAME], "message": message}
