"""What a form showed when it was opened, carried by the form itself, signed.

So a save knows what the person saw without the server remembering anything. A value that is masked
or long is carried as a digest, keyed and of that one session: enough to tell whether it is still
the same, and useless to whoever reads the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.core import signing
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from sessionstore import entries
from sessionstore.editing import ABSENT, FieldEdit, same
from sessionstore.entries import redact

LARGEST_CARRIED = 64 * 1024
"""Bytes of JSON that one value may have to be carried as itself."""
_SALT = "dashboard.edit.opened"
_LIVES_S = 24 * 60 * 60


class NotThisFormError(Exception):
    """The form was not made for this session and person, or too long ago; the text says which."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A field as a page showed it: its value, or the digest of one that is not carried."""

    value: Any = field(default=ABSENT, repr=False)
    digest: str = ""
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """What a form showed. ``kept`` are digests of names that were left out of it.

    ``key`` is the raw key, empty where that is masked. ``creates``: there was no session, and
    saving makes one.
    """

    store_id: str
    ref: str
    user_id: int | None
    seen: Mapping[str, Seen]
    kept: frozenset[str] = frozenset()
    key: str = field(default="", repr=False)
    creates: bool = False

    @property
    def place(self) -> str:
        """What digests of its values are bound to."""
        return f"{self.store_id} {self.ref}"

    def of(self, name: str) -> Seen:
        """A field as it was seen; absent when it was not there."""
        return self.seen.get(name, Seen())

    def keeping(self, name: str) -> Opened:
        """The same, with a field left out of what is edited."""
        seen = {n: each for n, each in self.seen.items() if n != name}
        return replace(self, seen=seen, kept=self.kept | {name_digest(name)})

    def now_seen(self, now: Mapping[str, Any]) -> Opened:
        """The same, with some fields seen anew; :data:`ABSENT` for one that is gone."""
        return replace(
            self, seen={**self.seen, **{n: seen_of(n, v, place=self.place) for n, v in now.items()}}
        )


def seen_of(name: str, value: Any, *, place: str) -> Seen:
    """A value as the form of a session carries it."""
    if value is ABSENT:
        return Seen()
    if is_masked(name, value):
        return Seen(digest=digest_of(name, value, place=place), masked=True)
    if len(json_text(value)) > LARGEST_CARRIED:
        return Seen(digest=digest_of(name, value, place=place))
    return Seen(value)


def is_masked(name: str, value: Any) -> bool:
    """Whether anything of a field would be masked where it is shown: its value or its name."""
    return bool(redact({name: value}) != {name: value})


def name_digest(name: str) -> str:
    """What stands for a name that must not be in a page, and in names of form fields."""
    return salted_hmac(f"{_SALT}.name", json.dumps(name)).hexdigest()[:24]


def digest_of(name: str, value: Any, *, place: str) -> str:
    """What stands for a value that must not be in a page; equal ones of a field have equal digests.

    In another session they have others: no page tells that two sessions have the same secret.
    """
    text = json.dumps([place, name, entries.etag({"value": value})])
    return salted_hmac(f"{_SALT}.value", text).hexdigest()


def json_text(value: Any) -> str:
    """A value as compact JSON, to measure it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def edit_of(
    name: str, seen: Seen, yours: Any, fresh: Mapping[str, Any], *, place: str
) -> FieldEdit:
    """The edit of one field. A value that was not carried is the fresh one if that is the same."""
    if not seen.digest:
        return FieldEdit(name, seen.value, yours)
    opened = fresh[name] if is_still(name, seen, fresh, place=place) else _OTHER
    return FieldEdit(name, opened, yours)


def is_still(name: str, seen: Seen, fresh: Mapping[str, Any], *, place: str) -> bool:
    """Whether a field is as it was seen."""
    now = fresh.get(name, ABSENT)
    if not seen.digest:
        return same(seen.value, now)
    return now is not ABSENT and digest_of(name, now, place=place) == seen.digest


class _Other:
    """A value that was seen, is not carried, and is not the one there now."""

    def __repr__(self) -> str:
        return "a value that was not carried"


_OTHER = _Other()


def was_carried(value: Any) -> bool:
    """Whether an edit's opened value is known."""
    return value is not _OTHER


def signed(opened: Opened) -> str:
    """The form's one hidden field."""
    content = {
        "store": opened.store_id,
        "ref": opened.ref,
        "user": opened.user_id,
        "seen": {name: packed(seen) for name, seen in opened.seen.items()},
        "kept": sorted(opened.kept),
        "key": opened.key,
        "creates": opened.creates,
    }
    return signing.dumps(content, salt=_SALT, compress=True)


def read_signed(text: str, *, store_id: str, ref: str, user_id: int | None) -> Opened:
    """What the form showed, from its hidden field.

    Raises:
        NotThisFormError: it is missing, changed, too old, or of another session or person.
    """
    try:
        content = signing.loads(text, salt=_SALT, max_age=_LIVES_S)
    except signing.SignatureExpired:
        raise NotThisFormError(_("This form was opened more than a day ago.")) from None
    except signing.BadSignature:
        raise NotThisFormError(_("What the form showed did not come back with it.")) from None
    if (content["store"], content["ref"]) != (store_id, ref):
        raise NotThisFormError(_("This form was opened for another session."))
    if content["user"] != user_id:
        raise NotThisFormError(_("This form was opened by somebody else."))
    return Opened(
        store_id=store_id,
        ref=ref,
        user_id=user_id,
        seen={name: unpacked(item) for name, item in content["seen"].items()},
        kept=frozenset(content["kept"]),
        key=content["key"],
        creates=content["creates"],
    )


def packed(seen: Seen) -> list[Any]:
    """A seen value as JSON: ``[]`` absent, ``[value]``, or ``[digest, masked]``."""
    if seen.digest:
        return [seen.digest, seen.masked]
    return [] if seen.value is ABSENT else [seen.value]


def unpacked(item: list[Any]) -> Seen:
    """The inverse of :func:`packed`."""
    if len(item) == 2:
        return Seen(digest=item[0], masked=item[1])
    return Seen(item[0]) if item else Seen()


def opened_now(
    *,
    store_id: str,
    ref: str,
    user_id: int | None,
    key: str,
    entry: Mapping[str, Any],
    names: Iterable[str],
    kept: Iterable[str] = (),
) -> Opened:
    """What a form shows of an entry as it is now."""
    opened = Opened(
        store_id=store_id,
        ref=ref,
        user_id=user_id,
        seen={},
        kept=frozenset(name_digest(name) for name in kept),
        key="" if redact(key) != key else key,
    )
    return opened.now_seen({name: entry.get(name, ABSENT) for name in names})
