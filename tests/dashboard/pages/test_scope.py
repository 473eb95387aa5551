"""A store outside of a person's agents is as if it were not there, on every page and in memory."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpRequest, StreamingHttpResponse
from django.test import Client
from django.urls import path

from dashboard import roles, scope
from dashboard import urls as console_urls
from dashboard.models import AgentScope
from dashboard.services.fleet import fleet
from dashboard.services.problems import ProblemError
from dashboard.services.refs import digest
from dashboard.services.session import find_session
from dashboard.services.workers import Worker
from sessionstore.store import open_store
from tests.dashboard.pages.conftest import entry

pytestmark = pytest.mark.django_db

#: What differs between two answers to the same question: ids, tokens, clocks.
ANSWERED_ALIKE = re.compile(
    r"""[0-9a-f]{12,16}\b|csrf\w+"[^>]+>|"X-CSRFToken":\ "\w+"|\d{9,}|\d\d:\d\d:\d\d[.\d]*Z?""",
    re.X,
)


def limit(user: User, *agents: str) -> None:
    AgentScope.objects.update_or_create(user=user, defaults={"agents": list(agents)})


@pytest.fixture
def main_client(small_state: Path, viewer_client: Client, carol: User) -> Client:
    """A viewer of the agent main; the other agent of the state is work."""
    limit(carol, "main")
    return viewer_client


def id_of(agent: str) -> str:
    return next(reader.id for reader in fleet().refreshed().readers if reader.agent == agent)


def ref_of(agent: str) -> str:
    return digest(f"agent:{agent}:telegram:direct:ada")[:16]


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/overview.json",
        "/stores/",
        "/stores.json",
        "/stores.csv",
        "/sessions/?machine=yes",
        "/sessions/?q=Ada",
        "/sessions.json?machine=yes",
        "/sessions.csv?machine=yes",
        "/sessions/?locked=yes&machine=yes",
    ],
)
def test_no_list_shows_the_other_agent(main_client: Client, address: str) -> None:
    answer = main_client.get(address)
    text = answer.getvalue().decode()
    assert answer.status_code == 200
    assert "Ada at work" not in text
    assert not re.search(r"agents/work|agent:work|>work<|\bwork\b,", text)


def test_asking_for_the_other_agent_is_asking_for_nobody(main_client: Client) -> None:
    pages = [main_client.get(f"/sessions/?agent={name}").text for name in ("work", "nobody")]
    pages = [ANSWERED_ALIKE.sub("", page).replace("nobody", "work") for page in pages]
    assert pages[0] == pages[1]


def test_counts_and_facets_are_of_the_own_agents(main_client: Client) -> None:
    everything = json.loads(main_client.get("/sessions.json?machine=yes").getvalue())
    assert everything["total"] == 3
    assert {row["agent"] for row in everything["sessions"]} == {"main"}
    totals = main_client.get("/overview.json").json()["totals"]
    assert (totals["stores"], totals["sessions"], totals["agents"]) == (1, 3, 1)


@pytest.mark.parametrize("kind", ["", ".json", ".csv"])
def test_the_other_store_answers_as_one_that_is_not_there(main_client: Client, kind: str) -> None:
    suffix = kind or "/"
    seen = [
        main_client.get(f"/stores/{ident}/sessions{suffix}")
        for ident in (id_of("work"), "0123456789ab")
    ]
    assert [answer.status_code for answer in seen] == [404, 404]
    texts = {ANSWERED_ALIKE.sub("", answer.text) for answer in seen}
    assert len(texts) == 1


def test_a_session_of_the_other_store_answers_as_one_that_is_not_there(
    main_client: Client,
) -> None:
    seen = [
        main_client.get(f"/stores/{ident}/sessions/{ref_of('work')}.json")
        for ident in (id_of("work"), "0123456789ab")
    ]
    assert [answer.status_code for answer in seen] == [404, 404]
    assert seen[0].json() == seen[1].json()


