"""Here are the results of a workload: write them as Markdown tables, and every point as CSV.

Speed at a recall is read off the upper envelope of an engine's points: from the slowest needed down, between two points
on a straight line of recall against the logarithm of the speed.
"""

from __future__ import annotations

import csv
import math
import statistics
import sys
from pathlib import Path
from typing import Any

from engines import OURS

TARGETS = (0.95, 0.99)
Point = dict[str, Any]


def envelope(points: list[Point]) -> list[tuple[float, float]]:
    """(recall, QPS) of the points that no other beats in both, from the lowest recall on."""
    best: list[tuple[float, float]] = []
    for recall, qps in sorted(((p["recall"], p["qps"]) for p in points), reverse=True):
        if not best or qps > best[-1][1]:
            best.append((recall, qps))
    return best[::-1]


def speed(points: list[Point], recall: float) -> float | None:
    """QPS at a recall, None if it is not reached."""
    line = envelope(points)
    if not line or line[-1][0] < recall:
        return None
    for (r1, q1), (r2, q2) in zip(line, line[1:]):
        if r1 < recall <= r2:
            part = (recall - r1) / (r2 - r1)
            return math.exp((1 - part) * math.log(q1) + part * math.log(q2))
    return line[0][1]


def number(value: float | None) -> str:
    """QPS for a cell."""
    return "–" if value is None else f"{value:,.0f}"


def table(head: list[str], lines: list[list[str]]) -> list[str]:
    """Markdown lines."""
    rule = ["---"] * len(head)
    return [f"| {' | '.join(cells)} |" for cells in [head, rule, *lines]] + [""]


def of(results: dict[str, Any], row: str, engine: str | None = None) -> list[Point]:
    """The points of a row of the table."""
    return [p for p in results["points"] if p["row"] == row and engine in (None, p["engine"])]


def rows_in(results: dict[str, Any]) -> list[str]:
    """The rows there are, in the order they were measured."""
    return list(dict.fromkeys(point["row"] for point in results["points"]))


def engines_in(results: dict[str, Any]) -> list[str]:
    """The engines that were measured."""
    return [name for name, about in results["engines"].items() if "left_out" not in about]


def race(results: dict[str, Any], target: float) -> list[str]:
    """Ours beside the best at one recall, row by row."""
    lines = []
    for row in rows_in(results):
        at = {name: speed(of(results, row, name), target) for name in engines_in(results)}
        others = sorted(((q, name) for name, q in at.items() if q is not None and name != OURS), reverse=True)
        named = [f"{name} {number(q)}" for q, name in others[:2]] + ["–", "–"]
        ours = at.get(OURS)
        ratio = f"{ours / others[0][0]:.2f}" if ours and others else "–"
        share = f"{100 * results['shares'][row]:.3g} %"
        rest = [number(at.get("hnswlib")), number(at.get("brute-avx512"))]
        lines.append([row, share, f"**{number(ours)}**", named[0], named[1], *rest, ratio])
    head = ["row", "may see", "ours", "best peer", "second", "hnswlib", "brute-avx512", "ours / best"]
    return [f"QPS at recall@10 {target}", "", *table(head, lines)]


def promises(results: dict[str, Any]) -> list[str]:
    """Leaks, answers not filled, and what the people with the least get."""
    lines = []
    for name in engines_in(results):
        leaks = sum(p["leaks"] for p in results["points"] if p["engine"] == name)
        starved, worst = [], []
        for row in rows_in(results):
            points = of(results, row, name)
            if not points:
                continue
            last = max(points, key=lambda p: (p["recall"], -p["short"]))
            if last["short"]:
                starved.append(f"{row} {100 * last['short'] / last['asked']:.0f} % (recall {last['recall']:.2f})")
            elif last["recall"] < TARGETS[0]:
                starved.append(f"{row} filled (recall {last['recall']:.2f})")
            enough = [p for p in points if p["recall"] >= TARGETS[0]]
            if enough:
                point = max(enough, key=lambda p: p["qps"])
                worst.append((point["recall_worst_person"], row))
        low = f"{min(worst)[0]:.3f} ({min(worst)[1]})" if worst else "–"
        lines.append([name, results["engines"][name]["how"], str(leaks), "; ".join(starved) or "–", low])
    head = ["engine", "permission", "leaks", "not filled at its best (recall)", "worst person at ≥ 0.95"]
    return table(head, lines)


