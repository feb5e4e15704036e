"""Reports in Redis: one per period, claimed before it is written; a bounded history; the model's budget and circuit breaker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import msgspec
import redis

from stream_app.counts.fields import text
from stream_app.store.connection import reading, whole
from stream_app.store.keys import Keys
from stream_app.store.scripts import load, pack
from stream_app.windows.as_of import is_shown

#: The newest reports that are kept.
REPORTS_KEPT = 200
#: Days for which the spent tokens are kept.
SPENT_KEPT = 8

Claimed = Literal["mine", "taken", "done"]


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A report as it was published.

    ``start`` and ``end``: the period, epoch seconds of event time; ``created``: epoch seconds. ``report``: its sections,
    rendered and with references; ``facts``: fact id → fact; ``verdict``: the gate's; ``markdown`` and ``html``: the report to
    read, complete and escaped. ``provisional``: the period was not over.
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
    provisional: bool = False

    def to_json(self) -> str:
        """Return compact JSON: the value under the report's key and on the topic."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, raw: str | bytes) -> StoredReport:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: the text is not a stored report.
        """
        try:
            # Not msgspec's own parser: it refuses half a surrogate pair, which a text of a report may contain.
            report = msgspec.convert(json.loads(raw), type=cls)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise ValueError(f"not a stored report: {type(error).__name__}") from None
        if not all(is_shown(at * 1000) for at in (report.start, report.end, report.created)):
            raise ValueError("not a stored report: a time that cannot be shown")
        return report


class ReportStore:
    """Writes and reads reports. Every method raises StoreError when Redis is down (see ``Queries``)."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client: Any = client
        self._prefix = prefix
        self._keys = Keys(prefix)
        self._publish = load(client, "publish_report")
        self._release = load(client, "release_claim")
        self._reserve = load(client, "reserve_budget")

    def claim(self, report_id: str, token: str, seconds: float, *, replace: bool = False) -> Claimed:
        """Claim a report that is to be written; the claim lapses after ``seconds``. ``replace``: even if the report exists."""
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
        """Release a claim without publishing."""
        with reading(self._client, self._prefix):
            self._release(keys=[self._keys.report_claim(report_id)], args=[token])

    def publish(self, report: StoredReport, token: str, *, replace: bool = False) -> bool:
        """Publish the report if the claim is still ours and nobody has published it; True if it was published."""
        keys = self._keys
        payload = {
            "token": token, "id": report.id, "end": report.end, "report": report.to_json(), "replace": int(replace),
            "kept": REPORTS_KEPT,
        }  # fmt: skip
        with reading(self._client, self._prefix):
            done = self._publish(
                keys=[
                    keys.report(report.id), keys.report_claim(report.id), keys.reports(), keys.reports_unannounced(),
                    keys.report_stem(),
                ],
                args=[pack(payload)],
            )  # fmt: skip
            return bool(done)

    def withdraw(self, report_id: str) -> None:
        """Remove a report that another one replaces; nothing if there is none."""
        with reading(self._client, self._prefix):
            pipe = self._client.pipeline(transaction=True)
            pipe.delete(self._keys.report(report_id))
            pipe.zrem(self._keys.reports(), report_id)
            pipe.srem(self._keys.reports_unannounced(), report_id)
            pipe.execute()

    def get(self, report_id: str) -> StoredReport | None:
        """Return the report of an id; None if there is none or it cannot be read."""
        with reading(self._client, self._prefix):
            return _read(self._client.get(self._keys.report(report_id)))

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all reports that are kept, by the end of their period, newest first."""
        with reading(self._client, self._prefix):
            return tuple(text(one) for one in self._client.zrevrange(self._keys.reports(), 0, REPORTS_KEPT - 1))

    def newest(self, limit: int = 20) -> tuple[StoredReport, ...]:
        """Return the last reports by the end of their period, newest first."""
        with reading(self._client, self._prefix):
            ids = [text(one) for one in self._client.zrevrange(self._keys.reports(), 0, max(0, limit - 1))]
            found = self._client.mget([self._keys.report(one) for one in ids]) if ids and limit > 0 else []
        return tuple(report for raw in found if (report := _read(raw)) is not None)

    def unannounced(self) -> tuple[str, ...]:
        """Return the ids of reports that are published here and not yet on the topic."""
        with reading(self._client, self._prefix):
            return tuple(sorted(text(one) for one in self._client.smembers(self._keys.reports_unannounced())))

    def claim_announcement(self, report_id: str, token: str, seconds: float) -> bool:
        """Claim a report that is to be sent to the topic; the claim lapses after ``seconds``."""
        key = self._keys.announcement_claim(report_id)
        with reading(self._client, self._prefix):
            return bool(self._client.set(key, token, nx=True, px=max(1, int(seconds * 1000))))

    def release_announcement(self, report_id: str, token: str) -> None:
        """Release the claim on an announcement."""
        with reading(self._client, self._prefix):
            self._release(keys=[self._keys.announcement_claim(report_id)], args=[token])

    def announced(self, report_id: str) -> None:
        """Note that a report is on the topic."""
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
        """Return what was counted: reports by author, refusals by reason, references, tokens."""
        with reading(self._client, self._prefix):
            found = self._client.hgetall(self._keys.report_counters())
        key = self._keys.report_counters()
        return {text(name): whole(key, f"field {text(name)}", number) for name, number in found.items()}

    def reserve(self, day: str, tokens: int, cost: int, *, most_tokens: int, most_cost: int | None) -> bool:
        """Reserve tokens and cost (millionths) of a day's budget; False if it does not suffice."""
        payload = {
            "tokens": tokens, "cost": cost, "most_tokens": most_tokens, "most_cost": -1 if most_cost is None else most_cost,
            "kept": SPENT_KEPT * 86_400,
        }  # fmt: skip
        with reading(self._client, self._prefix):
            return bool(self._reserve(keys=[self._keys.report_spent(day)], args=[pack(payload)]))

    def give_back(self, day: str, tokens: int, cost: int) -> None:
        """Correct a reservation by what was not used; negative if more was used."""
        with reading(self._client, self._prefix):
            pipe = self._client.pipeline(transaction=True)
            pipe.hincrby(self._keys.report_spent(day), "tokens", -tokens)
            pipe.hincrby(self._keys.report_spent(day), "cost", -cost)
            pipe.execute()

    def spent(self, day: str) -> tuple[int, int]:
        """Return the tokens and the cost (millionths) spent on a day."""
        with reading(self._client, self._prefix):
            tokens, cost = self._client.hmget(self._keys.report_spent(day), ("tokens", "cost"))
        return int(tokens or 0), int(cost or 0)

    def failed(self, *, most: int, pause: float) -> None:
        """Count a failed call; after ``most`` in a row the circuit is open for ``pause`` seconds: no reporter calls."""
        with reading(self._client, self._prefix):
            failures = int(self._client.incr(self._keys.report_failures()))
            self._client.expire(self._keys.report_failures(), max(1, int(pause * 10)))
            if failures >= most:
                self._client.set(self._keys.report_circuit(), "open", px=max(1, int(pause * 1000)))

    def succeeded(self) -> None:
        """Note a successful call: close the circuit and count failures from 0."""
        with reading(self._client, self._prefix):
            self._client.delete(self._keys.report_failures(), self._keys.report_circuit())

    def circuit_open(self) -> bool:
        """True while calls are paused after failures."""
        with reading(self._client, self._prefix):
            return bool(self._client.exists(self._keys.report_circuit()))


def _read(raw: Any) -> StoredReport | None:
    if raw is None:
        return None
    try:
        return StoredReport.from_json(text(raw))
    except ValueError:
        return None
