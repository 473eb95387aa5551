"""Rows of the session list as HTML, written directly.

As a template they were four fifths of the time of a page, and a live list is asked for every few
seconds by everyone who has it open. Every value goes through ``escape``; the markup around the
values is fixed here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from html import escape
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from .columns import COLUMNS
from .services.amounts import binary
from .services.rows import FLAG_WORDS, SessionRow
from .templatetags.icons import icon
from .templatetags.show import exactly, moment_of, relatively

_REF = "0" * 16


class RowHtml:
    """Writes rows with these columns, with exact times in one zone, their boxes ticked or not."""

    def __init__(self, columns: Sequence[str], *, zone: ZoneInfo, ticked: bool = False) -> None:
        self._zone = zone
        self._now_s = time.time()
        self._select = escape(_("Select"))
        self._ticked = " checked" if ticked else ""
        self._origins = {"user": _("model, by a person"), "auto": _("model, by a failover")}
        self._bytes = _("%s bytes")
        self._labels = {column.name: escape(str(column.label)) for column in COLUMNS}
        self._failover = str(FLAG_WORDS["failover"][0])
        self._no_share = ""  # keeps counts in line with those that have a share
        self._icons: dict[str, str] = {}
        self._hrefs: dict[str, str] = {}
        cells: dict[str, Callable[[SessionRow], str]] = {
            "agent": lambda row: self._word("agent", row.agent),
            "kind": lambda row: self._word("kind", row.kind),
            "channel": lambda row: self._word("channel", row.channel),
            "status": self._status,
            "updated": self._updated,
            "size": self._size,
            "tokens": self._tokens,
            "model": lambda row: self._mono("model", row.model),
            "notes": self._notes,
            "key": lambda row: self._mono("key", row.key),
            "id": lambda row: self._mono("id", row.session_id),
        }
        self._cells = [cells[name] for name in columns]

    def rows(self, rows: Sequence[SessionRow]) -> SafeString:
        """All of them, one ``<tr>`` each."""
        if any(row.context_percent is not None for row in rows):
            self._no_share = ' <span class="share"></span>'
        return SafeString("\n".join(self._row(row) for row in rows))

    def _row(self, row: SessionRow) -> str:
        gone = " data-gone" if row.gone_at_ms else ""
        cells = "" if gone else "".join([cell(row) for cell in self._cells])
        rest = f'<td colspan="{len(self._cells)}" data-empty></td>' if gone else ""
        return (
            f'<tr id="row-{row.id}" class="table-row" data-row{gone}>'
            f"{self._box(row)}{self._title(row)}{cells}{rest}</tr>"
        )

    def _box(self, row: SessionRow) -> str:
        if row.gone_at_ms:
            return '<td class="select-cell"></td>'
        return (
            '<td class="select-cell"><label class="select-target">'
            f'<input id="select-{row.id}" type="checkbox" name="row" value="{row.id}"'
            f' form="selection"{self._ticked} hx-preserve data-select>'
            f'<span class="visually-hidden">{self._select} {escape(row.title)}</span>'
            "</label></td>"
        )

    def _title(self, row: SessionRow) -> str:
        title = escape(row.title)
        sub = row.subtitle
        key = escape(row.key)
        line = f'<span class="row-sub row-key" title="{key}">{escape(sub)}</span>' if sub else ""
        if row.gone_at_ms:
            link = f'<span class="row-link">{title}</span>'
            said = escape(_("gone, noticed at %s") % self._clock(row.gone_at_ms))
            line += f'<span class="row-problem">{said}</span>'
        else:
            link = (
                f'<a id="open-{row.id}" class="row-link" href="{self._href(row)}" data-open>'
                f"{title}</a>"
            )
        if row.problem:
            line += f'<span class="row-problem">{escape(row.problem)}</span>'
        return f'<th scope="row"><span class="row-title">{link}{line}</span></th>'

    def _href(self, row: SessionRow) -> str:
        base = self._hrefs.get(row.store_id)
        if base is None:
            base = self._hrefs[row.store_id] = reverse("session", args=[row.store_id, _REF])
        return base.replace(_REF, row.ref)

    def _clock(self, at_ms: int) -> str:
        moment = moment_of(at_ms)
        return "" if moment is None else f"{moment.astimezone(self._zone):%H:%M:%S %Z}"

    def _cell(self, name: str, inner: str, css_class: str = "") -> str:
        empty = "" if inner else " data-empty"
        named = f' class="{css_class}"' if css_class else ""
        return (
            f'<td{named} data-cell="{name}" data-label="{self._labels[name]}"{empty}>{inner}</td>'
        )

    def _word(self, name: str, value: str) -> str:
        """A word that is short unless somebody meant it not to be."""
        text = escape(value)
        whole = f' title="{text}"' if len(value) > 16 else ""
        return self._cell(name, value and f'<span class="cell-word"{whole}>{text}</span>')

    def _mono(self, name: str, value: str) -> str:
        return self._cell(name, escape(value), "mono")

    def _status(self, row: SessionRow) -> str:
        run = row.run
        if run is None:
            return self._cell("status", "")
        proof = escape(run.proof)
        shape = "" if run.state == "none" else self._icon(run.state)
        why = f' title="{proof}"' if proof else ""
        told = f'<span class="visually-hidden">, {proof}</span>' if proof else ""
        inner = (
            f'<span class="state" data-state="{run.state}"{why}>{shape}'
            f'<span class="state-word">{escape(run.word)}</span>{told}</span>'
        )
        return self._cell("status", inner)

    def _icon(self, name: str) -> str:
        known = self._icons.get(name)
        if known is None:
            known = self._icons[name] = icon(name, "state-shape")
        return known

    def _updated(self, row: SessionRow) -> str:
        moment = moment_of(row.updated_at_ms)
        if moment is None:
            return self._cell("updated", escape(_("no time")), "nowrap")
        inner = (
            f'<time datetime="{moment.isoformat(timespec="milliseconds")[:-6]}Z"'
            f' title="{exactly(moment, self._zone)}">'
            f"{escape(relatively(moment.timestamp() - self._now_s))}</time>"
        )
        return self._cell("updated", inner, "nowrap")

    def _size(self, row: SessionRow) -> str:
        count = row.size_bytes
        exact = escape(self._bytes % f"{count:,}")
        inner = f'<data value="{count}" title="{exact}">{binary(count)}</data>'
        return self._cell("size", inner, "number")

    def _tokens(self, row: SessionRow) -> str:
        if row.total_tokens is None:
            return self._cell("tokens", "", "number")
        inner = f"{row.total_tokens:,}"
        percent = row.context_percent
        if percent is None:
            inner += self._no_share
        else:
            of = escape(
                _("%(used)s of %(size)s") % {"used": inner, "size": f"{row.context_tokens:,}"}
            )
            state = ' data-state="watch"' if percent > 100 else ""
            inner += f' <span class="share" title="{of}"{state}>{percent:,} %</span>'
        return self._cell("tokens", inner, "number")

    def _notes(self, row: SessionRow) -> str:
        """Overrides, then notes; a pinned model says who pinned it."""
        origin = row.override_origin
        words = [word for word in row.overrides if word not in ("model", "provider")]
        tags = [f'<span class="tag" data-state="accent">{escape(word)}</span>' for word in words]
        if origin:
            state = "watch" if origin == "auto" else "accent"
            word = escape(self._origins[origin])
            tags.insert(0, f'<span class="tag" data-state="{state}">{word}</span>')
        # "failover" says what the origin says.
        notes = [n for n in row.notes if not (origin and n.word == self._failover)]
        tags += [
            f'<span class="tag" data-state="{note.state}">{escape(note.word)}</span>'
            for note in notes
        ]
        return self._cell("notes", f'<span class="tags">{"".join(tags)}</span>' if tags else "")
