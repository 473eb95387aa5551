"""What stands around the charts: windows, zooms, labels of steps, sentences on gaps and coverage.

Everything that leads somewhere is an address made from the page's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .forms_latency import LatencyFilters
from .links import Link
from .list_words import left_out
from .services.latency_report import Report
from .services.latency_span import HOURS, Span, moves_from

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 86_400_000
_GAPS_TOLD = 3


@dataclass(frozen=True, slots=True)
class WindowChoice:
    """A window that is offered."""

    name: str
    label: str
    url: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class StepLabel:
    """One step: what it is called in the zone of whoever looks, and the address of it alone."""

    start_ms: int
    end_ms: int
    text: str
    url: str


def window_choices(link: Link, hours: int | None) -> list[WindowChoice]:
    """The windows that are offered."""
    bare = link.drop("from", "to", "window")
    return [
        WindowChoice(
            name=str(count),
            label=_("%d h") % count,
            url=str(bare if count == HOURS[0] else bare.set("window", str(count))),
            chosen=count == hours,
        )
        for count in HOURS
    ]


def zooms(link: Link, span: Span, *, now_ms: int) -> list[tuple[str, str, str]]:
    """Name, label and address of the neighbouring windows that there are."""
    moves = moves_from(span, now_ms=now_ms)
    offered = (
        ("earlier", _("Earlier"), moves.earlier),
        ("later", _("Later"), moves.later),
        ("closer", _("Zoom in"), moves.closer),
        ("wider", _("Zoom out"), moves.wider),
    )
    return [
        (name, label, str(at_window(link, *there)))
        for name, label, there in offered
        if there is not None
    ]


def at_window(link: Link, start_ms: int, end_ms: int) -> Link:
    """The same page for another window."""
    bare = link.drop("from", "to", "window")
    return bare.set("from", stamp(start_ms)).set("to", stamp(end_ms))


def stamp(at_ms: int) -> str:
    """A time as addresses have it: to the second, UTC."""
    return (_EPOCH + timedelta(seconds=at_ms // 1000)).isoformat().replace("+00:00", "Z")


def step_labels(link: Link, span: Span, zone: ZoneInfo) -> list[StepLabel]:
    """What each step is called, and where it leads."""
    is_long = span.length_ms > _DAY_MS
    return [
        StepLabel(
            start,
            end,
            moment_text(start, zone, span, day=is_long),
            str(at_window(link, start, end)),
        )
        for start, end in span.edges()
    ]


def moment_text(at_ms: int, zone: ZoneInfo, span: Span, *, day: bool) -> str:
    """A moment of a window, as exactly as its steps are."""
    local = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)
    clock = f"{local:%H:%M:%S}" if span.step_ms % 60_000 else f"{local:%H:%M}"
    return f"{local:%m-%d} {clock}" if day else clock


def span_text(span: Span, zone: ZoneInfo) -> str:
    """The window, written out."""
    start, end = (
        (_EPOCH + timedelta(milliseconds=at)).astimezone(zone)
        for at in (span.start_ms, span.end_ms)
    )
    last = f"{end:%H:%M:%S}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M:%S}"
    return _("%(start)s to %(end)s %(zone)s") % {
        "start": f"{start:%Y-%m-%d %H:%M:%S}",
        "end": last,
        "zone": f"{end:%Z}",
    }


def gap_sentences(report: Report, zone: ZoneInfo) -> list[str]:
    """When nobody reported, the longest gaps first, and how many more there are."""
    if not report.was_ever_reported or not report.gaps:
        return []
    longest = sorted(report.gaps, key=lambda gap: gap[0] - gap[1])[:_GAPS_TOLD]
    said = [_gap_sentence(report, gap, zone) for gap in sorted(longest)]
    left = len(report.gaps) - len(longest)
    if left:
        said.append(ngettext("There is %d shorter gap.", "There are %d shorter gaps.", left) % left)
    return said


def _gap_sentence(report: Report, gap: tuple[int, int], zone: ZoneInfo) -> str:
    is_long = report.span.length_ms > _DAY_MS
    start, end = (moment_text(at, zone, report.span, day=is_long) for at in gap)
    if report.since_ms is not None and gap[1] <= report.since_ms:
        return _("Reporting began at %s; nothing is known of the time before.") % end
    if gap[1] >= min(report.read_at_ms, report.span.end_ms) and report.latest_ms == gap[0]:
        return _("No report since %s: the writers are idle, or gone.") % start
    return _("Nobody reported from %(start)s to %(end)s.") % {"start": start, "end": end}


def source_sentence(report: Report) -> str:
    """Where the numbers come from."""
    if not report.has_reports:
        return ""
    return ngettext(
        "Exact: reported by %(n)s writer.", "Exact: reported by %(n)s writers.", report.reporters
    ) % {"n": f"{report.reporters:,}"}


def notes(form: LatencyFilters) -> list[str]:
    """What the address asked for that the page does not do, in sentences."""
    return left_out(form.unknown())


def errors(form: LatencyFilters) -> list[tuple[str, str]]:
    """Problems of the address, each with its field's label."""
    return [
        (str(form.fields[name].label), str(message))
        for name, messages in form.errors.items()
        if name in form.fields
        for message in messages
    ]


def carried(items: Sequence[tuple[str, str]], *names: str) -> list[tuple[str, str]]:
    """Parameters that a form has no field for and must carry along."""
    return [item for item in items if item[0] not in names]
