"""Open a page in the user's browser."""

from __future__ import annotations

import webbrowser


def open_browser(url: str) -> None:
    """Open the page if a browser with windows exists; one that runs in the terminal would hide the output."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    if type(browser) is not webbrowser.GenericBrowser:
        browser.open(url)
