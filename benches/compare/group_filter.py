#!/usr/bin/env python3
"""What does a filter of 500 group ids cost in a vector store? LanceDB and qdrant-edge as they are in peers.txt, beside the
table of sql_filter.py: 1,000,000 documents under 37,000 different lists of three groups of 5,000 (as many lists as documents if
LISTS is 0), an index over the groups, vectors of eight numbers so that nearly all of a search is its filter.
Usage: group_filter.py FOLDER [DOCUMENTS [LISTS]] (FOLDER is filled)"""

from __future__ import annotations

import importlib.metadata
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

GROUPS, OF_AN_IDENTITY, OF_A_DOCUMENT, ROUNDS, WIDTH, K, BATCH = 5_000, 500, 3, 15, 8, 10, 5_000
Search = Callable[[np.ndarray, list[str] | None], int]
Count = Callable[[list[str]], int]


def lance(folder: Path, vectors: np.ndarray, groups: list[list[str]]) -> tuple[Search, Count]:
    import lancedb
    import pyarrow as pa

    columns = {
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), WIDTH),
        "groups": pa.array(groups, pa.list_(pa.string())),
    }
    table = lancedb.connect(folder).create_table("rows", pa.table(columns), mode="overwrite")
    table.create_scalar_index("groups", index_type="LABEL_LIST")
    table.create_index("dot", num_partitions=1, index_type="IVF_HNSW_SQ", m=16, ef_construction=100)

    def where(who: list[str]) -> str:
        return f"array_has_any(groups, [{', '.join(repr(group) for group in who)}])"

    def search(question: np.ndarray, who: list[str] | None) -> int:
        found = table.search(question).distance_type("dot").limit(K).ef(40).nprobes(1).select(["_distance"])
        return len((found if who is None else found.where(where(who), prefilter=True)).to_arrow())

    return search, lambda who: table.count_rows(where(who))


def qdrant(folder: Path, vectors: np.ndarray, groups: list[list[str]]) -> tuple[Search, Count]:
    import qdrant_edge as q

    config = q.EdgeConfig(
        vectors=q.EdgeVectorParams(size=WIDTH, distance=q.Distance.Dot),
        hnsw_config=q.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=10_000, max_indexing_threads=2),
        optimizers=q.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=1),
        max_search_threads=1,
    )
    place = folder / "shard"
    place.mkdir(parents=True)
    shard = q.EdgeShard.create(str(place), config)
    shard.update(q.UpdateOperation.create_field_index("groups", q.PayloadSchemaType.Keyword))
    for at in range(0, len(vectors), BATCH):
        rows = range(at, min(at + BATCH, len(vectors)))
        points = [q.Point(row, vectors[row].tolist(), {"groups": groups[row]}) for row in rows]
        shard.update(q.UpdateOperation.upsert_points(points))
    shard.optimize()
    shard.flush()

    def who_may(who: list[str]) -> object:
        return q.Filter(must=[q.FieldCondition("groups", match=q.MatchAny(who))])

    def search(question: np.ndarray, who: list[str] | None) -> int:
        nearest, may = q.Query.Nearest(question.tolist()), None if who is None else who_may(who)
        request = q.SearchRequest(nearest, K, filter=may, params=q.SearchParams(hnsw_ef=40))
        return len(shard.search(request))

    return search, lambda who: shard.count(q.CountRequest(filter=who_may(who), exact=True))


def shown(times: list[float]) -> str:
    return f"median {statistics.median(times):.1f} ms, least {min(times):.1f} ms"


def measure(name: str, search: Search, count: Count, documents: int) -> None:
    chance = random.Random(2)
    bare, searches, counts, seen = [], [], [], 0
    for _ in range(ROUNDS):
        who = [f"g{number}" for number in chance.sample(range(GROUPS), OF_AN_IDENTITY)]
        question = np.array([chance.gauss(0, 1) for _ in range(WIDTH)], np.float32)
        started = time.perf_counter()
        search(question, None)
        bare.append((time.perf_counter() - started) * 1000)
        started = time.perf_counter()
        found = search(question, who)
        searches.append((time.perf_counter() - started) * 1000)
        started = time.perf_counter()
        seen = count(who)
        counts.append((time.perf_counter() - started) * 1000)
        assert found == K, f"{name} found {found} of {K}"
    print(f"{name}: search without a filter {shown(bare)}, with it {shown(searches)}; count of what is seen {shown(counts)}; "
          f"{seen} of {documents} seen; {ROUNDS} identities", flush=True)


def main() -> None:
    folder = Path(sys.argv[1])
    documents = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    chance = random.Random(1)
    group = lambda: f"g{min(chance.randrange(GROUPS), chance.randrange(GROUPS))}"
    lists = int(sys.argv[3]) if len(sys.argv) > 3 else 37_000
    drawn = [sorted({group() for _ in range(OF_A_DOCUMENT)}) for _ in range(lists or documents)]
    groups = [chance.choice(drawn) for _ in range(documents)] if lists else drawn
    vectors = np.random.default_rng(1).normal(size=(documents, WIDTH)).astype(np.float32)
    for package, build in (("lancedb", lance), ("qdrant-edge-py", qdrant)):
        name = f"{package} {importlib.metadata.version(package)}"
        started = time.perf_counter()
        search, count = build(folder / package, vectors, groups)
        print(f"{name}: built in {time.perf_counter() - started:.0f} s", flush=True)
        measure(name, search, count, documents)


if __name__ == "__main__":
    main()