def test_own_sessions_open(main_client: Client) -> None:
    address = f"/stores/{id_of('main')}/sessions/{ref_of('main')}/"
    assert main_client.get(address).status_code == 200


def test_an_entry_that_names_a_file_of_the_other_agent_does_not_show_it(
    small_state: Path, main_client: Client, carol: User
) -> None:
    there = small_state / "agents" / "work" / "sessions" / "secret.jsonl"
    there.write_text("x" * 12_345)
    store = open_store(small_state / "agents" / "main" / "sessions")
    address = f"/stores/{id_of('main')}/sessions/{ref_of('main')}.json"
    seen = []
    for name in ("secret.jsonl", "missing.jsonl"):
        store.patch("agent:main:telegram:direct:ada", {"sessionFile": str(there.with_name(name))})
        seen.append(main_client.get(address).json()["transcript"])
    assert seen[0] == seen[1]
    assert "12345" not in str(seen[0])
    limit(carol, "main", "work")
    store.patch("agent:main:telegram:direct:ada", {"sessionFile": str(there)})
    assert main_client.get(address).json()["transcript"]["size_bytes"] == 12_345


def test_a_live_list_says_of_rows_out_of_scope_that_they_are_gone(main_client: Client) -> None:
    shown = f"1 0123456789abcdef {id_of('work')}-{ref_of('work')}"
    page = main_client.get("/sessions/", headers={"HX-Request": "true", "X-Live": shown}).text
    assert "Ada at work" not in page
    assert "agent:work" not in page
    assert "data-gone" in page


def test_a_scope_without_agents_shows_nothing(
    small_state: Path, viewer_client: Client, carol: User
) -> None:
    limit(carol)
    assert viewer_client.get("/stores.json").json()["stores"] == []
    assert json.loads(viewer_client.get("/sessions.json").getvalue())["total"] == 0


def test_whoever_sees_nothing_is_told_that_it_is_a_limit(
    small_state: Path, viewer_client: Client, carol: User
) -> None:
    limit(carol, "elsewhere")
    for address in ("/", "/stores/"):
        assert "limited what you see to: elsewhere" in viewer_client.get(address).text


def test_people_without_a_scope_see_every_agent(small_state: Path, viewer_client: Client) -> None:
    assert len(viewer_client.get("/stores.json").json()["stores"]) == 2


def test_a_scope_does_not_bind_admins(small_state: Path, admin_client: Client, alice: User) -> None:
    limit(alice, "main")
    assert len(admin_client.get("/stores.json").json()["stores"]) == 2


def test_a_changed_scope_holds_from_the_next_request(main_client: Client, carol: User) -> None:
    assert main_client.get(f"/stores/{id_of('work')}/sessions/").status_code == 404
    limit(carol, "work")
    assert main_client.get(f"/stores/{id_of('work')}/sessions/").status_code == 200
    assert main_client.get(f"/stores/{id_of('main')}/sessions/").status_code == 404


def test_names_are_compared_whole(small_state: Path, viewer_client: Client, carol: User) -> None:
    limit(carol, "mai", "main2", "MAIN", "work ")
    assert viewer_client.get("/stores.json").json()["stores"] == []


# --- What one process keeps for all ---------------------------------------------------------------


def test_a_shared_look_is_cut_for_each_person(small_state: Path) -> None:
    with scope.limited_to({"main"}):
        first = fleet().refreshed(max_age_s=60)
    with scope.limited_to({"work"}):
        second = fleet().refreshed(max_age_s=60)
    everything = fleet().refreshed(max_age_s=60)
    agents = [[reader.agent for reader in scan.readers] for scan in (first, second, everything)]
    assert agents == [["main"], ["work"], ["main", "work"]]


def test_a_limited_look_closes_no_store_of_others(small_state: Path) -> None:
    work = id_of("work")
    with scope.limited_to({"main"}):
        fleet().scan()
    assert fleet().known(work) is fleet().reader(work)


