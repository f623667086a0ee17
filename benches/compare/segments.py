"""What does a search cost when the rows lie in 1, 4 or 16 segments?

    WORK/venv/bin/python benches/compare/segments.py [--rows N]

The same rows are committed as one segment, as four of equal size, and as sixteen of the sizes that merges leave when
rows come little by little (eight of one size class would be merged). Each index is asked by somebody who may see
everything, a random tenth and a random hundredth. Prints a Markdown table; the processor time is that of one thread.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import safepassage
from measure import pin
from scale import PEOPLE, RECALLS, allowed, better
from workloads import K, Manifold

QUESTIONS, ROUNDS = 200, 5


def sizes(segments: int, n: int) -> list[int]:
    """How many rows each segment has, together `n`."""
    if segments < 16:
        return [n // segments] * segments
    large, middle = int(n * 0.33), int(n * 0.045)
    small = (n - 2 * large - 7 * middle) // 7
    return [n - large - 7 * (middle + small), large, *[middle] * 7, *[small] * 7]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    given = parser.parse_args()
    pin(1)
    made = Manifold()
    questions = made.questions(QUESTIONS)
    blocks = range(-(-given.rows // made.BLOCK))
    rows = np.concatenate([made.block(b) for b in blocks])[: given.rows]
    may = {name: np.concatenate([allowed(b, made.BLOCK)[name] for b in blocks])[: given.rows] for name in PEOPLE}
    exact = {}
    for name in PEOPLE:
        best = (np.full((QUESTIONS, K), -1), np.full((QUESTIONS, K), -2.0, np.float32))
        for at in range(0, given.rows, made.BLOCK):
            seen = at + np.flatnonzero(may[name][at : at + made.BLOCK])
            best = better(*best, questions @ rows[seen].T, seen)
        exact[name] = best[0]
    print("| segments | graphs | " + " | ".join(f"{name}, {recall}: µs (recall)" for name in PEOPLE for recall in RECALLS))
    print("|---" * (2 + len(PEOPLE) * len(RECALLS)) + "|")
    for segments in (1, 4, 16):
        with tempfile.TemporaryDirectory() as folder:
            index = safepassage.Index.create(Path(folder) / "index", dim=made.dim)
            at = 0
            for size in sizes(segments, given.rows):
                part = range(at, at + size)
                acls = [{"allow": [f"group:{name}" for name in PEOPLE if may[name][i]]} for i in part]
                index.add([str(i) for i in part], vectors=rows[part.start : part.stop], acls=acls)
                index.commit()
                at += size
            stats = index.stats()
            assert stats["segments"] == segments and stats["chunks"] == given.rows, stats
            cells = []
            for name in PEOPLE:
                session = index.session(safepassage.Identity.asserted(name, [name]))
                for recall in RECALLS:
                    spent, found = [], []
                    for _ in range(ROUNDS):
                        start = time.process_time()
                        found = [session.search_vector(question, k=K, recall=recall).ids for question in questions]
                        spent.append((time.process_time() - start) / QUESTIONS)
                    hit = sum(len({int(i) for i in ids} & set(top.tolist())) for ids, top in zip(found, exact[name]))
                    cells.append(f"{1e6 * min(spent):.0f} ({hit / K / QUESTIONS:.3f})")
            print(f"| {segments} | {stats['graphs']} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
