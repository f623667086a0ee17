"""hnswlib with a bitmap as its filter, through native.cpp; its Python package has only a callback a row."""

from __future__ import annotations

import numpy as np
from engines.base import K
from engines.native import Native, address

M, EF_CONSTRUCTION = 16, 200


class Hnswlib(Native):
    package = "hnswlib"
    ef_construction = EF_CONSTRUCTION

    def build(self, base: np.ndarray) -> None:
        graph = self.lib.hnsw_build(address(base), *base.shape, M, self.ef_construction, self.threads)
        self.lib.hnsw_save(graph, str(self.folder / "hnsw.bin").encode())

    def load(self) -> None:
        self.handle = self.lib.hnsw_load(self.work.dim, str(self.folder / "hnsw.bin").encode())

    def search(self, who: int | None, question: int, parameter: int) -> list[int]:
        return self.out[: self.lib.hnsw_search(self.handle, who, question, K, parameter, self.out)]


class HnswlibQuick(Hnswlib):
    """A build that costs half."""

    ef_construction = EF_CONSTRUCTION // 2


class HnswlibThorough(Hnswlib):
    """A build that costs double."""

    ef_construction = EF_CONSTRUCTION * 2
