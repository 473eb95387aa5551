"""Starting: what is refused beyond loopback, children that end together, and the real command."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.serving import demo_place, exposure, preparation
from tests.conftest import PASSWORD, REPOSITORY
from tests.dashboard.jobs.conftest import Jobs, environment_for

# --- Beyond loopback ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("example.org", False),
    ],
)
def test_is_loopback(address: str, expected: bool) -> None:
    assert exposure.is_loopback(address) is expected


@pytest.mark.django_db
def test_beyond_loopback_only_an_account_that_can_sign_in_counts(settings: Any) -> None:
    settings.NAMED_HOSTS, settings.TLS_CERTIFICATE = ["console.example"], Path("/cert.pem")
    user = User.objects.create_user("someone", password=None)
    assert [part[:10] for part in exposure.missing_for("0.0.0.0")] == ["an account"]
    user.set_password(PASSWORD)
    user.is_active = False
    user.save()
    assert [part[:10] for part in exposure.missing_for("0.0.0.0")] == ["an account"]
    user.is_active = True
    user.save()
    assert exposure.missing_for("0.0.0.0") == []


@pytest.mark.django_db
def test_beyond_loopback_needs_an_account_host_names_and_tls(settings: Any) -> None:
    assert exposure.missing_for("127.0.0.1") == []
    assert len(exposure.missing_for("0.0.0.0")) == 3
    User.objects.create_user("someone", password=PASSWORD)
    settings.NAMED_HOSTS = ["console.example"]
    assert [part[:3] for part in exposure.missing_for("0.0.0.0")] == ["TLS"]
    settings.TLS_CERTIFICATE = Path("/cert.pem")
    assert exposure.missing_for("0.0.0.0") == []
    settings.DEBUG = True
    assert len(exposure.missing_for("0.0.0.0")) == 1


def test_base_url_names_what_a_browser_can_reach(settings: Any) -> None:
    assert exposure.base_url() == "http://127.0.0.1:8000"
    settings.BIND_ADDRESS = "::1"
    assert exposure.base_url() == "http://[::1]:8000"
    settings.NAMED_HOSTS, settings.TRUSTED_PROXIES = ["console.example"], ("x",)
    settings.HTTPS_ONLY = True
    assert exposure.base_url() == "https://console.example"


# --- The demo's place ---------------------------------------------------------------------------


def test_demo_place_is_private_and_claimed_once(tmp_path: Path) -> None:
    place = tmp_path / "demo"
    claimed = demo_place.claim(place)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    with pytest.raises(demo_place.DemoPlaceError, match="another demo"):
        demo_place.claim(place)
    os.close(claimed)
    os.close(demo_place.claim(place))


def test_demo_place_refuses_links_and_files(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("")
    for name in ("link", "file"):
        with pytest.raises(demo_place.DemoPlaceError, match="not a directory"):
            demo_place.claim(tmp_path / name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_demo_place_refuses_a_directory_of_another_user(tmp_path: Path) -> None:
    place = tmp_path / "demo"
    place.mkdir()
    os.chown(place, 12345, 12345)
    with pytest.raises(demo_place.DemoPlaceError, match="another user"):
        demo_place.claim(place)


def test_demo_state_is_emptied_without_following_links(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    state_dir = demo_place.emptied_state_dir(tmp_path)
    (state_dir / "link").symlink_to(kept)
    assert list(demo_place.emptied_state_dir(tmp_path).iterdir()) == []
    assert (kept / "file").exists()


# --- Preparation --------------------------------------------------------------------------------


def test_static_files_are_collected_only_when_a_source_changed(
    settings: Any, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.css").write_text("a {}")
    settings.STATICFILES_DIRS = [source]
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.DATA_DIR = tmp_path
    assert preparation.collect_static_if_needed()
    assert not preparation.collect_static_if_needed()
    (source / "b.css").write_text("b {}")
    assert preparation.collect_static_if_needed()
    assert (tmp_path / "collected" / "b.css").is_file()


# --- The command --------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Console:
    """A console started by the real command, with its output."""

    def __init__(self, tmp_path: Path, **variables: str) -> None:
        self.port = free_port()
        self.output_path = tmp_path / "output"
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SESSIONSTORE_", "OPENCLAW_", "DJANGO_", "DATABASE_"))
        }
        with self.output_path.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(REPOSITORY / "manage.py"), "serve"],
                env={
                    **clean,
                    "HOME": str(tmp_path),
                    "TMPDIR": str(tmp_path),
                    "SESSIONSTORE_DATA_DIR": str(tmp_path / "var"),
                    "SESSIONSTORE_PORT": str(self.port),
                    **variables,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        return self.output_path.read_text()

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            text: str = answer.read().decode()
            return text

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.output
            try:
                assert self.get("/livez") == "ok\n"
            except OSError:
                time.sleep(0.1)
            else:
                return
        pytest.fail(f"no answer: {self.output}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)

    def is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    return state_dir


@pytest.fixture
def console(tmp_path: Path, watched: Path) -> Iterator[Console]:
    console = Console(tmp_path, SESSIONSTORE_STATE_DIR=str(watched))
    yield console
    console.stop()


def test_serve_prepares_says_where_it_is_and_stops_when_told(
    console: Console, watched: Path, tmp_path: Path
) -> None:
    console.wait_until_it_answers()
    assert console.get("/readyz") == "ok\n"
    assert f"State directory: {watched}" in console.output
    link = re.search(r"http://127\.0\.0\.1:\d+(/setup/\?token=[\w-]{43})\n", console.output)
    assert link is not None
    assert "Make the first admin" in console.get(link[1])
    assert link[1].partition("=")[2].encode() not in (tmp_path / "var/console.sqlite3").read_bytes()
    assert console.output.count(link[1]) == 1
    assert console.stop() == 0
    assert not console.is_listening()


def test_serve_leaves_nothing_behind_when_it_is_killed(console: Console) -> None:
    console.wait_until_it_answers()
    console.process.kill()
    console.process.wait(10)
    deadline = time.monotonic() + 60
    while console.is_listening() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not console.is_listening()


def test_serve_ends_when_its_server_ends(console: Console) -> None:
    console.wait_until_it_answers()
    server = re.search(r"Listening at: \S+ \((\d+)\)", console.output)
    assert server is not None
    os.kill(int(server[1]), signal.SIGKILL)
    assert console.process.wait(60) != 0
    assert "gunicorn ended with status -9" in console.output


def test_serve_runs_jobs_and_starts_a_runner_that_died_again(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, environment_for(tmp_path))
    settings = {"DJANGO_SETTINGS_MODULE": "tests.dashboard.jobs.settings"}
    console = Console(tmp_path, SESSIONSTORE_STATE_DIR=str(jobs.state), **settings)
    try:
        console.wait_until_it_answers()
        [job] = jobs.ask([{"session": 0}, {"session": 1, "dies": 1}, {"session": 2}])
        report = jobs.wait_until_finished(job)
        assert [item["state"] for item in report["items"]] == ["done"] * 3
        assert len({line["pid"] for line in jobs.log()}) == 2
        died = r"job runner [12] ended with status -9; starting it again in 1 s"
        assert re.search(died, console.output)
        assert console.get("/livez") == "ok\n"
        wait_for(lambda: jobs.report()["runners"] == 3, console)  # the dead one's row stays a day
    finally:
        assert console.stop() == 0
    assert jobs.report()["runners"] == 1
    jobs.stop()


def wait_for(seen: Callable[[], bool], console: Console, *, s: float = 60) -> None:
    deadline = time.monotonic() + s
    while not seen():
        assert time.monotonic() < deadline, console.output
        time.sleep(0.2)


def test_serve_runs_no_jobs_when_it_is_read_only(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path, environment_for(tmp_path))
    console = Console(tmp_path, SESSIONSTORE_STATE_DIR=str(jobs.state), SESSIONSTORE_READ_ONLY="1")
    try:
        console.wait_until_it_answers()
        jobs.ask([{"session": 0}])
        time.sleep(3)
        report = jobs.report()
        assert report["runners"] == 0
        assert report["jobs"][0]["state"] == "waiting"
    finally:
        assert console.stop() == 0
        jobs.stop()


def refused(tmp_path: Path, **variables: str) -> str:
    console = Console(tmp_path, **variables)
    assert console.process.wait(60) == 1
    return console.output


@pytest.mark.slow
@pytest.mark.parametrize("read_only", ["0", "1"])
def test_serve_keeps_the_totals_of_metrics_read_only_or_not(
    tmp_path: Path, watched: Path, read_only: str
) -> None:
    token = "monitoring-monitoring-monitoring"
    sessions = watched / "agents" / "main" / "sessions"
    sessions.mkdir(parents=True)
    (sessions / "sessions.json").write_text("{}")
    console = Console(
        tmp_path,
        SESSIONSTORE_STATE_DIR=str(watched),
        SESSIONSTORE_READ_ONLY=read_only,
        SESSIONSTORE_METRICS_TOKEN=token,
    )
    address = f"http://127.0.0.1:{console.port}/metrics"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    try:
        console.wait_until_it_answers()
        deadline = time.monotonic() + 60
        while True:
            with urllib.request.urlopen(request, timeout=20) as answer:
                text = answer.read().decode()
            if "\nsessionstore_collector_last_sample_timestamp_seconds{" in text:
                break
            assert time.monotonic() < deadline, console.output
            time.sleep(1)
    finally:
        console.stop()


def test_serve_refuses_the_world_without_account_host_names_and_tls(
    tmp_path: Path, watched: Path
) -> None:
    said = refused(tmp_path, SESSIONSTORE_BIND="0.0.0.0", SESSIONSTORE_STATE_DIR=str(watched))
    assert "refusing to serve on 0.0.0.0" in said
    for part in ("an account", "SESSIONSTORE_ALLOWED_HOSTS", "TLS"):
        assert part in said
    assert "setup/?token" not in said


def test_serve_refuses_a_state_directory_that_does_not_exist(tmp_path: Path) -> None:
    said = refused(tmp_path, SESSIONSTORE_STATE_DIR=str(tmp_path / "missing"))
    assert "does not exist" in said


def test_serve_names_the_setting_when_the_port_is_taken(tmp_path: Path, watched: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = refused(tmp_path, SESSIONSTORE_PORT=port, SESSIONSTORE_STATE_DIR=str(watched))
    assert f"cannot listen on 127.0.0.1 port {port}" in said
    assert "SESSIONSTORE_PORT" in said


def test_gunicorn_started_by_hand_refuses_what_serve_refuses(tmp_path: Path) -> None:
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("SESSION", "DJANGO"))},
        "HOME": str(tmp_path),
        "SESSIONSTORE_DATA_DIR": str(tmp_path / "var"),
    }

    def run(*arguments: str) -> str:
        ended = subprocess.run(
            [sys.executable, *arguments],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return ended.stderr

    by_hand = ("-m", "gunicorn", "--bind", f"0.0.0.0:{free_port()}")
    assert "run manage.py migrate" in run(*by_hand)
    run("manage.py", "migrate", "-v0")
    assert "refusing to serve on 0.0.0.0" in run(*by_hand)


def test_serve_without_a_state_directory_shows_a_demo_with_writers(tmp_path: Path) -> None:
    console = Console(tmp_path)
    try:
        console.wait_until_it_answers()
        state_dir = tmp_path / f"sessionstore-demo-{os.geteuid()}" / "state"
        assert f"State directory: {state_dir}" in console.output
        assert "Demo" in console.get("/login/")
        before = newest_change(state_dir)
        deadline = time.monotonic() + 60
        while newest_change(state_dir) == before and time.monotonic() < deadline:
            time.sleep(0.1)
        assert newest_change(state_dir) > before
    finally:
        assert console.stop(signal.SIGINT) == 0
    after = newest_change(state_dir)
    time.sleep(0.5)
    assert newest_change(state_dir) == after


def newest_change(state_dir: Path) -> int:
    return max(path.lstat().st_mtime_ns for path in state_dir.rglob("*.json"))
