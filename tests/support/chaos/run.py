"""Run a schedule against an arena: strike, heal, measure the recovery, then wait for quiet and count everything anew."""

from __future__ import annotations

import json
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.chaos.arena import Arena, Crew
from tests.support.chaos.faults import FAULTS, Fault
from tests.support.chaos.ledger import Ledger, describe
from tests.support.chaos.schedule import Planned
from tests.support.chaos.traffic import Traffic
from tests.support.waiting import soon

#: Seconds between two looks at the arena, and between two questions whether a service is whole again.
TICK, ASK = 0.05, 0.5
#: Seconds that an order takes at most to be counted while nothing is wrong, on a busy machine.
LATENCY = 2.0
#: Seconds for which everything has to be counted in time, so that a fault is over.
STEADY = 4.0


@dataclass
class Struck:
    """One fault on its way through its stages; times in seconds since the run began."""

    planned: Planned
    fault: Fault
    stage: str = "planned"
    since: float = 0.0
    struck: float = 0.0
    healed: float = 0.0
    recovered: float = 0.0
    target: int = 0
    hit: str = ""
    asked: float = field(default=0.0, repr=False)

    @property
    def row(self) -> dict[str, Any]:
        """A line of the report."""
        return {
            "fault": self.planned.fault,
            "text": " ".join((self.fault.__doc__ or "").split()),
            "struck": round(self.struck, 1),
            "outage": round(self.healed - self.struck, 1),
            "recovery": round(self.recovered - self.healed, 1),
            "hit": self.hit,
        }


class Run:
    """Takes every planned fault through its stages: planned → prepared → struck → healing → healed → recovered."""

    def __init__(self, arena: Arena, plan: Sequence[Planned], say: Callable[[str], None], within: float) -> None:
        """``within``: seconds after which a fault that is not over is a failure."""
        self.arena, self.say, self.within = arena, say, within
        self.faults = [Struck(planned, FAULTS[planned.fault](arena, planned)) for planned in plan]
        self._alone: Struck | None = None
        self._began = time.monotonic()
        # Seconds that faults which strike alone have taken; the others come later by them.
        self._shift = 0.0
        # Orders that Redis has counted; None while it does not answer.
        self._counted: int | None = None
        #: (time, orders acknowledged by then) of the last seconds.
        self._history: deque[tuple[float, int]] = deque()

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    def run(self) -> None:
        """Strike until every fault has struck and everything has recovered."""
        self._began = time.monotonic()
        while any(one.stage != "recovered" for one in self.faults):
            self.arena.crew.look_after()
            self._history.append((self.now, self.arena.acknowledged()))
            if any(one.stage in ("healing", "healed") for one in self.faults):
                self._counted = self.arena.counted()
            for one in self.faults:
                self._step(one)
            time.sleep(TICK)  # the pace of the loop, which waits for conditions

    def _step(self, one: Struck) -> None:
        step = {
            "planned": self._prepare, "prepared": self._strike, "struck": self._heal, "healing": self._wait,
            "healed": self._follow,
        }.get(one.stage)  # fmt: skip
        if step is not None:
            step(one)

    def _enter(self, one: Struck, stage: str) -> None:
        one.stage, one.since = stage, self.now

    def _prepare(self, one: Struck) -> None:
        due = self.now - self._shift >= one.planned.at - one.planned.lead
        if not due or (self._alone is not None and self._alone is not one):
            return
        others = [other for other in self.faults if other is not one and other.stage not in ("planned", "recovered")]
        if one.fault.alone:
            self._alone = one
            if others:
                return
        elif any(o.fault.resource == one.fault.resource and o.stage != "healed" for o in others if one.fault.resource):
            return
        one.fault.prepare()
        self._enter(one, "prepared")

    def _strike(self, one: Struck) -> None:
        if self.now - one.since < one.planned.lead or not self._asking(one, one.fault.ready):
            return
        one.struck = self.now
        one.hit = one.fault.strike()
        self._enter(one, "struck")
        self.say(f"{one.struck:6.1f} s  {one.planned.fault}: {one.hit}")

    def _heal(self, one: Struck) -> None:
        if self.now - one.since >= one.planned.lasts:
            one.healed = self.now
            one.target = self.arena.acknowledged()
            one.fault.heal()
            self._enter(one, "healing")

    def _wait(self, one: Struck) -> None:
        self._look(one)
        if self._asking(one, one.fault.healed):
            self._enter(one, "healed")
        self._expire(one)

    def _look(self, one: Struck) -> None:
        """Note since when everything has been counted in time."""
        if self._counted is None or self._counted < max(one.target, self._due()):
            one.recovered = 0.0
        elif not one.recovered:
            one.recovered = self.now

    def _follow(self, one: Struck) -> None:
        self._look(one)
        if one.recovered and self.now - max(one.recovered, one.since) >= STEADY:
            self._enter(one, "recovered")
            if one.planned.fault != "worker-kill":
                took = one.recovered - one.healed
                self.say(f"{one.recovered:6.1f} s  {one.planned.fault}: all is counted {took:.1f} s after its end")
            if self._alone is one:
                self._alone = None
                self._shift += self.now - one.struck
        self._expire(one)

    def _due(self) -> int:
        """Orders that were acknowledged before the last ``LATENCY`` seconds: they are counted unless something is wrong."""
        while len(self._history) > 1 and self._history[1][0] <= self.now - LATENCY:
            self._history.popleft()
        return self._history[0][1] if self._history else 0

    def _expire(self, one: Struck) -> None:
        if one.stage != "recovered" and self.now - one.since > self.within:
            raise AssertionError(
                f"{one.planned.fault} at {one.struck:.1f} s is {one.stage} and not recovered after {self.within:.0f} s: "
                f"{self._counted} of {self._due()} orders are counted"
            )

    def _asking(self, one: Struck, question: Callable[[], bool]) -> bool:
        if self.now - one.asked < ASK and one.asked:
            return False
        one.asked = self.now
        return question()


