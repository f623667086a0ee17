"""safepassage: one index through the Python package. Every base row's ACL lists the groups that may see it; a person is
an identity with their groups, and the session checks the permission in every search."""

from __future__ import annotations

from typing import Any

import numpy as np
from engines.base import Engine, K
from workloads import Row, groups_of

BATCH = 10_000
# Longer than any run; the default would end after fifteen minutes.
TTL_SECONDS = 7 * 86_400


class Safepassage(Engine):
    package = "safepassage"
    imports = ("safepassage",)
    sweep = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
    whole_sweep = True
    how = "session"

    def build(self, base: np.ndarray) -> None:
        import safepassage

        names, offsets, numbers = self.work.allowed()
        groups = np.array([f"group:{name}" for name in names], dtype=object)
        index = safepassage.Index.create(self.folder / "index", dim=base.shape[1])
        for at in range(0, len(base), BATCH):
            rows = range(at, min(at + BATCH, len(base)))
            acls = [{"allow": groups[numbers[offsets[i] : offsets[i + 1]]].tolist()} for i in rows]
            index.add([f"{i:07d}" for i in rows], vectors=base[rows.start : rows.stop], acls=acls)
        index.commit()

    def load(self) -> None:
        import safepassage

        self.safepassage = safepassage
        self.index = safepassage.Index.open(self.folder / "index")

    def person(self, row: Row, person: int) -> Any:
        groups = groups_of(row, person)
        identity = self.safepassage.Identity.asserted(f"{row.name}-{person}", groups, ttl_seconds=TTL_SECONDS)
        session = self.index.session(identity)
        # The first search finds out what the person may see; the others remember.
        session.search_vector(self.work.query[0], k=K)
        return session

    def search(self, who: Any, question: np.ndarray, parameter: float) -> list[str]:
        return who.search_vector(question, k=K, recall=parameter).ids

    def rows(self, found: list[str]) -> list[int]:
        return [int(document) for document in found]

    def plan(self, who: Any, question: np.ndarray, parameter: float) -> str:
        found = who.search_vector(question, k=K, recall=parameter)
        return f"{found.plan}{', exact' if found.exact else ''}{'' if found.complete else ', incomplete'}"
