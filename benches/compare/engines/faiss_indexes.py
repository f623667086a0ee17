"""faiss: HNSW over float and 8-bit rows, and inverted lists, each with an IDSelectorBitmap."""

from __future__ import annotations

from typing import Any

import numpy as np
from engines.base import EF, Engine, K
from workloads import Row


class Faiss(Engine):
    package = "faiss-cpu"
    imports = ("faiss",)
    file = "faiss.index"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        import faiss

        self.faiss = faiss
        faiss.omp_set_num_threads(self.threads)

    def made(self, dim: int, n: int) -> Any:
        """The empty index."""
        raise NotImplementedError

    def parameters(self, selector: Any, parameter: int) -> Any:
        """A search's parameters."""
        raise NotImplementedError

    def build(self, base: np.ndarray) -> None:
        index = self.made(base.shape[1], len(base))
        index.train(base)
        index.add(base)
        self.faiss.write_index(index, str(self.folder / self.file))

    def load(self) -> None:
        self.faiss.omp_set_num_threads(1)
        self.index = self.faiss.read_index(str(self.folder / self.file))

    def person(self, row: Row, person: int) -> dict[int, Any]:
        seen = row.seen[person]
        selector = None
        if seen is not None:
            mask = np.zeros(-(-self.work.n // 8) * 8, dtype=bool)
            mask[seen] = True
            selector = self.faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        return {parameter: self.parameters(selector, parameter) for parameter in self.sweep}

    def question(self, vector: np.ndarray) -> np.ndarray:
        return vector[None]

    def search(self, who: dict[int, Any], question: np.ndarray, parameter: int) -> np.ndarray:
        return self.index.search(question, K, params=who[parameter])[1]

    def rows(self, found: np.ndarray) -> list[int]:
        return [row for row in found[0].tolist() if row >= 0]


class FaissHnsw(Faiss):
    sweep = EF

    def made(self, dim: int, n: int) -> Any:
        index = self.faiss.IndexHNSWFlat(dim, 16, self.faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 200
        return index

    def parameters(self, selector: Any, parameter: int) -> Any:
        given = {} if selector is None else {"sel": selector}
        return self.faiss.SearchParametersHNSW(efSearch=parameter, **given)


class FaissHnswSq8(FaissHnsw):
    def made(self, dim: int, n: int) -> Any:
        kind = self.faiss.ScalarQuantizer.QT_8bit
        index = self.faiss.IndexHNSWSQ(dim, kind, 16, self.faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 200
        return index


class FaissIvf(Faiss):
    sweep = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512)

    def made(self, dim: int, n: int) -> Any:
        lists = int(min(4 * n**0.5, n / 39))
        quantizer = self.faiss.IndexFlatIP(dim)
        # The Python object must live as long as the index that points to it.
        self.quantizer = quantizer
        return self.faiss.IndexIVFFlat(quantizer, dim, lists, self.faiss.METRIC_INNER_PRODUCT)

    def parameters(self, selector: Any, parameter: int) -> Any:
        given = {} if selector is None else {"sel": selector}
        return self.faiss.SearchParametersIVF(nprobe=parameter, **given)
