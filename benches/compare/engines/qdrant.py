"""qdrant-edge: the permission as its users write it, an indexed payload field with the groups that may see a point."""

from __future__ import annotations

from typing import Any

import numpy as np
from engines.base import EF, Engine, K
from workloads import Row, groups_of

BATCH = 1_000


class QdrantEdge(Engine):
    package = "qdrant-edge-py"
    imports = ("qdrant_edge",)
    sweep = EF
    how = "payload"

    def build(self, base: np.ndarray) -> None:
        import qdrant_edge as q

        hnsw = q.HnswIndexConfig(m=16, ef_construct=200, full_scan_threshold=10_000, max_indexing_threads=self.threads)
        config = q.EdgeConfig(
            vectors=q.EdgeVectorParams(size=base.shape[1], distance=q.Distance.Dot),
            hnsw_config=hnsw,
            optimizers=q.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=1),
            max_search_threads=1,
        )
        folder = self.folder / "shard"
        folder.mkdir()
        shard = q.EdgeShard.create(str(folder), config)
        shard.update(q.UpdateOperation.create_field_index("groups", q.PayloadSchemaType.Keyword))
        names, offsets, numbers = self.work.allowed()
        groups = np.array(names, dtype=object)
        for at in range(0, len(base), BATCH):
            rows = range(at, min(at + BATCH, len(base)))
            payloads = [{"groups": groups[numbers[offsets[i] : offsets[i + 1]]].tolist()} for i in rows]
            points = [q.Point(i, base[i].tolist(), payload) for i, payload in zip(rows, payloads)]
            shard.update(q.UpdateOperation.upsert_points(points))
        shard.optimize()
        shard.flush()
        shard.close()

    def load(self) -> None:
        import qdrant_edge as q

        self.q = q
        self.shard = q.EdgeShard.load(str(self.folder / "shard"))
        self.parameters = {ef: q.SearchParams(hnsw_ef=ef, **self.more()) for ef in self.sweep}

    def more(self) -> dict[str, Any]:
        """What else to search with."""
        return {}

    def person(self, row: Row, person: int) -> Any:
        if row.name == "unf":
            return None
        groups = groups_of(row, person)
        match = self.q.MatchValue(groups[0]) if len(groups) == 1 else self.q.MatchAny(groups)
        return self.q.Filter(must=[self.q.FieldCondition("groups", match=match)])

    def question(self, vector: np.ndarray) -> Any:
        return self.q.Query.Nearest(vector.tolist())

    def search(self, who: Any, question: Any, parameter: int) -> Any:
        request = self.q.SearchRequest(question, K, filter=who, params=self.parameters[parameter])
        return [point.id for point in self.shard.search(request)]


class QdrantEdgeAcorn(QdrantEdge):
    """The same index searched with its ACORN switch."""

    same_index_as = "qdrant-edge"

    def more(self) -> dict[str, Any]:
        return {"acorn": self.q.AcornSearchParams(enable=True)}
