"""How do build, opening, speed and memory grow with the number of rows?

    WORK/venv/bin/python benches/compare/scale.py --work FOLDER [--sizes 100000,300000,1000000]

For each size one process builds the index from rows drawn block by block (no more than a block is in memory here), and
a fresh one opens it and asks. Exact answers are gathered while the rows go by. Three people: one who may see
everything, one a random tenth, one a random hundredth. Prints two Markdown tables; some 80 MB of the peaks are this
script's own, the block and the exact answers.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import MB, Usage, memory, pin
from workloads import K, SEED, Manifold

QUESTIONS = 200
PEOPLE = {"all": 1.0, "r10": 0.1, "r1": 0.01}
RECALLS = (0.95, 0.99)


def allowed(block: int, rows: int) -> dict[str, np.ndarray]:
    """Which rows of a block each person may see."""
    rng = np.random.default_rng([SEED, 11, block])
    return {name: rng.random(rows) < share for name, share in PEOPLE.items()}


def better(top: np.ndarray, score: np.ndarray, more: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The K best of those kept and of `more` (questions x rows), by number and score."""
    scores = np.concatenate([score, more], axis=1)
    rows = np.concatenate([top, np.broadcast_to(numbers, more.shape)], axis=1)
    order = np.argsort(-scores, axis=1)[:, :K]
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)


def build(folder: Path, n: int) -> dict[str, Any]:
    """Makes the index and the exact answers."""
    import safepassage

    made = Manifold()
    questions = made.questions(QUESTIONS)
    best = {name: (np.full((QUESTIONS, K), -1), np.full((QUESTIONS, K), -2.0, np.float32)) for name in PEOPLE}
    with Usage() as usage:
        index = safepassage.Index.create(folder / "index", dim=made.dim)
        judging = 0.0
        for block in range(-(-n // made.BLOCK)):
            at = block * made.BLOCK
            start = time.process_time()
            rows = made.block(block)[: n - at]
            may = allowed(block, made.BLOCK)
            for name in PEOPLE:
                seen = np.flatnonzero(may[name][: len(rows)])
                best[name] = better(*best[name], questions @ rows[seen].T, at + seen)
            judging += time.process_time() - start
            acls = [{"allow": [f"group:{name}" for name in PEOPLE if may[name][i]]} for i in range(len(rows))]
            index.add([str(at + i) for i in range(len(rows))], vectors=rows, acls=acls)
        adding = time.perf_counter()
        index.commit()
        committed = time.perf_counter() - adding
    np.savez(folder / "exact.npz", **{name: top for name, (top, _) in best.items()})
    report: dict[str, Any] = dict(usage.report())
    files = [f for f in (folder / "index").rglob("*") if f.is_file()]
    largest = {f.name: round(f.stat().st_size / MB) for f in sorted(files, key=lambda f: -f.stat().st_size)[:4]}
    report.update(commit_wall_s=committed, disk_mb=sum(f.stat().st_size for f in files) / MB, files=largest)
    report["cpu_s"] -= judging
    return report


def use(folder: Path) -> dict[str, Any]:
    """Opens the index in a process that has not seen it, and asks."""
    import safepassage

    questions = Manifold().questions(QUESTIONS)
    exact = np.load(folder / "exact.npz")
    before = memory()
    start = time.perf_counter()
    index = safepassage.Index.open(folder / "index")
    opened = time.perf_counter() - start
    sessions = {name: index.session(safepassage.Identity.asserted(name, [name])) for name in PEOPLE}
    start = time.perf_counter()
    sessions["all"].search_vector(questions[0], k=K)
    report: dict[str, Any] = {"open_ms": 1e3 * opened, "first_ms": 1e3 * (time.perf_counter() - start), "speed": {}}
    report["first_mb"] = {key: round(value - before[key], 1) for key, value in memory().items()}
    for name, session in sessions.items():
        for recall in RECALLS:
            # The first round checks and faults in the pages that it touches.
            for question in questions:
                session.search_vector(question, k=K, recall=recall)
            start = time.process_time()
            found = [session.search_vector(question, k=K, recall=recall).ids for question in questions]
            qps = QUESTIONS / (time.process_time() - start)
            hit = sum(len({int(i) for i in ids} & set(top.tolist())) for ids, top in zip(found, exact[name]))
            plan = session.search_vector(questions[0], k=K, recall=recall).plan
            report["speed"][f"{name} {recall}"] = {"qps": qps, "recall": hit / (K * QUESTIONS), "plan": plan}
    report["after_mb"] = {key: round(value - before[key], 1) for key, value in memory().items()}
    return report


def child(what: str, folder: Path, n: int) -> dict[str, Any]:
    """What another process finds out."""
    command = [sys.executable, __file__, "--work", str(folder), "--sizes", str(n), "--child", what]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sizes", default="100000,300000,1000000")
    parser.add_argument("--keep", action="store_true", help="use indexes that are there already")
    parser.add_argument("--child", choices=["build", "use"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")]
    if given.child:
        if given.child == "use":
            pin(1)
        print(json.dumps(build(given.work, sizes[0]) if given.child == "build" else use(given.work)))
        return
    reports: dict[int, dict[str, Any]] = {}
    for n in sizes:
        folder = given.work / f"scale-{n}"
        report = folder / "build.json"
        if not (given.keep and report.exists()):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            report.write_text(json.dumps(child("build", folder, n)))
        reports[n] = {"build": json.loads(report.read_text()), "use": child("use", folder, n)}
        print(json.dumps({n: reports[n]}), file=sys.stderr, flush=True)
    head = "rows | build CPU s | wall s | commit s | peak MB | disk MB | open ms | first search ms"
    print(f"| {head} | MB then (anonymous + mapped) | MB after all |")
    print("|---" * 10 + "|")
    for n, r in reports.items():
        b, u = r["build"], r["use"]
        cost = " | ".join(f"{b[key]:.0f}" for key in ("cpu_s", "wall_s", "commit_wall_s", "peak_mb", "disk_mb"))
        grown = [u["first_mb"], u["after_mb"]]
        memories = " | ".join(f"{m['rss']:.0f} ({m['anonymous']:.0f} + {m['mapped']:.0f})" for m in grown)
        print(f"| {n:,} | {cost} | {u['open_ms']:.1f} | {u['first_ms']:.1f} | {memories} |")
    names = list(reports[sizes[0]]["use"]["speed"])
    print("\nQPS per processor second (recall@10, plan), asked for:\n")
    print("| rows | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for n, r in reports.items():
        cells = [f"{s['qps']:,.0f} ({s['recall']:.3f}, {s['plan']})" for s in r["use"]["speed"].values()]
        print(f"| {n:,} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
