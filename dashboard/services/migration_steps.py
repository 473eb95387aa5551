"""The six steps of a migration, with how far a store is in them."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.jobs.rows import JobRow
from dashboard.models import StorePlan

from .amounts import binary, duration
from .migration_runs import LastRun
from .migration_summaries import needs_attention
from .migration_work import CHECK, MERGING, RUN, STAGING, VERIFYING

#: At which step a run is while it tells this phase.
_PHASES = {STAGING: 4, MERGING: 4, VERIFYING: 5}


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``state`` is done, now or later; ``text`` one sentence, or nothing yet."""

    number: int
    name: str
    state: str
    text: str

    @property
    def word(self) -> str:
        """The state, said for a person."""
        return {"done": _("done"), "now": _("now"), "later": _("later")}[self.state]


def steps_of(
    preview: StorePlan | None, last: LastRun | None, job: JobRow | None, *, has_proof: bool
) -> tuple[Step, ...]:
    """The steps: those of the run that is going on or was the last, else of the preview.

    ``has_proof``: the store's own marker names a migration.
    """
    at, texts = 1, ["", "", "", "", "", ""]
    if preview is not None:
        at, texts[0], texts[1] = 2, _checked(preview), _previewed(preview)
        if preview.outcome == "already" and has_proof:
            at, texts[5] = 6, _undo()
    elif last is not None and last.report["outcome"] in ("migrated", "merged"):
        at, texts = 6, _told(last)
    elif has_proof:
        at, texts[5] = 6, _undo()
    if job is not None and job.kind == RUN:
        at, texts[3] = _running(job)
        texts[5] = ""
    elif job is not None and job.kind == CHECK:
        at = 1
    names = (
        *(_("Check"), _("Preview"), _("Safety copy")),
        *(_("Run"), _("Validate"), _("Keep or undo")),
    )
    return tuple(
        Step(number, name, "done" if number < at else "now" if number == at else "later", text)
        for number, (name, text) in enumerate(zip(names, texts, strict=True), 1)
    )


def _undo() -> str:
    return _("It can be undone at any time, with everything written since.")


def _running(job: JobRow) -> tuple[int, str]:
    part = job.part
    if part is None:
        return 3, ""
    at = _PHASES.get(part.name.partition(":")[0], 4)
    return at, f"{part.done:,} / {part.total:,}" if at == 4 else _("All are written.")


def _checked(preview: StorePlan) -> str:
    return _findings(needs_attention(preview.summary)) or _("Nothing stands in its way.")


def _findings(found: int) -> str:
    if not found:
        return ""
    said = ngettext("%(n)s finding asks for a look.", "%(n)s findings ask for a look.", found)
    return said % {"n": f"{found:,}"}


def _previewed(preview: StorePlan) -> str:
    counts = preview.summary["counts"]
    move, bytes_ = counts.get("move", 0), preview.summary["bytes"]
    if not move:
        return _("No session would move.")
    said = ngettext(
        "%(n)s session would move, %(size)s.", "%(n)s sessions would move, %(size)s.", move
    )
    return said % {"n": f"{move:,}", "size": binary(bytes_)}


def _told(last: LastRun) -> list[str]:
    report = last.report
    kept = report["source_kept"]
    counted = {"verified": f"{report['verified']:,}", "taken": f"{report['taken']:,}"}
    return [
        _findings(last.needs_attention) or _("Nothing stood in its way."),
        ngettext("%(taken)s session to move.", "%(taken)s sessions to move.", report["taken"])
        % counted,
        _("Kept as %s.") % kept if kept else _("Nothing had to be copied."),
        _("Took %(took)s; writers were kept out for %(exclusive)s.")
        % {"took": duration(last.took_ms), "exclusive": _short(last.exclusive_ms)},
        _("%(verified)s of %(taken)s read back and equal.") % counted,
        _undo(),
    ]


def _short(milliseconds: float) -> str:
    return duration(milliseconds) if milliseconds >= 1 else f"{milliseconds:.1f} ms"
