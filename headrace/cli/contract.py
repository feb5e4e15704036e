"""``headrace contract``: check a shop's contracts, and print them for people and for subscribers."""

from __future__ import annotations

import json
from pathlib import Path

import click

from headrace.cli.options import shop_option
from stream_app.contract import load_shop
from stream_app.contract.export import asyncapi, json_schema, rules_markdown
from stream_app.errors import DocumentError
from stream_app.settings import load_settings


@click.command(name="contract")
@shop_option
@click.option("--entity", metavar="E", help="Print only this entity; not with asyncapi.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["rules", "json-schema", "asyncapi"]),
    default="rules",
    show_default=True,
    help="Rules as a Markdown table, JSON Schema of clean records by entity, or AsyncAPI 3.0 of the topics.",
)
def command(shop: Path | None, entity: str | None, form: str) -> None:
    """Check a shop's contracts, and print them.

    Exit codes: 0 all contracts are valid, 2 a contract is invalid; the message names file and line.
    """
    settings = load_settings(shop=shop)
    described = load_shop(settings.shop)
    if entity is not None and entity not in described.contracts:
        raise DocumentError(f"{described.folder}: unknown entity {entity!r}; entities: {', '.join(described.contracts)}")
    chosen = [contract for name, contract in described.contracts.items() if entity in (None, name)]
    if form == "rules":
        click.echo(rules_markdown(chosen), nl=False)
        return
    if form == "asyncapi":
        if entity is not None:
            raise click.UsageError("--format asyncapi describes all entities; leave --entity out")
        document = asyncapi(described, settings.topic_prefix)
    else:
        document = {contract.entity: json_schema(contract) for contract in chosen}
        if entity is not None:
            document = document[entity]
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
