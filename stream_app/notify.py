"""Messages to people, by webhook, Slack, e-mail and whatever else Apprise speaks. Failing to tell them never raises.

The addresses hold tokens and passwords: they stay in here, and nobody sees more of them than the masked form.
"""

from __future__ import annotations

import logging
import re
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import SecretStr

from stream_app.errors import SettingsError

if TYPE_CHECKING:
    from apprise import NotifyBase

Level = Literal["info", "success", "warning", "failure"]
#: Seconds before the second and the third try.
PAUSES = (0.5, 2.0)
log = logging.getLogger("headrace.notify")
_WEBHOOK = re.compile(r"^(?:json|xml|form)s?$")


@dataclass(frozen=True, slots=True)
class Sent:
    """Whether a message went through on one channel; ``channel`` is its masked address."""

    channel: str
    delivered: bool


@dataclass(slots=True)
class Notifier:
    """Sends to every channel of one list of addresses. Not for the event loop: a call may take seconds."""

    channels: list[tuple[str, NotifyBase]] = field(default_factory=list, repr=False)
    pause: Callable[[float], None] = time.sleep

    @classmethod
    def of(cls, addresses: SecretStr | None) -> Notifier:
        """One channel an address; addresses are separated by white space.

        Raises:
            SettingsError: an address that Apprise does not know; the message gives its place, not its text.
        """
        given = addresses.get_secret_value().split() if addresses is not None else []
        if not given:
            return cls()
        # A library of a hundred services: imported by those who have something to send.
        from apprise import Apprise

        # It writes addresses into its log when it cannot read them.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        channels = []
        for number, address in enumerate(given, start=1):
            with warnings.catch_warnings():
                # It loads its hundred services at the first address, some by modules that Python will drop.
                warnings.simplefilter("ignore", DeprecationWarning)
                service: Any = Apprise.instantiate(address, suppress_exceptions=True)
            if service is None:
                raise SettingsError(
                    f"HEADRACE_NOTIFY: address {number} of {len(given)} is none that Apprise knows; write one such as "
                    "jsons://host/path, slack://TokenA/TokenB/TokenC or mailtos://user:password@host"
                )
            channels.append((masked(service.url(privacy=True)), service))
        return cls(channels)

    def __bool__(self) -> bool:
        return bool(self.channels)

    def send(self, title: str, body: str, *, level: Level = "info", markdown: bool = False) -> list[Sent]:
        """Send one message to every channel, each up to three times; says which took it, and logs which did not.

        ``body`` is plain text, or Markdown where ``markdown`` says so: channels that cannot show it get text.
        """
        return [Sent(name, self._try(name, service, title, body, level, markdown)) for name, service in self.channels]

    def _try(self, name: str, service: NotifyBase, title: str, body: str, level: Level, markdown: bool) -> bool:
        from apprise import Apprise

        # One object a channel: those that took the message do not get it again because another one failed.
        alone = Apprise()
        alone.add(service)
        for pause in (*PAUSES, None):
            try:
                if alone.notify(body, title=title, notify_type=level, body_format="markdown" if markdown else "text"):
                    return True
            except Exception as error:
                # Its plugins are many hands' work; the text of what they raise may hold the address.
                log.debug("%s raised %s", name, type(error).__name__)
            if pause is not None:
                self.pause(pause)
        log.warning("%s did not take a message; test it with `headrace notify --test`", name)
        return False


def masked(address: str) -> str:
    """An address as people may see it: Apprise masks users and tokens, here query and webhook paths go too."""
    plain, _, _ = address.partition("?")
    scheme, _, rest = plain.partition("://")
    if _WEBHOOK.match(scheme):
        host, _, path = rest.partition("/")
        return f"{scheme}://{host.rpartition('@')[2]}/{'…' if path else ''}"
    return f"{scheme}://{rest}"
