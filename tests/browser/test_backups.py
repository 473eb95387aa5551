"""Backups in a real browser: from taking one to undoing a restore, without scripts too, and axe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from dashboard.jobs import life
from dashboard.models import BackupSchedule, StorePlan
from dashboard.services.backup_asking import ref_of
from tests.browser.axe import violations
from tests.conftest import SignIn, client_for
from tests.dashboard.backups.conftest import (
    entry,
    fill,
    id_of,
    key_of,
    newest,
    run_jobs,
    store_of,
    taken,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZES = {"desktop": (1440, 900), "phone": (390, 844)}


@pytest.fixture
def state(tmp_path: Path, settings: Any) -> Path:
    """A state directory that is watched; new places are beside it."""
    path = tmp_path / "state"
    (path / "agents").mkdir(parents=True)
    settings.STATE_DIR = path
    settings.GATEWAY_LOCK_DIR = tmp_path / "locks"
    settings.GATEWAY_LOCK_DIR.mkdir()
    settings.RESTORED_DIR = tmp_path / "restored"
    life.begin("a-runner")
    return path


@pytest.fixture
def page(page: Page, alice: User, sign_in: SignIn) -> Page:
    """The browser of the admin alice."""
    sign_in(page, alice)
    return page


def label_of(state: Path, number: int) -> object:
    with store_of(state) as store:
        return (store.get(key_of(number)) or {}).get("label")


def walk_through(page: Page, url: str, state: Path) -> None:
    """Create, verify, change a session, restore that one, undo."""
    page.goto(f"{url}/backups/")
    page.locator("#first-backup").click()
    page.locator("#backup-reason").fill("Before the move")
    page.locator("#backup-go").click()
    run_jobs()
    page.goto(f"{url}/backups/")
    expect(page.locator("#backups-verdict")).to_have_text("Every store has a sound backup.")
    page.locator(f"#open-{newest().backup.id}").click()
    page.locator("#verify-go").click()
    run_jobs()
    page.reload()
    expect(page.locator(".backup-history")).to_contain_text("Sound:")
    with store_of(state) as store:
        store.patch(key_of(1), {"label": "Changed by mistake"})
    page.locator(f"tr:has-text('{key_of(1)}') input[type=checkbox]").check()
    page.locator("#compare-picked").click()
    expect(page.locator("#compare-verdict")).to_have_text("The session would change.")
    expect(page.locator(".comparison")).to_contain_text("Changed by mistake")
    page.locator("summary:has-text('In place')").click()
    page.locator("#in-place-reason").fill("It was better before")
    page.locator("#in-place-go").click()
    run_jobs()
    page.reload()
    expect(page.locator("#job-state")).to_have_text("Done")
    assert label_of(state, 1) == "Person 1"
    page.goto(f"{url}/undo/")
    page.locator("[data-open]").first.click()
    page.locator("form.undo-form button[type=submit]").first.click()
    assert label_of(state, 1) == "Changed by mistake"


def test_from_a_backup_to_the_undoing_of_a_restore(
    page: Page, live_server: Any, state: Path
) -> None:
    fill(state)
    walk_through(page, live_server.url, state)


def test_the_same_without_scripts(
    browser: Browser, live_server: Any, alice: User, sign_in: SignIn, state: Path
) -> None:
    fill(state)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, alice)
    walk_through(page, live_server.url, state)
    context.close()


def test_a_running_job_is_followed_and_no_form_is_touched(
    page: Page, live_server: Any, state: Path, alice: User
) -> None:
    fill(state)
    client = client_for(alice)
    kept = taken(client)
    client.post(f"/backups/{kept.backup.id}/verify/", {"depth": "drill"})
    page.goto(f"{live_server.url}/backups/{kept.backup.id}/")
    page.locator("#hold-reason").fill("half typed")
    run_jobs()
    expect(page.locator("#backup-verdict")).to_contain_text("Proven", timeout=15_000)
    expect(page.locator("#hold-reason")).to_have_value("half typed")
    expect(page.locator("[data-live]")).to_have_count(0)


def hostile(state: Path, client: Client) -> list[str]:
    """A store and a sidecar full of markup and secrets; every page about them."""
    markup = "<img src=x onerror=alert(1)>"
    odd = "‮" + markup + "sk-ant-api03-" + "z" * 40
    with store_of(state) as store:
        store.put(f"agent:main:direct:{markup}", entry(1, label=odd))
        store.put(f"agent:main:direct:{'w' * 400}", entry(2, label=odd))
    kept = taken(client, reason=odd)
    with store_of(state) as store:
        store.patch(f"agent:main:direct:{markup}", {"label": f"{odd} changed"})
    (state / "agents" / "main" / "sessions" / "sessions.json.bak.1").write_text("{" + markup)
    client.post(f"/backups/{kept.backup.id}/compare/", {})
    plan = StorePlan.objects.latest("pk")
    return [
        "/backups/",
        f"/backups/{kept.backup.id}/",
        f"/backups/{kept.backup.id}/compare/{plan.pk}/?show=1",
        f"/stores/{id_of()}/recover/",
    ]


def many(state: Path, client: Client) -> list[str]:
    """Two stores, several backups, a schedule, a damaged one; every page about them."""
    fill(state, "main", 60)
    fill(state, "work", 2)
    taken(client, "main", "work")
    kept = taken(client, "main")
    kept.backup.path.write_bytes(kept.backup.path.read_bytes()[:-9])
    kept = taken(client, "main", transcripts="on")
    client.post(f"/backups/{kept.backup.id}/verify/", {"depth": "drill"})
    client.post(f"/backups/{kept.backup.id}/hold/", {"held": "yes"})
    run_jobs()
    BackupSchedule.objects.create(
        created_at=timezone.now(),
        slot_at=timezone.now(),
        drill=True,
        actor="alice",
        retention={"keep_last": 2},
    )
    with store_of(state) as store:
        store.patch(key_of(3), {"label": "Another", "model": "new"})
        store.delete(key_of(4))
        store.put(key_of(99), entry(99))
    fields = {"session": ref_of(key_of(3))}
    client.post(f"/backups/{kept.backup.id}/compare/", fields)
    one = StorePlan.objects.latest("pk").pk
    client.post(f"/backups/{kept.backup.id}/compare/", {})
    whole = StorePlan.objects.latest("pk").pk
    return [
        *("/", "/backups/", "/backups/new/", "/backups/schedules/"),
        f"/backups/{kept.backup.id}/",
        f"/backups/{kept.backup.id}/compare/{one}/",
        f"/backups/{kept.backup.id}/compare/{whole}/?show=2",
        "/backups/retention/?keep_last=1",
        "/backups/retention/?keep_last=0",
        f"/stores/{id_of()}/recover/",
    ]


def check(page: Page, url: str, paths: list[str]) -> dict[str, list[str]]:
    """What axe finds on these pages, what sticks out, and what is shown of a secret."""
    found: dict[str, list[str]] = {}
    for path in paths:
        page.goto(f"{url}{path}")
        bad = violations(page)
        width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if width > 0:
            bad.append(f"sticks out by {width}")
        if "z" * 40 in page.content():
            bad.append("a secret is shown")
        if bad:
            found[path] = bad
    return found


SCREENS = (("desktop", "light"), ("phone", "dark"))


@pytest.mark.slow
@pytest.mark.console_errors
@pytest.mark.parametrize("kind", ["empty", "many", "hostile"])
def test_no_page_has_a_violation(
    kind: str, page: Page, live_server: Any, state: Path, alice: User
) -> None:
    client = client_for(alice)
    if kind == "empty":
        fill(state)
        paths = ["/backups/", "/backups/schedules/", "/backups/retention/", "/backups/new/"]
        paths.append(f"/stores/{id_of()}/recover/")
    else:
        paths = many(state, client) if kind == "many" else hostile(state, client)
    alerts: list[str] = []
    page.on("dialog", lambda dialog: alerts.append(dialog.message))
    for screen, theme in SCREENS:
        width, height = SIZES[screen]
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        assert check(page, live_server.url, paths) == {}
    assert alerts == []
