"""The results as charts, one PNG each."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from load.growth import CURVES, Curve
from load.measure import P99, Measured
from load.report import NAMES
from load.rivals import OURS

__all__ = ["draw", "gallery"]

_OURS, _OTHERS = "#b3261e", ("#5c7fa3", "#93aec9", "#c5d4e3")
_T = TypeVar("_T")
_Value = Callable[[Measured], float]


def draw(results: Sequence[Measured], folder: Path, curves: Sequence[Curve] = ()) -> list[Path]:
    """Draw what the results have figures for, as PNG files in ``folder``; which ones."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    paints: dict[str, Callable[[Axes], bool]] = {
        name: partial(_drawn, paint, results) for name, paint in _CHARTS.items()
    }
    paints.update({one.key: partial(_drawn, _growth, one) for one in curves})
    for name, paint in paints.items():
        figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
        if paint(axes):
            path = folder / f"bench-{name}.png"
            # Without the version of the library, so that the same figures are the same file.
            figure.savefig(path, dpi=110, metadata={"Software": None})
            drawn.append(path)
        plt.close(figure)
    return drawn


def _drawn(paint: Callable[[Axes, _T], bool], what: _T, axes: Axes) -> bool:
    return paint(axes, what)


def _bars(
    axes: Axes, results: Sequence[Measured], wanted: dict[str, tuple[str, _Value]], unit: str
) -> bool:
    """A group of bars for each server, one for each scenario of ``wanted`` (title and value)."""
    servers = [
        name
        for name in NAMES
        if any(one.server == name and one.scenario.key in wanted for one in results)
    ]
    height = 0.8 / max(len(wanted), 1)
    for number, (key, (title, value)) in enumerate(wanted.items()):
        found = {one.server: one for one in results if one.scenario.key == key}
        for place, server in enumerate(servers):
            if server not in found:
                continue
            amount = value(found[server])
            colour = _OURS if server == OURS else _OTHERS[number % len(_OTHERS)]
            at = place + number * height
            label = title if server != OURS and place <= 1 else None
            axes.barh(at, amount, height * 0.95, color=colour, label=label,
                      alpha=1 - number * 0.25 if server == OURS else 1)  # fmt: skip
            text = f" {amount:,.1f}" if amount < 100 else f" {amount:,.0f}"
            axes.text(amount, at, text, va="center", fontsize=8)
    axes.set_yticks(
        [place + 0.4 - height / 2 for place in range(len(servers))],
        [NAMES[server] for server in servers],
    )
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.margins(x=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    if len(wanted) > 1 and len(servers) > 1:
        axes.legend(frameon=False, fontsize=8)
    return bool(servers)


def _figure(name: str, scale: float = 1.0) -> _Value:
    return lambda one: one.figures[name] / scale


def _fan_out(axes: Axes, results: Sequence[Measured]) -> bool:
    axes.set_title("Deliveries/s to 500 connections")
    axes.set_xscale("log")
    value = _figure("deliveries_per_second")
    return _bars(
        axes,
        results,
        {
            "fan-out-1": ("one event at a time", value),
            "fan-out-10": ("bursts of 10", value),
            "fan-out-100": ("bursts of 100", value),
        },
        "deliveries/s (logarithmic)",
    )


def _latency(axes: Axes, results: Sequence[Measured]) -> bool:
    axes.set_title("p99 from the alert's acceptance to the client's read, in fan-outs of 100")
    axes.set_xscale("log")
    value = _figure("accepted_p99")
    return _bars(
        axes,
        results,
        {
            "steady-2000": ("1,000 connections, 2,000/s", value),
            "steady-20000": ("10,000 connections, 20,000/s", value),
            "steady-100000": ("1,000 connections, 100,000/s", value),
        },
        "ms (logarithmic)",
    )


def _ramp(axes: Axes, results: Sequence[Measured]) -> bool:
    axes.set_title("10,000 connections, fan-outs of 100: raised until p99 passes 10 ms")
    climbed = [one for one in results if one.steps]
    for one in climbed:
        # A step that did not do what was asked for has no p99: the line ends before it.
        steps = [(rate, p99) for rate, p99 in one.steps if p99 != float("inf")]
        ours = one.server == OURS
        axes.plot(
            [rate for rate, _ in steps],
            [p99 for _, p99 in steps],
            marker="o",
            linewidth=2.5 if ours else 1.2,
            color=_OURS if ours else None,
            label=NAMES[one.server],
        )
    axes.axhline(P99, color="black", linewidth=0.8, linestyle=":")
    axes.set_yscale("log")
    axes.set_xlabel("deliveries/s asked for")
    axes.set_ylabel("p99 ms")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    if climbed:
        axes.legend(frameon=False, fontsize=8)
    return bool(climbed)


def _memory(axes: Axes, results: Sequence[Measured]) -> bool:
    axes.set_title("Memory of the server per connection with one live subscription")
    value = _figure("rss_each", 1024)
    return _bars(
        axes,
        results,
        {
            "connections-1000": ("1,000 connections", value),
            "steady-20000": ("10,000 connections", value),
        },
        "KB resident",
    )


def _connect(axes: Axes, results: Sequence[Measured]) -> bool:
    axes.set_title("Connect + init + subscribe, 64 at a time")
    value = _figure("connects_per_second")
    return _bars(
        axes,
        results,
        {
            "connections-1000": ("1,000 connections", value),
            "steady-20000": ("10,000 connections", value),
        },
        "per second",
    )


def _ingest(axes: Axes, results: Sequence[Measured]) -> bool:
    axes.set_title("Alerts accepted/s (ours on disk, the peers' nowhere)")
    axes.set_xscale("log")
    value = _figure("alerts_per_second")
    return _bars(
        axes,
        results,
        {"ingest-1": ("single POSTs", value), "ingest-100": ("batches of 100", value)},
        "alerts/s (logarithmic)",
    )


def _growth(axes: Axes, curve: Curve) -> bool:
    axes.set_title(f"Cost as work grows: {curve.title.lower()}")
    lines = curve.lines.items()
    for number, (name, points) in enumerate(lines):
        sizes, costs = [size for size, _ in points], [cost for _, cost in points]
        colour = (_OURS, *_OTHERS)[number]
        axes.plot(sizes, costs, marker="o", linewidth=2, color=colour, label=name)
        straight = [costs[0] * size / sizes[0] for size in sizes]
        axes.plot(sizes, straight, linewidth=0.8, linestyle=":", color=colour,
                  label="if it grew linearly" if number == len(lines) - 1 else None)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel(curve.along)
    axes.set_ylabel("µs of CPU")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return True


_CHARTS: dict[str, Callable[[Axes, Sequence[Measured]], bool]] = {
    "fan-out": _fan_out,
    "latency": _latency,
    "ramp": _ramp,
    "memory": _memory,
    "connect": _connect,
    "ingest": _ingest,
}
_OF: dict[str, tuple[str, tuple[str, ...]]] = {
    "fan-out": ("Deliveries/s to 500 connections", ("fan-out-1", "fan-out-10", "fan-out-100")),
    "latency": (
        "p99 from acceptance to read in fan-outs of 100",
        ("steady-2000", "steady-20000", "steady-100000"),
    ),
    "ramp": ("10,000 connections, raised until p99 passes 10 ms", ("steady-20000",)),
    "memory": ("Memory per connection", ("connections-1000", "steady-20000")),
    "connect": ("Connection rate", ("connections-1000", "steady-20000")),
    "ingest": ("Alerts accepted/s", ("ingest-1", "ingest-100")),
    **{key: (f"Cost as work grows: {key.removeprefix('growth-')}", (key,)) for key in CURVES},
}


def gallery(drawn: Sequence[Path]) -> str:
    """The charts as Markdown for a document beside ``images/``, each with its command."""
    blocks = ["### Charts"] if drawn else []
    for path in drawn:
        title, keys = _OF[path.stem.removeprefix("bench-")]
        words = " ".join(f"--only {key}" for key in keys)
        command = f'make bench ARGS="{words} --charts docs/images"'
        blocks.append(f"![{title}](images/{path.name})\n\n{title}: `{command}`")
    return "\n\n".join(blocks)
