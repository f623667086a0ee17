"""The process of one engine: build its index, or answer and be timed.

    python worker.py build ENGINE WORKLOAD INDEX THREADS     prints one JSON line with seconds and memory
    python worker.py serve ENGINE WORKLOAD INDEX             answers each JSON line it reads with one

`{"do": "pass", "row": R, "parameter": P, "seconds": S}` answers every question of a row once (fewer if S processor
seconds are over, never fewer than 100) and judges the answers; `"window"` answers as many as go into S seconds and
only times them; `"memory"` tells what is resident. Times are of the processor, for the whole process.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from engines import Engine, engine_class
from measure import Usage, memory, pin
from workloads import K, PEOPLE, Workload

FEWEST, BLOCK, WARM = 100, 20, 20


class Asked:
    """A row of the table, ready for an engine."""

    def __init__(self, engine: Engine, work: Workload, name: str) -> None:
        self.row = work.row(name)
        start = time.process_time()
        self.people = [engine.person(self.row, p) for p in range(PEOPLE)]
        self.person_us = (time.process_time() - start) / PEOPLE * 1e6
        vectors = work.query[self.row.asked]
        self.calls = [(self.people[p], engine.question(v)) for p, v in zip(self.row.person, vectors)]
        self.allowed = []
        for seen in self.row.seen:
            mask = np.full(work.n, seen is None)
            if seen is not None:
                mask[seen] = True
            self.allowed.append(mask)


def judged(engine: Engine, asked: Asked, found: list[Any]) -> dict[str, Any]:
    """What the answers are worth."""
    recall: list[list[float]] = [[] for _ in range(PEOPLE)]
    leaks = short = 0
    for i, answer in enumerate(found):
        rows, person = engine.rows(answer), int(asked.row.person[i])
        allowed = asked.allowed[person]
        right = {row for row in asked.row.top[i].tolist() if row >= 0}
        leaks += sum(not allowed[row] for row in rows)
        short += len(set(rows)) < len(right)
        recall[person].append(len(right & set(rows[:K])) / len(right))
    means = [float(np.mean(of_person)) for of_person in recall if of_person]
    every = [value for of_person in recall for value in of_person]
    return {
        "recall": round(float(np.mean(every)), 5),
        "recall_worst_person": round(min(means), 5),
        "leaks": int(leaks),
        "short": int(short),
        "asked": len(found),
    }


def one_pass(engine: Engine, asked: Asked, parameter: Any, seconds: float) -> dict[str, Any]:
    """Answers, judged; the processor time of the judging is not counted."""
    found, search, start = [], engine.search, time.process_time()
    for at, (who, question) in enumerate(asked.calls):
        if at % BLOCK == 0 and at >= FEWEST and time.process_time() - start > seconds:
            break
        found.append(search(who, question, parameter))
    spent = time.process_time() - start
    plans: dict[str, int] = {}
    for who, question in asked.calls[: len(found) : BLOCK]:
        plan = engine.plan(who, question, parameter)
        if plan:
            plans[plan] = plans.get(plan, 0) + 1
    qps = round(len(found) / max(spent, 1e-9), 1)
    times = {"qps": qps, "cpu_s": round(spent, 4), "person_us": round(asked.person_us, 1)}
    return {**judged(engine, asked, found), **times, **({"plans": plans} if plans else {})}


def window(engine: Engine, asked: Asked, parameter: Any, seconds: float, at: int) -> dict[str, Any]:
    """How many questions go into some processor time, from question `at` on."""
    calls, search, done = asked.calls, engine.search, 0
    rounds = len(calls) // BLOCK
    blocks = [calls[b * BLOCK : (b + 1) * BLOCK] for b in range(rounds)]
    # Another engine has just used this core's caches.
    start = time.process_time()
    for who, question in calls[-WARM:]:
        search(who, question, parameter)
        if time.process_time() - start > seconds / 4:
            break
    start = time.process_time()
    while (spent := time.process_time() - start) < seconds:
        for who, question in blocks[(at + done) % rounds]:
            search(who, question, parameter)
        done += 1
    return {"qps": round(done * BLOCK / spent, 1)}


def serve(engine: Engine, work: Workload, out: Any) -> None:
    """Answers commands until there are no more."""
    rows: dict[str, Asked] = {}
    for line in sys.stdin:
        command = json.loads(line)
        reply: dict[str, Any]
        try:
            if command["do"] == "memory":
                reply = memory()
            else:
                name, parameter, seconds = command["row"], command["parameter"], command["seconds"]
                if name not in rows:
                    rows.clear()
                    rows[name] = Asked(engine, work, name)
                    gc.collect()
                    gc.freeze()
                asked = rows[name]
                if command["do"] == "pass":
                    reply = one_pass(engine, asked, parameter, seconds)
                else:
                    reply = window(engine, asked, parameter, seconds, command["at"])
        except Exception as trouble:  # noqa: BLE001  whatever a peer raises is its result
            reply = {"error": f"{type(trouble).__name__}: {trouble}"}
        print(json.dumps(reply), file=out, flush=True)


def main() -> None:
    # What engines print must not get between the JSON lines.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    what, name, workload, folder, *threads = sys.argv[1:]
    count = int(threads[0]) if threads else 1
    pin(count)
    work, index = Workload(Path(workload)), Path(folder)
    cls = engine_class(name)
    for module in cls.imports:
        importlib.import_module(module)
    if what == "build":
        shutil.rmtree(index, ignore_errors=True)
        index.mkdir(parents=True)
        engine = cls(index, work, count)
        base = work.base()
        with Usage() as usage:
            engine.build(base)
        size = sum(f.stat().st_size for f in index.rglob("*") if f.is_file()) / 1e6
        print(json.dumps({**usage.report(), "disk_mb": round(size, 1)}), file=out, flush=True)
        return
    engine = cls(index, work, 1)
    with Usage() as usage:
        engine.load()
    sweep = list(engine.sweep)
    hello = {"load": usage.report(), "sweep": sweep, "exact": cls.exact, "filters": cls.filters}
    print(json.dumps({**hello, "whole_sweep": cls.whole_sweep, "how": cls.how}), file=out, flush=True)
    serve(engine, work, out)


if __name__ == "__main__":
    main()
