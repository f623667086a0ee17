"""usearch: its Python package takes no permission, so `ef` candidates are fetched and the forbidden dropped."""

from __future__ import annotations

from typing import Any

import numpy as np
from engines.base import EF, Engine, K
from workloads import Row


class Usearch(Engine):
    package = "usearch"
    imports = ("usearch.index",)
    sweep = EF
    how = "post"
    dtype: str

    def made(self) -> Any:
        """The empty index."""
        from usearch.index import Index

        return Index(ndim=self.work.dim, metric="ip", dtype=self.dtype, connectivity=16, expansion_add=200)

    def build(self, base: np.ndarray) -> None:
        index = self.made()
        index.add(np.arange(len(base)), base, threads=self.threads)
        index.save(str(self.folder / "usearch.bin"))

    def load(self) -> None:
        self.index = self.made()
        self.index.load(str(self.folder / "usearch.bin"))

    def person(self, row: Row, person: int) -> np.ndarray | None:
        seen = row.seen[person]
        if seen is None:
            return None
        mask = np.zeros(self.work.n, dtype=bool)
        mask[seen] = True
        return mask

    def search(self, who: np.ndarray | None, question: np.ndarray, parameter: int) -> np.ndarray:
        self.index.expansion_search = parameter
        if who is None:
            return self.index.search(question, K, threads=1).keys
        keys = self.index.search(question, parameter, threads=1).keys
        return keys[who[keys]][:K]

    def rows(self, found: np.ndarray) -> list[int]:
        return [int(key) for key in found]


class UsearchF32(Usearch):
    dtype = "f32"


class UsearchBf16(Usearch):
    dtype = "bf16"
