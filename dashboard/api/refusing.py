"""What the services refuse, in the API's words: which problem, with which members."""

from __future__ import annotations

import math
from typing import Any

from dashboard.services.change_problems import (
    InvalidFieldsError,
    LockedError,
    MovedError,
    OverlapError,
)
from dashboard.services.changing import ABSENT
from dashboard.services.masking import masked_value
from dashboard.services.problems import ProblemError
from dashboard.services.tree import masked

from .answers import ApiError
from .kinds import kind_for

_SOON_S = 2


def error_for(error: ProblemError) -> ApiError:
    """The API's problem for one of the services'."""
    told = error.problem
    code, members, headers = _details(error)
    return ApiError(
        code or kind_for(told.status).code,
        told.detail or told.title,
        next_step=told.hint,
        headers=headers,
        **members,
    )


def _details(error: ProblemError) -> tuple[str, dict[str, Any], dict[str, str]]:
    if isinstance(error, OverlapError):
        return "overlap", {"overlaps": _overlaps(error), "etag": error.tag}, {}
    if isinstance(error, LockedError):
        retry_s = max(1, math.ceil(error.waited_s or 0), _SOON_S)
        members = {"holder": error.holder, "held_s": error.held_s, "waited_s": error.waited_s}
        return "locked", members, {"Retry-After": str(retry_s)}
    if isinstance(error, MovedError):
        return "moved", {}, {}
    if isinstance(error, InvalidFieldsError):
        errors = [
            {"in": "entry", "field": name, "message": message}
            for name, message in sorted(error.errors.items())
        ]
        return "invalid", {"errors": errors}, {}
    if error.problem.status == 400:  # the one thing that a service calls malformed is a key
        return "bad_key", {}, {}
    if error.problem.status == 503:
        return "", {}, {"Retry-After": str(_SOON_S)}
    return "", {}, {}


def _overlaps(error: OverlapError) -> list[dict[str, Any]]:
    """Each field with its values, masked; one that is not there has no such member."""
    return [
        {"field": masked(overlap.name)}
        | {
            name: masked_value(value, name=overlap.name)
            for name, value in (
                ("opened", overlap.opened),
                ("now", overlap.now),
                ("yours", overlap.yours),
            )
            if value is not ABSENT
        }
        for overlap in error.overlaps
    ]
