"""What every bundle says beside the incident: how to read it, versions, limits that count."""

from __future__ import annotations

import inspect
import platform
from collections.abc import Mapping
from typing import Any

import django
from django.conf import settings

import sessionstore
from sessionstore import open_store

from ..check_limits import LimitGroup, sanity_of
from ..stores import list_stores
from ..threshold_changes import limits_now
from ..thresholds import RULES
from .disguise import Disguise

README = """\
An incident of a sessionstore console, to send to whoever can help.

What is in it
  incident.json   its title, when it began and ended, its notes
  versions.json   what was installed where this was made
  config.json     limits and thresholds that were set
  stores.json     the stores it is about, and which programs reported when
  events.json     what else went on: migrations, backups, other jobs, other incidents
  verdicts.json   the locks that were held when the incident was marked, and when this was made:
                  who held them, who waited, and how that is known
  store-N/samples.jsonl   what writers reported, in equal steps, one line each
  store-N/sessions.json   the sessions that were held and awaited longest
  store-N/writes.json     the slowest updates that were kept as examples
  manifest.json   every file with its size and SHA-256, and what had to be cut

How to read the samples
  Times in histograms are nanoseconds, sizes are bytes. A bucket is [smallest value in it, count].
  Add histograms bucket by bucket; never average percentiles. A line with "gap" means that nobody
  was there to report, which is not the same as nothing having happened. An update that timed out
  counts with at least the time that it waited.
  wait: from asking for a lock to getting it. hold: from getting it to letting go. write: the whole
  replacement of a file, of which queue, lock, read, merge, serialise, write, sync and rename are
  parts.

What is not in it
  No entry and no transcript of any session. Sessions are called by keyed digests (unless an admin
  asked for their masked keys): the same session has the same name in every bundle of this
  incident, and nobody can find its key by trying. Machines, people and stores are numbered. In
  texts, what looks like a secret, a session key, a telephone or chat number, an address or a path
  is replaced by a word in square brackets. Read the notes once more before you send this: no rule
  finds everything that a person may write.
"""


def versions() -> dict[str, str]:
    """What is installed here."""
    return {
        "sessionstore": sessionstore.__version__,
        "django": django.get_version(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.uname().system,
        "kernel": platform.release(),
        "machine": platform.machine(),
    }


def config(stores: Mapping[str, str], disguise: Disguise) -> dict[str, Any]:
    """Limits that bear on locks and waits. Nothing that is a secret, a place or a name.

    ``stores`` are those of the incident: what each is called there, by what it is called here.
    """
    defaults = inspect.signature(open_store).parameters
    return {
        "store_defaults": {
            name: defaults[name].default for name in ("timeout", "durability", "max_entry_bytes")
        },
        "console": {
            "page_wait_s": settings.PAGE_WAIT_S,
            "read_only": settings.READ_ONLY,
            "versions_days": settings.VERSIONS_DAYS,
            "versions_kept": settings.VERSIONS_KEPT,
        },
        "lock_limits": [
            {"store": stores.get(group.agent, "all"), **_limit(group, disguise)}
            for group in sanity_of(list_stores()).groups
            if not group.agent or group.agent in stores
        ],
        "thresholds": {
            name: {"watch": limits.watch, "bad": limits.bad, "unit": RULES[name].unit.name}
            for name, limits in sorted(limits_now().items())
        },
    }


def _limit(group: LimitGroup, disguise: Disguise) -> dict[str, Any]:
    """How long who waits, may hold, and until when a lock counts as left behind; seconds."""
    return {
        "lock": group.lock,
        "wait_s": group.wait_s,
        "hold_s": group.hold_s,
        "stale_s": group.stale_s,
        "sources": [disguise.text(source) for source in group.sources],
        "findings": [disguise.text(finding) for finding in group.findings],
    }
