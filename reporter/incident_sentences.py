"""Parts of a sentence about an incident, with references to its facts: what happened, when, the money, what to do. Pure."""

from __future__ import annotations

from string import Template

from reporter.facts import Facts
from reporter.texts import Texts


def incident_parts(facts: Facts, texts: Texts, prefix: str) -> dict[str, str]:
    """Return ``what``, ``reason``, ``when``, ``money``, ``why``, ``repeats`` and ``action`` of an incident."""

    def part(table: str, key: str, of: str = prefix) -> str:
        return Template(texts(table, key)).substitute(p=of)

    what = part("what", facts.words[prefix])
    reason = facts.words.get(f"{prefix}.reason")
    why = "" if reason is None else part("what", reason, f"{prefix}.reason")
    state = facts.all.get(f"{prefix}.state")
    still_open = state is not None and state.value == texts("states", "open")
    money = "doubtful" if prefix in facts.doubts and facts.has(f"{prefix}.above") else None
    money = money or next((one for one in ("below", "above") if facts.has(f"{prefix}.{one}")), None)
    if money is None and facts.actions[prefix] == "repeats":
        money = "repeats"
    closed = "closed_same_day" if facts.has(f"{prefix}.until") else "closed"
    return {
        "what": what,
        "reason": why,
        "when": part("when", "open" if still_open else closed),
        "money": part("money", money) if money else "",
        "why": f"{texts('notes', 'joint')}{why}" if why else "",
        "repeats": why or what,
        "action": part("actions", facts.actions[prefix]),
    }


def capital(text: str) -> str:
    """Return a sentence with a capital first letter; a reference or the name of a rule or field stays as it is."""
    first = text.partition(" ")[0]
    return text if "." in first.rstrip(".") or "_" in first else text[:1].upper() + text[1:]
