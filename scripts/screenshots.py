"""Take pictures of the dashboard with a headless Chromium: every state, wide and narrow, light and dark.

python scripts/screenshots.py                       # docs/images: the pictures of the README and the docs
python scripts/screenshots.py --all --to FOLDER     # every page and state, for review
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from headrace.embedded import EmbeddedStack  # noqa: E402
from stream_app.store.keys import Keys  # noqa: E402
from tests.support.chromium import ARGUMENTS, chromium  # noqa: E402
from tests.support.fill import Shop, a_live_shop  # noqa: E402

#: Maximum height in pixels and maximum size of a picture for the docs.
README_HEIGHT = 1_500
MOST_BYTES = 200_000

#: Page → selector of an element that must exist before the picture is taken.
PAGES = {
    "overview": ".st-key-card-rules",
    "quality": ".st-key-card-drift",
    "anomalies": ".st-key-card-findings",
    "clean": ".st-key-card-subscribe",
    "report": ".st-key-card-report",
    "pipeline": ".st-key-card-broker",
}
#: The pictures in docs/images: page and colour scheme.
SHOWN = (("overview", "light"), ("overview", "dark"), ("quality", "light"), ("anomalies", "light"), ("report", "light"))

SIZES = {"wide": (1440, 1000), "narrow": (390, 844)}


def main() -> None:
    """Fill a Redis for each state and take the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--all", action="store_true", help="every state and size, not only those of the docs")
    parser.add_argument("--state", choices=list(STATES), action="append")
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    program = chromium()
    if program is None:
        sys.exit("Chromium is not on PATH; install it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        for state in arguments.state or (list(STATES) if arguments.all else ["flowing"]):
            _photograph(browser, state, arguments.to, everything=arguments.all)
        browser.close()


def _photograph(browser: Browser, state: str, folder: Path, *, everything: bool) -> None:
    with EmbeddedStack(broker=False) as stack, redis.Redis.from_url(stack.redis_url) as client:
        shop = STATES[state](client)
        with _served(stack.redis_url) as address:
            if state == "down":
                _shoot_down(browser, address, client, folder)
                return
            wanted = [(page, scheme) for page in PAGES for scheme in ("light", "dark")] if everything else SHOWN
            for name, scheme in wanted:
                for size in SIZES if everything else ("wide",):
                    page = _page(browser, size, scheme)
                    if shop is not None and state != "stale":
                        _beat(shop)
                    _open(page, address, name, state)
                    file = f"{state}-{name}-{size}-{scheme}" if everything else f"{name}-{scheme}"
                    _shoot(page, folder / f"{file}.png", most=20_000 if everything else README_HEIGHT)
                    page.close()


def _shoot_down(browser: Browser, address: str, client: redis.Redis, folder: Path) -> None:
    """Take pictures of pages that were open when Redis was stopped, and of pages opened afterwards."""

    def shoot(page: Page, name: str) -> None:
        page.wait_for_selector(".st-key-advice [data-testid='stAlert']", timeout=60_000)
        page.wait_for_timeout(1_500)
        _shoot(page, folder / f"down-{name}.png", most=20_000)
        page.close()

    opened: dict[str, Page] = {}
    for name, size, scheme in (("overview", "wide", "light"), ("quality", "narrow", "dark"), ("pipeline", "wide", "dark")):
        opened[f"{name}-{size}-{scheme}"] = page = _page(browser, size, scheme)
        _open(page, address, name, "down")
    with suppress(redis.ConnectionError):
        client.shutdown(nosave=True)
    for name, page in opened.items():
        shoot(page, name)
    for name in PAGES:
        page = _page(browser, "narrow", "light")
        page.goto(f"{address}/{name}")
        shoot(page, f"{name}-later-narrow-light")


def _page(browser: Browser, size: str, scheme: str) -> Page:
    width, height = SIZES[size]
    return browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=1.25,
    )


def _beat(shop: Shop) -> None:
    shop.now_ms = time.time_ns() // 1_000_000
    shop.beat({"orders": 0, "customers": 0, "products": 0, "visits": 0})
    for entity in shop.summaries:
        shop.client.hset(shop.keys.total(entity), "at", shop.now_ms - 1_200)


def _open(page: Page, address: str, name: str, state: str) -> None:
    page.goto(address if name == "overview" else f"{address}/{name}")
    shown = (
        f"{PAGES[name]}, .st-key-card-empty" if state in {"flowing", "short", "stale", "down"} else "[class*='st-key-card-']"
    )
    page.wait_for_selector(shown, timeout=60_000)
    page.wait_for_timeout(3_500)


def _shoot(page: Page, file: Path, most: int) -> None:
    # Streamlit scrolls inside a box, so the window must be as high as the content.
    height = page.evaluate("document.querySelector('[data-testid=\"stMainBlockContainer\"]').scrollHeight")
    size = page.viewport_size or {"width": 1440}
    page.set_viewport_size({"width": size["width"], "height": min(int(height) + 10, most)})
    page.wait_for_timeout(1_500)
    page.screenshot(path=file)
    with Image.open(file) as picture:
        whole = picture.convert("RGB")
    for colours in (256, 128, 64):
        whole.quantize(colours, dither=Image.Dither.NONE).save(file, optimize=True)
        if file.stat().st_size < MOST_BYTES:
            break
    print(file)


@contextmanager
def _served(redis_url: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "headrace", "dashboard", "--port", str(port)],
        env=environment | {"HEADRACE_REDIS": redis_url},
        cwd=ROOT,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=2)  # noqa: S310
                break
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(15)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _flowing(client: redis.Redis) -> Shop:
    shop = a_live_shop(client, "headrace", _now())
    shop.reports()
    return shop


def _short(client: redis.Redis) -> Shop:
    shop = Shop(client, "headrace", until=_now() // 1_000, now_ms=_now())
    shop.announce()
    shop.fill(7, per_minute=90)
    shop.recent(30)
    return shop


def _stale(client: redis.Redis) -> Shop:
    shop = a_live_shop(client, "headrace", _now() - 45 * 60_000, days=20)
    client.delete(Keys("headrace").workers())
    return shop


def _waiting(client: redis.Redis) -> Shop:
    shop = Shop(client, "headrace", until=_now() // 1_000, now_ms=_now())
    shop.announce()
    return shop


def _nothing(_client: redis.Redis) -> None:
    return None


STATES: dict[str, Callable[[redis.Redis], Shop | None]] = {
    "flowing": _flowing,
    "short": _short,
    "stale": _stale,
    "empty": _nothing,
    "waiting": _waiting,
    "down": _flowing,
}

if __name__ == "__main__":
    main()
