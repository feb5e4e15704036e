"""The overview page: key numbers, sales, quality, findings and the newest clean records, live."""

from __future__ import annotations

import streamlit as st

from dashboard import data, figures, formats, tables, theme
from dashboard.health import Health, facts, health
from stream_app.store.read_overview import Kpi, Overview
from stream_app.store.read_ranges import TimeRange

#: Height of a table's row in pixels, and how many rows show at once.
ROW, ROWS = 34, 8

_TIME = "D MMM YYYY, HH:mm:ss"

_COLOURS = {
    "live": "green",
    "idle": "green",
    "behind": "blue",
    "trouble": "orange",
    "stopped": "orange",
    "empty": "gray",
}
_ICONS = {
    "live": ":material/radio_button_checked:",
    "idle": ":material/check_circle:",
    "behind": ":material/fast_forward:",
    "trouble": ":material/warning:",
    "stopped": ":material/pause_circle:",
    "empty": ":material/hourglass_empty:",
}


def page() -> None:
    """Draw the page: the filters once, the rest again and again."""
    theme.apply()
    with st.container(key="head", horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        with st.container(key="name", width="content", gap=None):
            st.title("Headrace", anchor=False)
            st.caption("Live data quality and sales of the shop")
        with st.container(key="filters", horizontal=True, vertical_alignment="center", width="content"):
            chosen = _choose_range()
            paused = st.toggle("Pause", key="paused", help="Keep these figures as they are.")
    st.fragment(_live, run_every=None if paused else data.EVERY)(chosen, paused)


def _choose_range() -> TimeRange:
    known = "range" in st.session_state
    if not known:
        asked = st.query_params.get("range")
        if asked in {one.value for one in TimeRange}:
            st.session_state["range"] = asked
            known = True
        elif (suggested := data.suggested_range()) is not None:
            st.session_state["range"] = suggested.value
            known = True
    value = st.segmented_control(
        "Time range, on the stream's clock",
        [one.value for one in TimeRange],
        format_func=lambda value: TimeRange(value).label,
        key="range",
        required=True,
        label_visibility="collapsed",
    )
    chosen = TimeRange(value or TimeRange.LAST_DAY.value)
    if known:
        # A link to this page shows the same range.
        st.query_params["range"] = chosen.value
    return chosen


def _live(chosen: TimeRange, paused: bool) -> None:
    held: Overview | None = st.session_state.get("held")
    if paused and held is not None and held.range is chosen:
        _show(held, paused=True)
        return
    read = data.overview(chosen)
    if isinstance(read, data.Down):
        _down(read, held if held is not None and held.range is chosen else None)
        return
    st.session_state["held"] = read
    if not read.received:
        _nothing_yet(read)
        return
    _show(read, paused=paused)


def _down(down: data.Down, held: Overview | None) -> None:
    with st.container(key="badge", horizontal=True, vertical_alignment="center", gap="small"):
        st.badge("Store unreachable", icon=":material/cloud_off:", color="red")
        if held is not None:
            st.markdown(f":gray[Below are the figures as of] {_plain(formats.clock(held.read_at))}", width="content")
    with st.container(key="advice"):
        st.error(
            f"**The store cannot be read.** {_plain(down.reason)}.  \nThis page tries again every {data.EVERY:.0f} s.",
            icon=":material/cloud_off:",
        )
    if held is not None:
        _figures(held)


def _nothing_yet(read: Overview) -> None:
    with st.container(key="card-empty"):
        st.subheader("No records yet", anchor=False)
        if not read.workers:
            st.markdown("The store is up, and no worker is running. Start one:")
            st.code("headrace worker", language="bash")
            st.markdown("then send it something, for example a simulated shop:")
        else:
            st.markdown("A worker is running and waits for records. Send it some, for example a simulated shop:")
        st.code("headrace simulate", language="bash")
        st.markdown("Or see everything at once, with nothing to set up:")
        st.code("headrace demo", language="bash")


def _show(overview: Overview, *, paused: bool) -> None:
    now = overview.read_at if paused else data.now_ms()
    _badge(overview, health(overview, now), now, paused=paused)
    _figures(overview)


def _badge(overview: Overview, state: Health, now: int, *, paused: bool) -> None:
    with st.container(key="badge", horizontal=True, vertical_alignment="center", gap="small"):
        if paused:
            st.badge(f"Paused at {formats.clock(overview.read_at)}", icon=":material/pause:", color="gray")
        else:
            st.badge(state.label, icon=_ICONS[state.level], color=_COLOURS[state.level])  # type: ignore[arg-type]
        for name, value in facts(overview, now).items():
            st.markdown(f":gray[{name}] {_plain(value)}", width="content")
    # A place of its own, empty or not: what comes and goes above the figures must not make them be drawn anew.
    with st.container(key="advice"):
        if state.advice and not paused:
            st.warning(state.advice, icon=":material/info:")


def _figures(overview: Overview) -> None:
    _tiles(overview)
    with st.container(key="notes"):
        _notes(overview)
    wide, narrow = st.columns([5, 3], gap="small")
    with wide, st.container(key="card-sales"):
        _sales(overview)
    with narrow, st.container(key="card-dimensions"):
        st.subheader("Quality by dimension", anchor=False)
        st.caption("Failed checks of each kind, worst first")
        if any(share is not None for share in overview.quality.dimensions.values()):
            theme.chart(
                figures.quality_by_dimension(overview.quality),
                key="dimensions",
                alt_text="Share of failed checks by quality dimension, worst first.",
            )
        else:
            _quiet()
    left, right = st.columns(2, gap="small")
    with left, st.container(key="card-quality"):
        st.subheader("Quality score over time", anchor=False)
        st.caption(f"Checks passed, by {figures.bar_name(overview.bar_seconds)}; the axis does not start at zero")
        if any(point.quality.score is not None for point in overview.quality_series):
            theme.chart(
                figures.quality_over_time(overview.quality_series, overview.bar_seconds),
                key="quality",
                alt_text="Quality score over time, in percent.",
            )
        else:
            _quiet()
    with right, st.container(key="card-findings"):
        _findings_over_time(overview)
    with st.container(key="card-rules"):
        _rules(overview)
    with st.container(key="card-recent"):
        _recent(overview)
    with st.container(key="card-clean"):
        _clean(overview)


def _tiles(overview: Overview) -> None:
    kpis = overview.kpis
    before = _before(overview)
    with st.container(key="tiles"):
        revenue = formats.money(kpis.revenue.value, kpis.currency)
        _tile("Revenue", revenue, kpis.revenue, before, "Net, of clean orders.")
        _tile("Total orders", formats.count(kpis.orders.value), kpis.orders, before, "Distinct clean orders.")
        _tile(
            "Active customers",
            formats.count(kpis.active_customers.value),
            kpis.active_customers,
            before,
            "Customers with a clean order. Over a range an estimate, within about 1 %; exact over all time.",
        )
        _tile(
            "Conversion rate",
            formats.percent(kpis.conversion_rate.value),
            kpis.conversion_rate,
            before,
            "Active customers among all known customers.",
            share=True,
        )
        _tile(
            "Quality score",
            formats.percent(kpis.quality_score.value, 2),
            kpis.quality_score,
            before,
            "Checks passed: the mean of all quality dimensions, over all entities.",
            share=True,
        )


def _tile(name: str, value: str, kpi: Kpi, before: str, meaning: str, *, share: bool = False) -> None:
    delta = formats.points(kpi.difference) if share else formats.relative(kpi.change)
    flat = delta is None or not any(digit in delta for digit in "123456789")
    with st.container(key=f"tile-{name.lower().replace(' ', '-')}"):
        st.metric(
            name,
            _plain(value),
            delta=delta or "–",
            delta_color="off" if flat else "normal",
            delta_arrow="off" if flat else "auto",
            delta_description=before if delta else "no earlier figure" if before else "all time",
            help=meaning,
        )
        if sum(point is not None for point in kpi.series) > 1:
            theme.spark(figures.spark(kpi.series), key=f"spark-{name}", alt_text=f"{name} over the range, a small line.")


def _before(overview: Overview) -> str:
    return "" if overview.range is TimeRange.ALL else f"vs prev. {overview.range.label}"


def _notes(overview: Overview) -> None:
    if overview.clipped and overview.span is not None:
        st.caption(f"Totals are of all time; charts and lines show the last {overview.span.windows} days.")
    if overview.outside:
        names = ", ".join(overview.outside)
        st.caption(
            f"Records of {_plain(names)} carry no event time: they are counted when they arrive, which is not within "
            "this range of the stream. Choose All to see them."
        )


def _sales(overview: Overview) -> None:
    st.subheader("Sales", anchor=False)
    st.caption(f"Net revenue and orders of clean records, by {figures.bar_name(overview.bar_seconds)}")
    if not overview.sales_series:
        _quiet()
        return
    revenue, orders = figures.sales(overview.sales_series, overview.bar_seconds, overview.kpis.currency)
    theme.chart(revenue, key="revenue", alt_text="Net revenue over time, as bars.")
    theme.chart(orders, key="orders", alt_text="Orders over time, as bars.")


def _findings_over_time(overview: Overview) -> None:
    st.subheader("Findings over time", anchor=False)
    st.caption(f"By rule and {figures.bar_name(overview.bar_seconds)}; a record may have several")
    if not overview.findings_series:
        st.info("No findings in this range.", icon=":material/check_circle:")
        return
    named = figures.named_rules(overview.rules, st.session_state.get("named", ()))
    st.session_state["named"] = named
    starts = [point.start for point in overview.quality_series]
    theme.chart(
        figures.findings_over_time(overview.findings_series, overview.rules, starts, overview.bar_seconds, named),
        key="findings",
        alt_text="Findings over time, stacked by rule.",
    )


def _rules(overview: Overview) -> None:
    st.subheader("Top rules", anchor=False)
    if not overview.rules:
        st.caption("No rule found anything in this range.")
        return
    st.caption("What the rules found in this range. Rejects: the record went to the dead-letter topic")
    frame = tables.rules(overview.rules)
    if overview.range is TimeRange.ALL or frame["Before"].isna().all():
        frame = frame.drop(columns="Before")
    top = max(float(frame["Share"].max()), 0.01)
    currency = overview.kpis.currency or ""
    st.dataframe(
        frame,
        key="rules",
        hide_index=True,
        height=_height(len(frame)),
        placeholder=formats.NOTHING,
        row_height=ROW,
        column_config={
            "Rule": st.column_config.TextColumn(width="medium"),
            "Findings": st.column_config.NumberColumn(format="localized", width="small"),
            "Share": st.column_config.ProgressColumn(
                "Share of records", format="%.2f %%", min_value=0.0, max_value=top, width="small"
            ),
            "Before": st.column_config.NumberColumn("Range before", format="localized", width="small"),
            "Value at risk": st.column_config.NumberColumn(
                f"At risk ({currency})" if currency else "At risk", format="accounting", width="small"
            ),
            "Meaning": st.column_config.TextColumn(width="large"),
        },
    )


def _recent(overview: Overview) -> None:
    st.subheader("Recent findings", anchor=False)
    st.caption("The newest, whatever the range. Source is the raw record's topic, partition and offset")
    if not overview.recent:
        _quiet("No findings yet.")
        return
    frame = tables.findings(overview.recent)
    st.dataframe(
        frame,
        key="recent",
        hide_index=True,
        height=_height(len(frame)),
        placeholder="",
        row_height=ROW,
        column_config={
            "Event time": st.column_config.DatetimeColumn("Event time (UTC)", format=_TIME, timezone="UTC"),
            "What": st.column_config.TextColumn(width="large"),
        },
    )


def _clean(overview: Overview) -> None:
    entity = overview.sales
    st.subheader(f"Clean {entity or 'records'}", anchor=False)
    st.caption("The newest, as subscribers get them, whatever the range. Personal fields are masked")
    if entity is None or not overview.preview:
        _quiet("No clean records yet.")
        return
    contract = overview.contracts[entity]
    columns: dict[str, object] = {
        field.name: st.column_config.DatetimeColumn(format=_TIME, timezone="UTC")
        if field.type == "timestamp"
        else st.column_config.NumberColumn(format="%.2f" if field.type == "number" else "%d")
        for field in contract.fields
        if field.type in {"timestamp", "number", "integer"} and not field.personal
    }
    frame = tables.clean(overview.preview, contract)
    st.dataframe(
        frame,
        key="clean",
        hide_index=True,
        height=_height(len(frame)),
        placeholder="",
        row_height=ROW,
        column_config=columns,  # type: ignore[arg-type]
    )


def _height(rows: int) -> int:
    """Room for the head and whole rows, at most ROWS; the rest scrolls."""
    return ROW * (min(rows, ROWS) + 1) + 3


def _quiet(text: str = "Nothing in this range.") -> None:
    st.caption(text)


def _plain(text: str) -> str:
    """Text from elsewhere, so that Markdown shows it as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()#+!|$~<>:" else letter for letter in text)
