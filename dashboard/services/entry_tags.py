"""What stands for an entry outside the console, in place of the store's own etag.

An etag is a digest of the whole entry, its secrets included: with it, whoever may only see the
masked entry could try out passwords for as long as they like. A tag is keyed with the console's
``SECRET_KEY`` and bound to one session of one store. So pages, twins, the API, the audit and signed
forms have tags only, and what comes back is turned into the etag here.
"""

from __future__ import annotations

import json

from django.utils.crypto import constant_time_compare, salted_hmac

MOVED = "moved"
"""An etag that no entry has: with it a change is refused under the lock, and that is on record."""
_SALT = "dashboard.entry"
_LENGTH = 32


def tag_of(store_id: str, key: str, etag: str) -> str:
    """The tag of an entry with this etag; "" for "", which is no entry. ``key`` is the raw key."""
    if not etag:
        return ""
    text = json.dumps([store_id, key, etag])
    return salted_hmac(_SALT, text, algorithm="sha256").hexdigest()[:_LENGTH]


def etag_behind(given: str, *, tag: str, etag: str) -> str:
    """The ``etag`` of the entry as it was read if ``given`` is its ``tag``; else :data:`MOVED`."""
    return etag if tag and constant_time_compare(given, tag) else MOVED
