"""One recount: read the topics, count, compare everything."""

from __future__ import annotations

from headrace.recount.compare import Comparison
from headrace.recount.counting import recount
from headrace.recount.figures import Truth
from headrace.recount.pages import compare_overview, compare_quality, compare_status
from headrace.recount.reports import compare_incidents, compare_reports
from headrace.recount.topics import read_topics
from stream_app.contract import load_shop
from stream_app.settings import Settings
from stream_app.store.queries import Queries, open_queries
from stream_app.views.ranges import Chosen, Custom, TimeRange
from stream_app.windows.grain import Grain


def compare_all(settings: Settings) -> Comparison:
    """Compare the figures of all pages, ranges, reports and incidents with the topics.

    Raises:
        DeliveryError: the broker does not answer.
        SettingsError: records have no verdict yet, or the shop cannot be recounted.
        StoreError: Redis is unavailable, or its keys are not Headrace's.
    """
    shop, into = load_shop(settings.shop), Comparison()
    truth, queries = Truth(shop, recount(shop, read_topics(settings, shop))), open_queries(settings)
    compare_status(into, truth, queries)
    for chosen in (*TimeRange, *_middle(queries)):
        compare_overview(into, truth, queries, chosen)
        compare_quality(into, truth, queries, chosen)
    compare_reports(into, truth, queries)
    compare_incidents(into, truth, queries)
    return into


def _middle(queries: Queries) -> list[Chosen]:
    """Return one day in the middle of the stream, as somebody may choose it."""
    began = queries.began()
    until = max((state.last or 0 for state in queries.states(queries.contracts()).values()), default=0)
    if began is None or until - began < 2 * Grain.DAY.seconds:
        return []
    start = Grain.DAY.start((began + until) // 2)
    return [Custom(start, start + Grain.DAY.seconds)]
