"""Do readers disturb each other, and does a writer disturb them?

    WORK/venv/bin/python benches/compare/concurrency.py [--rows N] [--seconds S]

Three times S seconds of searches by vector at recall 0.95, half of them by somebody who may see a tenth: one reading
thread, two, and one beside a thread that adds rows, commits and merges all the while. What the writer adds is not for
the readers, and every answer is checked for it. Prints a Markdown table; latencies are wall-clock, and the processor
time of a search is that of all threads.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safepassage
from workloads import K, Manifold

BATCH, ADDED = 10_000, 1_000


@dataclass
class Reader:
    """What one thread saw."""

    latency_ms: list[float] = field(default_factory=list)
    wrong: int = 0

    def read(
        self, sessions: list[safepassage.Session], questions: np.ndarray, start: int, until: threading.Event
    ) -> None:
        """Searches until it is told to stop."""
        for i in itertools.count(start):
            if until.is_set():
                return
            begin = time.perf_counter()
            found = sessions[i % len(sessions)].search_vector(questions[i % len(questions)], k=K, recall=0.95).ids
            self.latency_ms.append(1e3 * (time.perf_counter() - begin))
            self.wrong += len(found) != K or any(document.startswith("new") for document in found)


@dataclass
class Writer:
    """What the writing thread did."""

    commit_s: list[float] = field(default_factory=list)
    merge_s: list[float] = field(default_factory=list)

    def write(self, index: safepassage.Index, made: Manifold, until: threading.Event) -> None:
        """Adds, commits, and merges after every fourth commit."""
        for turn in itertools.count(1):
            if until.is_set():
                return
            rows = made.block(1_000 + turn)[:ADDED]
            ids = [f"new-{turn}-{i}" for i in range(ADDED)]
            index.add(ids, vectors=rows, acls=[{"allow": ["group:others"]}] * ADDED)
            begin = time.perf_counter()
            index.commit()
            self.commit_s.append(time.perf_counter() - begin)
            if turn % 4 == 0 and not until.is_set():
                begin = time.perf_counter()
                index.merge()
                self.merge_s.append(time.perf_counter() - begin)


def run(index: safepassage.Index, made: Manifold, readers: int, writes: bool, seconds: float) -> tuple[str, int]:
    """A line of the table, and how many answers were wrong."""
    sessions = [index.session(safepassage.Identity.asserted(name, [name])) for name in ("all", "tenth")]
    questions, until = made.questions(1_000), threading.Event()
    for session in sessions:
        session.search_vector(questions[0], k=K)
    crew = [Reader() for _ in range(readers)]
    threads = [threading.Thread(target=r.read, args=(sessions, questions, 499 * i, until)) for i, r in enumerate(crew)]
    writer = Writer()
    if writes:
        threads.append(threading.Thread(target=writer.write, args=(index, made, until)))
    wall, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    until.set()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    for thread in threads:
        thread.join()
    every = np.sort(np.concatenate([r.latency_ms for r in crew]))
    at = [np.percentile(every, p) for p in (50, 99, 99.9, 100)]
    cells = [f"{len(every) / wall:,.0f}", f"{1e3 * cpu / len(every):.2f}", *(f"{value:.2f}" for value in at)]
    for times in (writer.commit_s, writer.merge_s):
        cells.append(f"{len(times)} ({np.median(times):.2f})" if times else "–")
    wrong = sum(r.wrong for r in crew)
    name = f"{readers} reader{'s' if readers > 1 else ''}{', a writer' if writes else ''}"
    return f"| {name} | {' | '.join(cells)} | {wrong} |", wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    made = Manifold()
    with tempfile.TemporaryDirectory() as folder:
        index = safepassage.Index.create(Path(folder) / "index", dim=made.dim)
        for at in range(0, given.rows, BATCH):
            rows = made.block(at // BATCH)[: given.rows - at]
            acls = [{"allow": ["group:all", "group:tenth"] if i % 10 == 0 else ["group:all"]} for i in range(len(rows))]
            index.add([f"{at + i}" for i in range(len(rows))], vectors=rows, acls=acls)
        index.commit()
        print(f"{given.rows} rows x {made.dim}, {given.seconds:g} s each; ms are wall-clock\n")
        head = "searches/s | CPU ms each | p50 ms | p99 | p99.9 | longest | commits (median s) | merges | wrong"
        print(f"| | {head} |")
        print("|---" * 10 + "|", flush=True)
        broken = 0
        for readers, writes in ((1, False), (2, False), (1, True)):
            line, wrong = run(index, made, readers, writes, given.seconds)
            broken += wrong
            print(line, flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
