"""A PNG of each table of `topk.py`."""

from pathlib import Path
from typing import Any

from _report import OURS, save_figure

PLAIN = "0.72"
STYLES = {
    f"{OURS}, candidates": {"color": "tab:blue", "marker": "*", "markersize": 15},
    f"{OURS}, allow": {"color": "tab:cyan", "marker": "D", "markersize": 5, "zorder": 3},
    f"{OURS}, exact": {"color": "tab:blue", "marker": "*", "markersize": 15},
    f"{OURS}, exact=False": {"color": "tab:cyan", "marker": "D", "markersize": 5, "zorder": 3},
    "faiss hnsw": {"color": "tab:orange", "marker": "o", "markersize": 5},
    "hnswlib": {"color": "tab:red", "marker": "o", "markersize": 5},
    "voyager": {"color": "tab:purple", "marker": "o", "markersize": 5},
}


def draw(measured: dict[str, Any], folder: Path) -> None:
    figures = {
        "scan": ("scan", _scan),
        "limits": ("scan", _limits),
        "filters": ("filters", _filters),
        "curve": ("curve", _curve),
        "gowalla": ("gowalla", _gowalla),
        "life": ("life", _life),
    }
    for name, (of, figure) in figures.items():
        if of in measured:
            save_figure(folder / f"topk_{name}.png", lambda pyplot, figure=figure, of=of: figure(pyplot, measured[of]))


