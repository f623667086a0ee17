"""SymphonyQG of rabitqlib: a graph over RaBitQ codes. It takes no permission and is here for the row `unf` alone."""

from __future__ import annotations

import numpy as np
from engines.base import EF, Engine, K
from workloads import Row


class SymphonyQg(Engine):
    package = "rabitqlib"
    imports = ("rabitqlib",)
    sweep = EF
    filters = False

    def build(self, base: np.ndarray) -> None:
        import rabitqlib

        index = rabitqlib.SymqgIndex(base.shape[1], 32, "l2")
        index.build(base, 200, self.threads)
        index.save(str(self.folder / "symqg.bin"))

    def load(self) -> None:
        import rabitqlib

        self.index = rabitqlib.SymqgIndex.load(str(self.folder / "symqg.bin"))

    def person(self, row: Row, person: int) -> None:
        return None

    def question(self, vector: np.ndarray) -> np.ndarray:
        return vector[None]

    def search(self, who: None, question: np.ndarray, parameter: int) -> np.ndarray:
        return self.index.search(question, K, parameter)[0]

    def rows(self, found: np.ndarray) -> list[int]:
        return [row for row in found[0].tolist() if row < self.work.n]
