"""The results as Markdown tables, and their place in a document."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from load.growth import Curve
from load.marked import place_between
from load.measure import Measured
from load.rivals import LIMIT, OURS, RIVALS

__all__ = ["BEGIN", "END", "NAMES", "beside", "growing", "place", "summary", "tables"]

BEGIN = "<!-- bench:begin (written by make bench ARGS=--write) -->"
END = "<!-- bench:end -->"
NAMES = {OURS: "Incident Manager", **{rival.key: rival.name for rival in RIVALS}}
"""What the servers are called, in the order of the tables."""

_Cell = Callable[[Mapping[str, float]], str]


def _number(name: str) -> _Cell:
    return lambda figures: f"{figures[name]:,.0f}"


def _ms(name: str) -> _Cell:
    return lambda figures: (
        f"{figures[name]:,.1f}" if figures[name] < 100 else _number(name)(figures)
    )


def _kb(name: str) -> _Cell:
    return lambda figures: f"{figures[name] / 1024:,.1f}"


def _mb(name: str) -> _Cell:
    return lambda figures: f"{figures[name] / 1024 / 1024:,.0f}"


def _cores(name: str) -> _Cell:
    return lambda figures: f"{figures[name]:.2f}"


def _or_dash(cell: _Cell, name: str) -> _Cell:
    return lambda figures: cell(figures) if figures[name] else "-"


_FAULTS: tuple[tuple[str, _Cell], ...] = (
    ("lost", _number("lost")),
    ("repeated", _number("repeated")),
)
_CORES: tuple[tuple[str, _Cell], ...] = (
    ("server cores", _cores("server_cpu")),
    ("client cores", _cores("client_cpu")),
    ("others' cores", _cores("other_cores")),
)
_TABLES: Mapping[str, tuple[str, tuple[tuple[str, _Cell], ...]]] = {
    "connections": (
        "Connections",
        (
            ("connect + init + subscribe /s", _number("connects_per_second")),
            ("p50 ms", _ms("connect_p50")),
            ("p99 ms", _ms("connect_p99")),
            ("RSS KB each", _kb("rss_each")),
            ("RSS MB in all", _mb("rss")),
            ("kernel TCP KB each", _kb("tcp_each")),
            ("idle cores", _cores("idle_cores")),
            *_FAULTS,
            ("others' cores", _cores("other_cores")),
        ),
    ),
    "delivery": (
        "Delivery",
        (
            ("deliveries/s", _number("deliveries_per_second")),
            ("round p50 ms", _or_dash(_ms("round_p50"), "round_p50")),
            ("accepted → read p50 ms", _ms("accepted_p50")),
            ("p99", _ms("accepted_p99")),
            ("p99.9", _ms("accepted_p999")),
            ("due → read p99 ms", _ms("delivery_p99")),
            ("up to p99 10 ms, deliveries/s", _or_dash(_number("limit"), "limit")),
            ("deliveries", _number("deliveries")),
            *_FAULTS,
            *_CORES,
        ),
    ),
    "slow": (
        "Slow readers",
        (
            ("p99 ms before", _ms("p99_before")),
            ("p99 ms of the others meanwhile", _ms("p99_meanwhile")),
            ("CPU µs per event before", _number("cpu_before")),
            ("CPU µs per event meanwhile", _number("cpu_meanwhile")),
            ("deliveries/s", _number("deliveries_per_second")),
            ("s until the slow have everything", _cores("settled")),
            ("peak RSS MB", _mb("peak")),
            *_FAULTS,
            *_CORES,
        ),
    ),
    "herd": (
        "Back after a restart",
        (
            ("connects/s", _number("connects_per_second")),
            ("s until all are connected", _cores("until_live")),
            ("s until the last is live", _cores("until_last")),
            ("deliveries", _number("deliveries")),
            ("CPU s beyond connecting", _cores("cpu_replay")),
            ("peak RSS MB", _mb("peak")),
            *_FAULTS,
            ("server cores", _cores("server_cpu")),
            ("others' cores", _cores("other_cores")),
        ),
    ),
    "ingest": (
        "Ingest (ours durable, in SQLite; the peers keep nothing)",
        (
            ("alerts/s", _number("alerts_per_second")),
            ("p50 ms", _ms("post_p50")),
            ("p99 ms", _ms("post_p99")),
            ("alerts", _number("events")),
            *_FAULTS,
            *_CORES,
        ),
    ),
}

_BESIDE: tuple[tuple[str, str, _Cell], ...] = (
    ("fan-out-1", "one event → 500: deliveries/s", _number("deliveries_per_second")),
    ("fan-out-10", "10 events → 500: deliveries/s", _number("deliveries_per_second")),
    ("fan-out-100", "100 events → 500: deliveries/s", _number("deliveries_per_second")),
    ("steady-20000", "10,000 connections, 20,000/s asked for: p50 ms", _ms("accepted_p50")),
    ("steady-20000", "… p99 ms", _ms("accepted_p99")),
    ("steady-20000", "… raised until p99 passes 10 ms: deliveries/s", _number("limit")),
    ("steady-100000", "1,000 connections, 100,000/s asked", _number("deliveries_per_second")),
    ("steady-100000", "… p99 ms", _ms("accepted_p99")),
    ("connections-1000", "RSS KB per connection, at 1,000", _kb("rss_each")),
    ("steady-20000", "RSS KB per connection, at 10,000", _kb("rss_each")),
    ("connections-1000", "connect + init + subscribe /s, at 1,000", _number("connects_per_second")),
    ("steady-20000", "connect + init + subscribe /s, at 10,000", _number("connects_per_second")),
    ("steady-20000", "cores, 10,000 idle", _cores("idle_cores")),
    ("ingest-1", "single POSTs: alerts/s", _number("alerts_per_second")),
    ("ingest-100", "batches of 100: alerts/s", _number("alerts_per_second")),
)  # fmt: skip


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _of_table(kind: str, results: Sequence[Measured]) -> Iterator[tuple[str, Measured]]:
    """The rows of a table with their titles; a scenario's title stands once."""
    last = ""
    for result in results:
        if kind in result.scenario.tables:
            yield ("" if result.scenario.key == last else result.scenario.title), result
            last = result.scenario.key


