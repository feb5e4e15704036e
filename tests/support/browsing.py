"""A dashboard of its own process, and what browser tests ask of its pages."""

from __future__ import annotations

import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tests.support.processes import clean_environment, headrace_command
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Locator, Page


def free_port() -> int:
    """A loopback port that nobody uses at the moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def served(redis_url: str, port: int | None = None, **settings: str) -> Iterator[str]:
    """The address of a dashboard that reads that Redis; ``settings`` are names and values of HEADRACE_ variables."""
    port = port or free_port()
    process = subprocess.Popen(
        headrace_command("dashboard", "--port", str(port)),
        env=clean_environment(**{"HEADRACE_REDIS": redis_url, "HEADRACE_KAFKA": "127.0.0.1:1", **settings}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return bool(urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).status == 200)
        except (urllib.error.URLError, OSError):
            return False

    try:
        eventually(answers, "the dashboard answers", timeout=60)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def tile(page: Page, name: str) -> str:
    """The number on a tile."""
    found = page.locator(f".st-key-tile-{name} [data-testid='stMetricValue']")
    found.wait_for()
    return str(found.inner_text())


def url(page: Page) -> str:
    """The page's address at this moment. ``page.url`` is what Playwright last heard: in a loop that waits it never changes."""
    return str(page.evaluate("location.href"))


def says(part: Locator, text: str) -> None:
    """Wait until a part of the page has this text: what is drawn comes piece by piece."""
    eventually(lambda: text in part.inner_text(), f"the text {text!r}", timeout=30)


def settled(page: Page) -> None:
    """Wait until the page's layout has stood still for a second."""
    layout = "(() => { const m = document.querySelector('[data-testid=\"stMain\"]'); return [m.scrollTop, m.scrollHeight] })()"
    seen: list[object] = []

    def still() -> bool:
        seen.append(page.evaluate(layout))
        return len(seen) > 5 and all(one == seen[-1] for one in seen[-6:])

    eventually(still, "the page stands still", timeout=30, every=0.2)


def offered(page: Page, key: str) -> Locator:
    """Options of a filter, whose list is opened; what is drawn on the page at that moment may close it once."""
    options = page.get_by_role("option")

    def opened() -> bool:
        page.locator(f".st-key-{key} input").click()
        page.wait_for_timeout(300)
        if options.count():
            return True
        page.keyboard.press("Escape")
        return False

    eventually(opened, f"the list of {key} is open")
    return options


def choose(page: Page, key: str, option: str) -> None:
    """Choose an option of a filter; what is drawn on the page may close the list before the click."""
    from playwright.sync_api import TimeoutError as TooLateError

    def chosen() -> bool:
        if option in page.locator(f".st-key-{key}").inner_text().split("\n"):
            return True
        page.locator(f".st-key-{key} input").click()
        with suppress(TooLateError):
            page.get_by_role("option", name=option, exact=True).click(timeout=1_000)
        page.keyboard.press("Escape")
        return False

    eventually(chosen, f"{option} is chosen")


def cells(page: Page, card: str) -> list[str]:
    """Texts of the cells of the table in a card, as a screen reader gets them: the cells are drawn on a canvas."""
    return [str(text) for text in page.locator(f"{card} [data-testid='stDataFrame'] [role='gridcell']").all_inner_texts()]


def click_row(page: Page, card: str, row: int) -> None:
    """Open a row of the table in a card, once it stands still; the head is as high as a row."""
    table = page.locator(f"{card} [data-testid='stDataFrame']").first
    eventually(lambda: len(cells(page, card)) > 0, "the table is drawn")

    def still() -> FloatRect | None:
        table.scroll_into_view_if_needed()
        before = table.bounding_box()
        page.wait_for_timeout(400)
        after = table.bounding_box()
        return after if before == after else None

    box = eventually(still, "the table stands still")
    page.mouse.click(box["x"] + 18, box["y"] + 34 * (row + 1.5))
