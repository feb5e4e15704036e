"""Send messages to people by webhook, Slack, e-mail and any other service that Apprise supports; a failure never raises.

Addresses contain tokens and passwords: no other module sees them unmasked.
"""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import tenacity
from pydantic import SecretStr

from stream_app.errors import SettingsError
from stream_app.retries import POLICIES

if TYPE_CHECKING:
    from apprise import NotifyBase

Level = Literal["info", "success", "warning", "failure"]
log = logging.getLogger("headrace.notify")
_WEBHOOK = re.compile(r"^(?:json|xml|form)s?$")


@dataclass(frozen=True, slots=True)
class Sent:
    """The outcome of a message on one channel; ``channel`` is its masked address."""

    channel: str
    delivered: bool


@dataclass(slots=True)
class Notifier:
    """Sends to every channel of one list of addresses. It blocks for seconds, so an event loop calls it in a thread."""

    channels: list[tuple[str, NotifyBase]] = field(default_factory=list, repr=False)
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def of(cls, addresses: SecretStr | None) -> Notifier:
        """Make one channel per address; white space separates addresses.

        Raises:
            SettingsError: Apprise does not know an address; the message gives its number, not its text.
        """
        given = addresses.get_secret_value().split() if addresses is not None else []
        if not given:
            return cls()
        # Apprise has a hundred services: only a process that sends imports it.
        from apprise import Apprise  # noqa: PLC0415

        # Apprise logs an address that it cannot parse.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        channels = []
        for number, address in enumerate(given, start=1):
            with warnings.catch_warnings():
                # The first address loads all services, and some import deprecated modules.
                warnings.simplefilter("ignore", DeprecationWarning)
                service: Any = Apprise.instantiate(address, suppress_exceptions=True)
            if service is None:
                raise SettingsError(
                    f"HEADRACE_NOTIFY: Apprise does not know address {number} of {len(given)}; write one such as "
                    "jsons://host/path, slack://TokenA/TokenB/TokenC or mailtos://user:password@host"
                )
            channels.append((masked(service.url(privacy=True)), service))
        return cls(channels)

    def __bool__(self) -> bool:
        return bool(self.channels)

    def send(self, title: str, body: str, *, level: Level = "info", markdown: bool = False) -> list[Sent]:
        """Send one message to every channel, with retries, and return each outcome; failures are also logged.

        ``body`` is plain text, or Markdown if ``markdown``: channels that cannot show Markdown get text.
        """
        return [Sent(name, self._try(name, service, title, body, level, markdown=markdown)) for name, service in self.channels]

    def _try(self, name: str, service: NotifyBase, title: str, body: str, level: Level, *, markdown: bool) -> bool:
        from apprise import Apprise  # noqa: PLC0415

        # One object per channel: a channel that accepted the message does not get it again because another one failed.
        channel = Apprise()
        channel.add(service)

        def attempt() -> bool:
            try:
                return bool(
                    channel.notify(body, title=title, notify_type=level, body_format="markdown" if markdown else "text")
                )
            except Exception as error:  # noqa: BLE001
                # Plugins raise anything, and the text of an error may contain the address.
                log.debug("%s raised %s", name, type(error).__name__)
                return False

        policy = POLICIES["notification"]
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda delivered: not delivered),
            stop=policy.stop,
            wait=policy.wait,
            sleep=self.sleep,
            retry_error_callback=lambda _: False,
        )
        delivered: bool = retrying(attempt)
        if not delivered:
            log.warning("%s did not accept a message; test it with `headrace notify --test`", name)
        return delivered


def masked(address: str) -> str:
    """Return an address for people: Apprise masks users and tokens; the query and the path of a webhook are masked here."""
    plain, _, _ = address.partition("?")
    scheme, _, rest = plain.partition("://")
    if _WEBHOOK.match(scheme):
        host, _, path = rest.partition("/")
        return f"{scheme}://{host.rpartition('@')[2]}/{'…' if path else ''}"
    return f"{scheme}://{rest}"
