"""What an answer says: stores as they are, nothing that is not known, and no name that leaks."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from dashboard import audit
from dashboard.models import Job
from dashboard.services import metrics_agents, metrics_answer, metrics_console, metrics_kept
from dashboard.services.fleet import fleet
from dashboard.services.metrics_follow import Follower, add_up_stores
from dashboard.services.metrics_names import ALL, BY_NAME
from dashboard.services.metrics_shapes import Families, empty_family
from dashboard.services.metrics_text import Printer
from dashboard.services.metrics_words import FAILURES
from sessionstore.backup import create_backup, default_root, note_proven
from sessionstore.store import open_store
from tests.conftest import REPOSITORY
from tests.dashboard.metrics.reports import TOKEN, Scrape, append, group, process, window

pytestmark = pytest.mark.django_db

Scraper = Callable[[], Scrape]
Agents = Callable[..., list[Path]]
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
NOW = time.time_ns() // 1_000_000
KIND = "backup.create"


@pytest.fixture(autouse=True)
def fresh_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_kept, "_catalogue", None)


def test_the_shape_of_stores_is_told(agents: Agents, scrape: Scraper) -> None:
    [main, _work] = agents("main", "work")
    (main / "sessions.d" / "agent%3Amain%3Abad.json").write_text("{")
    seen = scrape()
    assert seen("sessions", agent="main", layout="directory") == 2
    assert seen("damaged_entries", agent="main", layout="directory") == 1
    assert seen("damaged_entries", agent="work", layout="directory") == 0
    assert seen.total("index_bytes", agent="work") > 0


def test_what_is_not_measured_has_no_samples(agents: Agents, scrape: Scraper) -> None:
    agents("main")
    seen = scrape()
    assert "sessionstore_orphan_bytes" in seen.families
    for name in ("orphan_bytes", "orphan_files", "transcript_bytes", "audit_chain_ok"):
        assert not any(found == f"sessionstore_{name}" for found, _ in seen.samples), name


def test_a_held_lock_and_who_waits_are_told(agents: Agents, scrape: Scraper) -> None:
    [main] = agents("main")
    asked, answered = threading.Event(), threading.Event()

    def hold(entry: Any) -> None:
        asked.set()
        assert answered.wait(30)

    with open_store(main / "sessions.json", report=False) as store:
        held = threading.Thread(target=store.update, args=("agent:main:main", hold))
        held.start()
        assert asked.wait(30)
        try:
            seen = scrape()
        finally:
            answered.set()
            held.join(30)
    alive = {"agent": "main", "scope": "session", "verdict": "alive"}
    assert seen("locks_held", **alive) == 1
    assert seen("lock_oldest_held_seconds", agent="main", scope="session") > 0  # type: ignore[operator]
    assert seen("lock_waiters", agent="main", scope="session") == 0
    assert scrape()("locks_held", **alive) == 0


def test_a_store_that_hangs_has_no_figures_of_now_and_keeps_its_totals(
    agents: Agents, scrape: Scraper, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    [main, _work] = agents("main", "work")
    append(main, window(process(1), NOW - 5000, NOW, group([1, 2])))
    Follower().finish()
    before = scrape()
    go_on = threading.Event()
    [slow] = [reader for reader in fleet().scan().readers if reader.agent == "main"]
    settings.PAGE_WAIT_S = 0.3
    hanging = [slow._scans.submit(go_on.wait), slow._reads.submit(go_on.wait)]
    try:
        Follower().finish()
        seen = scrape()
    finally:
        go_on.set()
        for future in hanging:
            future.result(30)
    sampled = "collector_last_sample_timestamp_seconds"
    assert seen(sampled, agent="main") == before(sampled, agent="main")
    assert seen(sampled, agent="work") > before(sampled, agent="work")  # type: ignore[operator]
    assert seen("lock_waiters", agent="main", scope="session") is None
    assert seen("lock_waiters", agent="work", scope="session") == 0
    assert seen.total("lock_wait_seconds_count", agent="main") == 2


def test_an_answer_is_shared_for_some_seconds(
    agents: Agents, scrape: Scraper, monkeypatch: pytest.MonkeyPatch
) -> None:
    [main] = agents("main")
    first = scrape()
    with open_store(main / "sessions.json", report=False) as store:
        store.put("agent:main:second", {"updatedAt": 2})
    shared = Client().get("/metrics", headers=RIGHT).content.decode()
    assert 'sessionstore_sessions{agent="main",layout="directory"} 1.0' in shared
    assert first("sessions", agent="main", layout="directory") == 1
    monkeypatch.setattr(metrics_answer, "SHARED_S", 0)
    assert scrape()("sessions", agent="main", layout="directory") == 2


def test_a_scrape_changes_no_file(agents: Agents, scrape: Scraper, var: Path) -> None:
    agents("main")
    Follower().finish()
    scrape()

    def state() -> dict[str, float]:
        places = [var / "metrics", fleet().state_dir]
        found = [path for place in places if place for path in place.rglob("*")]
        return {str(path): path.stat().st_mtime_ns for path in found}

    before = state()
    scrape()
    assert state() == before


def test_openmetrics_is_given_to_who_asks_for_it(agents: Agents, scrape: Scraper) -> None:
    agents("main")
    Follower().finish()
    metrics_answer.forget()
    accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
    response = Client().get("/metrics", headers={**RIGHT, **accept})
    assert response["Content-Type"].startswith("application/openmetrics-text")
    text = response.content.decode()
    found = {family.name for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
    assert "sessionstore_lock_timeouts" in found


def test_a_packed_answer_is_the_same(agents: Agents, scrape: Scraper) -> None:
    agents("main")
    plain = Client().get("/metrics", headers=RIGHT)
    packed = Client().get("/metrics", headers={**RIGHT, "Accept-Encoding": "gzip"})
    refused = Client().get("/metrics", headers={**RIGHT, "Accept-Encoding": "gzip;q=0"})
    assert packed["Content-Encoding"] == "gzip"
    assert metrics_answer.unpacked(packed.content) == plain.content == refused.content
    assert "Accept-Encoding" in plain["Vary"]
    assert len(packed.content) < len(plain.content) / 8


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text;version=1.0.0"])
def test_printing_piece_by_piece_gives_what_the_library_prints_at_once(
    agents: Agents, scrape: Scraper, accept: str
) -> None:
    [main] = agents("main")
    append(main, window(process(1), NOW - 5000, NOW, group([1, 2])))
    Follower().finish()
    families = metrics_answer._families()
    encoder, _type = choose_encoder(accept)
    printer = Printer(encoder)
    assert printer.text(families) == printer.text(families) == encoder(AtOnce(families))
    append(main, window(process(2), NOW - 5000, NOW, group([1, 2])))
    Follower().finish()
    later = metrics_answer._families()
    assert printer.text(later) == encoder(AtOnce(later)) != encoder(AtOnce(families))


class AtOnce(Collector):
    """All of an answer as one registry."""

    def __init__(self, families: Families) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        for name in BY_NAME:
            family = self._families.plain.get(name) or empty_family(name)
            for counted in self._families.counted.get(name, ()):
                family.samples.extend(counted.family().samples)
            yield family


# -- hostile stores ------------------------------------------------------------------------------


def agents_in(seen: Scrape) -> set[str]:
    return {dict(labels)["agent"] for name, labels in seen.samples if name.endswith("e_sessions")}


def test_no_key_path_host_or_program_is_ever_a_label(agents: Agents, scrape: Scraper) -> None:
    [main] = agents("main")
    with open_store(main / "sessions.json", report=False) as store:
        store.put("agent:main:telegram:direct:4915112345678", {"updatedAt": 1})
    append(main, window(process(1, host="secret-host"), NOW - 5000, NOW, group([1])))
    Follower().finish()
    texts = {value for _, labels in scrape().samples for _, value in labels}
    assert not [text for text in texts if re.search(r"telegram|49151|secret|gateway|/", text)]


@pytest.mark.parametrize("name", ['a"}b 1\nx', "<script>", "sk-ant-api03-" + "a" * 40, "日本"])
def test_an_agent_of_any_name_is_one_masked_label(
    agents: Agents, scrape: Scraper, name: str
) -> None:
    agents(name, "main")
    Follower().finish()
    seen = scrape()
    found = agents_in(seen)
    assert len(found) == 2
    assert not any("a" * 40 in agent for agent in found)


def test_agents_in_masses_push_out_none_that_was_there(
    agents: Agents, scrape: Scraper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_agents, "MOST_AGENTS", 3)
    agents("zoe")
    Follower().finish()
    time.sleep(0.002)
    agents(*(f"a{number}" for number in range(6)))
    Follower().finish()
    seen = scrape()
    assert seen("collector_agents_omitted") == 4
    found = agents_in(seen)
    assert len(found) == 3
    assert "zoe" in found


# -- what the console keeps ----------------------------------------------------------------------


def test_backups_are_told_with_never_as_zero(
    agents: Agents, scrape: Scraper, monkeypatch: pytest.MonkeyPatch
) -> None:
    [main] = agents("main")
    assert scrape()("backup_last_success_timestamp_seconds", agent="main") == 0
    state = fleet().state_dir
    assert state is not None
    [reader] = fleet().scan().readers
    with open_store(main / "sessions.json", report=False) as store:
        backup = create_backup(store, root=default_root(reader.paths), reason="test")
    note_proven(backup, at_ms=NOW)
    monkeypatch.setattr(metrics_kept, "_catalogue", None)
    seen = scrape()
    success = seen("backup_last_success_timestamp_seconds", agent="main")
    assert success == pytest.approx(backup.created_ms / 1000)
    proof = seen("backup_last_restore_proof_timestamp_seconds", agent="main")
    assert proof == pytest.approx(NOW / 1000)
    assert seen("backup_bytes", agent="main") == backup.size_bytes


def test_jobs_keep_their_durations_when_their_rows_are_removed(scrape: Scraper) -> None:
    now = timezone.now()
    common = {"kind": KIND, "title": "t", "created_at": now, "not_before": now}
    Job.objects.create(**common, state="waiting")
    started = now - timedelta(seconds=7)
    done = Job.objects.create(**common, state="done", started_at=started, finished_at=now)
    metrics_console.add_up()
    metrics_console.add_up()
    seen = scrape()
    assert seen("jobs", kind=KIND, state="waiting") == 1
    assert seen("jobs", kind=KIND, state="failed") == 0
    assert seen("job_duration_seconds_count", kind=KIND, outcome="done") == 1
    assert seen("job_duration_seconds_sum", kind=KIND, outcome="done") == pytest.approx(7)
    done.delete()
    metrics_console.add_up()
    assert scrape()("job_duration_seconds_count", kind=KIND, outcome="done") == 1


def test_failed_sign_ins_are_counted_by_reason(scrape: Scraper, rf: Any, alice: User) -> None:
    metrics_console.add_up()
    assert scrape()("login_failures_total", reason="password") == 0
    Client().post("/login/", {"username": "alice", "password": "wrong"})
    Client().get("/metrics", headers={"Authorization": "Bearer wrong-wrong-wrong-wrong-wrong"})
    metrics_console.add_up()
    metrics_console.add_up()
    seen = scrape()
    assert seen("login_failures_total", reason="password") == 1
    assert seen("login_failures_total", reason="metrics_token") == 1


def test_the_audit_is_told_as_it_was_last_checked(scrape: Scraper, admin_client: Client) -> None:
    before = scrape()("audit_records_total")
    audit.record(None, action="audit.verify", outcome="done", details={"events": 0, "broken": 0})
    seen = scrape()
    assert seen("audit_records_total") == before + 1  # type: ignore[operator]
    assert seen("audit_chain_ok") == 1
    audit.record(None, action="audit.verify", outcome="failed", details={"events": 0, "broken": 2})
    assert scrape()("audit_chain_ok") == 0


# -- the documentation ---------------------------------------------------------------------------


def test_every_metric_is_documented_and_every_documented_one_is_there(
    agents: Agents, scrape: Scraper
) -> None:
    agents("main")
    Follower().finish()
    text = (REPOSITORY / "docs" / "monitoring.md").read_text()
    listed = re.findall(r"(?m)^\| `(sessionstore_\w+)` \| (\w+) \| ([^|]*) \|", text)
    assert [name for name, _, _ in listed] == [metric.shown for metric in ALL]
    for metric, (_, kind, labels) in zip(ALL, listed, strict=True):
        assert kind == metric.kind, metric.name
        assert re.findall(r"\w+", labels) == list(metric.labels), metric.name
    given = scrape().families
    assert {metric.name for metric in ALL} == given
    used = set(re.findall(r"sessionstore_[a-z_]+[a-z]", text))
    known = {metric.shown for metric in ALL}
    endings = ("_bucket", "_count", "_sum", "")
    unknown = {name for name in used if not any(name.removesuffix(e) in known for e in endings)}
    assert unknown == set()


def test_throttle_words_of_failures_are_all_known() -> None:
    source = "".join(path.read_text() for path in (REPOSITORY / "dashboard").rglob("*.py"))
    actions = set(re.findall(r'count_failure\(\s*request,\s*action="([^"]+)"', source))
    assert actions
    assert actions | {"login"} == set(FAILURES)


def test_adding_up_looks_only_at_what_is_new_but_for_once_an_hour(
    agents: Agents, scrape: Scraper
) -> None:
    [main] = agents("main")
    append(main, window(process(1), NOW - 5000, NOW, group([1])))
    add_up_stores(fleet().scan().readers, thorough=False)
    hour = 3_600_000
    append(main, window(process(2), NOW - 2 * hour, NOW - 2 * hour + 5000, group([1])))
    add_up_stores(fleet().scan().readers, thorough=False)
    assert scrape().total("lock_wait_seconds_count", agent="main") == 1
    add_up_stores(fleet().scan().readers, thorough=True)
    assert scrape().total("lock_wait_seconds_count", agent="main") == 2