def _threads(result: dict[str, Any]) -> str:
    return "1 thread" if result["threads"] == 1 else f"{result['threads']} threads"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _plain_log(axis: Any) -> None:
    """A logarithmic scale marked 0.1, 1, 10; marked between only where it spans little."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high < 80 * low else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_formatter(NullFormatter())


def _log_bars(axis: Any, names: list[str], values: list[float], labels: list[str]) -> None:
    """Bars to the right, the first name on top."""
    axis.barh(names, values, color=["tab:blue" if OURS in name else PLAIN for name in names])
    for name, value, label in zip(names, values, labels, strict=True):
        axis.text(value, name, f" {label}", va="center", fontsize=8)
    low, high = min(values) / 3, max(values)
    axis.set_xscale("log")
    axis.set_xlim(low, high * (high / low) ** 0.4)  # room for the labels
    axis.invert_yaxis()
    axis.tick_params(labelsize=8)
    _plain_log(axis.xaxis)


def _scan(pyplot: Any, results: list[dict[str, Any]]) -> Any:
    batches = list(results[0]["cells"])
    n_names = len(results[0]["contestants"])
    size = (4.2 * len(batches), (1.0 + 0.22 * n_names) * len(results))
    figure, axes = pyplot.subplots(len(results), len(batches), figsize=size, squeeze=False)
    for row, result in zip(axes, results, strict=True):
        for axis, batch in zip(row, batches, strict=True):
            cells = result["cells"][batch]
            labels = [
                _short(cell["ms"]) + ("" if name == OURS else f"  ({_short(cell['ratio'])}x)")
                for name, cell in cells.items()
            ]
            _log_bars(axis, list(cells), [cell["ms"] for cell in cells.values()], labels)
            axis.set_title(f"{result['kind']} vectors, {_threads(result)}, batch of {batch:,}", fontsize=9)
            if axis is not row[0]:
                axis.set_yticklabels([])
    for axis in axes[-1]:
        axis.set_xlabel("milliseconds a batch (log scale)", fontsize=8)
    catalogue = f"{results[0]['n_items']:,} items of {results[0]['dim']} dimensions, k = 100"
    told = f"Exact top-k by inner product, {catalogue}.\nShort bars are fast; in brackets: how many times {OURS}' time"
    figure.suptitle(told, fontsize=11)
    figure.tight_layout()
    return figure


def _limits(pyplot: Any, results: list[dict[str, Any]]) -> Any:
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 3.8), sharey=True)
    what = {"of_bandwidth": "bytes read, of the memory bandwidth", "of_operations": "operations, of the integer peak"}
    for axis, (key, title) in zip(axes, what.items(), strict=True):
        for place, result in enumerate(results):
            shares = result["shares"]
            at = [number + place * 0.8 / len(results) for number in range(len(shares))]
            heights = [100 * share[key] for share in shares.values()]
            axis.bar(at, heights, 0.75 / len(results), label=f"{result['kind']}, {_threads(result)}")
            for x, height in zip(at, heights, strict=True):
                axis.text(x, height, f"{height:.0f}", ha="center", va="bottom", fontsize=7)
        middle = 0.4 - 0.4 / len(results)
        axis.set_xticks([number + middle for number in range(len(shares))], [f"{batch:,}" for batch in shares])
        axis.axhline(100, color="0.5", linewidth=0.8, linestyle="--")
        axis.set_xlabel("queries a batch")
        axis.set_title(title, fontsize=9)
    axes[0].set_ylabel("% of what was measured here")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), fontsize=8, bbox_to_anchor=(0.5, -0.06))
    figure.suptitle(f"What {OURS}' exact scan takes of the machine's limits", fontsize=11)
    figure.tight_layout()
    return figure


def _filters(pyplot: Any, measured: dict[str, Any]) -> Any:
    figure, axes = pyplot.subplots(1, 3, figsize=(13, 3.8))
    names = list(dict.fromkeys(row["name"] for row in measured["rows"]))
    what = {
        "recall": "share of the true best that is found",
        "filled": "share of the possible slots that is filled",
        "ms": "milliseconds a query, alone (log scale)",
    }
    for axis, (key, label) in zip(axes, what.items(), strict=True):
        for name in names:
            rows = [row for row in measured["rows"] if row["name"] == name]
            style = STYLES[name.removesuffix(", filter")]
            axis.plot([row["one_in"] for row in rows], [row[key] for row in rows], label=name, **style)
        axis.set_xscale("log")
        axis.set_xticks([row["one_in"] for row in rows], [f"1 in\n{row['one_in']:,}" for row in rows], fontsize=8)
        axis.minorticks_off()
        axis.set_xlabel("items allowed")
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        if key == "ms":
            axis.set_yscale("log")
            _plain_log(axis.yaxis)
        else:
            axis.set_ylim(-0.05, 1.08)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), fontsize=9, bbox_to_anchor=(0.5, -0.07))
    sizes = f"{measured['n_items']:,} clustered items, k = {measured['k']}"
    figure.suptitle(f"Search under a filter: {sizes}, HNSW with M = 16, ef = {measured['ef']}, one thread", fontsize=11)
    figure.tight_layout()
    return figure


def _curve(pyplot: Any, measured: dict[str, Any]) -> Any:
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.2), sharey=True)
    for axis, batch in zip(axes, dict.fromkeys(row["batch"] for row in measured["rows"]), strict=True):
        lines: dict[str, list[dict[str, Any]]] = {}
        for row in (row for row in measured["rows"] if row["batch"] == batch):
            lines.setdefault(row["name"].split(", ef=")[0], []).append(row)
        for name, points in lines.items():
            line = {} if len(points) > 1 else {"linestyle": "none"}
            times, recalls = [point["ms"] for point in points], [point["recall"] for point in points]
            axis.plot(times, recalls, label=name, **STYLES[name], **line)
            for point in (points[0], points[-1]) if len(points) > 1 else ():
                told, at = point["name"].split(", ")[1], (point["ms"], point["recall"])
                axis.annotate(told, at, textcoords="offset points", xytext=(6, -4), fontsize=7)
        axis.set_xscale("log")
        axis.margins(x=0.12)
        _plain_log(axis.xaxis)
        axis.set_xlabel("milliseconds a query (log scale); fast is left")
        axis.set_title("queries one at a time" if batch == 1 else f"{batch:,} queries in one call", fontsize=9)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"share of the true best {measured['k']} that is found")
    axes[0].legend(fontsize=8, loc="lower right")
    told = f"{measured['n_items']:,} clustered items, k = {measured['k']}, HNSW with M = 16, one thread"
    figure.suptitle(f"Recall and time: {told}", fontsize=11)
    figure.tight_layout()
    return figure


def _bars(pyplot: Any, values: dict[str, float], title: str, unit: str) -> Any:
    figure, axis = pyplot.subplots(figsize=(8, 0.9 + 0.36 * len(values)))
    _log_bars(axis, list(values), list(values.values()), [_short(value) for value in values.values()])
    axis.set_xlabel(unit)
    axis.set_title(title, fontsize=10)
    return figure


def _gowalla(pyplot: Any, measured: dict[str, Any]) -> Any:
    size = f"{measured['users']:,} users x {measured['items']:,} items, 64 factors, top 20, seen left out"
    return _bars(pyplot, measured["median_s"], f"Gowalla ranked: {size}, {_threads(measured)}", "seconds (log scale)")


def _life(pyplot: Any, measured: dict[str, Any]) -> Any:
    names = {name: name.removesuffix("_s").replace("_", ": ", 1).replace("_", " ") for name in measured}
    values = {names[name]: 1e3 * value for name, value in measured.items() if name.endswith("_s")}
    sizes = f"{measured['vectors_bytes'] / 1e6:,.0f} MB of vectors, {measured['codes_bytes'] / 1e6:,.0f} MB of codes"
    title = f"An index of {measured['n_items']:,} items of {measured['dim']} dimensions ({sizes}), {_threads(measured)}"
    return _bars(pyplot, values, title, "milliseconds (log scale)")
