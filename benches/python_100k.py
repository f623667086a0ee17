"""How fast are `add` + `commit` of 100,000 vectors from Python, and what do searches find?

Prints a Markdown table; `benches/record/python-100k.md` holds one run. Exact answers come from numpy in the same run.
Seeds are fixed. Run with the package installed: `python benches/python_100k.py [ROWS] [DIM]`.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import safepassage as sp

SEED, QUERIES, K, BATCH = 20_261_121, 200, 10, 10_000


def unit(rows: np.ndarray) -> np.ndarray:
    """The rows at unit length."""
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def gaussian(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    """No structure at all: the hardest for a graph."""
    return unit(rng.standard_normal((n, dim), dtype=np.float32))


def clustered(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    """A centre for each 100 rows, noise of 0.6 of its length."""
    centres = unit(rng.standard_normal((max(1, n // 100), dim), dtype=np.float32))
    noise = unit(rng.standard_normal((n, dim), dtype=np.float32))
    return unit(centres[rng.integers(len(centres), size=n)] + 0.6 * noise)


def peak_mb() -> int:
    """The most memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measure(name: str, rows: np.ndarray, queries: np.ndarray) -> list[str]:
    """One line of the table for one set of rows."""
    n, dim = rows.shape
    exact = np.argsort(-(queries @ rows.T), axis=1)[:, :K]
    before = peak_mb()
    with tempfile.TemporaryDirectory() as folder:
        index = sp.Index.create(Path(folder) / "index", dim=dim)
        start = time.perf_counter()
        for at in range(0, n, BATCH):
            part = rows[at : at + BATCH]
            ids = [f"{i:06d}" for i in range(at, at + len(part))]
            index.add(ids, vectors=part, acls=[{"allow": ["everyone"]}] * len(part))
        added = time.perf_counter() - start
        index.commit()
        committed = time.perf_counter() - start - added
        after = peak_mb()
        session = index.session(sp.Identity.asserted("alice"))
        session.search_vector(queries[0], k=K)
        start = time.perf_counter()
        single = [session.search_vector(query, k=K) for query in queries]
        one = QUERIES / (time.perf_counter() - start)
        start = time.perf_counter()
        many = session.search_vectors(queries, k=K)
        batch = QUERIES / (time.perf_counter() - start)
    assert [r.ids for r in single] == [r.ids for r in many]
    wanted = [{f"{i:06d}" for i in row} for row in exact]
    recall = sum(len(w & set(r.ids)) for w, r in zip(wanted, single)) / (K * QUERIES)
    plans = "/".join(sorted({str(result.plan) for result in single}))
    seconds, memory = [f"{added:.1f}", f"{committed:.1f}"], [f"{before}", f"{after}"]
    return [name, *seconds, *memory, f"{recall:.4f}", f"{one:.0f}", f"{batch:.0f}", plans]


def line(name: str, n: int, dim: int) -> None:
    """Makes the rows and prints their line."""
    make = {"clustered": clustered, "gaussian": gaussian}[name]
    everything = make(np.random.default_rng(SEED), n + QUERIES, dim)
    print("| " + " | ".join(measure(name, everything[:n], everything[n:])) + " |", flush=True)


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    dim = int(sys.argv[2]) if len(sys.argv) > 2 else 384
    print(f"{n} rows x {dim}, seed {SEED}, {QUERIES} queries, k={K}, recall asked for 0.95\n")
    print("| rows | add s | commit s | peak RSS MB before | after | recall@10 | search_vector/s | search_vectors/s | plan |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for name in ["clustered", "gaussian"]:
        # A process of its own, for a peak of its own.
        process = multiprocessing.get_context("spawn").Process(target=line, args=(name, n, dim))
        process.start()
        process.join()


if __name__ == "__main__":
    main()