def tables(results: Sequence[Measured]) -> str:
    """One Markdown table for each kind of scenario that was measured."""
    blocks = []
    for kind, (heading, columns) in _TABLES.items():
        rows = list(_of_table(kind, results))
        if not rows:
            continue
        lines = [
            f"### {heading}",
            "",
            _row(["scenario", "server", *(name for name, _ in columns), "rounds", "`--only`"]),
            _row(["---", "---", *("---:" for _ in columns), "---:", "---"]),
        ]
        for title, result in rows:
            cells = [cell(result.figures) for _, cell in columns]
            cells += [str(result.rounds), f"`{result.scenario.key}`"]
            lines.append(_row([title, NAMES[result.server], *cells]))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def growing(curves: Sequence[Curve]) -> str:
    """One Markdown table of how costs grow; empty without any."""
    if not curves:
        return ""
    lines = [
        "### Cost as work grows",
        "",
        _row(["µs of CPU for", "from", "to", "as n to the power of", "`--only`"]),
        _row(["---", "---:", "---:", "---:", "---"]),
    ]
    for curve in curves:
        for name, ((small, low), *_, (large, high)) in curve.lines.items():
            cells = [name, f"{low:,.0f} at {small:,}", f"{high:,.0f} at {large:,} {curve.along}"]
            lines.append(_row([*cells, f"{curve.exponent(name):.2f}", f"`{curve.key}`"]))
    return "\n".join(lines)


def beside(results: Sequence[Measured]) -> str:
    """One Markdown table of the main figures, a column for each server; empty without peers.

    A figure of a row where events were lost, or came too late to be waited for, is in brackets.
    """
    servers = [name for name in NAMES if any(one.server == name for one in results)]
    if servers in ([], [OURS]):
        return ""
    measured = {(one.scenario.key, one.server): one for one in results}
    lines = [
        "### Side by side",
        "",
        _row(["", *(NAMES[name] for name in servers)]),
        _row(["---", *("---:" for _ in servers)]),
    ]
    for key, title, cell in _BESIDE:
        if not any((key, name) in measured for name in servers):
            continue
        cells = []
        for name in servers:
            one = measured.get((key, name))
            text = "-" if one is None else cell(one.figures)
            cells.append(f"({text})" if one is not None and one.faults else text)
        lines.append(_row([title, *cells]))
    return "\n".join([*lines, "", *_ceiling(results)])


def _ceiling(results: Sequence[Measured]) -> Iterator[str]:
    """How it is known that the load client was not what limited."""
    for one in results:
        if one.server == LIMIT and one.scenario.key == "fan-out-1":
            yield (
                f"The load client read {one.figures['deliveries_per_second']:,.0f} deliveries/s "
                f"from the loop of `write()` with {one.figures['client_cpu']:.2f} of a core: with "
                f"all of one it would read {one.figures['client_limit']:,.0f}."
            )


def summary(result: Measured) -> str:
    """One line for the screen."""
    kind = result.scenario.tables[-1]
    _, columns = _TABLES[kind]
    return " · ".join(f"{name} {cell(result.figures)}" for name, cell in columns)


def place(document: str, block: str) -> str:
    """Put ``block`` between the markers of ``document``. Raises as ``place_between`` does."""
    return place_between(document, BEGIN, END, block)
