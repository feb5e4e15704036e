"""Redis servers of a test's own: stop, kill, freeze, lag, restore an old snapshot, replicate, and Sentinels that fail over.

``RedisServer`` is one process with its data in a folder; it keeps its port over restarts. ``Replicated`` is a master with
replicas, with Sentinels if they are asked for. Start them from a thread that lives as long as they should (``Child``).
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from headrace.embedded import Child
from headrace.embedded.child import free_port
from headrace.embedded.readiness import redis_answers, wait_until
from headrace.embedded.redis_server import binary
from tests.support.waiting import eventually

#: The user by which replicas log in: switched off, replication is cut while clients and Sentinels still reach both sides.
REPLICA, SECRET = "replica", "copies"
#: Nodes of a cluster talk to each other on a port that is 10,000 higher.
_HIGHEST_OF_CLUSTER = 55_535
#: Name of the service that the Sentinels watch.
SERVICE = "headrace"


class RedisServer:
    """A ``redis-server`` of a test's own.

    ``options`` are options of the command line, ``"--maxmemory", "100mb"``. With ``aof`` each write is in the file before it is
    answered (``appendfsync always``); otherwise only ``stop`` and ``snapshot`` save.
    """

    def __init__(self, folder: Path, *options: str, aof: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.options, self.aof, self.port = folder, options, aof, free_port()
        while "--cluster-enabled" in options and self.port > _HIGHEST_OF_CLUSTER:
            self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.child: Child | None = None
        self.frozen = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    # --- the process ------------------------------------------------------------------------------------------------

    def start(self, *, aof: bool | None = None) -> None:
        """Start it with what it has on disk."""
        on = self.aof if aof is None else aof
        command = [
            str(binary()), "-",
            "--bind", "127.0.0.1",
            "--port", str(self.port),
            "--dir", str(self.folder),
            "--save", "",
            "--appendonly", "yes" if on else "no",
            "--appendfsync", "always",
            "--repl-diskless-sync-delay", "0",
            "--user", REPLICA, "on", f">{SECRET}", "+psync", "+replconf", "+ping",
            "--masteruser", REPLICA,
            "--masterauth", SECRET,
            *self.options,
        ]  # fmt: skip
        self.child = child = Child.start("Redis", command, self.folder / "redis.log")
        wait_until(child, lambda: redis_answers(self.port, child.pid))

    def stop(self) -> None:
        """Save everything and end."""
        if self.child is not None:
            with self.client() as client:
                client.shutdown(save=True)
            self.child.wait(10)
            self.child = None

    def kill(self) -> None:
        """SIGKILL: what is not on disk is lost."""
        if self.child is not None:
            with suppress(ProcessLookupError):
                os.kill(self.child.pid, signal.SIGKILL)
            self.child.wait(10)
            self.child, self.frozen = None, False

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, and nothing is answered until ``thaw``."""
        os.kill(self.pid, signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """Go on after ``freeze``."""
        os.kill(self.pid, signal.SIGCONT)
        self.frozen = False

    @property
    def pid(self) -> int:
        """The id of the running process."""
        assert self.child is not None, "this Redis does not run"
        return self.child.pid

    def client(self, **options: Any) -> redis.Redis:
        """Return a client that does not retry."""
        options = {"socket_timeout": 10, "decode_responses": True, "retry": Retry(NoBackoff(), 0)} | options
        return redis.Redis.from_url(self.url, **options)

    def ask(self, *command: Any) -> Any:
        """Return the answer to one command."""
        with self.client() as client:
            return client.execute_command(*command)

    def info(self, section: str = "all") -> dict[str, Any]:
        """Return INFO."""
        # A server that becomes a replica closes its connections.
        with self.client(retry=Retry(NoBackoff(), 3)) as client:
            answer: dict[str, Any] = client.info(section)
            return answer

    def configure(self, **options: str | int) -> None:
        """Set options while it runs: ``configure(maxmemory_policy="allkeys-lru")``."""
        for name, value in options.items():
            self.ask("CONFIG", "SET", name.replace("_", "-"), value)

    # --- its data ---------------------------------------------------------------------------------------------------

    def snapshot(self, name: str = "snapshot") -> Path:
        """Save what it contains now, and return the file."""
        self.ask("SAVE")
        return Path(shutil.copy(self.folder / "dump.rdb", self.folder / f"{name}.rdb"))

    def restore(self, snapshot: Path) -> None:
        """Kill it and start it with an earlier snapshot, or the snapshot of another server."""
        self.kill()
        shutil.rmtree(self.folder / "appendonlydir", ignore_errors=True)  # Redis 7
        (self.folder / "appendonly.aof").unlink(missing_ok=True)  # Redis 6
        shutil.copy(snapshot, self.folder / "dump.rdb")
        # With an AOF switched on and none on disk, Redis 7 starts empty and ignores the snapshot.
        self.start(aof=False)
        if self.aof:
            self.configure(appendonly="yes")
            eventually(lambda: not self.info("persistence")["aof_rewrite_in_progress"], "the AOF is written")

    def empty(self) -> None:
        """FLUSHALL."""
        self.ask("FLUSHALL")

    # --- replication ------------------------------------------------------------------------------------------------

    def follow(self, master: RedisServer) -> None:
        """Become a replica, and wait until it has what the master has."""
        self.ask("REPLICAOF", "127.0.0.1", master.port)
        self.await_level(master)

    def promote(self) -> None:
        """Become a master."""
        self.ask("REPLICAOF", "NO", "ONE")

    def await_level(self, master: RedisServer) -> None:
        """Wait until this replica is in touch with its master and has what that has."""
        eventually(lambda: self.info("replication").get("master_link_status") == "up", "the replica is connected")
        eventually(lambda: self.offset >= master.offset, "the replica has what the master has")

    @property
    def role(self) -> str:
        """``master`` or ``slave``."""
        return str(self.info("replication")["role"])

    @property
    def offset(self) -> int:
        """Bytes of the replication stream that it has."""
        replication = self.info("replication")
        return int(replication["master_repl_offset" if replication["role"] == "master" else "slave_repl_offset"])

    def cut_replicas(self) -> None:
        """Cut the replication: replicas run on with what they have, and lag behind from now on."""
        self.ask("ACL", "SETUSER", REPLICA, "off")
        self.ask("CLIENT", "KILL", "TYPE", "replica")
        eventually(lambda: self.info("replication")["connected_slaves"] == 0, "no replica is connected")

    def admit_replicas(self) -> None:
        """Let replicas come back after ``cut_replicas``."""
        self.ask("ACL", "SETUSER", REPLICA, "on")


class Sentinel:
    """One ``redis-sentinel`` that watches the master on a port.

    A master that does not answer for ``down_after`` seconds is down; ``lines`` are added to the configuration, ``password`` is
    what they require.
    """

    def __init__(
        self, folder: Path, master: int, quorum: int, down_after: float, lines: Sequence[str], password: str | None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port, self.password = folder, free_port(), password
        self.child: Child | None = None
        config = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {folder}",
            f"sentinel monitor {SERVICE} 127.0.0.1 {master} {quorum}",
            f"sentinel down-after-milliseconds {SERVICE} {int(down_after * 1000)}",
            f"sentinel failover-timeout {SERVICE} 4000",
            *lines,
        ]
        # Sentinel writes what it learns into its configuration.
        (folder / "sentinel.conf").write_text("\n".join(config) + "\n", "utf-8")

    def start(self) -> None:
        """Start it, or start it again."""
        command = [str(binary()), str(self.folder / "sentinel.conf"), "--sentinel"]
        self.child = child = Child.start("Sentinel", command, self.folder / "sentinel.log")
        wait_until(child, self._answers)

    def _answers(self) -> bool:
        with suppress(redis.RedisError):
            return bool(self.ask("PING"))
        return False

    def kill(self) -> None:
        """SIGKILL."""
        if self.child is not None:
            with suppress(ProcessLookupError):
                os.kill(self.child.pid, signal.SIGKILL)
            self.child.wait(10)
            self.child = None

    def ask(self, *command: Any) -> Any:
        """Return the answer to one command."""
        options: Any = {"decode_responses": True, "socket_timeout": 5, "retry": Retry(NoBackoff(), 0)}
        with redis.Redis(port=self.port, password=self.password, **options) as client:
            return client.execute_command(*command)

    def state(self) -> dict[str, str]:
        """Return how it sees the master."""
        answer = self.ask("SENTINEL", "MASTER", SERVICE)
        return answer if isinstance(answer, dict) else dict(zip(answer[::2], answer[1::2], strict=True))


class Replicated:
    """A master with replicas, and three Sentinels unless there are to be none; a context manager.

    ``lag`` and ``fail_over`` make a failover that loses writes: what the master takes after ``lag`` is not in the new master.
    A replica whose link has been down for longer than about ten times ``down_after`` is not promoted any more.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        replicas: int = 1,
        sentinels: int = 3,
        aof: bool = False,
        down_after: float = 1.0,
        sentinel_lines: Sequence[str] = (),
        sentinel_password: str | None = None,
    ) -> None:
        self.servers = [RedisServer(folder / f"redis-{n}", *options, aof=aof) for n in range(1 + replicas)]
        self.sentinels = [
            Sentinel(
                folder / f"sentinel-{n}",
                self.servers[0].port,
                sentinels // 2 + 1,
                down_after,
                sentinel_lines,
                sentinel_password,
            )
            for n in range(sentinels)
        ]

    @property
    def url(self) -> str:
        """The URL by which Headrace asks the Sentinels; without Sentinels, that of the first master."""
        if not self.sentinels:
            return self.servers[0].url
        nodes = ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)
        return f"redis+sentinel://{nodes}/{SERVICE}/0"

    @property
    def master(self) -> RedisServer:
        """The running server that is the master, by its own account: the one with the most replicas, if there are two."""
        masters = self._with_role("master")
        assert masters, "no master runs"
        return max(masters, key=lambda one: int(one.info("replication")["connected_slaves"]))

    @property
    def replicas(self) -> list[RedisServer]:
        """The running servers that are replicas."""
        return self._with_role("slave")

    def _with_role(self, role: str) -> list[RedisServer]:
        return [one for one in self.servers if one.child is not None and not one.frozen and one.role == role]

    def __enter__(self) -> Self:
        try:
            for server in self.servers:
                server.start()
            for replica in self.servers[1:]:
                replica.follow(self.servers[0])
            for sentinel in self.sentinels:
                sentinel.start()
            eventually(lambda: all(map(self._sees_all, self.sentinels)), "the Sentinels know each other and the replicas")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for sentinel in self.sentinels:
            sentinel.kill()
        for server in self.servers:
            server.kill()

    def _sees_all(self, sentinel: Sentinel) -> bool:
        state = sentinel.state()
        others, replicas = int(state["num-other-sentinels"]), int(state["num-slaves"])
        return (others, replicas) == (len(self.sentinels) - 1, len(self.servers) - 1)

    def lag(self) -> None:
        """Cut the replication: the replicas lag behind from now on."""
        self.master.cut_replicas()

    def catch_up(self) -> None:
        """Let the replicas come back after ``lag``, and wait until they have everything."""
        master = self.master
        master.admit_replicas()
        for replica in self.replicas:
            replica.await_level(master)

    def fail_over(self, *, freeze: bool = False) -> RedisServer:
        """Kill (or freeze) the master, wait until a replica is the master in its stead, and return the old master.

        Without Sentinels the first replica is promoted. An old master that comes back (``start``, ``thaw``) takes writes until
        the Sentinels make it a replica, and then loses what the new master does not have.
        """
        old, candidates = self.master, self.replicas
        old.freeze() if freeze else old.kill()
        if not self.sentinels:
            candidates[0].promote()
        eventually(lambda: any(one.role == "master" for one in candidates), "a replica is promoted", timeout=30)
        ports = {str(one.port) for one in candidates}
        for sentinel in self.sentinels:
            eventually(lambda: self._leads_to(sentinel, ports), "the Sentinels know the new master", timeout=30)  # noqa: B023
        return old

    def _leads_to(self, sentinel: Sentinel, ports: set[str]) -> bool:
        state = sentinel.state()
        return state["port"] in ports and state["flags"] == "master"


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of this test's own, without persistence."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def replicated(tmp_path: Path) -> Iterator[Replicated]:
    """A master, a replica and three Sentinels of this test's own."""
    with Replicated(tmp_path / "redis") as servers:
        yield servers
