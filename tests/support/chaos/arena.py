"""Everything that a run strikes at: Kafka and Redis behind proxies, the workers, and settings that go around the proxies."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from kafka import KafkaAdminClient

from headrace.embedded.broker import EmbeddedBroker
from headrace.embedded.cluster import KafkaCluster
from headrace.embedded.readiness import quiet
from stream_app.settings import Settings, load_settings
from tests.support import watched
from tests.support.chaos.traffic import Traffic
from tests.support.fragile import MOMENTS, RESTORING, TRANSACTIONAL
from tests.support.paths import CACHE
from tests.support.proxy import Proxies, Proxy, proxies
from tests.support.redis_servers import RedisServer
from tests.support.stream import Books, Worker, await_workers, make_topics
from tests.support.waiting import soon

#: Every write is in the file when it is answered, and on the disk within a second: Redis' own default with an AOF.
AOF = ("--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0")

#: Runs a worker that is not armed.
WATCHED = Path(watched.__file__)


class Crew:
    """The workers: a killed one is replaced at once, now and then by one that will kill itself at a moment of its own."""

    def __init__(self, settings: Settings, folder: Path, size: int, chance: random.Random) -> None:
        self.settings, self.folder, self.size, self.chance = settings, folder, size, chance
        more = [f"{when}.{name}" for name in TRANSACTIONAL for when in ("before", "after")] if settings.exactly_once else []
        self.moments = [*MOMENTS, *more, *more]
        self.workers: list[Worker] = []
        #: Worker → the moment at which it dies by its own hand.
        self.armed: dict[Worker, str] = {}
        self.stopped: set[Worker] = set()
        self.died: Counter[str] = Counter()
        #: Workers that ended by themselves, which none must, with the end of their logs.
        self.ended: list[str] = []
        self._number = 0

    def start(self) -> None:
        """Start the first workers, and wait until they report."""
        self.workers = [self._new(None) for _ in range(self.size)]

    def _new(self, moment: str | None, calls: int = 0) -> Worker:
        self._number += 1
        fragile = (moment, calls or self.chance.randrange(1, 15)) if moment else None
        worker = Worker(self.settings, self.folder / f"worker-{self._number}.log", fragile, script=None if fragile else WATCHED)
        if moment:
            self.armed[worker] = moment
        return worker

    def kill(self, draw: int) -> str:
        """SIGKILL one that is not stopped; the next one in its stead is armed every other time."""
        self.look_after()
        running = [index for index, one in enumerate(self.workers) if one not in self.stopped]
        index = running[draw % len(running)]
        worker = self.workers[index]
        worker.kill()
        self.died["outside"] += 1
        self.armed.pop(worker, None)
        self.workers[index] = self._new(self.chance.choice(self.moments) if draw % 2 else None)
        return f"worker {worker.pid}"

    def ambush(self, draw: int) -> None:
        """Replace one that is neither stopped nor armed by one that will kill itself while it restores the store."""
        self.look_after()
        plain = [index for index, one in enumerate(self.workers) if one not in self.stopped and one not in self.armed]
        if plain:
            index = plain[draw % len(plain)]
            self.workers[index].kill()
            self.died["outside"] += 1
            moment = f"{('before', 'after')[draw % 2]}.{RESTORING[draw % len(RESTORING)]}"
            self.workers[index] = self._new(moment, calls=1 + draw % 3)

    def look_after(self) -> None:
        """Replace the workers that have died, and note those that had no reason to."""
        for index, worker in enumerate(self.workers):
            if worker.running:
                continue
            moment = self.armed.pop(worker, None)
            if moment and worker.process.returncode == -signal.SIGKILL:
                self.died[moment] += 1
            else:
                self.ended.append(f"{worker.log.name} ended with {worker.process.returncode}:\n{worker.output()[-3000:]}")
            self.workers[index] = self._new(None)

    def disarm(self) -> None:
        """Replace those that would kill themselves."""
        self.look_after()
        for index, worker in enumerate(self.workers):
            if worker in self.armed:
                worker.kill()
                self.died["outside"] += 1
                del self.armed[worker]
                self.workers[index] = self._new(None)

    def say_where(self) -> None:
        """Let the workers write into their logs where they are."""
        for worker in self.workers:
            size = worker.log.stat().st_size
            worker.signal(signal.SIGUSR2)
            soon(lambda log=worker.log, size=size: log.stat().st_size > size, 3)  # type: ignore[misc]

    def stop(self) -> None:
        """SIGTERM, as an operator stops them; SIGKILL for those that do not end."""
        for worker in self.workers:
            worker.signal(signal.SIGCONT)
            worker.signal(signal.SIGTERM)
        deadline = time.monotonic() + 15
        for worker in self.workers:
            with suppress(Exception):
                worker.process.wait(max(0.1, deadline - time.monotonic()))
            worker.kill()


class Arena:
    """Services, workers and traffic of one run; made by ``arena``."""

    def __init__(
        self, net: Proxies, folder: Path, settings: Settings, cluster: KafkaCluster | None, brokers: list[Proxy]
    ) -> None:
        """``settings`` go around the proxies of Kafka (``brokers``)."""
        self.folder, self.cluster, self.brokers = folder, cluster, brokers
        self.redis = RedisServer(folder / "redis-1", *AOF, aof=True)
        self.redis.start()
        self.gate = net.open(self.redis.port)
        # The test's own way to whichever Redis is the master.
        self.window = net.open(self.redis.port)
        #: For the test, around the faults of the network.
        self.direct = _changed(settings, redis=f"redis://{self.window.address}/0")
        #: For the workers.
        through = ",".join(proxy.address for proxy in brokers)
        self.settings = _changed(settings, redis=f"redis://{self.gate.address}/0", kafka=through)
        self.books = Books(self.direct)
        self.crew: Crew
        self.traffic: Traffic
        self.servers = 1
        #: Orders of a deleted topic that had been counted when the new one was created.
        self.earlier = 0

    def new_redis(self) -> RedisServer:
        """Another Redis, not started."""
        self.servers += 1
        return RedisServer(self.folder / f"redis-{self.servers}", *AOF, aof=True)

    def switch_to(self, server: RedisServer) -> None:
        """Let clients reach another Redis at the same address."""
        self.redis = server
        self.gate.aim(server.port)
        self.window.aim(server.port)

    def counted(self, entity: str = "orders") -> int | None:
        """How many records Redis has counted; None while it does not answer."""
        with suppress(redis.RedisError, OSError):
            return self.books.total(entity).get("in", 0)
        return None

    def acknowledged(self) -> int:
        """How many orders Redis has to count at least."""
        return self.earlier + self.traffic.acknowledged()

    def settled(self) -> bool:
        """True if Redis has counted everything that was acknowledged, and nothing waits."""
        try:
            for entity in self.traffic.book:
                total = self.books.total(entity)
                counted = total.get("in", 0)
                least = self.acknowledged() if entity == "orders" else self.traffic.acknowledged(entity)
                if counted < least or total.get("pending", 0) or self.books.waiting(entity):
                    return False
                if counted != sum(total.get(name, 0) for name in ("clean", "rejected", "deleted")):
                    return False
        except (redis.RedisError, OSError):
            return False
        return True

    def whole(self) -> bool:
        """True if all nodes of the cluster are there, and every partition has all its replicas in sync."""
        assert self.cluster is not None, "this arena has no cluster"
        client = AdminClient({"bootstrap.servers": self.direct.kafka, "log_level": 0, "socket.timeout.ms": 5_000})
        try:
            found = client.list_topics(timeout=5)
        except KafkaException:
            return False
        partitions = [one for topic in found.topics.values() for one in topic.partitions.values()]
        nodes = len(self.cluster.nodes)
        return len(found.brokers) == nodes and all(len(one.isrs) == len(one.replicas) for one in partitions)

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """A client for administration, around the proxies."""
        with quiet("kafka"):
            client = KafkaAdminClient(bootstrap_servers=self.direct.kafka.split(","), request_timeout_ms=20_000)
            try:
                yield client
            finally:
                client.close()

    def begin(self, traffic: Traffic, crew: Crew) -> None:
        """Create the topics, send the references, start the workers and wait until the references are counted."""
        self.traffic, self.crew = traffic, crew
        make_topics(self.direct)
        traffic.references()
        crew.start()
        await_workers(self.direct, crew.workers)

    def close(self) -> None:
        """End everything that this object has started."""
        if hasattr(self, "crew"):
            self.crew.stop()
        self.redis.kill()
        self.books.client.close()


@contextmanager
def arena(folder: Path, settings: Settings, *, nodes: int = 3) -> Iterator[Arena]:
    """Run a cluster of Kafka nodes and a Redis with an AOF, both behind proxies.

    ``nodes`` 0: the embedded broker instead, whose proxy everybody uses.
    """
    with proxies() as net:
        cluster: KafkaCluster | None = None
        embedded: EmbeddedBroker | None = None
        made: Arena | None = None
        try:
            if nodes:
                brokers = [net.open() for _ in range(nodes)]
                cluster = KafkaCluster(CACHE, folder, nodes=nodes, advertised=[proxy.port for proxy in brokers])
                for proxy, node in zip(brokers, cluster.nodes, strict=True):
                    proxy.target = node.address.clients
                cluster.start()
                settings = _changed(settings, kafka=cluster.bootstrap, replication=nodes)
            else:
                brokers = [net.open()]
                embedded = EmbeddedBroker(folder, advertised=brokers[0].port)
                brokers[0].target = embedded.port
                embedded.wait()
                settings = _changed(settings, kafka=brokers[0].address)
            made = Arena(net, folder, settings, cluster, brokers)
            yield made
        finally:
            if made is not None:
                made.close()
            if cluster is not None:
                cluster.stop()
            if embedded is not None:
                embedded.child.stop(timeout=5)


def _changed(settings: Settings, **changes: Any) -> Settings:
    return load_settings(**{name: getattr(settings, name) for name in settings.model_fields_set} | changes)
