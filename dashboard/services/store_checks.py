"""Checks of what stores there are, whether they could be read, and in which layout they are."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .check import Check, is_known, names_of, told
from .only_read import SQLITE
from .stores import StoreList


def found(stores: StoreList) -> Iterator[Check]:
    count = len(stores.opened)
    if not count:
        yield told(stores, "stores", "watch", _("No store was found below %s.") % stores.state_dir)
        return
    sentence = ngettext("%(n)d store was found.", "%(n)d stores were found.", count) % {"n": count}
    unlisted = [row.name for row in stores.opened if row.origin == "discovered"]
    detail = ""
    if unlisted:
        detail = _("Of no configured agent: %s.") % names_of(unlisted)
    yield told(stores, "stores", "ok", sentence, detail)


def readable(stores: StoreList) -> Iterator[Check]:
    failed = [row for row in stores.opened if row.freshness.problem and not row.freshness.reading]
    for row in failed:
        problem = row.freshness.problem
        assert problem is not None
        yield told(stores, "unreadable", "bad", f"{row.name}: {problem.detail}", problem.hint)
    if stores.skipped:
        names = names_of([row.name for row in stores.skipped])
        sentence = ngettext(
            "%(n)d place is not opened: %(names)s.",
            "%(n)d places are not opened: %(names)s.",
            len(stores.skipped),
        ) % {"n": len(stores.skipped), "names": names}
        yield told(
            stores,
            "skipped",
            "watch",
            sentence,
            _("Links, escapes and unreadable folders; the list says why."),
        )
    if not failed and not stores.skipped and stores.opened:
        yield told(stores, "unreadable", "ok", _("Every store could be read."))


def reading(stores: StoreList) -> Iterator[Check]:
    names = [row.name for row in stores.opened if row.freshness.reading]
    if names:
        sentence = _("Still reading: %s. Figures below are without what is not read yet.")
        yield told(stores, "reading", "watch", sentence % names_of(names))


def damaged(stores: StoreList) -> Iterator[Check]:
    findings = [f for row in stores.opened for f in row.findings if f.severity == "error"]
    if findings:
        sentence = ngettext(
            "%(n)d entry or file is damaged.", "%(n)d entries or files are damaged.", len(findings)
        ) % {"n": len(findings)}
        yield Check(
            "damaged",
            "bad",
            sentence,
            findings[0].message,
            "sessions",
            "damaged=yes&machine=yes",
            stores.read_at_ms,
        )
    elif is_known(stores):
        yield told(stores, "damaged", "ok", _("No entry is damaged."), page="sessions")


def collisions(stores: StoreList) -> Iterator[Check]:
    """Two entries with one key, or two stores of one agent name, case aside, which share keys."""
    if not is_known(stores):
        return
    doubles = [f for row in stores.opened for f in row.findings if f.rule == "duplicate-key"]
    agents: dict[str, list[str]] = {}
    for row in stores.opened:
        if row.agent_id:
            agents.setdefault(row.agent_id.casefold(), []).append(row.place)
    alike = [" = ".join(sorted(places)) for places in agents.values() if len(places) > 1]
    if doubles:
        sentence = ngettext(
            "%(n)d entry has the key of another, which is newer.",
            "%(n)d entries have the key of another, which is newer.",
            len(doubles),
        ) % {"n": len(doubles)}
        yield told(stores, "collisions", "watch", sentence, doubles[0].message)
    if alike:
        sentence = _("Stores of one agent name, case aside, so that their keys are the same: %s.")
        yield told(stores, "agents-alike", "watch", sentence % names_of(alike))
    if not doubles and not alike:
        yield told(stores, "collisions", "ok", _("No two entries have the same key."))


def layouts(stores: StoreList) -> Iterator[Check]:
    both = [row.name for row in stores.opened if row.layout == "both"]
    legacy = [row for row in stores.opened if row.layout == "legacy"]
    if both:
        sentence = _("Both layouts are on disk: %s. The directory counts; the file is not read.")
        yield told(stores, "both-layouts", "watch", sentence % names_of(both), page="migrations")
    if legacy:
        sentence = ngettext(
            "%(n)d store is still one sessions.json: %(names)s.",
            "%(n)d stores are still one sessions.json each: %(names)s.",
            len(legacy),
        ) % {"n": len(legacy), "names": names_of([row.name for row in legacy])}
        detail = _("Every write there rewrites the whole file, and sessions wait for each other.")
        yield told(stores, "layout", "watch", sentence, detail, page="migrations")
    elif not both and is_known(stores):
        if any(row.layout == SQLITE for row in stores.opened):
            sentence = _("Every store that is written here keeps one file per session.")
        else:
            sentence = _("Every store keeps one file per session.")
        yield told(stores, "layout", "ok", sentence)
