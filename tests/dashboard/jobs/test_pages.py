"""The list of jobs and one job's page: what they show, to whom, and what may be done there."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from dashboard.jobs import claiming, life, queue
from dashboard.live import LONGEST_S
from dashboard.models import AgentScope, AuditEvent, Job, JobItem, JobRunner
from dashboard.services.fleet import fleet
from sessionstore.store import open_store
from tests.conftest import MakeUser, client_for
from tests.dashboard.jobs.acting import KIND, Acts, actor_for, ask, run
from tests.dashboard.pages.hostile import DIRECTION, FORMULA, MARKUP, SECRET

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("acts", "watched_agents")]

ADA = "agent:main:telegram:direct:ada"


@pytest.fixture
def runner(db: None) -> str:
    """A runner that has just given a sign of life."""
    life.begin("runner")
    return "runner"


def text_of(client: Client, path: str) -> str:
    """The words of a page, without its markup."""
    page = client.get(path)
    assert page.status_code == 200
    main = re.search(r"<main.*</main>", page.text, re.DOTALL)
    assert main is not None
    return " ".join(re.sub(r"<[^>]+>", " ", main[0]).split())


def look(client: Client, path: str, page: str) -> Any:
    """Ask as the live part of a page does."""
    header = re.search(r'"X-Live": "([^"]+)"', page)
    assert header is not None
    return client.get(path, headers={"HX-Request": "true", "X-Live": header[1]})


# --- The list ------------------------------------------------------------------------------------


def test_an_empty_list_says_so_and_where_jobs_come_from(viewer_client: Client) -> None:
    text = text_of(viewer_client, "/jobs/")
    assert "Nothing is running" not in text
    assert "No job has been asked for yet" in text


def test_when_nothing_runs_the_last_job_is_named(bob: User, viewer_client: Client) -> None:
    ask(bob, "done", "failed", title="Archive two")
    run()
    text = text_of(viewer_client, "/jobs/")
    assert "Nothing is running. Last job: Archive two" in text
    assert "Finished: 1 done, 1 failed." in text


def test_the_list_shows_what_runs_first_then_what_waits_then_what_was_done(
    bob: User, viewer_client: Client
) -> None:
    old, running, waiting, paused = (ask(bob, "done", title=f"Job {n}") for n in range(4))
    run()
    claiming.claim("runner")
    queue.pause(actor_for(bob), paused.pk)
    page = viewer_client.get("/jobs/").text
    order = re.findall(r'<tr id="job-(\d+)"', page)
    assert order == [str(job.pk) for job in (running, paused, waiting, old)]
    assert "1 running, 1 waiting." in page


def test_a_running_job_shows_numbers_rate_time_left_and_the_item_at_hand(
    bob: User, viewer_client: Client, runner: str
) -> None:
    job = ask(bob, *["done"] * 40, reason="because")
    claiming.claim(runner)
    now = timezone.now()
    Job.objects.filter(pk=job.pk).update(
        done=8, failed=2, current=ADA, claimed_at=now - timedelta(seconds=5), heartbeat_at=now
    )
    for path in ("/jobs/", f"/jobs/{job.pk}/"):
        page = viewer_client.get(path).text
        assert '<progress class="job-progress-bar" max="40" value="10"' in page
        for words in ("10 of 40", "2 failed", "2.0 a second, about 15 s left", "because", ADA):
            assert words in page


def test_a_rate_is_not_told_before_there_is_one(bob: User, viewer_client: Client) -> None:
    job = ask(bob, "done", "done", "done")
    claiming.claim("runner")
    assert "a second" not in text_of(viewer_client, f"/jobs/{job.pk}/")


def test_a_job_whose_runner_is_silent_is_stalled(bob: User, viewer_client: Client) -> None:
    job = ask(bob, "done")
    claiming.claim("runner")
    ago = Now() - timedelta(seconds=40)
    Job.objects.update(heartbeat_at=ago, lease_until=ago + timedelta(seconds=3))
    assert "stalled last sign of life 40 s ago" in text_of(viewer_client, "/jobs/")
    assert "last sign of life 40 s ago. The next runner takes the job over" in text_of(
        viewer_client, f"/jobs/{job.pk}/"
    )


def test_a_stalled_job_is_cancelled_at_once_and_its_button_says_so(
    bob: User, operator_client: Client
) -> None:
    job = ask(bob, "done")
    claiming.claim("runner")
    assert "Cancel after this item" in text_of(operator_client, f"/jobs/{job.pk}/")
    Job.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert "Cancel after this item" not in text_of(operator_client, f"/jobs/{job.pk}/")
    operator_client.post(f"/jobs/{job.pk}/cancel/")
    assert Job.objects.get().state == "cancelled"


def test_a_job_that_waits_for_another_on_its_store_says_for_which(
    bob: User, viewer_client: Client, store_id: str
) -> None:
    first = ask(bob, "done", store_id=store_id)
    second = ask(bob, "done", store_id=store_id)
    claiming.claim("runner")
    said = f"waits for job {first.pk}, which is at work on main"
    assert said in text_of(viewer_client, "/jobs/")
    assert said in text_of(viewer_client, f"/jobs/{second.pk}/")


def test_without_a_runner_the_pages_say_how_to_start_one(bob: User, viewer_client: Client) -> None:
    job = ask(bob, "done")
    said = "No job runner is running; start manage.py jobs"
    for path in ("/jobs/", f"/jobs/{job.pk}/"):
        assert said in text_of(viewer_client, path)
    life.begin("runner")
    for path in ("/jobs/", f"/jobs/{job.pk}/"):
        assert said not in text_of(viewer_client, path)


def test_a_runner_that_is_silent_for_long_is_none(
    bob: User, viewer_client: Client, runner: str
) -> None:
    ask(bob, "done")
    JobRunner.objects.update(seen_at=Now() - timedelta(seconds=20))
    assert "No job runner is running" in text_of(viewer_client, "/jobs/")


def test_a_read_only_console_says_that_it_runs_no_jobs(
    bob: User, operator_client: Client, settings: Any
) -> None:
    job = ask(bob, "done")
    settings.READ_ONLY = True
    for path in ("/jobs/", f"/jobs/{job.pk}/"):
        page = operator_client.get(path).text
        assert "it runs no jobs" in page
        assert "start manage.py jobs" not in page
        assert "/cancel/" not in page


def test_the_address_filters_by_state_kind_and_person(
    bob: User, alice: User, viewer_client: Client
) -> None:
    done = ask(bob, "done")
    run()
    mine, hers = ask(bob, "done"), ask(alice, "done")
    Job.objects.filter(pk=mine.pk).update(kind="other")

    def listed(query: str) -> set[int]:
        found = viewer_client.get(f"/jobs.json?{query}").json()["jobs"]
        page = viewer_client.get(f"/jobs/?{query}").text
        ids = {job["id"] for job in found}
        assert set(map(int, re.findall(r'<tr id="job-(\d+)"', page))) == ids
        return ids

    assert listed("state=done") == {done.pk}
    assert listed("kind=other") == {mine.pk}
    assert listed("person=alice") == {hers.pk}
    assert listed(f"state=waiting&kind={KIND}&person=alice") == {hers.pk}
    assert listed("person=nobody") == set()
    assert listed("state=bogus&page=x") == {done.pk, mine.pk, hers.pk}


def test_a_filter_that_matches_nothing_says_so(bob: User, viewer_client: Client) -> None:
    ask(bob, "done")
    assert "No job matches" in text_of(viewer_client, "/jobs/?state=failed")


def test_the_list_has_pages(bob: User, viewer_client: Client) -> None:
    for _job in range(26):
        ask(bob, "done")
    page = viewer_client.get("/jobs/?per=25&state=waiting").text
    assert page.count("<tr id=") == 25
    assert 'href="/jobs/?state=waiting&amp;per=25&amp;page=2"' in page
    assert viewer_client.get("/jobs/?per=25&page=99").text.count("<tr id=") == 1
    assert len(viewer_client.get("/jobs.json?per=25").json()["jobs"]) == 26


# --- One job -------------------------------------------------------------------------------------


def test_each_item_shows_its_result_and_leads_to_its_session(
    bob: User, viewer_client: Client, store_id: str
) -> None:
    items = [(store_id, ADA, {"does": "failed", "says": "The lock is held."})]
    job = ask(bob, items=items)
    run()
    page = viewer_client.get(f"/jobs/{job.pk}/").text
    assert "The lock is held." in page
    link = re.search(r'href="(/stores/[^"]+)" data-open>telegram:direct:ada', page)
    assert link is not None
    assert viewer_client.get(link[1]).status_code == 200


def test_items_are_filtered_by_result_and_have_pages(bob: User, viewer_client: Client) -> None:
    job = ask(bob, *["done"] * 30, "failed", "skipped")
    run()
    path = f"/jobs/{job.pk}/"
    assert viewer_client.get(path + "?result=failed").text.count("<tr id=") == 1
    assert viewer_client.get(path + "?per=25").text.count("<tr id=") == 25
    assert viewer_client.get(path + "?per=25&page=2").text.count("<tr id=") == 7
    assert "No item has this result" in text_of(viewer_client, path + "?result=waiting")


def test_an_item_that_will_be_tried_again_says_when(bob: User, viewer_client: Client) -> None:
    job = ask(bob, items=[("", "one", {"does": "retry", "says": "The session is locked."})])
    run()
    text = text_of(viewer_client, f"/jobs/{job.pk}/")
    assert re.search(
        r"The session is locked\. Tried again (in 1 s|as soon as a runner is free) \(1 of 5\)\.",
        text,
    )
    assert "goes on" in text


def test_a_session_of_a_store_that_is_gone_has_no_link(
    bob: User, viewer_client: Client, store_id: str, settings: Any, tmp_path: Any
) -> None:
    job = ask(bob, items=[(store_id, ADA, {})])
    settings.STATE_DIR = tmp_path
    page = viewer_client.get(f"/jobs/{job.pk}/")
    assert page.status_code == 200
    assert f"/stores/{store_id}" not in page.text


def test_a_job_that_is_not_there_is_not_found(viewer_client: Client) -> None:
    for path in ("/jobs/99/", "/jobs/99.json", "/jobs/99.csv"):
        answer = viewer_client.get(path)
        assert answer.status_code == 404
        assert "no job with this number" in answer.text


def test_items_are_called_as_their_sessions_are_by_now(
    bob: User, store_id: str, viewer_client: Client
) -> None:
    other = "agent:main:telegram:direct:lin"
    reader = fleet().reader(store_id)
    with open_store(reader.paths.store_path) as store:
        store.put(ADA, {"sessionId": "id-ada", "label": "Ada Lovelace"})
    job = ask(bob, items=[(store_id, ADA, {"does": "done"}), (store_id, other, {"does": "done"})])
    viewer_client.get("/sessions/")
    text = text_of(viewer_client, f"/jobs/{job.pk}/")
    assert "1 Ada Lovelace telegram:direct:ada waiting" in text
    assert "2 telegram:direct:lin waiting" in text


# --- Hostile text --------------------------------------------------------------------------------


@pytest.fixture
def hostile(bob: User, store_id: str) -> Job:
    says = {"does": "failed", "says": f"{MARKUP} {SECRET} {DIRECTION}"}
    keys = [f"agent:main:{MARKUP}", f"agent:main:{SECRET}", FORMULA]
    job = ask(
        bob,
        title=f"{MARKUP} {SECRET}",
        reason=f"{FORMULA} {SECRET} {DIRECTION}",
        items=[(store_id, key, says) for key in keys],
    )
    # As a runner of another make may leave it.
    Job.objects.filter(pk=job.pk).update(current=f"{MARKUP}{SECRET}", outcome=f"{MARKUP}{SECRET}")
    run()
    return job


def test_hostile_text_is_harmless_on_every_page_and_in_every_file(
    hostile: Job, viewer_client: Client
) -> None:
    for path in ("/jobs/", f"/jobs/{hostile.pk}/", "/jobs.json", f"/jobs/{hostile.pk}.json"):
        text = viewer_client.get(path).getvalue().decode()
        assert SECRET not in text
        assert "\u202e" not in text
        if not path.endswith(".json"):
            assert "<script>window" not in text
            assert "<img" not in text


def test_a_spreadsheet_runs_nothing(hostile: Job, viewer_client: Client) -> None:
    for path in ("/jobs.csv", f"/jobs/{hostile.pk}.csv"):
        text = viewer_client.get(path).getvalue().decode()
        assert SECRET not in text
        for row in csv.reader(io.StringIO(text)):
            assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)


# --- Reports -------------------------------------------------------------------------------------


def test_the_report_has_a_result_for_each_item(bob: User, viewer_client: Client) -> None:
    job = ask(bob, "done", "failed", "skipped")
    run()
    report = viewer_client.get(f"/jobs/{job.pk}.json").getvalue()
    report = json.loads(report)
    assert (report["id"], report["state"], report["done"]) == (job.pk, "done", 1)
    assert [item["state"] for item in report["items"]] == ["done", "failed", "skipped"]
    text = viewer_client.get(f"/jobs/{job.pk}.csv?result=failed").getvalue().decode()
    [row] = csv.DictReader(io.StringIO(text))
    assert (row["number"], row["key"], row["state"]) == ("2", "item 1", "failed")


def test_a_report_of_many_items_is_whole(bob: User, viewer_client: Client) -> None:
    job = ask(bob, *["done"] * 1201)
    text = viewer_client.get(f"/jobs/{job.pk}.csv").getvalue().decode()
    assert len(list(csv.reader(io.StringIO(text)))) == 1202


# --- Live ----------------------------------------------------------------------------------------


def test_a_look_that_finds_nothing_new_gets_the_bar_alone_and_asks_less_often(
    bob: User, viewer_client: Client, runner: str
) -> None:
    job = ask(bob, "done", "done")
    claiming.claim(runner)
    path = f"/jobs/{job.pk}/"
    page = viewer_client.get(path).text
    waits = []
    for _look in range(5):
        waits.append(re.search(r"every (\d+)s", page)[1])  # type: ignore[index]
        answer = look(viewer_client, path, page)
        assert answer["HX-Retarget"] == "#job-bar"
        assert "<table" not in answer.text
        page = answer.text
    assert waits == ["2", "4", "8", "10", "10"]


def test_a_look_that_finds_something_new_gets_the_part_and_is_soon_repeated(
    bob: User, viewer_client: Client, runner: str
) -> None:
    job = ask(bob, "done", "done")
    claiming.claim(runner)
    path = f"/jobs/{job.pk}/"
    page = look(viewer_client, path, viewer_client.get(path).text).text
    Job.objects.update(done=1)
    answer = look(viewer_client, path, page)
    assert answer.status_code == 200
    assert 'id="job-live"' in answer.text
    assert "every 2s" in answer.text
    assert "<main" not in answer.text


def test_a_quarter_of_the_way_is_announced_once(
    bob: User, operator_client: Client, runner: str
) -> None:
    job = ask(bob, *["done"] * 8)
    claiming.claim(runner)
    path = f"/jobs/{job.pk}/"
    page = operator_client.get(path).text
    assert 'hx-swap-oob="innerHTML"' not in page
    said = []
    for done in range(1, 8):
        Job.objects.update(done=done)
        page = look(operator_client, path, page).text
        said += re.findall(r'<p id="said" hx-swap-oob="innerHTML">([^<]+)</p>', page)
    assert said == [f"Running: {done} of 8 have a result." for done in (2, 4, 6)]


def test_looking_stops_when_the_job_is_over_and_its_end_is_announced(
    bob: User, operator_client: Client
) -> None:
    job = ask(bob, "done", "failed")
    path = f"/jobs/{job.pk}/"
    page = operator_client.get(path).text
    assert f"{path}cancel/" in page
    run()
    answer = look(operator_client, path, page)
    assert answer.status_code == 286
    assert "X-Live" not in answer.text
    assert '<p id="said" hx-swap-oob="innerHTML">Finished: 1 done, 1 failed.</p>' in answer.text
    actions = re.search(r'<div id="job-actions".*?</div>', answer.text, re.DOTALL)
    assert actions is not None
    assert 'hx-swap-oob="outerHTML"' in actions[0]
    assert f"{path}retry/" in actions[0]
    assert "cancel" not in actions[0]


def test_a_page_left_alone_stops_looking(bob: User, viewer_client: Client) -> None:
    ask(bob, "done")
    page = viewer_client.get("/jobs/").text
    header = re.search(r'"X-Live": "(\d+) ([^"]+)"', page)
    assert header is not None
    since = int(header[1]) - LONGEST_S - 1
    headers = {"HX-Request": "true", "X-Live": f"{since} {header[2]}"}
    answer = viewer_client.get("/jobs/", headers=headers)
    assert answer.status_code == 286
    assert "Not live after 30 minutes" in answer.text


def test_a_page_that_is_held_does_not_look(bob: User, viewer_client: Client) -> None:
    job = ask(bob, "done")
    for path in ("/jobs/?live=off", f"/jobs/{job.pk}/?live=off"):
        page = viewer_client.get(path).text
        assert "X-Live" not in page
        assert "Make it live" in page


def test_the_list_is_announced_when_its_numbers_change(bob: User, viewer_client: Client) -> None:
    ask(bob, "done", title="Visit")
    page = viewer_client.get("/jobs/").text
    run()
    answer = look(viewer_client, "/jobs/", page)
    said = "Nothing is running. Last job: Visit. Finished: 1 done."
    assert f'<p id="said" hx-swap-oob="innerHTML">{said}</p>' in answer.text


# --- Who may see and do --------------------------------------------------------------------------


def test_people_with_a_scope_see_jobs_that_are_in_it_as_a_whole(
    bob: User, carol: User, store_id: str, other_store_id: str, viewer_client: Client
) -> None:
    inside = ask(bob, "done", store_id=store_id)
    partly = ask(bob, items=[(store_id, "a", {}), (other_store_id, "b", {})])
    outside = ask(bob, "done", store_id=other_store_id)
    of_none = ask(bob, "done")
    everything = {job["id"] for job in viewer_client.get("/jobs.json").json()["jobs"]}
    assert everything == {inside.pk, partly.pk, outside.pk, of_none.pk}
    AgentScope.objects.create(user=carol, agents=["main"])
    assert [job["id"] for job in viewer_client.get("/jobs.json").json()["jobs"]] == [inside.pk]
    assert viewer_client.get(f"/jobs/{inside.pk}/").status_code == 200
    for job in (partly, outside, of_none):
        for path in (f"/jobs/{job.pk}/", f"/jobs/{job.pk}.json", f"/jobs/{job.pk}.csv"):
            assert viewer_client.get(path).status_code == 404


def test_what_a_job_waits_for_is_not_told_to_who_may_not_see_it(
    bob: User, carol: User, store_id: str, other_store_id: str, viewer_client: Client
) -> None:
    hidden = ask(bob, items=[(store_id, "a", {}), (other_store_id, "b", {})])
    ask(bob, "done", store_id=store_id)
    claiming.claim("runner")
    AgentScope.objects.create(user=carol, agents=["main"])
    text = text_of(viewer_client, "/jobs/")
    assert "waits for another job that is at work on main" in text
    assert f"job {hidden.pk}" not in text


@pytest.mark.parametrize("step", ["pause", "resume", "cancel", "retry"])
def test_steps_are_for_operators_own_jobs_and_for_admins(
    step: str, bob: User, viewer_client: Client, make_user: MakeUser
) -> None:
    job = ask(bob, "done")
    path = f"/jobs/{job.pk}/"
    for client in (viewer_client, client_for(make_user("dave", "operator"))):
        assert client.post(f"{path}{step}/").status_code == 403
        assert (
            'method="post"'
            not in re.search(  # type: ignore[index]
                r"<main.*</main>", client.get(path).text, re.DOTALL
            )[0]
        )
    assert Job.objects.get().state == "waiting"


def test_the_buttons_of_a_page_do_what_they_say(
    bob: User, operator_client: Client, admin_client: Client, acts: Acts
) -> None:
    job = ask(bob, "failed", "done")
    path = f"/jobs/{job.pk}/"

    def buttons(client: Client) -> list[str]:
        return re.findall(rf'action="{path}(\w+)/"', client.get(path).text)

    assert buttons(operator_client) == buttons(admin_client) == ["pause", "cancel"]
    answer = operator_client.post(f"{path}pause/", follow=True)
    assert answer.redirect_chain == [(path, 302)]
    assert "The job is paused; an item at hand is finished first." in answer.text
    assert buttons(operator_client) == ["resume", "cancel"]
    admin_client.post(f"{path}resume/")
    run()
    assert buttons(operator_client) == ["retry"]
    JobItem.objects.update(params={"does": "done"})
    operator_client.post(f"{path}retry/")
    run()
    assert buttons(operator_client) == []
    assert Job.objects.get().done == 2
    operator_client.post(f"{path}cancel/")
    assert AuditEvent.objects.filter(action="job.cancel").count() == 0


def test_what_a_job_changed_can_be_taken_back_by_operators(
    bob: User, operator_client: Client, viewer_client: Client
) -> None:
    job = ask(bob, items=[("", "one", {"change_id": 7}), ("", "two", {})])
    unchanged = ask(bob, "skipped")
    path, link = f"/jobs/{job.pk}/", f"/undo/jobs/{job.pk}/"
    assert link not in operator_client.get(path).text
    run()
    run()
    page = operator_client.get(path).text
    assert link in page
    assert 'href="/undo/7/"' in page
    assert link not in viewer_client.get(path).text
    assert "/undo/jobs/" not in operator_client.get(f"/jobs/{unchanged.pk}/").text


def test_a_step_that_comes_too_late_is_refused_with_the_reason(
    bob: User, operator_client: Client
) -> None:
    job = ask(bob, "done")
    run()
    answer = operator_client.post(f"/jobs/{job.pk}/pause/")
    assert answer.status_code == 409
    assert "It cannot be paused now, since it is done." in answer.text


def test_steps_are_posts(operator_client: Client) -> None:
    for step in ("pause", "resume", "cancel", "retry"):
        assert operator_client.get(f"/jobs/1/{step}/").status_code == 405


def test_every_role_finds_jobs_in_the_menu(
    viewer_client: Client, operator_client: Client, admin_client: Client
) -> None:
    for client in (viewer_client, operator_client, admin_client):
        assert 'href="/jobs/" aria-current="page"' in client.get("/jobs/").text
