"""What a session is doing, said with its proof: ``running`` is a claim until something backs it.

Thresholds: a claim without proof is only *marked* running, worth a look after 30 s and wrong
after 15 minutes. A held lock is judged as on the page of locks (:mod:`.hold_states`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from sessionstore.locks import HeldLock

from .amounts import duration
from .hold_states import hold_state
from .thresholds import Limits

PROOF_MS = 30_000
WRONG_MS = 15 * 60_000


@dataclass(frozen=True, slots=True)
class RunState:
    """A word, the state that gives its shape, and what the word rests on."""

    word: str
    state: str
    proof: str = ""


_FINISHED = {"done": "ok", "failed": "bad", "killed": "watch", "timeout": "watch"}


def run_state(
    status: str,
    updated_at_ms: int | None,
    lock: HeldLock | None,
    *,
    now_ms: int,
    limits: Mapping[str, Limits] | None = None,
) -> RunState | None:
    """Say what the entry's ``status`` is worth; None when there is nothing to say.

    ``limits`` spare a query for each held lock.
    """
    if lock is not None and lock.verdict in ("alive", "over-limit"):
        proof = _("%(program)s, process %(pid)d, holds its lock for %(operation)s") % {
            "program": lock.program or _("a program"),
            "pid": lock.pid or 0,
            "operation": lock.operation or _("an update"),
        }
        state = hold_state(lock, limits)
        if state != "ok":
            return RunState(_("held for %s") % duration(lock.held_s * 1000), state, proof)
        return RunState(_("writing"), "live", proof)
    if status == "running":
        return _claimed(updated_at_ms, now_ms)
    if status:
        return RunState(status, _FINISHED.get(status, "none"))
    return None


def _claimed(updated_at_ms: int | None, now_ms: int) -> RunState:
    age_ms = None if updated_at_ms is None else now_ms - updated_at_ms
    if age_ms is not None and age_ms < PROOF_MS:
        return RunState(_("running"), "live", _("the entry was written less than 30 s ago"))
    state = "watch" if age_ms is not None and age_ms < WRONG_MS else "bad"
    return RunState(
        _("marked running"), state, _("no proof: no lock is held and nothing was written lately")
    )
