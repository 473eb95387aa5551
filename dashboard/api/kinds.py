"""Every kind of problem that the API answers with: its code, status and meaning."""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "/api/v1/"
PROBLEMS_PATH = f"{PREFIX}problems/"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem. ``meaning`` says when it comes and what to do about it."""

    code: str
    status: int
    title: str
    meaning: str

    @property
    def type(self) -> str:
        """The problem type's address, which describes it."""
        return PROBLEMS_PATH + self.code


_ALL = (
    Kind(
        "bad_request",
        400,
        "The request cannot be answered",
        "It is malformed, or names a host that this console does not serve.",
    ),
    Kind(
        "bad_json",
        400,
        "The body is not the JSON that is asked for",
        "The body is not UTF-8, not JSON, names a member twice, holds a number or text that JSON "
        "cannot carry, or is nested too deep. `line` and `column` say where, if that is known.",
    ),
    Kind(
        "bad_key",
        400,
        "This cannot be a session key",
        "A key has 1 to 4,096 bytes of UTF-8, no NUL and no lone surrogate.",
    ),
    Kind(
        "bad_precondition",
        400,
        "The precondition cannot be read",
        "`If-Match` or `If-None-Match` is not a list of entity tags in double quotes.",
    ),
    Kind(
        "no_token",
        401,
        "The request has no token that counts",
        "Send `Authorization: Bearer` and a token; cookies count for nothing here.",
    ),
    Kind(
        "refused",
        403,
        "Refused",
        "The token's role does not allow it, the console is read-only, or a page of another site "
        "asked for it.",
    ),
    Kind(
        "not_found",
        404,
        "Not found",
        "There is nothing at this address, no longer, or not within the token's agents.",
    ),
    Kind(
        "method_not_allowed",
        405,
        "The method is not one of this address",
        "The header `Allow` names those that are.",
    ),
    Kind(
        "overlap",
        409,
        "Someone else changed it first",
        "`overlaps` names the fields that were changed since they were opened, each with the value "
        "opened, now and yours (a member that is missing says that the field is not there). "
        "Nothing was written. Send it again with `choices`, or with fresh `opened` values.",
    ),
    Kind(
        "locked",
        409,
        "The session is locked",
        "`holder` has had the lock for `held_s` seconds. Nothing was written. Try again after "
        "`Retry-After` seconds; nothing is ever forced.",
    ),
    Kind(
        "conflict",
        409,
        "It cannot be done now",
        "The state of the store does not allow it, for example while a gateway that takes no locks "
        "writes it.",
    ),
    Kind(
        "gone",
        410,
        "It can no longer be undone",
        "What the change replaced is no longer kept, or was brought back already.",
    ),
    Kind("length_required", 411, "A length is required", "Send the body with `Content-Length`."),
    Kind(
        "moved",
        412,
        "The session is another one by now",
        "It does not have the entity tag of `If-Match` any more. Nothing was written.",
    ),
    Kind("too_large", 413, "The body is too large", "A body has at most 1 MiB."),
    Kind(
        "unsupported_media_type",
        415,
        "The body is of another media type",
        "Bodies are `application/json` in UTF-8, without a content encoding.",
    ),
    Kind(
        "invalid",
        422,
        "Some of it is not valid",
        "`errors` has one sentence for each parameter, member of the body, or field of the entry. "
        "Nothing was written.",
    ),
    Kind(
        "unusable",
        422,
        "The entry, or what would be written, cannot be used",
        "The file is damaged, is not a regular file or is of another format; or the entry "
        "would be too large or nested too deep.",
    ),
    Kind(
        "precondition_required",
        428,
        "Say what the change is based on",
        "Send `If-Match` with the entity tag of the session as it was read, or, where the "
        "operation takes them, the values `opened`.",
    ),
    Kind(
        "too_many_requests",
        429,
        "Too many requests",
        "The token, or the address after failed tries, has to wait `Retry-After` seconds.",
    ),
    Kind(
        "failed",
        500,
        "Something failed in the console",
        "The failure is in the log under `request_id`.",
    ),
    Kind(
        "unavailable",
        503,
        "The store does not answer",
        "Its disk is slow or cannot be read. Nothing was written. Try again in a moment.",
    ),
)

KINDS: dict[str, Kind] = {kind.code: kind for kind in _ALL}

_BY_STATUS = {
    400: "bad_request",
    401: "no_token",
    403: "refused",
    404: "not_found",
    409: "conflict",
    410: "gone",
    412: "moved",
    413: "too_large",
    422: "unusable",
    429: "too_many_requests",
    503: "unavailable",
}


def kind_for(status: int) -> Kind:
    """The kind that is meant where only the status is known."""
    return KINDS[_BY_STATUS.get(status, "failed")]
