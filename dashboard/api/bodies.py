"""Bodies of requests: JSON within bounds, read strictly, with the place of what is wrong."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from django.http import HttpRequest
from django.utils.translation import gettext as _

from .answers import ApiError

LARGEST_BODY = 1 << 20
DEEPEST = 64


def read_json(request: HttpRequest) -> Any:
    """The body's JSON value; an empty object where there is no body.

    Raises:
        ApiError: it is too large, of another media type, or not JSON.
    """
    content = _content(request)
    if not content:
        return {}
    if request.content_type != "application/json" or _is_encoded(request):
        raise ApiError(
            "unsupported_media_type",
            _("The body is not declared as plain JSON in UTF-8."),
            next_step=_("Send “Content-Type: application/json”."),
        )
    value = _parsed(_text(content))
    if not _is_shallow(value, DEEPEST):
        raise ApiError("bad_json", _("The body is nested deeper than %d levels.") % DEEPEST)
    return value


def _content(request: HttpRequest) -> bytes:
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length and "HTTP_TRANSFER_ENCODING" in request.META:
        raise ApiError("length_required", _("The body came without its length."))
    if length.isdecimal() and int(length) > LARGEST_BODY:
        raise ApiError(
            "too_large", _("The body has %s bytes, of at most %d.") % (length, LARGEST_BODY)
        )
    return request.body


def _is_encoded(request: HttpRequest) -> bool:
    charset = (request.content_params or {}).get("charset", "utf-8")
    encoding = request.headers.get("Content-Encoding", "identity")
    return charset.lower() not in ("utf-8", "utf8") or encoding.lower() != "identity"


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _place(content[: error.start].decode("utf-8"))
        raise ApiError("bad_json", _("The body is not UTF-8."), line=line, column=column) from None


def _place(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _parsed(text: str) -> Any:
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=_no_number, parse_float=_float
        )
    except json.JSONDecodeError as error:
        # The parser's own words name what it expected, never what it found.
        raise ApiError(
            "bad_json",
            _("The body is not JSON: %(message)s at line %(line)d column %(column)d.")
            % {"message": error.msg, "line": error.lineno, "column": error.colno},
            line=error.lineno,
            column=error.colno,
        ) from None
    except RecursionError:
        raise ApiError("bad_json", _("The body is nested too deep.")) from None
    except ValueError:  # a whole number of over 4,300 digits
        raise ApiError("bad_json", _("The body holds a number that is too long.")) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ApiError("bad_json", _("An object in the body names a member twice."))
    for name, value in pairs:
        _refuse_surrogates(name)
        _refuse_surrogates(value)
    return made


def _refuse_surrogates(value: Any) -> None:
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ApiError(
                "bad_json", _("A text in the body holds half of a surrogate pair.")
            ) from None
    elif isinstance(value, list):
        for item in value:
            _refuse_surrogates(item)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        _no_number(digits)
    return number


def _no_number(_digits: str) -> NoReturn:
    raise ApiError("bad_json", _("The body holds a number that is not finite."))


def _is_shallow(value: Any, left: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left >= 0 and all(_is_shallow(item, left - 1) for item in inner)
