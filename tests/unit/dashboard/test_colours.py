"""Words of the style sheet and series of charts stand out from what they are on, as WCAG 2 measures it."""

from __future__ import annotations

import re
import tomllib

import pytest

from dashboard.charts.axes import ANOMALY
from tests.support.paths import ROOT

DASHBOARD = ROOT / "dashboard"
THEMES = tomllib.loads((DASHBOARD / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
STYLE = (DASHBOARD / "parts" / "style.css").read_text(encoding="utf-8")
PAIRS = dict(re.findall(r"--([a-z]+): light-dark\((#\w{6}, #\w{6})\)", STYLE))
SCHEMES = ("light", "dark")
Colour = tuple[float, float, float]


def linear(colour: str) -> Colour:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return tuple(one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in (red, green, blue))  # type: ignore[return-value]


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def variable(name: str, scheme: str) -> str:
    return str(PAIRS[name].split(", ")[SCHEMES.index(scheme)])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("ground", ["card", "page", "sunk"])
@pytest.mark.parametrize("text", ["ink", "quiet", "good", "warn", "bad"])
def test_text_stands_out_from_what_it_is_on(text: str, ground: str, scheme: str) -> None:
    assert contrast(variable(text, scheme), variable(ground, scheme)) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_series_stand_out_from_their_card(scheme: str) -> None:
    colours = THEMES[scheme]["chartCategoricalColors"]

    assert contrast(colours[0], variable("card", scheme)) >= 4.5
    assert all(contrast(one, variable("card", scheme)) >= 2.2 for one in colours)
    assert contrast(ANOMALY, variable("card", scheme)) >= 3
