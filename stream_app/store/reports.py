"""Reports in Redis: one a period, claimed before it is written, kept as a bounded history, with budget and circuit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import redis

from stream_app.counts.fields import text
from stream_app.store.connection import reading
from stream_app.store.keys import Keys

#: The newest reports that are kept.
REPORTS_KEPT = 200
#: Days that spent tokens are remembered.
SPENT_KEPT = 8

Claimed = Literal["mine", "taken", "done"]


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A report as it was published.

    ``start`` and ``end``: the period, epoch seconds of event time; ``created``: epoch seconds. ``report``: its sections,
    rendered and with references; ``facts``: fact id → fact; ``verdict``: what the gate said; ``markdown`` and ``html``: the
    report to read, complete and escaped.
    """

    id: str
    start: int
    end: int
    created: int
    language: str
    written_by: Literal["model", "template"]
    model: str | None
    verdict: Mapping[str, Any]
    report: Mapping[str, Any]
    facts: Mapping[str, Any]
    markdown: str = ""
    html: str = ""

    def to_json(self) -> str:
        """Compact JSON, the value under the report's key and on the topic."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, raw: str | bytes) -> StoredReport:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: the text is no such JSON.
        """
        try:
            return cls(**json.loads(raw))
        except TypeError as error:
            raise ValueError(f"no stored report: {error}") from None


#: KEYS: report, claim, index, unannounced. ARGV: token, JSON, id, order, kept, prefix of report keys, replace.
#: Publishes once: only by who holds the claim, and only when there is no report yet (or ``replace`` is 1).
#: Returns 1 when published.
_PUBLISH = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if ARGV[7] ~= '1' and redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[3])
redis.call('SADD', KEYS[4], ARGV[3])
local extra = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[5])
if extra > 0 then
  for _, old in ipairs(redis.call('ZRANGE', KEYS[3], 0, extra - 1)) do
    redis.call('ZREM', KEYS[3], old)
    redis.call('SREM', KEYS[4], old)
    redis.call('DEL', ARGV[6] .. old)
  end