def stand(
    arena: Arena,
    plan: Sequence[Planned],
    *,
    seed: int,
    rate: float,
    workers: int = 3,
    within: float = 180.0,
    say: Callable[[str], None] = print,
    report: Path | None = None,
) -> str:
    """Let workers work under a schedule, and check every promise at the end; returns a line on the result.

    Args:
        arena: where it happens; it has neither traffic nor workers yet.
        plan: what strikes.
        seed: of the orders, their pace and the workers' own ends.
        rate: orders a second.
        workers: how many work at a time.
        within: seconds within which everything is counted again after a fault, and settled at the end.
        say: gets the schedule and every strike.
        report: a JSON file to write, with every fault and its recovery.

    Raises:
        AssertionError: a promise is broken; the message ends with what happened before, and how to repeat it.
    """
    events: list[str] = []

    def tell(line: str) -> None:
        events.append(line)
        say(line)

    names = sorted({one.fault for one in plan})
    again = f"repeat it with: make chaos SEED={seed} FAULTS={','.join(names)}"
    tell(f"seed {seed}, exactly once {arena.settings.exactly_once}, {rate:.0f} orders/s; {again}")
    for planned in plan:
        if planned.fault != "worker-kill":
            tell(f"  {planned}")
    tell(f"  and {sum(one.fault == 'worker-kill' for one in plan)} kills of workers")
    longest = 4 * max((one.at for one in plan), default=10.0) + 60
    traffic = Traffic(arena.direct, seed, rate, longest)
    crew = Crew(arena.settings, arena.folder, workers, random.Random(seed))
    run = Run(arena, plan, tell, within)
    try:
        arena.begin(traffic, crew)
        traffic.start()
        run.run()
        result = _settle(arena, run, tell)
    except AssertionError as error:
        crew.say_where()
        story = "\n".join(events)
        logs = "\n".join(f"--- {one.log.name}\n{one.output()[-6000:]}" for one in crew.workers)
        ended = "\n".join(crew.ended)
        raise AssertionError(f"{error}\n\n{again}\n{story}\n\n{ended}\n{logs}") from error
    finally:
        traffic.quit()
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        rows = [one.row for one in run.faults]
        killed = dict(sorted(crew.died.items()))
        document = {
            "seed": seed,
            "exactly_once": arena.settings.exactly_once,
            "result": result,
            "kills": killed,
            "faults": rows,
        }
        report.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return result


def _settle(arena: Arena, run: Run, tell: Callable[[str], None]) -> str:
    arena.crew.disarm()
    arena.traffic.stop()
    at = run.now
    if not soon(lambda: (arena.crew.look_after(), arena.settled())[1], run.within, 0.2):  # type: ignore[func-returns-value]
        found = {entity: arena.books.total(entity) for entity in arena.traffic.book}
        short = {
            e: {k: v for k, v in t.items() if k in ("in", "clean", "rejected", "deleted", "pending")} for e, t in found.items()
        }
        sent = {entity: arena.traffic.acknowledged(entity) for entity in found}
        raise AssertionError(
            f"not settled within {run.within:.0f} s: {short}, acknowledged {sent}, earlier {arena.earlier}\n"
            + "\n".join(Ledger(arena.traffic).differences(arena.direct, entity) for entity in sent)
        )
    settled = run.now - at
    arena.crew.stop()
    assert not arena.crew.ended, f"{len(arena.crew.ended)} workers ended by themselves:\n" + "\n".join(arena.crew.ended)
    if not any(one.planned.fault == "topic-recreated" for one in run.faults):
        assert not arena.traffic.failures, arena.traffic.failures[:3]
    ledger = Ledger(arena.traffic)
    counted = ledger.assert_exact(arena.direct)
    if arena.settings.exactly_once:
        assert not ledger.repeats, f"a read_committed subscriber saw records twice: {ledger.repeats[:10]}"
    died = arena.crew.died
    kills = f"{died.total()} kills of workers"
    result = f"{describe(counted)}; {kills}; settled {settled:.1f} s after the last order; {run.now:.0f} s"
    tell(result)
    return result