def test_a_store_that_is_known_is_not_known_out_of_scope(small_state: Path) -> None:
    work = id_of("work")
    with scope.limited_to({"main"}):
        assert fleet().known(work) is None
        with pytest.raises(ProblemError) as caught:
            find_session(work, ref_of("work"))
    assert caught.value.problem.status == 404


def test_a_state_that_does_not_answer_shows_only_known_stores_in_scope(
    small_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_of("work")
    hangs = threading.Event()
    monkeypatch.setattr(fleet(), "_find", lambda: hangs.wait(5) and [])
    with scope.limited_to({"main"}):
        scan = fleet().scan(budget_s=0.05)
    hangs.set()
    assert scan.problem is not None
    assert [reader.agent for reader in scan.readers] == ["main"]


def test_stores_that_are_skipped_obey_the_scope(small_state: Path) -> None:
    (small_state / "agents" / "linked").mkdir()
    (small_state / "agents" / "linked" / "sessions").symlink_to(small_state / "agents" / "work")
    assert [skipped.agent for skipped in fleet().scan().skipped] == ["linked"]
    with scope.limited_to({"main"}):
        assert fleet().scan().skipped == ()


def test_agents_whose_masked_names_are_alike_stay_apart(small_state: Path) -> None:
    for end in ("a", "b"):
        name = "sk-ant-" + "x" * 20 + end
        open_store(small_state / "agents" / name / "sessions").put("agent:x:main", entry("x", 1))
    names = [reader.agent for reader in fleet().scan().readers]
    assert len(set(names)) == len(names) == 4


def test_work_in_a_stores_thread_keeps_the_scope_of_who_asked() -> None:
    worker = Worker("test")
    with scope.limited_to({"main"}):
        future = worker.submit(scope.current)
    assert future.result(5) == frozenset({"main"})
    assert worker.submit(scope.current).result(5) is None
    worker.close()


# --- Streaming answers ----------------------------------------------------------------------------


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[str]:
        for _ in range(2):
            yield f"{scope.current()} "

    return StreamingHttpResponse(parts())


class UrlsWithStream:
    urlpatterns = [*console_urls.urlpatterns, path("stream", roles.role_required("viewer")(stream))]


def test_the_body_of_a_streaming_answer_is_made_in_scope(
    main_client: Client, settings: Any
) -> None:
    settings.ROOT_URLCONF = UrlsWithStream
    answer = main_client.get("/stream")
    assert scope.current() is None
    body = b""
    for part in answer:
        body += part
        assert scope.current() is None
    assert body.decode() == "frozenset({'main'}) " * 2


def test_the_scope_ends_with_the_request(main_client: Client) -> None:
    main_client.get("/stores/")
    assert scope.current() is None


def test_people_who_ask_at_once_keep_their_own_scopes(small_state: Path) -> None:
    seen: dict[str, Any] = {}
    inside = threading.Barrier(2, timeout=60)

    def ask(agent: str) -> None:
        with scope.limited_to({agent}):
            inside.wait()
            seen[agent] = [reader.agent for reader in fleet().refreshed().readers]

    threads = [threading.Thread(target=ask, args=(agent,)) for agent in ("main", "work")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == {"main": ["main"], "work": ["work"]}


# --- Scopes as values -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (None, None, None),
        (None, {"a"}, {"a"}),
        ({"a"}, None, {"a"}),
        ({"a", "b"}, {"b", "c"}, {"b"}),
        (set(), None, set()),
        ({"a"}, {"b"}, set()),
    ],
)
def test_both_scopes_give_what_is_in_each(one: Any, other: Any, expected: Any) -> None:
    as_scope: Callable[[Any], Any] = lambda agents: None if agents is None else frozenset(agents)  # noqa: E731
    assert scope.both(as_scope(one), as_scope(other)) == as_scope(expected)
