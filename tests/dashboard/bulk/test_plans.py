"""Plans of bulk actions: what would change, what is left alone and why, and who may see them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from dashboard import scope
from dashboard.acting import Actor
from dashboard.models import Job, Plan
from dashboard.services import bulk_plans
from dashboard.services.bulk_apply import apply_plan
from dashboard.services.bulk_items import PlanItem, digest_of
from dashboard.services.bulk_pages import plan_page
from dashboard.services.bulk_plans import (
    find_plan,
    has_expired,
    items_of,
    make_plan,
    plan_again,
    plans_of,
    select_again,
)
from dashboard.services.bulk_selection import matching
from dashboard.services.fleet import fleet
from dashboard.services.problems import ProblemError
from dashboard.services.vocabulary import Wanted
from sessionstore.store import Store, open_store
from tests.dashboard.bulk.conftest import AT, MakePlan, by_name, key

pytestmark = pytest.mark.django_db

SECRET = "sk-ant-" + "a1B2c3D4e5F6g7H8" * 2


def changed_names(plan: Plan) -> set[str]:
    return {name for name, item in by_name(plan).items() if item.changes}


def differences(item: PlanItem) -> dict[str, tuple[str, str]]:
    return {one.name: (one.before, one.after) for one in item.effects.fields}


# --- Actions ------------------------------------------------------------------------------------


def test_archiving_leaves_the_archived_and_the_damaged_alone_and_says_why(
    plan_for: MakePlan,
) -> None:
    plan = plan_for("archive")
    items = by_name(plan)
    assert (plan.total, plan.changing, plan.title) == (7, 5, "Archive 5 sessions")
    assert items["lin"].effects.skip == "It is archived already."
    assert "damaged" in items["bad"].effects.skip
    assert differences(items["ada"]) == {"archivedAt": ("", "when applied")}


def test_unarchiving_takes_only_the_archived(plan_for: MakePlan) -> None:
    plan = plan_for("unarchive")
    assert changed_names(plan) == {"lin"}
    assert differences(by_name(plan)["lin"]) == {"archivedAt": (str(AT - 5), "")}


@pytest.mark.parametrize(
    ("origin", "cleared"), [("any", {"wen", "kim"}), ("user", {"wen"}), ("auto", {"kim"})]
)
def test_overrides_are_cleared_by_their_origin(
    origin: str, cleared: set[str], plan_for: MakePlan
) -> None:
    plan = plan_for("clear_overrides", origin=origin)
    assert changed_names(plan) == cleared
    items = by_name(plan)
    assert (items["wen"].effects.origin, items["kim"].effects.origin) == ("user", "auto")
    assert items["ada"].effects.skip == "It has no model override."
    if origin == "auto":
        assert items["wen"].effects.skip == "Its override was set by a person."
        assert differences(items["kim"]) == {
            "modelOverride": ('"haiku"', ""),
            "modelOverrideSource": ('"auto"', ""),
            "model": ('"haiku"', ""),
        }


def test_setting_a_field_shows_both_values_and_skips_who_has_it(plan_for: MakePlan) -> None:
    plan = plan_for("set_field", name="thinkingLevel", value="high")
    items = by_name(plan)
    assert differences(items["ada"]) == {"thinkingLevel": ('"low"', '"high"')}
    assert differences(items["sam"]) == {"thinkingLevel": ("", '"high"')}
    assert items["tom"].effects.skip == "It has this value already."


def test_clearing_a_field_skips_who_lacks_it(plan_for: MakePlan) -> None:
    plan = plan_for("clear_field", name="thinkingLevel")
    assert changed_names(plan) == {"ada", "tom"}
    assert by_name(plan)["sam"].effects.skip == "The field is not set."


def test_a_label_goes_to_one_session_of_a_store_and_the_rest_is_told_whose_it_is(
    plan_for: MakePlan,
) -> None:
    plan = plan_for("set_field", name="label", value="Desk")
    assert changed_names(plan) == {"ada"}
    assert by_name(plan)["sam"].effects.skip == (
        f"The session {key('ada')} has this label already."
    )


def test_a_label_that_another_session_has_goes_to_nobody(plan_for: MakePlan) -> None:
    plan = plan_for("set_field", name="label", value="Lin")
    assert changed_names(plan) == set()
    assert by_name(plan)["lin"].effects.skip == "It has this value already."


def test_a_field_that_operators_may_not_change_is_refused(plan_for: MakePlan) -> None:
    with pytest.raises(ProblemError, match="cannot be saved"):
        plan_for("clear_field", name="sessionId")


def test_deleting_names_what_goes(plan_for: MakePlan, admin: Actor) -> None:
    plan = plan_for("delete", actor=admin)
    assert plan.changing == 6
    assert differences(by_name(plan)["ada"]) == {"entry": ("4 fields", "")}


def test_only_admins_plan_deletions(plan_for: MakePlan) -> None:
    with pytest.raises(ProblemError) as refused:
        plan_for("delete")
    assert refused.value.problem.status == 403


@pytest.mark.parametrize("action", ["reset", "rename", "", "__proto__", "no such action"])
def test_what_is_not_a_bulk_action_is_refused(action: str, plan_for: MakePlan) -> None:
    with pytest.raises(ProblemError, match="No such action"):
        plan_for(action)


def test_values_are_masked_in_what_is_kept_of_a_plan(store: Store, plan_for: MakePlan) -> None:
    store.patch(key("ada"), {"label": f"token {SECRET}", "execNode": SECRET})
    plan = plan_for("clear_field", name="execNode")
    assert differences(by_name(plan)["ada"]) == {"execNode": ('"[masked]"', "")}
    assert SECRET not in str(plan.items)


def test_a_session_that_went_since_it_was_picked_is_said_to_be_gone(
    store: Store, operator: Actor
) -> None:
    selection = matching(Wanted(), store_id=None)
    store.delete(key("sam"))
    plan = make_plan(operator, selection, "archive", {}, {})
    assert by_name(plan)["sam"].effects.skip == "It is not there any more."


def test_a_sessions_json_is_planned_like_any_other_store(
    operator: Actor, store: Store, tmp_path: Path
) -> None:
    place = tmp_path / "state" / "agents" / "old" / "sessions"
    place.mkdir(parents=True)
    text = '{"agent:old:one": {"sessionId": "1"}, "agent:old:two": {}, "agent:old:bad": 5}'
    (place / "sessions.json").write_text(text)
    wanted = Wanted(agents=frozenset({"old"}))
    plan = make_plan(operator, matching(wanted, store_id=None), "archive", {}, {})
    found = {item.picked.key: item.effects.skip for item in items_of(plan)}
    assert found["agent:old:one"] == found["agent:old:two"] == ""
    assert "damaged" in found["agent:old:bad"]


# --- The digest ---------------------------------------------------------------------------------


def test_the_digest_is_of_the_action_the_sessions_and_the_effects(
    plan_for: MakePlan, store: Store
) -> None:
    digests = [plan_for("clear_overrides", origin=o).digest for o in ("any", "auto", "any")]
    assert digests[0] == digests[2] != digests[1]
    few = plan_for("clear_overrides", origin="any", wanted=Wanted(overrides=True))
    store.patch(key("wen"), {"modelOverride": "other"})
    assert len({digests[0], few.digest, plan_for("clear_overrides", origin="any").digest}) == 3


def test_what_a_writer_writes_beside_the_effect_leaves_the_digest(
    plan_for: MakePlan, store: Store
) -> None:
    by_key = Wanted(sort="key")
    before = plan_for("clear_overrides", origin="any", wanted=by_key).digest
    store.patch(key("wen"), {"totalTokens": 5})
    assert plan_for("clear_overrides", origin="any", wanted=by_key).digest == before


def test_the_digest_is_that_of_the_items_as_they_are_kept(plan_for: MakePlan) -> None:
    plan = plan_for("archive")
    assert digest_of(plan.action, plan.params, items_of(plan)) == plan.digest


# --- Pages --------------------------------------------------------------------------------------


def test_a_page_begins_with_the_outcome_and_counts_the_reasons(plan_for: MakePlan) -> None:
    page = plan_page(plan_for("clear_overrides", origin="auto"), show="skipped", page=1)
    assert page.outcome == "1 of 7 sessions will go back to their agent's model."
    assert page.left_alone == "6 stay as they are."
    assert dict(page.reasons)["It has no model override."] == 4
    assert [item.changes for item in page.items] == [False] * 6


def test_a_plan_without_an_effect_says_so(plan_for: MakePlan) -> None:
    page = plan_page(plan_for("clear_field", name="sendPolicy"), show="changes", page=1)
    assert page.outcome == "Nothing would change: every session stays as it is."
    assert page.items == ()


def test_pages_hold_a_hundred_sessions(operator: Actor, store: Store) -> None:
    for number in range(240):
        store.put(f"agent:main:explicit:{number}", {"sessionId": str(number)})
    plan = make_plan(operator, matching(Wanted(), store_id=None), "archive", {}, {})
    pages = [plan_page(plan, show="changes", page=number) for number in (1, 2, 3, 99)]
    assert [len(page.items) for page in pages] == [100, 100, 45, 45]
    assert pages[3].page == 3


# --- Finding ------------------------------------------------------------------------------------


def test_a_plan_is_found_by_its_maker_and_by_admins_only(
    plan_for: MakePlan, operator: Actor, admin: Actor
) -> None:
    plan = plan_for("archive")
    other = Actor(operator.user_id and operator.user_id + 1000, "dave", "operator")
    assert find_plan(operator, plan.pk) == find_plan(admin, plan.pk) == plan
    assert plans_of(operator) == plans_of(admin) == [plan]
    assert plans_of(other) == []
    with pytest.raises(ProblemError) as refused:
        find_plan(other, plan.pk)
    assert refused.value.problem.status == 404


def test_a_plan_holds_for_a_day(plan_for: MakePlan, operator: Actor) -> None:
    plan = plan_for("archive")
    assert not has_expired(plan, timezone.now() + timedelta(hours=23, minutes=59))
    assert has_expired(plan, timezone.now() + timedelta(hours=24, minutes=1))


@pytest.mark.parametrize(("limit", "most"), [("MOST_PLANS", 2), ("MOST_SESSIONS", 2 * 7)])
def test_only_the_newest_plans_of_a_person_are_kept(
    plan_for: MakePlan,
    operator: Actor,
    admin: Actor,
    limit: str,
    most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_another = plan_for("archive", admin)
    monkeypatch.setattr(bulk_plans, limit, most)
    made = [plan_for("archive").pk for _ in range(4)]
    assert [plan.pk for plan in plans_of(operator)] == made[:1:-1]
    assert find_plan(admin, of_another.pk) == of_another


def test_a_plan_of_more_sessions_than_are_kept_stays_alone(
    plan_for: MakePlan, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_plans, "MOST_SESSIONS", 3)
    plan_for("archive")
    last = plan_for("archive")
    assert plans_of(operator) == [last]


def test_a_plan_that_went_meanwhile_is_not_applied(plan_for: MakePlan, operator: Actor) -> None:
    plan = plan_for("archive")
    Plan.objects.filter(pk=plan.pk).delete()
    with pytest.raises(ProblemError) as refused:
        apply_plan(operator, plan, digest=plan.digest, reason="")
    assert refused.value.problem.status == 404
    assert not Job.objects.exists()


def test_sessions_beyond_the_scope_show_nothing_of_themselves(plan_for: MakePlan) -> None:
    plan = plan_for("archive")
    with scope.limited_to({"work"}):
        items = items_of(plan)
    assert {item.title for item in items} == {"a session"}
    assert not any(item.changes or item.picked.key or item.updated_at_ms for item in items)


def test_a_plan_can_be_made_again_without_some_and_for_another_action(
    plan_for: MakePlan, operator: Actor
) -> None:
    plan = plan_for("archive")
    ada = by_name(plan)["ada"].picked
    fewer = plan_again(operator, plan, "archive", {}, without=[(ada.store_id, ada.ref)])
    assert fewer.changing == plan.changing - 1
    chosen = select_again(operator, plan)
    assert (chosen.action, chosen.total) == ("", plan.total)
    again = plan_again(operator, chosen, "clear_overrides", {"origin": "any"})
    assert changed_names(again) == {"wen", "kim"}


def test_a_plan_of_a_store_that_has_gone_says_so(
    plan_for: MakePlan, operator: Actor, store: Store
) -> None:
    plan = plan_for("archive")
    store.path.parent.parent.rename(store.path.parent.parent.with_name("away"))
    open_store(store.path.parent.parent.with_name("work") / "sessions").put("agent:work:x", {})
    fleet().scan()
    again = plan_again(operator, plan, "archive", {})
    assert again.changing == 0
    assert {item.effects.skip for item in items_of(again) if item.picked.why} == {
        "Its store is not there any more, or is outside of your scope."
    }
