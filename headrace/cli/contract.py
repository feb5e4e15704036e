"""``headrace contract``: a shop's contracts, for people and for those who subscribe."""

from __future__ import annotations

import json
from pathlib import Path

import click

from stream_app.contract import load_shop
from stream_app.contract.export import asyncapi, json_schema, rules_markdown
from stream_app.errors import DocumentError
from stream_app.settings import load_settings


@click.command(name="contract")
@click.option("--shop", type=click.Path(path_type=Path), help="Folder of the shop's contracts; default: the built-in shop.")
@click.option("--entity", help="Only this entity; not with asyncapi, which describes all.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["rules", "json-schema", "asyncapi"]),
    default="rules",
    show_default=True,
    help="A table of the rules (Markdown), JSON Schema of clean records by entity, or AsyncAPI 3.0 of the topics.",
)
def command(shop: Path | None, entity: str | None, form: str) -> None:
    """Check a shop's contracts, and print what they promise.

    Exit codes: 0 all contracts are right, 2 one has something to cure first; the message names file and line.
    """
    settings = load_settings(shop=shop)
    described = load_shop(settings.shop)
    if entity is not None and entity not in described.contracts:
        raise DocumentError(f"{described.folder}: no entity {entity!r}; there are {', '.join(described.contracts)}")
    chosen = [contract for name, contract in described.contracts.items() if entity in (None, name)]
    if form == "rules":
        click.echo(rules_markdown(chosen), nl=False)
        return
    if form == "asyncapi":
        if entity is not None:
            raise click.UsageError("asyncapi describes all entities; leave --entity out")
        document = asyncapi(described, settings.topic_prefix)
    else:
        document = {contract.entity: json_schema(contract) for contract in chosen}
        if entity is not None:
            document = document[entity]
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
