"""Insight that counts give for certain: rules that find the same records, and stretches of time in which a rule finds more.

Both are tested: the first is a bound that no assignment of findings to records can break, the second an exact test, corrected
for the number of stretches and rules that were looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stream_app.contract.summary import ContractSummary
from stream_app.counts.fields import Counts
from stream_app.counts.window import Window
from stream_app.views.period import CHANCE, TIMES, chance_of_more
from stream_app.windows.grain import Span

#: Minimum findings of each of two rules that are compared, and of a stretch.
FEWEST = 20
#: Minimum part of the findings of two rules that are in the same records, and of a rule's findings that are in a stretch.
SAME, MOSTLY = 0.8, 0.8
#: Windows of a period from which on a stretch of them says something.
FEWEST_WINDOWS = 4


@dataclass(frozen=True, slots=True)
class Together:
    """Two rules of an entity that find mostly the same records: ``least`` of them, at least.

    Attributes:
        findings, other_findings: of ``rule``, which has more, and of ``other``.
    """

    entity: str
    rule: str
    other: str
    findings: int
    other_findings: int
    least: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time in which a rule finds more than in the rest of the period.

    Attributes:
        start, end: seconds.
        findings, records: in the stretch; ``…_elsewhere``: in the rest of the period. Records are those with a verdict.
        chance: probability of such a stretch by chance among all stretches and rules that were compared.
    """

    entity: str
    rule: str
    start: int
    end: int
    findings: int
    records: int
    findings_elsewhere: int
    records_elsewhere: int
    chance: float


def together(contracts: Mapping[str, ContractSummary], parts: Mapping[str, Sequence[Counts]]) -> list[Together]:
    """Return the pairs of rules that find mostly the same records, those with most records first.

    ``parts``: entity → counts of the parts of a period, such as its windows: the bound of each part is added up.
    """
    found = []
    for entity, counts in parts.items():
        contract = contracts[entity]
        totals = {rule: sum(one.findings.get(rule, 0) for one in counts) for rule in contract.rules}
        rules = [rule for rule, total in totals.items() if total >= FEWEST and contract.rules[rule].counts]
        rules.sort(key=lambda rule: (-totals[rule], rule))
        for number, rule in enumerate(rules):
            for other in rules[number + 1 :]:
                least = sum(shared(contract, one, rule, other) for one in counts)
                if least >= SAME * totals[rule]:
                    found.append(Together(entity, rule, other, totals[rule], totals[other], least))
    return sorted(found, key=lambda one: (-one.least, one.entity, one.rule, one.other))


def shared(contract: ContractSummary, counts: Counts, rule: str, other: str) -> int:
    """Return the least number of records in which both rules have found something.

    A rule finds something in a record at most once. So the records of both rules together are at most those with an error or a
    warning; of two errors, those rejected; of two rules of one dimension, those with a finding of that dimension. What the two
    rules have found beyond that is in the same records.
    """
    one, two = contract.rules[rule], contract.rules[other]
    most = [counts.rejected + counts.warned]
    if one.severity == two.severity == "error":
        most.append(counts.rejected)
    if one.dimension == two.dimension:
        most.append(counts.dimensions.get(one.dimension, 0))
    found = counts.findings.get(rule, 0) + counts.findings.get(other, 0) - max(0, min(most))
    return max(0, min(found, counts.findings.get(rule, 0), counts.findings.get(other, 0)))


def stretches(contracts: Mapping[str, ContractSummary], windows: Mapping[str, Sequence[Window]], seconds: int) -> list[Stretch]:
    """Return the clearest stretch of each rule that has one, those with most findings first.

    ``windows``: entity → all windows of a period, in order, of ``seconds`` each.
    """
    compared = [
        (entity, rule, found)
        for entity, of_entity in windows.items()
        if len(of_entity) >= FEWEST_WINDOWS
        for rule, summary in contracts[entity].rules.items()
        if summary.counts and sum(found := [one.counts.findings.get(rule, 0) for one in of_entity]) >= FEWEST
    ]
    result = []
    for entity, rule, found in compared:
        of_entity = windows[entity]
        judged = [max(0, one.counts.clean + one.counts.rejected) for one in of_entity]
        begin, end = densest(found, judged)
        inside, records = sum(found[begin:end]), sum(judged[begin:end])
        outside, rest = sum(found) - inside, sum(judged) - records
        if not records or not rest or inside > records or outside > rest or inside < MOSTLY * sum(found):
            continue
        if inside / records < TIMES * outside / rest:
            continue
        # Bonferroni's correction: every stretch of every rule could have been the one.
        number = len(compared) * len(found) * (len(found) + 1) // 2
        chance = min(1.0, number * chance_of_more(inside, records, outside, rest))
        if chance <= CHANCE:
            start, until = of_entity[begin].start, of_entity[end - 1].start + seconds
            result.append(Stretch(entity, rule, start, until, inside, records, outside, rest, chance))
    return sorted(result, key=lambda one: (-one.findings, one.entity, one.rule))


def densest(found: Sequence[int], records: Sequence[int]) -> tuple[int, int]:
    """Return the neighbours (first, behind the last) with most findings beyond twice the average share, or near to it.

    With a high share, more than half of the way from it to all records: what borders on the stretch is not in it.
    """
    share = sum(found) / sum(records) if sum(records) else 0.0
    wanted = min(1.0, share + max(0.0, min(share, (1 - share) / 2)))
    best, at, sums, begin = 0.0, (0, 0), 0.0, 0
    for number, (one, of) in enumerate(zip(found, records, strict=True)):
        if sums <= 0:
            sums, begin = 0.0, number
        sums += one - wanted * of
        if sums > best:
            best, at = sums, (begin, number + 1)
    return at


def complete(windows: Iterable[Window], counts: Counts, span: Span) -> tuple[Window, ...]:
    """Return all windows of a span, the empty ones included; none if they do not hold all that was counted in it."""
    found = {one.start: one for one in windows}
    if sum(one.counts.received for one in found.values()) != counts.received:
        return ()
    starts = range(span.start, span.end, span.grain.seconds)
    return tuple(found.get(start) or Window(start, Counts()) for start in starts)
