"""The theme can be read: contrast as WCAG 2 measures it, and series that colour-blind readers tell apart."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest

from dashboard.figures import MARK, NAMED_RULES

DASHBOARD = Path(__file__).parent.parent / "dashboard"
THEMES = tomllib.loads((DASHBOARD / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
PAIRS = dict(re.findall(r"--([a-z]+): light-dark\((#\w{6}, #\w{6})\)", (DASHBOARD / "style.css").read_text(encoding="utf-8")))
#: How the eye without one kind of cones sees linear RGB (Machado, Oliveira and Fernandes 2009, severity 1).
BLINDNESS = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}  # fmt: skip
SCHEMES = ("light", "dark")
#: A difference in Lab (CIE 1976) that areas beside each other show at a glance; 2.3 is just noticeable.
APART = 12.0

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


def lab(colour: str, blindness: str) -> Colour:
    seen = [
        min(1.0, max(0.0, sum(part * value for part, value in zip(row, linear(colour), strict=True))))
        for row in BLINDNESS[blindness]
    ]
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    xyz = [sum(part * value for part, value in zip(row, seen, strict=True)) for row in to_xyz]
    x, y, z = (
        (value / white) ** (1 / 3) if value / white > 0.008856 else 7.787 * value / white + 16 / 116
        for value, white in zip(xyz, (0.9505, 1.0, 1.089), strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


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
    assert contrast(MARK, variable("card", scheme)) >= 3


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("blindness", list(BLINDNESS))
def test_stacked_series_are_told_apart(blindness: str, scheme: str) -> None:
    colours = THEMES[scheme]["chartCategoricalColors"][: NAMED_RULES + 1]
    near = {
        (one, other): round(
            sum((a - b) ** 2 for a, b in zip(lab(one, blindness), lab(other, blindness), strict=True)) ** 0.5, 1
        )
        for one, other in itertools.combinations(colours, 2)
    }

    assert {pair: apart for pair, apart in near.items() if apart < APART} == {}
