"""The results as Markdown tables, and their place in a document."""

from collections.abc import Callable, Mapping, Sequence

from load.marked import place_between
from load.measure import Measured

__all__ = ["BEGIN", "END", "place", "summary", "tables"]

BEGIN = "<!-- bench:begin (written by make bench ARGS=--write) -->"
END = "<!-- bench:end -->"

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
            ("deliveries", _number("deliveries")),
            *_FAULTS,
            ("others' cores", _cores("other_cores")),
        ),
    ),
    "delivery": (
        "Delivery",
        (
            ("deliveries/s", _number("deliveries_per_second")),
            ("round p50 ms", _or_dash(_ms("round_p50"), "round_p50")),
            ("p50 ms", _ms("delivery_p50")),
            ("p99 ms", _ms("delivery_p99")),
            ("deliveries", _number("deliveries")),
            *_FAULTS,
            ("server cores", _cores("server_cpu")),
            ("client cores", _cores("client_cpu")),
            ("others' cores", _cores("other_cores")),
        ),
    ),
    "ingest": (
        "Ingest (durable, SQLite)",
        (
            ("alerts/s", _number("alerts_per_second")),
            ("p50 ms", _ms("post_p50")),
            ("p99 ms", _ms("post_p99")),
            ("alerts", _number("events")),
            *_FAULTS,
            ("server cores", _cores("server_cpu")),
            ("client cores", _cores("client_cpu")),
            ("others' cores", _cores("other_cores")),
        ),
    ),
}


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def tables(results: Sequence[Measured]) -> str:
    """One Markdown table for each kind of scenario that was measured."""
    blocks = []
    for kind, (heading, columns) in _TABLES.items():
        rows = [result for result in results if result.scenario.table == kind]
        if not rows:
            continue
        lines = [
            f"### {heading}",
            "",
            _row(["scenario", *(name for name, _ in columns), "rounds", "`--only`"]),
            _row(["---", *("---:" for _ in columns), "---:", "---"]),
        ]
        for result in rows:
            cells = [cell(result.figures) for _, cell in columns]
            cells += [str(result.rounds), f"`{result.scenario.key}`"]
            lines.append(_row([result.scenario.title, *cells]))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def summary(result: Measured) -> str:
    """One line for the screen."""
    _, columns = _TABLES[result.scenario.table]
    return " · ".join(f"{name} {cell(result.figures)}" for name, cell in columns)


def place(document: str, block: str) -> str:
    """Put ``block`` between the markers of ``document``. Raises as ``place_between`` does."""
    return place_between(document, BEGIN, END, block)
