"""The schedule of a run as data: a seed, names of faults and a length make a list of what strikes when.

The list is printed before a run, and the same arguments make the same list.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Planned:
    """One strike.

    Attributes:
        at: seconds after the first order at which it strikes, or later if another fault of the same resource is not over.
        fault: a name in ``SPANS``.
        lead: seconds before the strike at which it is prepared: a snapshot is taken, a replica is cut off.
        lasts: seconds from the strike until it is healed.
        draw: an integer by which the fault chooses: the worker, the node, how bad it is.
    """

    at: float
    fault: str
    lead: float = 0.0
    lasts: float = 0.0
    draw: int = 0

    def __str__(self) -> str:
        return f"{self.at:6.1f} s  {self.fault:16} lead {self.lead:4.1f} s  lasts {self.lasts:4.1f} s  draw {self.draw}"


#: Fault → ranges of its lead and of its length, in seconds. A zombie lasts as long as the run says.
SPANS: dict[str, tuple[Range, Range]] = {
    "worker-kill": ((0, 0), (0, 0)),
    "zombie": ((0, 0), (0, 0)),
    "broker-kill": ((0, 0), (2, 10)),
    "kafka-cut": ((0, 0), (0, 4)),
    "kafka-delay": ((0, 0), (4, 10)),
    "kafka-blackhole": ((0, 0), (4, 10)),
    "redis-kill": ((0, 0), (0.5, 5)),
    "redis-power-cut": ((1, 2), (0.5, 5)),
    "redis-failover": ((3, 10), (0.5, 3)),
    "redis-restore": ((5, 20), (0, 0)),
    "redis-flush": ((4, 10), (0, 0)),
    "redis-cut": ((0, 0), (0, 4)),
    "redis-delay": ((0, 0), (4, 10)),
    "redis-blackhole": ((0, 0), (3, 8)),
    "topic-recreated": ((0, 0), (0, 2)),
    "partitions-added": ((0, 0), (0, 0)),
}
#: Faults that the embedded broker and one Redis are enough for.
EMBEDDED = (
    "worker-kill", "zombie", "kafka-cut", "kafka-delay", "redis-kill", "redis-power-cut", "redis-restore", "redis-flush",
    "redis-cut", "redis-delay",
)  # fmt: skip
#: Faults after which the topics are not what they were; they come after the zombie, so that its minute need not be waited for.
LATE = ("topic-recreated", "partitions-added")


def plan(
    seed: int,
    faults: Iterable[str],
    *,
    seconds: float,
    kills: int,
    zombie: float,
    rounds: int = 1,
    spans: float = 1.0,
) -> list[Planned]:
    """Return the strikes of a run, in order.

    Args:
        seed: the same seed makes the same list.
        faults: names; each strikes ``rounds`` times in a random order, the workers' kills in between.
        seconds: length of the run.
        kills: number of workers' kills, spread over the whole run.
        zombie: seconds for which one worker is stopped.
        rounds: strikes of each fault, but for the zombie and those of ``LATE``, which strike once.
        spans: factor on every lead and length.
    """
    chance = random.Random(seed)
    wanted = [name for name in SPANS if name in set(faults)]
    strikes: list[Planned] = []
    if "worker-kill" in wanted and kills:
        step = seconds / kills
        strikes += [_planned(chance, "worker-kill", step * (n + chance.uniform(0.1, 0.9)), zombie) for n in range(kills)]
    if "zombie" in wanted:
        strikes.append(_planned(chance, "zombie", chance.uniform(0.02, 0.06) * seconds, zombie))
    others = [name for name in wanted if name not in ("worker-kill", "zombie")]
    order = [name for name in others for _ in range(1 if name in LATE else rounds)]
    chance.shuffle(order)
    slots = [seconds * (0.05 + 0.93 * (n + chance.uniform(0.2, 0.8)) / len(order)) for n in range(len(order))]
    order = _late_last(order, slots, (0.06 * seconds + zombie) if "zombie" in wanted else 0.0)
    strikes += [_planned(chance, name, at, zombie) for name, at in zip(order, slots, strict=True)]
    shortened = [replace(one, lead=round(one.lead * spans, 1), lasts=round(one.lasts * spans, 1)) for one in strikes]
    return sorted((new if old.fault != "zombie" else old for old, new in zip(strikes, shortened, strict=True)), key=_moment)


def _moment(planned: Planned) -> float:
    return planned.at


def _late_last(order: Sequence[str], slots: Sequence[float], after: float) -> list[str]:
    """Swap the faults of ``LATE`` that strike before ``after`` with others that strike later, as far as there are any."""
    result = list(order)
    free = [index for index, at in enumerate(slots) if at > after and result[index] not in LATE]
    for index, at in enumerate(slots):
        if at <= after and result[index] in LATE and free:
            other = free.pop()
            result[index], result[other] = result[other], result[index]
    return result


def _planned(chance: random.Random, fault: str, at: float, zombie: float) -> Planned:
    lead, lasts = SPANS[fault]
    length = zombie if fault == "zombie" else chance.uniform(*lasts)
    return Planned(round(at, 1), fault, round(chance.uniform(*lead), 1), round(length, 1), chance.randrange(1, 1000))
