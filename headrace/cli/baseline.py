"""``headrace baseline``: print the learned baselines, in the format of a file that pins them."""

from __future__ import annotations

import asyncio
import json

import click

from stream_app.contract import load_shop
from stream_app.settings import Settings, load_settings
from stream_app.store.connection import UNAVAILABLE, reading_problem
from stream_app.store.writer import Store


@click.command(name="baseline")
def command() -> None:
    """Print the current baselines as JSON: the bounds of outliers by entity, rule and group.

    Save the output and set HEADRACE_BASELINE to the file: workers and `headrace check` then compare with these bounds, and a
    replay reaches the same verdicts.
    """
    settings = load_settings()
    try:
        found = asyncio.run(_read(settings))
    except UNAVAILABLE as error:
        raise reading_problem(f"Redis at {settings.redis_address}", settings.redis_prefix, error) from None
    if not found:
        raise click.ClickException("no baseline has been learned yet; let workers judge some thousand clean records first")
    click.echo(json.dumps(found, ensure_ascii=False, indent=1))


async def _read(settings: Settings) -> dict[str, object]:
    store = Store(settings.redis.get_secret_value(), settings.redis_prefix)
    try:
        found = {}
        for entity in load_shop(settings.shop).contracts:
            made = await store.baselines.baseline(entity)
            if made is not None:
                found[entity] = json.loads(made.to_json())
        return found
    finally:
        await store.close()
