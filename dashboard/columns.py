"""The columns of the session list: what each is called and what it is sorted by."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Column:
    """``sort`` is empty where a column cannot be sorted by; ``numeric`` aligns it to the right."""

    name: str
    label: str | Promise
    sort: str = ""
    numeric: bool = False
    starts_down: bool = False


SESSION = Column("session", _("Session"), "name")
COLUMNS = (
    Column("agent", _("Agent")),
    Column("kind", _("Kind"), "kind"),
    Column("channel", _("Channel"), "channel"),
    Column("status", _("State"), "status"),
    Column("updated", _("Updated"), "updated", starts_down=True),
    Column("size", _("Size"), "size", numeric=True, starts_down=True),
    Column("tokens", _("Tokens"), "tokens", numeric=True, starts_down=True),
    Column("model", _("Model"), "model"),
    Column("notes", _("Overrides and notes")),
    Column("key", _("Full key"), "key"),
    Column("id", _("Session id")),
)
DEFAULT_COLUMNS = ("agent", "kind", "channel", "status", "updated", "size", "tokens", "notes")
STORE_COLUMNS = (
    Column("agent", _("Agent"), "agent"),
    Column("layout", _("Layout"), "layout"),
    Column("sessions", _("Sessions"), "sessions", numeric=True, starts_down=True),
    Column("size", _("Entries"), "size", numeric=True, starts_down=True),
    Column("biggest", _("Biggest session"), "biggest", numeric=True, starts_down=True),
    Column("newest", _("Newest write"), "newest", starts_down=True),
    Column("locks", _("Locks held"), "locks", numeric=True, starts_down=True),
    Column("trend", _("Lock wait, 1 h")),
    Column("problems", _("Problems"), "problems", numeric=True, starts_down=True),
)
LOCK_COLUMNS = (
    Column("lock", _("Lock"), "store"),
    Column("holder", _("Holder"), "holder"),
    Column("held", _("Held for"), "held", starts_down=True),
    Column("waiters", _("Who waits"), "wait", starts_down=True),
    Column("verdict", _("Verdict"), "verdict"),
)