def asked(results: dict[str, Any]) -> list[str]:
    """The recall ours was asked for and what it gave: mean, worst person, how. A row ends where all is exact."""
    rows = rows_in(results)
    parameters = list(dict.fromkeys(p["parameter"] for p in results["points"] if p["engine"] == OURS))
    lines = []
    for row in rows:
        points = {p["parameter"]: p for p in of(results, row, OURS)}
        cells = []
        for parameter in parameters:
            p = points.get(parameter)
            plan = "/".join(p.get("plans", {})) if p else ""
            cells.append(f"{p['recall']:.3f} ({p['recall_worst_person']:.3f}) {plan}" if p else "–")
        lines.append([row, *cells])
    return table(["row", *(str(parameter) for parameter in parameters)], lines) if parameters else []


def costs(results: dict[str, Any]) -> list[str]:
    """Building, loading and memory."""
    vectors = results["n"] * results["dim"] * 4 / 1e6
    lines = []
    for name in engines_in(results):
        about = results["engines"][name]
        build, load, after = about["build"], about["load"], about.get("after", {})
        ready = [p["person_us"] for p in results["points"] if p["engine"] == name and p["row"] != "unf"]
        serving = f"{after['rss'] - load['before_mb']:.0f}" if "rss" in after else "–"
        times = [f"{build['cpu_s']:.1f}", f"{build['wall_s']:.1f}"]
        times += [f"{build['peak_mb']:.0f}", f"{build['disk_mb']:.0f}"]
        memory = [f"{load['wall_s']:.2f}", f"{load['rss_mb']:.0f}", serving]
        person = f"{statistics.median(ready):.0f}" if ready else "–"
        lines.append([name, about["version"], *times, *memory, person])
    head = ["engine", "version", "build CPU s", "wall s", "peak MB", "disk MB"]
    head += ["load s", "MB loaded", "MB serving", "a person, µs"]
    note = (
        f"The vectors are {vectors:.0f} MB as float32; the peak is what a build needed beyond them. MB loaded and "
        "serving are growth of the resident memory, after loading and at the end. A person is what it takes to make "
        "their permission ready once (bitmap, filter object, session), which is not in the QPS."
    )
    return [*table(head, lines), note, ""]


def markdown(results: dict[str, Any]) -> str:
    """The whole page of a workload."""
    machine = " · ".join(f"{key} {value}" for key, value in results.get("machine", {}).items())
    out = [f"## {results['name']}: {results['n']:,} x {results['dim']}", "", machine, ""]
    for target in TARGETS:
        out += race(results, target)
    out += ["### What was promised", "", *promises(results)]
    out += [
        "### Recall asked of ours and given: mean (worst person), plan; a line ends where all answers are exact",
        "",
        *asked(results),
    ]
    out += ["### Costs", "", *costs(results)]
    left = [f"{name}: {about['left_out']}" for name, about in results["engines"].items() if "left_out" in about]
    if left:
        out += ["Left out: " + "; ".join(left) + ".", ""]
    return "\n".join(out)


COLUMNS = ["row", "engine", "parameter", "recall", "recall_worst_person", "qps", "pass_qps"]
COLUMNS += ["leaks", "short", "asked", "person_us"]


def write(results: dict[str, Any], page: Path, points: Path) -> None:
    """Writes both files."""
    page.write_text(markdown(results))
    with points.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(results["points"])


if __name__ == "__main__":
    import json

    for name in sys.argv[1:]:
        source = Path(name)
        write(json.loads(source.read_text()), source.with_suffix(".md"), source.with_suffix(".csv"))
