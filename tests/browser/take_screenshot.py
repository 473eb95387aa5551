"""Take docs/screenshot.png: the session list over an invented state, in a real browser.

python -m tests.browser.take_screenshot
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.console import serve
from sessionstore import demo

PLACE = Path(__file__).resolve().parents[2] / "docs" / "screenshot.png"
_WIDTH, _HEIGHT = 1440, 900
_SESSIONS, _SEED = 400, 3
_BROWSERS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")


def main() -> None:
    """Build a state, serve it, sign in and take the picture."""
    with ExitStack() as stack:
        state = Path(tempfile.gettempdir()) / "openclaw-demo"  # the picture shows it
        state.mkdir()
        stack.callback(shutil.rmtree, state)
        private = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        demo.build(state, sessions=_SESSIONS, seed=_SEED)
        writers = multiprocessing.get_context("fork").Process(
            target=demo.run_writers, args=(state,), kwargs={"rate": 1.0}
        )
        writers.start()
        stack.callback(writers.join)
        stack.callback(writers.terminate)
        with serve(state, private) as console, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=_browser())
            context = browser.new_context(
                viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light"
            )
            address = f"http://127.0.0.1:{console.port}"
            context.add_cookies(
                [{"name": k, "value": v, "url": address} for k, v in console.cookies.items()]
            )
            _take(context.new_page(), f"{address}/sessions/")
            browser.close()
    print(f"{PLACE.name}: {PLACE.stat().st_size:,} bytes")


def _browser() -> str | None:
    """The browser of the system, or None for the one that Playwright knows."""
    named = os.environ.get("CHROMIUM", "")
    return next((path for path in (named, *_BROWSERS) if path and Path(path).exists()), None)


def _take(page: Page, address: str) -> None:
    page.goto(address)
    page.locator("[data-row]").first.wait_for()
    page.screenshot(path=PLACE, animations="disabled", caret="hide")


if __name__ == "__main__":
    main()
