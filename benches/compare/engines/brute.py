"""The plain scans of the visible rows: the yardstick, exact by nature. A person's visible rows are a list."""

from __future__ import annotations

from typing import Any

import numpy as np
from engines.base import Engine, K
from engines.native import Native, address
from workloads import Row


class Brute:
    """Nothing to build: the vectors are the index."""

    sweep = (0,)
    exact = True
    work: Any

    def build(self, base: np.ndarray) -> None:
        pass

    def load(self) -> None:
        self.base = self.work.base()


class BruteSimd(Brute, Native):
    """Our own loop in native.cpp."""

    def load(self) -> None:
        super().load()
        self.handle = self.lib.scan_new(address(self.base), *self.base.shape)

    def search(self, who: int | None, question: int, parameter: int) -> list[int]:
        return self.out[: self.lib.scan_search(self.handle, who, question, K, self.out)]


class BruteNumpy(Brute, Engine):
    """What one writes in a notebook."""

    def person(self, row: Row, person: int) -> np.ndarray | None:
        return row.seen[person]

    def search(self, who: np.ndarray | None, question: np.ndarray, parameter: int) -> np.ndarray:
        score = (self.base if who is None else self.base[who]) @ question
        top = np.argpartition(score, len(score) - K)[-K:] if len(score) > K else np.arange(len(score))
        top = top[np.argsort(-score[top])]
        return top if who is None else who[top]

    def rows(self, found: np.ndarray) -> list[int]:
        return found.tolist()


class BruteFaiss(Brute, Engine):
    """faiss's flat index, which goes through an id list row by row."""

    package = "faiss-cpu"
    imports = ("faiss",)

    def load(self) -> None:
        import faiss

        faiss.omp_set_num_threads(1)
        self.faiss, base = faiss, self.work.base()
        self.index = faiss.IndexFlatIP(base.shape[1])
        self.index.add(base)

    def person(self, row: Row, person: int) -> Any:
        seen = row.seen[person]
        if seen is None:
            return None
        selector = self.faiss.IDSelectorArray(np.ascontiguousarray(seen, dtype=np.int64))
        return self.faiss.SearchParameters(sel=selector)

    def question(self, vector: np.ndarray) -> np.ndarray:
        return vector[None]

    def search(self, who: Any, question: np.ndarray, parameter: int) -> np.ndarray:
        return self.index.search(question, K, params=who)[1]

    def rows(self, found: np.ndarray) -> list[int]:
        return [row for row in found[0].tolist() if row >= 0]
