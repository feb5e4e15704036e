"""Writes a complete report from the facts, without a model. Pure."""

from __future__ import annotations

from reporter import choice
from reporter.claims import claims_of
from reporter.draft import Draft
from reporter.facts import Facts
from reporter.texts import Texts


def write(facts: Facts, texts: Texts) -> Draft:
    """Write a draft of the claims that are most important by money and evidence."""
    claims = claims_of(facts, texts)
    return choice.assemble(choice.default(claims), claims, facts.related)