end
return 1
"""

#: KEYS: claim. ARGV: token. Lets go of a claim that is still ours.
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

#: KEYS: the day's hash. ARGV: tokens, cost, token limit, cost limit (negative: none), seconds to keep. Reserves or refuses.
_RESERVE = """
local tokens = tonumber(redis.call('HGET', KEYS[1], 'tokens') or '0') + tonumber(ARGV[1])
local cost = tonumber(redis.call('HGET', KEYS[1], 'cost') or '0') + tonumber(ARGV[2])
if tokens > tonumber(ARGV[3]) or (tonumber(ARGV[4]) >= 0 and cost > tonumber(ARGV[4])) then return 0 end
redis.call('HINCRBY', KEYS[1], 'tokens', ARGV[1])
redis.call('HINCRBY', KEYS[1], 'cost', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return 1
"""


class ReportStore:
    """Writes and reads reports. Every method raises StoreError when Redis is down (see ``ReadModel``)."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client: Any = client
        self._prefix = prefix
        self._keys = Keys(prefix)

    def claim(self, report_id: str, token: str, seconds: float, *, replace: bool = False) -> Claimed:
        """Ask to be the one who writes a report; the claim lapses after ``seconds``. ``replace``: even if it is there."""
        with reading(self._client, self._prefix):
            if not replace and self._client.exists(self._keys.report(report_id)):
                return "done"
            if not self._client.set(self._keys.report_claim(report_id), token, nx=True, px=max(1, int(seconds * 1000))):
                return "taken"
            # Another may have published between our first look and our claim.
            if not replace and self._client.exists(self._keys.report(report_id)):
                self.release(report_id, token)
                return "done"
            return "mine"

    def release(self, report_id: str, token: str) -> None:
        """Let go of a claim without publishing."""
        with reading(self._client, self._prefix):
            self._client.eval(_RELEASE, 1, self._keys.report_claim(report_id), token)

    def publish(self, report: StoredReport, token: str, *, replace: bool = False) -> bool:
        """Keep the report, if the claim is still ours and nobody has published it; whether it was kept."""
        keys = self._keys
        with reading(self._client, self._prefix):
            done = self._client.eval(
                _PUBLISH, 4, keys.report(report.id), keys.report_claim(report.id), keys.reports(), keys.reports_unannounced(),
                token, report.to_json(), report.id, report.end, REPORTS_KEPT, keys.report(""), int(replace),
            )  # fmt: skip
            return bool(done)

    def get(self, report_id: str) -> StoredReport | None:
        """The report of that id; None when there is none or it cannot be read."""
        with reading(self._client, self._prefix):
            return _read(self._client.get(self._keys.report(report_id)))

    def newest(self, limit: int = 20) -> tuple[StoredReport, ...]:
        """The last reports by the end of their period, newest first."""
        with reading(self._client, self._prefix):
            ids = [text(one) for one in self._client.zrevrange(self._keys.reports(), 0, max(0, limit - 1))]
            found = self._client.mget([self._keys.report(one) for one in ids]) if ids and limit > 0 else []
        return tuple(report for raw in found if (report := _read(raw)) is not None)

    def unannounced(self) -> tuple[str, ...]:
        """Ids of published reports that subscribers have not been told of."""
        with reading(self._client, self._prefix):
            return tuple(sorted(text(one) for one in self._client.smembers(self._keys.reports_unannounced())))

    def claim_announcement(self, report_id: str, token: str, seconds: float) -> bool:
        """Ask to be the one who tells subscribers of a report; the claim lapses after ``seconds``."""
        key = self._keys.report_claim(f"{report_id}:announcement")
        with reading(self._client, self._prefix):
            return bool(self._client.set(key, token, nx=True, px=max(1, int(seconds * 1000))))

    def release_announcement(self, report_id: str, token: str) -> None:
        """Let go of it."""
        self.release(f"{report_id}:announcement", token)

    def announced(self, report_id: str) -> None:
        """Subscribers have been told of this report."""
        with reading(self._client, self._prefix):
            self._client.srem(self._keys.reports_unannounced(), report_id)

    def count(self, changes: Mapping[str, int]) -> None:
        """Add to the counters of the reporter."""
        with reading(self._client, self._prefix):
            pipe = self._client.pipeline(transaction=True)
            for name, number in changes.items():
                if number:
                    pipe.hincrby(self._keys.report_counters(), name, number)
            pipe.execute()

    def counters(self) -> dict[str, int]:
        """What was counted: reports by author, refusals by reason, references, tokens."""
        with reading(self._client, self._prefix):
            return {text(name): int(number) for name, number in self._client.hgetall(self._keys.report_counters()).items()}

    def reserve(self, day: str, tokens: int, cost: int, *, most_tokens: int, most_cost: int | None) -> bool:
        """Take tokens and cost (millionths) out of a day's budget; False when it does not hold them."""
        with reading(self._client, self._prefix):
            limit = -1 if most_cost is None else most_cost
            seconds = SPENT_KEPT * 86_400
            taken = self._client.eval(_RESERVE, 1, self._keys.report_spent(day), tokens, cost, most_tokens, limit, seconds)
            return bool(taken)

    def give_back(self, day: str, tokens: int, cost: int) -> None:
        """Correct a reservation by what was not used (negative: by what was used beyond it)."""
        with reading(self._client, self._prefix):
            pipe = self._client.pipeline(transaction=True)
            pipe.hincrby(self._keys.report_spent(day), "tokens", -tokens)
            pipe.hincrby(self._keys.report_spent(day), "cost", -cost)
            pipe.execute()

    def spent(self, day: str) -> tuple[int, int]:
        """Tokens and cost (millionths) of a day."""
        with reading(self._client, self._prefix):
            tokens, cost = self._client.hmget(self._keys.report_spent(day), ("tokens", "cost"))
        return int(tokens or 0), int(cost or 0)

    def failed(self, *, most: int, pause: float) -> None:
        """Count a failed call; after ``most`` in a row no reporter calls for ``pause`` seconds."""
        with reading(self._client, self._prefix):
            failures = int(self._client.incr(self._keys.report_failures()))
            self._client.expire(self._keys.report_failures(), max(1, int(pause * 10)))
            if failures >= most:
                self._client.set(self._keys.report_circuit(), "open", px=max(1, int(pause * 1000)))

    def succeeded(self) -> None:
        """A call came through: start counting failures anew."""
        with reading(self._client, self._prefix):
            self._client.delete(self._keys.report_failures(), self._keys.report_circuit())

    def circuit_open(self) -> bool:
        """Whether calls are paused after failures."""
        with reading(self._client, self._prefix):
            return bool(self._client.exists(self._keys.report_circuit()))


def _read(raw: Any) -> StoredReport | None:
    if raw is None:
        return None
    try:
        return StoredReport.from_json(text(raw))
    except ValueError:
        return None
