"""`index.stats`, `verify`, `merge`, `generations` and `rollback`."""

from __future__ import annotations

import numpy as np
import pytest

from safepassage import Index, NotFoundError

from .conftest import EVERYONE, session_of


def test_the_life_of_an_index(filled: Index) -> None:
    filled.add(["new"], vectors=np.ones((1, 4)), acls=[EVERYONE])
    filled.delete(["d00"])
    assert filled.commit() == 3
    stats = filled.stats()
    assert (stats["documents"], stats["segments"], stats["tombstones"]) == (20, 2, 1)
    assert filled.merge() == 4
    assert filled.stats()["tombstones"] == 0
    assert filled.rollback(2) == 5
    assert "d00" in session_of(filled, "alice").visible()["documents"]
    assert [g["operation"] for g in filled.generations()] == ["create", "commit", "commit", "merge", "rollback"]
    assert [g["documents"] for g in filled.generations()][:2] == [0, 20]
    assert filled.verify()["generations"] == 5
    with pytest.raises(NotFoundError):
        filled.rollback(99)
