"""``headrace worker``: judges the raw topics, until stopped."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from stream_app.contract import load_shop
from stream_app.settings import load_settings


@click.command(name="worker")
@click.option("--shop", type=click.Path(path_type=Path), help="Folder of the shop's contracts; default: the built-in shop.")
@click.option("--group", help="Consumer group; workers of one group share the partitions.")
def command(shop: Path | None, group: str | None) -> None:
    """Judge the raw topics, until stopped. Start as many as you like: they share the partitions.

    SIGTERM or Ctrl-C finishes the batch in hand, commits and exits 0; exit 1 says that Kafka or Redis stayed away.
    """
    settings = load_settings(shop=shop, group=group)
    described = load_shop(settings.shop)
    from stream_app.topics import ensure_topics, topic_ids
    from stream_app.worker.app import run

    ensure_topics(settings, described)
    sys.exit(run(described, settings, topic_ids(settings, described)))
