"""Checks of the disk: kind of file system, and who else may open the files."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from .check import Check, names_of, told
from .stores import StoreList


def mounted(stores: StoreList) -> Iterator[Check]:
    known = [row.disk for row in stores.opened if row.disk is not None]
    if any(disk.read_only for disk in known):
        yield told(
            stores, "read-only-disk", "watch", _("A store is on a file system mounted read-only.")
        )


def network(stores: StoreList) -> Iterator[Check]:
    known = [(row, row.disk) for row in stores.opened if row.disk is not None and row.disk.kind]
    remote = [f"{row.name} ({disk.kind})" for row, disk in known if disk.is_network]
    if remote:
        sentence = _("On a network file system, where locks of other hosts may not be seen: %s.")
        yield told(stores, "file-system", "watch", sentence % names_of(remote))
    elif known:
        kinds = ", ".join(sorted({disk.kind for _row, disk in known}))
        yield told(
            stores, "file-system", "ok", _("Every store is on a local file system (%s).") % kinds
        )


def modes(stores: StoreList) -> Iterator[Check]:
    known = [row for row in stores.opened if row.files is not None]
    open_ones = [row.name for row in known if row.files and row.files.open_to_others]
    if open_ones:
        sentence = _("Other users of this machine can open session files of: %s.")
        hint = _(
            "chmod 600 the files and 700 the folders; session metadata names people and chats."
        )
        yield told(stores, "modes", "watch", sentence % names_of(open_ones), hint)
    elif known:
        yield told(stores, "modes", "ok", _("Only the owner can open the session files."))
