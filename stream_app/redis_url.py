"""The URLs that HEADRACE_REDIS accepts, taken apart: Redis's own, and the one that names Sentinels."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

#: Scheme of a Sentinel URL → scheme of the master's.
SENTINEL = {"redis+sentinel": "redis", "rediss+sentinel": "rediss"}
SCHEMES = ("redis://", "rediss://", "unix://", *(f"{scheme}://" for scheme in SENTINEL))
SENTINEL_PORT = 26379
#: The options of a Sentinel URL that are ours; redis-py has the others.
_OURS = ("sentinel_username", "sentinel_password", "read_from")


@dataclass(frozen=True, slots=True)
class SentinelUrl:
    """A URL ``redis+sentinel://[user:password@]host[:port][,host[:port]…]/service[/db][?options]``, taken apart.

    Attributes:
        nodes: (host, port) of the Sentinels.
        service: the name by which they know the master.
        master: URL of the master without its host: user, password, database and the options of redis-py.
        username, password: the Sentinels' own.
        replicas: True if readers ask replicas.
    """

    nodes: tuple[tuple[str, int], ...]
    service: str
    master: str = field(repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    replicas: bool = False


def read_sentinel_url(url: str) -> SentinelUrl | None:
    """Return the parts of a Sentinel URL; None if it is another one.

    Raises:
        ValueError: the URL is not valid; the message names what, never a password.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in SENTINEL:
        return None
    parts = urlsplit(f"//{rest}")
    user, at, hosts = parts.netloc.rpartition("@")
    nodes = tuple(_node(host) for host in hosts.split(","))
    path = [unquote(part) for part in parts.path.split("/")[1:]]
    if not path or not path[0] or len(path) > 2 or not (len(path) == 1 or path[1] == "" or path[1].isdecimal()):
        raise ValueError("a Sentinel URL ends with the name of the service and the database, …/service/0")
    options = parse_qs(parts.query)
    ours = {name: options.pop(name)[0] for name in _OURS if name in options}
    if ours.get("read_from", "master") not in ("master", "replicas"):
        raise ValueError("read_from of a Sentinel URL is master or replicas")
    query = urlencode(options, doseq=True)
    database = path[1] if len(path) == 2 else ""
    return SentinelUrl(
        nodes,
        path[0],
        f"{SENTINEL[scheme]}://{user}{at}/{database}" + (f"?{query}" if query else ""),
        ours.get("sentinel_username"),
        ours.get("sentinel_password"),
        ours.get("read_from") == "replicas",
    )


def check_redis_url(url: str) -> None:
    """Refuse a URL that HEADRACE_REDIS does not accept.

    Raises:
        ValueError: says why.
    """
    if not url.startswith(SCHEMES):
        raise ValueError(f"a Redis URL starts with {', '.join(SCHEMES[:-1])} or {SCHEMES[-1]}")
    if "#" in url or url.partition("?")[0].count("@") > 1:
        raise ValueError("write %23 for #, %40 for @, %2F for / and %3F for ? in the user and password of the Redis URL")
    if read_sentinel_url(url) is None:
        try:
            _ = urlsplit(url).port
        except ValueError:
            raise ValueError("the port of the Redis URL is not a number from 1 to 65535") from None


def _node(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("the port of a Sentinel is not a number from 1 to 65535") from None
    if not host:
        raise ValueError("a Sentinel URL names the Sentinels, host:port[,host:port…]")
    return unquote(host), port or SENTINEL_PORT
