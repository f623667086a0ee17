"""LanceDB: HNSW over 8-bit rows inside inverted lists, a label index over the groups, the permission a pre-filter."""

from __future__ import annotations

from typing import Any

import numpy as np
from engines.base import Engine, K
from workloads import Row, groups_of


class Lance(Engine):
    package = "lancedb"
    imports = ("lancedb",)
    sweep = (10, 20, 40, 80, 160, 320, 640, 1_280)
    how = "payload"

    def build(self, base: np.ndarray) -> None:
        import lancedb
        import pyarrow as pa

        names, offsets, numbers = self.work.allowed()
        groups = np.array(names, dtype=object)
        flat = pa.array(base.reshape(-1))
        columns = {
            "row": pa.array(np.arange(len(base))),
            "vector": pa.FixedSizeListArray.from_arrays(flat, base.shape[1]),
            "groups": pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(groups[numbers], pa.string())),
        }
        table = lancedb.connect(self.folder).create_table("rows", pa.table(columns))
        table.create_index("dot", num_partitions=1, index_type="IVF_HNSW_SQ", m=16, ef_construction=200)
        table.create_scalar_index("groups", index_type="LABEL_LIST")

    def load(self) -> None:
        import lancedb

        self.table = lancedb.connect(self.folder).open_table("rows")

    def person(self, row: Row, person: int) -> str | None:
        if row.name == "unf":
            return None
        groups = [f"'{group}'" for group in groups_of(row, person)]
        if len(groups) == 1:
            return f"array_has(groups, {groups[0]})"
        return f"array_has_any(groups, [{', '.join(groups)}])"

    def search(self, who: str | None, question: np.ndarray, parameter: int) -> Any:
        search = self.table.search(question).distance_type("dot").limit(K).ef(max(parameter, 15)).nprobes(1)
        search = search.refine_factor(max(1, min(parameter // K, 10))).select(["row", "_distance"])
        if who is not None:
            search = search.where(who, prefilter=True)
        return search.to_arrow()

    def rows(self, found: Any) -> list[int]:
        return found["row"].to_pylist()
