"""Here are the results of a workload: draw speed over recall, a panel for each row of the table.

    python plot.py RESULTS.json ...

Writes RESULTS.svg, or a PNG where the SVG would be larger than a repository likes. Only the points that no other of the
same engine beats are drawn; a dashed line marks a recall of 0.95 and of 0.99.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from engines import ENGINES, OURS
from tables import engines_in, envelope, of, rows_in

LARGEST_SVG = 200_000
COLUMNS = 4
# Recall 1 has no place on a scale of nines; it is drawn at the right edge.
EDGE = 3.3
TICKS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)
MARKS = "osv^<>DPXphd*"


def place(recall: float) -> float:
    """Where a recall is on a scale of nines."""
    return min(-math.log10(max(1 - recall, 1e-9)), EDGE)


def looks(name: str) -> dict[str, Any]:
    """An engine's line, the same in every panel and data set."""
    import matplotlib

    if name == OURS:
        return {"color": "black", "marker": "o", "linewidth": 2.2, "markersize": 5, "zorder": 10}
    at = list(ENGINES).index(name)
    color = matplotlib.colormaps["tab20"](at % 20)
    dashed = "--" if name.startswith("brute") else "-"
    return {"color": color, "marker": MARKS[at % len(MARKS)], "linewidth": 1, "markersize": 3.5, "linestyle": dashed}


def panel(axes: Any, results: dict[str, Any], row: str) -> None:
    """One row of the table."""
    for name in engines_in(results):
        line = envelope(of(results, row, name))
        if line:
            axes.plot([place(r) for r, _ in line], [q for _, q in line], label=name, **looks(name))
    for recall in (0.95, 0.99):
        axes.axvline(place(recall), color="0.6", linewidth=0.6, linestyle=":")
    axes.set_yscale("log")
    axes.set_xlim(place(TICKS[0]), EDGE + 0.1)
    axes.set_xticks([*(place(r) for r in TICKS), EDGE], [*(f"{r:g}"[1:] for r in TICKS), "1"], fontsize=6)
    axes.tick_params(axis="y", labelsize=6)
    axes.set_title(f"{row}: may see {100 * results['shares'][row]:.3g} %", fontsize=8)
    axes.grid(True, which="major", linewidth=0.3)


def draw(results: dict[str, Any], target: Path) -> Path | None:
    """Draws the panels; `target` is the file's name without its ending. Returns the file."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "safepassage", "path.simplify": True})
    rows = rows_in(results)
    if not rows:
        return None
    columns = min(COLUMNS, len(rows))
    lines = -(-len(rows) // columns)
    figure, grid = plt.subplots(lines, columns, figsize=(3.1 * columns, 2.5 * lines + 0.8), squeeze=False)
    for axes in grid.flat[len(rows) :]:
        axes.set_visible(False)
    names: dict[str, Any] = {}
    for axes, row in zip(grid.flat, rows):
        panel(axes, results, row)
        handles, labels = axes.get_legend_handles_labels()
        names.update(zip(labels, handles))
    title = f"{results['name']}, {results['n']:,} x {results['dim']}: QPS per core over recall@10"
    figure.suptitle(title, fontsize=10)
    order = [name for name in ENGINES if name in names]
    figure.legend([names[n] for n in order], order, loc="lower center", ncols=min(8, len(order)), fontsize=6.5)
    figure.tight_layout(rect=(0, 0.9 / (2.5 * lines + 0.8) * 0.6, 1, 1))
    svg = target.with_name(target.name + ".svg")
    figure.savefig(svg, metadata={"Date": None})
    if svg.stat().st_size <= LARGEST_SVG:
        plt.close(figure)
        return svg
    svg.unlink()
    png = target.with_name(target.name + ".png")
    figure.savefig(png, dpi=110)
    plt.close(figure)
    return png


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(draw(json.loads(Path(name).read_text()), Path(name).with_suffix("")))
