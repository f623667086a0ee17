"""turbovec: a scan of 4-bit codes with a mask over all rows; the best candidates are ranked again with the vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from engines.base import Engine, K
from workloads import Row, Workload

CALIBRATION = 1_024


class Turbovec(Engine):
    package = "turbovec"
    imports = ("turbovec",)
    sweep = (10, 15, 20, 30, 40, 60, 100, 200)
    how = "mask"

    @classmethod
    def unfit(cls, work: Workload) -> str | None:
        return f"takes dimensions that are multiples of 8, not {work.dim}" if work.dim % 8 else None

    def build(self, base: np.ndarray) -> None:
        import turbovec

        index = turbovec.TurboQuantIndex(dim=base.shape[1], bit_width=4)
        sample = np.random.default_rng(1).permutation(len(base))[:CALIBRATION]
        index.calibrate(base[sample])
        index.add(base)
        index.write(str(self.folder / "codes.tv"))

    def load(self) -> None:
        import turbovec

        self.index = turbovec.TurboQuantIndex.load(str(self.folder / "codes.tv"))
        self.index.prepare()
        self.base = self.work.base()

    def person(self, row: Row, person: int) -> dict[str, Any]:
        seen = row.seen[person]
        if seen is None:
            return {}
        mask = np.zeros(self.work.n, dtype=bool)
        mask[seen] = True
        return {"mask": mask}

    def search(self, who: dict[str, Any], question: np.ndarray, parameter: int) -> np.ndarray:
        candidates = self.index.search(question[None], parameter, **who)[1][0]
        score = self.base[candidates] @ question
        return candidates[np.argsort(-score)[:K]]

    def rows(self, found: np.ndarray) -> list[int]:
        return found.tolist()
