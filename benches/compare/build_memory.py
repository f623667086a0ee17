"""What does a build cost beside hnswlib's, for a graph that answers equally well?

    WORK/venv/bin/python benches/compare/build_memory.py --work WORK [--data synth] [--threads 1]

Uses what run.py left in WORK: its environment, its workload, and the indexes that are built already. hnswlib builds
with ef_construction 100, 200 and 400; the row `unf` then tells what each graph is worth, as QPS at equal recall.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import environment
from contest import Settings, contest
from engines import OURS
from tables import TARGETS, number, of, speed, table

ENGINES = [OURS, "hnswlib-efc100", "hnswlib", "hnswlib-efc400"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--data", default="synth", help="a folder in WORK/data (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    work = given.work.resolve()
    headers = next((work / "source").glob("hnswlib-*/"))
    os.environ.update(environment.with_threads(1), HNSWLIB_HEADERS=str(headers))
    out = work / f"build-{given.data}.json"
    out.unlink(missing_ok=True)
    settings = Settings(rounds=3, threads=given.threads)
    workload, indexes = work / "data" / given.data, work / "index" / given.data
    results = contest(workload, indexes, ENGINES, ["unf"], settings, (work / "ours").read_text(), out)
    lines = []
    for name in ENGINES:
        about, points = results["engines"][name], of(results, "unf", name)
        if "left_out" in about:
            lines.append([name, about["left_out"], *["–"] * 7])
            continue
        b = about["build"]
        cost = [f"{b['cpu_s']:.1f}", f"{b['wall_s']:.1f}", f"{b['peak_mb']:.0f}", f"{b['disk_mb']:.0f}"]
        loaded = f"{about['load']['rss_mb']:.0f}"
        top = f"{max(p['recall'] for p in points):.4f}" if points else "–"
        lines.append([name, *cost, loaded, *(number(speed(points, target)) for target in TARGETS), top])
    vectors = results["n"] * results["dim"] * 4 / 1e6
    size = f"{results['n']:,} x {results['dim']}, {vectors:.0f} MB of vectors"
    print(f"\n{results['name']}, {size}, {given.threads} thread(s)\n")
    head = ["", "build CPU s", "wall s", "peak MB over the vectors", "disk MB", "MB loaded"]
    print("\n".join(table([*head, *(f"QPS @{target}" for target in TARGETS), "highest recall"], lines)))


if __name__ == "__main__":
    main()
