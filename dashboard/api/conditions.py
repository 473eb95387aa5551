"""What a request says about the session it was made for: If-Match and If-None-Match."""

from __future__ import annotations

import re

from django.http import HttpRequest
from django.utils.translation import gettext as _

from .answers import ApiError

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"[ \t]*{_TAG}[ \t]*(?:,[ \t]*{_TAG}[ \t]*)*")
_LONGEST = 2_000


def given_tags(request: HttpRequest) -> tuple[str, ...] | None:
    """The tags of If-Match without their quotes, weak ones left out; None without the header.

    ``*`` is no answer to what a change was based on, so it counts as none given.
    """
    tags = _tags(request, "If-Match")
    if tags is None or tags == ("*",):
        return None
    return tuple(tag[1:-1] for tag in tags if not tag.startswith("W/"))


def required_tags(request: HttpRequest) -> tuple[str, ...]:
    """The tags of If-Match.

    Raises:
        ApiError: there is no such header, or it names no entry.
    """
    tags = given_tags(request)
    if tags is None:
        raise ApiError(
            "precondition_required",
            _("The change does not say which state of the session it was made for."),
            next_step=_("Read the session and send its ETag as If-Match."),
        )
    return tags


def is_known(request: HttpRequest, etag: str) -> bool:
    """Whether the caller has this state of the session already (If-None-Match)."""
    tags = _tags(request, "If-None-Match") or ()
    return "*" in tags or f'"{etag}"' in {tag.removeprefix("W/") for tag in tags}


def expects_none(request: HttpRequest) -> bool:
    """Whether the caller says that there is no such session (``If-None-Match: *``)."""
    return _tags(request, "If-None-Match") == ("*",)


def _tags(request: HttpRequest, name: str) -> tuple[str, ...] | None:
    text = request.headers.get(name)
    if text is None:
        return None
    if text.strip() == "*":
        return ("*",)
    if len(text) > _LONGEST or not _TAGS.fullmatch(text):
        raise ApiError(
            "bad_precondition",
            _("%s is not a list of entity tags in double quotes.") % name,
            next_step=_("Send the ETag as it was given, its quotes included."),
        )
    return tuple(re.findall(_TAG, text))
