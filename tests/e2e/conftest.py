"""
Browser tests: one whole portal and one Chromium for all of them, a context of its own for each.

Both end with this folder's last test, because Playwright's event loop forbids Django's ORM in
the thread it runs in.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.cast import Cast
from tests.e2e.reader import Reader
from tests.e2e.running import Portal, sweep_leftovers

# as root there is no sandbox to have; the rest keeps Chromium from calling home
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
]


def executable() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="package")
def portal() -> Iterator[Portal]:
    sweep_leftovers()
    running = Portal(f"e2e-{os.getpid()}", "--empty")
    try:
        yield running.start()
        books = running.check_books()
        assert books.returncode == 0, books.stdout + books.stderr
        assert not running.errors(), "\n".join(running.said[-200:])
    finally:
        running.stop()


@pytest.fixture(scope="package")
def cast(portal: Portal) -> Cast:
    return Cast(**json.loads(portal.run("from tests.e2e import cast; cast.enter()")))


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    found = executable()
    if found is None:
        pytest.fail(
            "No Chromium to test with. Install it:  sudo apt-get install chromium "
            "fonts-wqy-microhei   or name yours:  CHROMIUM=/path/to/chromium",
            pytrace=False,
        )
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def reader(chromium: Browser, portal: Portal) -> Iterator[Callable[..., Reader]]:
    """
    Make people with browsers; afterwards none of them may have anything to complain about.
    """
    made: list[Reader] = []

    def make(**wishes) -> Reader:
        made.append(Reader(chromium, portal, **wishes))
        return made[-1]

    yield make
    complaints = [complaint for one in made for complaint in one.complaints]
    for one in made:
        one.close()
    assert not complaints, "\n".join(complaints)
