"""Formats of strings and sizes of numbers that a contract may set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from ipaddress import AddressValueError, IPv6Address

import pycountry
from email_validator import EmailNotValidError, validate_email

#: Maximum length of an address (RFC 5321 4.5.3.1); the library checks it only after costly steps.
_MAX_EMAIL_LENGTH = 254
#: Cached results per format: an update of a customer mostly repeats the address. A repeated address costs 0.06 instead of 20 to
#: 90 µs (README.md of the judge).
_CACHED = 4096


@dataclass(frozen=True, slots=True)
class Format:
    """The strings that have a format: all attributes that are set must agree.

    Attributes:
        means: its meaning, for the docs.
        patterns: regular expressions that pydantic-core runs in linear time.
        listed: a function that returns all strings of the format, so that a list is read only if it is used.
        test: a Python function, if the others are not enough.
        plain: a regular expression of strings that certainly pass ``test``, so that most records need no call of it.
    """

    means: str
    patterns: tuple[str, ...] = ()
    listed: Callable[[], frozenset[str]] | None = None
    test: Callable[[str], bool] | None = None
    plain: str | None = None


@lru_cache(maxsize=_CACHED)
def is_email(text: str) -> bool:
    """True if the text is an address by the email-validator library: syntax only, without look-ups."""
    if len(text) > _MAX_EMAIL_LENGTH:
        return False
    try:
        validate_email(text, check_deliverability=False, strict=True)
    except (EmailNotValidError, UnicodeError):
        return False
    return True


@lru_cache(maxsize=_CACHED)
def is_ipv6(text: str) -> bool:
    """True if the text is an IPv6 address without a zone."""
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return "%" not in text


@cache
def countries() -> frozenset[str]:
    """Return the ISO 3166-1 alpha-2 codes."""
    return frozenset(country.alpha_2 for country in pycountry.countries)


@cache
def country_names() -> frozenset[str]:
    """Return the English names of the countries of ISO 3166-1: short, common and official."""
    kinds = ("name", "common_name", "official_name")
    return frozenset(
        value for country in pycountry.countries for kind in kinds if (value := getattr(country, kind, None)) is not None
    )


@cache
def currencies() -> frozenset[str]:
    """Return the ISO 4217 codes."""
    return frozenset(currency.alpha_3 for currency in pycountry.currencies)


_WORD = r"[A-Za-z0-9]{1,20}"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PCHAR = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_AUTHORITY = (
    r"(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?"
    r"(?:\[[0-9A-Fa-fvV:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?"
)
_QUERY = rf"(?:{_PCHAR}|[/?])*"

FORMATS: Mapping[str, Format] = {
    "email": Format(
        "an e-mail address, by the syntax of RFC 5321, 5322 and 6531; no domain that is reserved, no look-up",
        test=is_email,
        plain=rf"^{_WORD}(?:[._+-]{_WORD}){{0,2}}@(?:{_WORD}(?:-{_WORD})?\.){{1,3}}"
        r"(?:[A-Za-z]{2}|com|org|net|edu|gov|mil|int|info|biz|name|shop|store|online)$",
    ),
    "uuid": Format("a UUID in hexadecimal with hyphens", (r"^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",)),
    "uri": Format(
        "an absolute URI by RFC 3986",
        (
            (
                rf"^[A-Za-z][A-Za-z0-9+.-]*:(?://{_AUTHORITY}(?:/(?:{_PCHAR}|/)*)?|/?{_PCHAR}(?:{_PCHAR}|/)*|/)"
                rf"(?:\?{_QUERY})?(?:#{_QUERY})?$"
            ),
        ),
    ),
    "hostname": Format(
        "a host name by RFC 1123, at most 253 characters",
        (r"^.{1,253}$", rf"^(?:{_LABEL}\.)*{_LABEL}$", r"(?:^|\.)[0-9]*[A-Za-z-][A-Za-z0-9-]*$"),
    ),
    "ipv4": Format("an IPv4 address of four decimal numbers", (rf"^(?:{_OCTET}\.){{3}}{_OCTET}$",)),
    "ipv6": Format(
        "an IPv6 address by RFC 4291, without a zone",
        (r"^[0-9A-Fa-f:.]{2,45}$",),
        test=is_ipv6,
        plain=r"^(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}$",
    ),
    "byte": Format("base64 with padding, by RFC 4648", (r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",)),
    "country": Format("a country's code by ISO 3166-1 alpha-2, in capitals", listed=countries),
    "country-name": Format(
        "a country's English name by ISO 3166-1: short, common or official, as it is written there", listed=country_names
    ),
    "currency": Format("a currency's code by ISO 4217, in capitals", listed=currencies),
}

#: Formats of ODCS that Headrace does not check → the cure.
REFUSED: Mapping[str, str] = {
    "password": "it cannot be checked; use `classification: restricted`",
    "binary": "JSON has no bytes; use byte, which is base64",
    "date": "use `logicalType: date`",
    "date-time": "use `logicalType: timestamp`",
    "time": "use a `pattern`",
}

#: ODCS name of an integer's size → (smallest, largest). Integers have at most 64 bits and a sign.
INTEGERS: Mapping[str, tuple[int, int]] = {
    **{f"i{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"u{bits}": (0, 2**bits - 1) for bits in (8, 16, 32)},
}
#: ODCS name of a floating-point number's size → the largest magnitude.
FLOATS: Mapping[str, float] = {"f32": 3.4028234663852886e38, "f64": 1.7976931348623157e308}
