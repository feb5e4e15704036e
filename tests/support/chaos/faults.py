"""The faults: what each does to the arena when it is prepared, strikes and is healed."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, ClassVar

from kafka.admin import NewTopic

from stream_app.names import Topics
from tests.support.chaos.arena import Arena
from tests.support.chaos.schedule import Planned
from tests.support.redis_servers import RedisServer
from tests.support.stream import Worker
from tests.support.waiting import eventually

#: Seconds that a worker needs at least to start before it can be there for a strike.
AMBUSH = 5.0


class Fault:
    """One strike at the arena. Subclasses say what happens; the base does nothing."""

    #: Faults of one resource strike one after the other: the next is prepared when the one before is healed.
    resource: ClassVar[str] = ""
    #: It strikes when everything before it has recovered, and nothing else strikes until it has.
    alone: ClassVar[bool] = False

    def __init__(self, arena: Arena, planned: Planned) -> None:
        self.arena, self.planned, self.draw = arena, planned, planned.draw

    def prepare(self) -> None:
        """Do what has to be done some seconds before the strike."""

    def ready(self) -> bool:
        """Return whether the strike would hit what it is meant for."""
        return True

    def strike(self) -> str:
        """Strike, and return what was hit."""
        raise NotImplementedError

    def heal(self) -> None:
        """Bring back what was struck, without waiting for it."""

    def healed(self) -> bool:
        """Return whether what was struck is whole again; asked until it is."""
        return True


# --- workers ---------------------------------------------------------------------------------------------------------


class WorkerKill(Fault):
    """SIGKILL of a worker; another one starts."""

    def strike(self) -> str:
        return self.arena.crew.kill(self.draw)


class Zombie(Fault):
    """A worker is stopped for longer than its session lasts, and goes on as if nothing had happened."""

    resource = "zombie"
    worker: Worker

    def strike(self) -> str:
        crew = self.arena.crew
        crew.look_after()
        plain = [one for one in crew.workers if one not in crew.armed] or crew.workers
        self.worker = plain[self.draw % len(plain)]
        self.worker.signal(signal.SIGSTOP)
        crew.stopped.add(self.worker)
        return f"worker {self.worker.pid}"

    def heal(self) -> None:
        self.worker.signal(signal.SIGCONT)
        self.arena.crew.stopped.discard(self.worker)


# --- Kafka -----------------------------------------------------------------------------------------------------------


class BrokerKill(Fault):
    """SIGKILL of a node, and its restart."""

    resource = "kafka-process"

    def ready(self) -> bool:
        return self.arena.whole()

    @property
    def _cluster(self) -> Any:
        assert self.arena.cluster is not None, "this arena has no cluster"
        return self.arena.cluster

    @property
    def _node(self) -> Any:
        return self._cluster.nodes[self.draw % len(self._cluster.nodes)]

    def strike(self) -> str:
        self._node.kill()
        return str(self._node.name)

    def heal(self) -> None:
        self._node.launch()

    def healed(self) -> bool:
        return self.arena.whole()


class KafkaNetwork(Fault):
    """The base of faults between workers and brokers: one broker, or every other time all of them."""

    resource = "kafka-network"

    @property
    def _hit(self) -> list[Any]:
        brokers = self.arena.brokers
        return brokers if self.draw % 2 else [brokers[self.draw % len(brokers)]]

    @property
    def _name(self) -> str:
        return f"{len(self._hit)} of {len(self.arena.brokers)} brokers"

    def heal(self) -> None:
        for proxy in self._hit:
            proxy.resume()


class KafkaCut(KafkaNetwork):
    """Connections to Kafka are reset, and no new one is accepted."""

    def strike(self) -> str:
        for proxy in self._hit:
            proxy.refuse()
        return self._name


class KafkaDelay(KafkaNetwork):
    """Bytes to and from Kafka take 50 to 300 ms longer."""

    def strike(self) -> str:
        for proxy in self._hit:
            proxy.delay(0.05 + self.draw % 6 * 0.05)
        return f"{self._name}, {self._hit[0].lag:.2f} s"


class KafkaBlackhole(KafkaNetwork):
    """Nothing reaches Kafka, and no connection is closed."""

    def strike(self) -> str:
        for proxy in self._hit:
            proxy.blackhole()
        return self._name


# --- Redis -----------------------------------------------------------------------------------------------------------


class RedisProcess(Fault):
    """The base of faults that end a Redis."""

    resource = "redis-process"

    @property
    def server(self) -> RedisServer:
        """The present master."""
        return self.arena.redis


class RedisKill(RedisProcess):
    """SIGKILL of a Redis with an AOF, and its restart: it has what it answered for."""

    def strike(self) -> str:
        self.server.kill()
        return f"port {self.server.port}"

    def heal(self) -> None:
        self.server.start()


class RedisLoss(RedisProcess):
    """The base of faults after which the store is behind the log or empty; a worker may kill itself while it restores it."""

    def prepare(self) -> None:
        if self.planned.lead >= AMBUSH:
            self.arena.crew.ambush(self.draw)


class RedisPowerCut(RedisLoss):
    """Redis ends with what was on the disk some time before the strike, as a power cut does with ``appendfsync everysec``."""

    size = 0

    @property
    def _file(self) -> Path:
        folder = self.server.folder / "appendonlydir"
        found = sorted(folder.glob("*.incr.aof"), key=lambda file: file.stat().st_mtime)
        return found[-1] if found else self.server.folder / "appendonly.aof"

    def prepare(self) -> None:
        super().prepare()
        self.size = self._file.stat().st_size

    def strike(self) -> str:
        self.server.kill()
        file = self._file
        lost = file.stat().st_size - self.size
        with file.open("r+b") as aof:
            aof.truncate(self.size)
        return f"{lost} bytes of the AOF lost"

    def heal(self) -> None:
        self.server.start()


class RedisFailover(RedisLoss):
    """The master dies, and a replica that was cut off some time before takes its address."""

    replica: RedisServer

    def prepare(self) -> None:
        super().prepare()
        self.replica = self.arena.new_redis()
        self.replica.start()
        self.replica.follow(self.server)
        self.server.cut_replicas()

    def strike(self) -> str:
        lag = self.server.offset - self.replica.offset
        self.server.kill()
        return f"the replica lags by {lag} bytes"

    def heal(self) -> None:
        self.replica.promote()
        self.arena.switch_to(self.replica)


class RedisRestore(RedisLoss):
    """Redis comes back with an old snapshot."""

    snapshot: Path

    def prepare(self) -> None:
        super().prepare()
        self.snapshot = self.server.snapshot(f"snapshot-{self.draw}")

    def strike(self) -> str:
        self.server.restore(self.snapshot)
        return f"a snapshot of {self.planned.lead} s before"


class RedisFlush(RedisLoss):
    """FLUSHALL."""

    def strike(self) -> str:
        self.server.empty()
        return "everything"


class RedisNetwork(Fault):
    """The base of faults between workers and Redis."""

    resource = "redis-network"

    def heal(self) -> None:
        self.arena.gate.resume()


class RedisCut(RedisNetwork):
    """Connections to Redis are reset, and no new one is accepted."""

    def strike(self) -> str:
        self.arena.gate.refuse()
        return "connections"


class RedisDelay(RedisNetwork):
    """Bytes to and from Redis take 20 to 120 ms longer."""

    def strike(self) -> str:
        self.arena.gate.delay(0.02 + self.draw % 6 * 0.02)
        return f"{self.arena.gate.lag:.2f} s"


class RedisBlackhole(RedisNetwork):
    """Nothing reaches Redis, and no connection is closed."""

    def strike(self) -> str:
        self.arena.gate.blackhole()
        return "connections"


# --- topics ----------------------------------------------------------------------------------------------------------


class TopicRecreated(Fault):
    """The raw topic of the orders is deleted while orders in it wait to be judged, and created anew."""

    resource = "topics"
    alone = True
    partitions = 0

    def strike(self) -> str:
        arena, raw = self.arena, Topics("orders", self.arena.direct.topic_prefix).raw
        # Whoever kills itself between delivery and count has delivered what nobody can read again.
        arena.crew.disarm()
        arena.traffic.pause()
        eventually(arena.settled, "everything is settled before the topic is deleted", 90, 0.2)
        arena.traffic.burst(2_000)
        with arena.admin() as admin:
            self.partitions = len(admin.describe_topics([raw])[0]["partitions"])
            admin.delete_topics([raw])
            eventually(lambda: raw not in admin.list_topics(), "the topic is gone", 60, 0.1)
        return f"{raw}, {self.partitions} partitions"

    def heal(self) -> None:
        arena, raw = self.arena, Topics("orders", self.arena.direct.topic_prefix).raw
        with arena.admin() as admin:
            admin.create_topics([NewTopic(raw, self.partitions, arena.direct.replication)])
            eventually(lambda: raw in admin.list_topics(), "the topic is there", 60, 0.1)
        arena.earlier = arena.counted() or 0
        arena.traffic.resume(recreated=True)


class PartitionsAdded(Fault):
    """The orders' topics get two partitions more: all four at once, or every other time the raw topic alone."""

    resource = "topics"
    count = 0

    def strike(self) -> str:
        topics = Topics("orders", self.arena.direct.topic_prefix)
        names = topics.all if self.draw % 2 else (topics.raw,)
        with self.arena.admin() as admin:
            count = self.count = len(admin.describe_topics([topics.raw])[0]["partitions"]) + 2
            admin.create_partitions(dict.fromkeys(names, count))
        return f"{len(names)} topics, {count} partitions"

    def healed(self) -> bool:
        """Return whether the new partitions have got records: until then there is nothing to be seen of them."""
        traffic = self.arena.traffic
        return self.count - 1 in traffic.reached["orders", traffic.generation]


FAULTS: dict[str, type[Fault]] = {
    "worker-kill": WorkerKill,
    "zombie": Zombie,
    "broker-kill": BrokerKill,
    "kafka-cut": KafkaCut,
    "kafka-delay": KafkaDelay,
    "kafka-blackhole": KafkaBlackhole,
    "redis-kill": RedisKill,
    "redis-power-cut": RedisPowerCut,
    "redis-failover": RedisFailover,
    "redis-restore": RedisRestore,
    "redis-flush": RedisFlush,
    "redis-cut": RedisCut,
    "redis-delay": RedisDelay,
    "redis-blackhole": RedisBlackhole,
    "topic-recreated": TopicRecreated,
    "partitions-added": PartitionsAdded,
}
