"""Texts that look like a person's data whatever their field is called: e-mail addresses and card numbers. Pure and linear."""

from __future__ import annotations

import re

#: Only what is around the sign: a pattern that began before it would try every start of a long text.
_ADDRESS = re.compile(r"[^\s@]@[^\s@]+\.[^\W\d_]{2}")
#: 14 to 19 digits, also in groups. 13 are rather a product's code (EAN).
_CARD = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){13,18}(?![0-9])")
#: What every card number has; tried first, because most records have nothing like it.
_DIGITS = re.compile(rb"[0-9][0-9 -]{12,}[0-9]")


def may_be_personal(body: bytes) -> bool:
    """Return False if no part of a text is personal, at little cost."""
    return b"@" in body or _DIGITS.search(body) is not None


def is_personal(text: str) -> bool:
    """True if an e-mail address or a card number stands in a text."""
    return ("@" in text and _ADDRESS.search(text) is not None) or any(_is_card(found[0]) for found in _CARD.finditer(text))


def _is_card(text: str) -> bool:
    """True if the last digit is the check digit of the others (ISO/IEC 7812, Luhn)."""
    digits = [int(one) for one in reversed(text) if one.isdigit()]
    return sum(digits[::2]) % 10 == -sum(digit * 2 // 10 + digit * 2 % 10 for digit in digits[1::2]) % 10
