"""Memory of Redis and time of look-ups as a shop grows: ``python -m benchmarks.memory [--orders 1000000,20000000]``.

Unique keys are claimed by the script of step 2, batches of four partitions in turn; references, windows and findings are made
by that of step 4. Printed are bytes per key, customer, product, window and finding, and what a look-up of 1,000 new orders
takes (median): how it grows with the keys that there are.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import redis

from benchmarks.passes import Steps, entities_of, parsed
from benchmarks.workload import customers, orders, products
from headrace.embedded.stack import EmbeddedStack
from stream_app.contract import load_shop
from stream_app.judge.keys import LONGEST, fingerprint
from stream_app.judge.owners import owners_of
from stream_app.judge.request import Claim
from stream_app.store.keys import Keys
from stream_app.store.writer import Store
from stream_app.windows.grain import Grain

PARTITIONS, BATCH, PROBES, PROBE = 4, 4_000, 400, 1_000


def number(index: int) -> int:
    """Return the integer key of an order: they are given in sequence."""
    return 176_000_000_000 + index


def text(index: int) -> str:
    """Return a key such as shops give: 18 characters."""
    return f"ORD-{(index * 0x9E3779B97F4A7C15) % 10**14:014d}"


def long_text(index: int) -> Any:
    """Return what is stored of a key of 36 characters."""
    found = str(uuid.UUID(int=(index * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**128))
    return fingerprint([found]) if len(found) > LONGEST else found


def claims(make: Callable[[int], Any], begin: int, count: int, partition: int) -> Claim:
    """Return the claim of every fourth order from ``begin`` on: the others are in other partitions."""
    indexes = range(begin + partition, begin + count * PARTITIONS, PARTITIONS)
    ids = [make(index) for index in indexes]
    return Claim("order_id.unique", claim=True, ids=ids, holders=owners_of(partition, indexes, [b""] * len(ids)))


def redis_cpu(client: Any) -> float:
    """Return the CPU seconds of Redis."""
    used = client.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


async def fill(store: Store, make: Callable[[int], Any], begin: int, end: int) -> None:
    """Claim the keys of orders."""
    for at in range(begin, end, BATCH * PARTITIONS):
        count = min(BATCH, -(-(end - at) // PARTITIONS))
        await asyncio.gather(
            *(store.look_up("orders", None, [], [claims(make, at, count, partition)]) for partition in range(PARTITIONS))
        )


async def probe(stores: dict[int, Store], client: Any, make: Callable[[int], Any]) -> dict[int, tuple[float, float]]:
    """Return, by the number of keys of a store, what a look-up of new orders takes there: median ms, and µs of Redis each.

    The stores are asked in turn, because the speed of a machine drifts.
    """
    times: dict[int, list[float]] = {count: [] for count in stores}
    spent = dict.fromkeys(stores, 0.0)
    for turn in range(PROBES):
        for count, store in stores.items():
            claim = claims(make, count + turn // PARTITIONS * PROBE * PARTITIONS, PROBE, turn % PARTITIONS)
            before, started = redis_cpu(client), time.perf_counter()
            await store.look_up("orders", None, [], [claim])
            times[count].append((time.perf_counter() - started) * 1e3)
            spent[count] += redis_cpu(client) - before
    return {count: (statistics.median(times[count]), spent[count] / PROBES / PROBE * 1e6) for count in stores}


async def measure_keys(url: str, client: Any, counts: Sequence[int]) -> None:
    """Print bytes per key and the time of a look-up, for each kind of key."""
    kinds: dict[str, Callable[[int], Any]] = {"integers": number, "text of 18": text, "text of 36": long_text}
    for kind, make in kinds.items():
        stores, each, filled = {}, {}, {}
        for count in counts:
            store = stores[count] = Store(url, f"bench-{uuid.uuid4().hex[:8]}")
            empty, started = client.info("memory")["used_memory"], time.perf_counter()
            await fill(store, make, 0, count)
            filled[count] = (time.perf_counter() - started) / count * 1e6
            each[count] = (client.info("memory")["used_memory"] - empty) / count
        for count, (took, cpu) in (await probe(stores, client, make)).items():
            print(
                f"{kind:12} {count:>11,} keys: {each[count]:5.1f} bytes each, filled at {filled[count]:.2f} µs each; a look-up "
                f"of {PROBE:,} new ones {took:.2f} ms, Redis {cpu:.2f} µs each",
                flush=True,
            )
        for store in stores.values():
            await store.close()
        client.flushdb()


async def measure_rest(url: str, client: Any) -> None:
    """Print bytes of what else grows: references, windows, findings."""
    shop = load_shop()
    prefix = f"bench-{uuid.uuid4().hex[:8]}"
    async with entities_of(url, shop, {}, prefix) as entities:
        for entity, rows in (("products", products()), ("customers", customers())):
            await Steps().take(entities[entity], list(parsed(rows, dated=False)))
        await Steps().take(entities["orders"], list(parsed(orders(8_000))))
        keys = Keys(prefix)
        for entity in ("customers", "products"):
            size = client.memory_usage(keys.references(entity), samples=0)
            print(f"a {entity[:-1]} as a reference: {size / client.hlen(keys.references(entity)):.0f} bytes")
        for stem, name in ((keys.window_stem, "window"), (partial(keys.sketch_stem, what="customers"), "sketch of customers")):
            for grain in Grain:
                pattern = f"{stem(entity='orders', grain=grain)}*"
                sizes = [client.memory_usage(key, samples=0) for key in client.scan_iter(pattern, count=1000)]
                if sizes:
                    print(f"a {name} ({grain.name.lower()}): {statistics.mean(sizes):,.0f} bytes (at most {max(sizes):,})")
        for grain in Grain:
            names = list(client.scan_iter(f"{keys.members_stem('orders', 'customers', grain)}*", count=1000))
            members = sum(client.scard(name) for name in names if client.type(name) == b"set")
            size = sum(client.memory_usage(name, samples=0) for name in names)
            print(
                f"sets of customers ({grain.name.lower()}): {size / max(1, members):.1f} bytes a customer, {members:,} in all"
            )
        size = client.memory_usage(keys.findings(), samples=0)
        print(f"a finding: {size / client.llen(keys.findings()):.0f} bytes; 1,000 are kept")


def main() -> None:
    """Measure with an embedded Redis."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", default="1000000,20000000", help="numbers of orders, ascending")
    options = parser.parse_args()
    with EmbeddedStack(broker=False) as stack:
        client = redis.Redis.from_url(stack.redis_url, socket_timeout=300)  # FLUSHDB of many keys
        asyncio.run(measure_rest(stack.redis_url, client))
        client.flushdb()
        asyncio.run(measure_keys(stack.redis_url, client, [int(count) for count in options.orders.split(",")]))


if __name__ == "__main__":
    main()
