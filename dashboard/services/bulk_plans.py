"""Plans of bulk actions: made, kept for a day, found again by their makers and by admins.

A plan fixes which sessions, what would change in each, and a digest of both. Nothing is changed
here; see ``bulk_apply``.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard import roles, scope
from dashboard.acting import Actor
from dashboard.models import Plan

from .actions import ACTIONS
from .bulk_effects import Effects, effects
from .bulk_items import PlanItem, digest_of, hidden_item, plan_item
from .bulk_selection import Selection, again, check_count, readers_of
from .bulk_words import BULK_ACTIONS, title
from .problems import Problem, ProblemError, not_there

KEPT_FOR = timedelta(hours=24)
MOST_PLANS = 50
MOST_SESSIONS = 50_000
"""What is kept for one person: of so many plans, and so many sessions in all, only the newest.

A session of a plan takes some 500 bytes of the console's database.
"""


def keep_selection(actor: Actor, selection: Selection, source: Mapping[str, Any]) -> Plan:
    """Keep which sessions were picked, for an action that is chosen later."""
    check_count(len(selection.picked))
    items = [plan_item(one, Effects(skip=one.why)) for one in selection.picked]
    return _kept(actor, "", {}, _with_state(source, selection), items)


def make_plan(
    actor: Actor,
    selection: Selection,
    action: str,
    params: Mapping[str, Any],
    source: Mapping[str, Any],
) -> Plan:
    """Work out what the action would do to each session, and keep it.

    Raises:
        ProblemError: none or too many sessions, an action that this role or page does not offer,
            or a field that operators may not change.
    """
    check_count(len(selection.picked))
    check_action(actor, action)
    worked_out = effects(selection.picked, action, params, now_ms=_now_ms())
    items = [plan_item(*pair) for pair in zip(selection.picked, worked_out, strict=True)]
    return _kept(actor, action, params, _with_state(source, selection), items)


def plan_again(
    actor: Actor,
    plan: Plan,
    action: str,
    params: Mapping[str, Any],
    *,
    without: Iterable[tuple[str, str]] = (),
) -> Plan:
    """Make another plan about the sessions of this one, less those named by store and id.

    Raises:
        ProblemError: as :func:`make_plan`.
    """
    left_out = set(without)
    picked = [
        item.picked
        for item in items_of(plan)
        if (item.picked.store_id, item.picked.ref) not in left_out
    ]
    return make_plan(actor, again(picked), action, params, plan.source)


def select_again(actor: Actor, plan: Plan) -> Plan:
    """Keep the sessions of a plan as a selection, for another action."""
    selection = again([item.picked for item in items_of(plan)])
    return keep_selection(actor, selection, plan.source)


def find_plan(actor: Actor, plan_id: str) -> Plan:
    """A plan of this person; admins find everybody's.

    Raises:
        ProblemError: there is none of that id for them.
    """
    plan = Plan.objects.filter(pk=plan_id).first()
    is_own = plan is not None and plan.actor_id == actor.user_id and actor.user_id is not None
    if plan is None or not (is_own or roles.includes(actor.role, "admin")):
        raise not_there(
            _(
                "There is no plan with this id, or it is somebody else's. Plans are kept for a day,"
                " and of each person's only the newest."
            ),
            _("Select the sessions again and make a new plan."),
        )
    return plan


def plans_of(actor: Actor) -> list[Plan]:
    """The newest plans of this person, without their items; admins see everybody's."""
    plans = Plan.objects.defer("items", "params", "source")
    if not roles.includes(actor.role, "admin"):
        plans = plans.filter(actor_id=actor.user_id)
    return list(plans.filter(expires_at__gt=timezone.now())[:100])


def items_of(plan: Plan) -> list[PlanItem]:
    """The sessions of a plan, in order; of stores that may no longer be seen only that."""
    items = [PlanItem.from_json(kept) for kept in plan.items]
    if scope.current() is None:
        return items
    seen = readers_of({item.picked.store_id for item in items})
    return [item if item.picked.store_id in seen else hidden_item(item) for item in items]


def has_expired(plan: Plan, now: datetime | None = None) -> bool:
    """Whether it is too old to be applied."""
    return plan.expires_at <= (now or timezone.now())


def check_action(actor: Actor, action: str) -> None:
    """Let only through what can be done to many sessions, by whom it may be done.

    Raises:
        ProblemError: it is not such an action, or asks for another role.
    """
    if action not in BULK_ACTIONS:
        raise ProblemError(
            Problem(
                _("No such action"),
                _("This cannot be done to many sessions at once."),
                _("Go back and choose one of the actions of the page."),
                422,
            )
        )
    if not roles.includes(actor.role, ACTIONS[action].role):
        raise ProblemError(
            Problem(
                _("Refused"),
                _("This asks for the role %s.") % ACTIONS[action].role,
                _("Ask an admin for it."),
                403,
            )
        )


def _with_state(source: Mapping[str, Any], selection: Selection) -> dict[str, Any]:
    return {
        "picked_at_ms": _now_ms(),
        "late": list(selection.late),
        "hidden_machine": selection.hidden_machine,
        **source,
    }


def _kept(
    actor: Actor,
    action: str,
    params: Mapping[str, Any],
    source: Mapping[str, Any],
    items: Sequence[PlanItem],
) -> Plan:
    now = timezone.now()
    changing = sum(item.changes for item in items)
    made = Plan.objects.create(
        id=secrets.token_hex(16),
        action=action,
        title=title(action, params, changing or len(items))[:300],
        params=dict(params),
        source=dict(source),
        items=[item.to_json() for item in items],
        total=len(items),
        changing=changing,
        digest=digest_of(action, params, items),
        actor_id=actor.user_id,
        actor=actor.name,
        created_at=now,
        expires_at=now + KEPT_FOR,
    )
    _drop_oldest(actor)
    return made


def _drop_oldest(actor: Actor) -> None:
    """Keep no more for one person than there is room for; the plan just made always stays.

    One that was applied is in its job; one that was not can be made again.
    """
    own = Plan.objects.filter(actor_id=actor.user_id).order_by("-created_at", "-pk")
    sessions, dropped = 0, []
    for position, (ident, total) in enumerate(own.values_list("pk", "total")):
        sessions += total
        if position and (position >= MOST_PLANS or sessions > MOST_SESSIONS):
            dropped.append(ident)
    Plan.objects.filter(pk__in=dropped).delete()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
