"""What the tests share: seeded vectors, and indexes over them."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import numpy as np
import numpy.typing as npt
import pytest

from safepassage import Identity, Index, Session

Vectors = npt.NDArray[np.float32]
EVERYONE = {"allow": ["everyone"]}
SEED = 7


@pytest.fixture
def vectors() -> Callable[[int, int], Vectors]:
    """Gaussian rows of unit length; the same at every call."""

    def make(n: int, dim: int) -> Vectors:
        print(f"seed {SEED}")
        rows = np.random.default_rng(SEED).standard_normal((n, dim))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    return make


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """An empty index of four dimensions."""
    return Index.create(tmp_path / "index", dim=4)


@pytest.fixture
def filled(index: Index, vectors: Callable[[int, int], Vectors]) -> Index:
    """An index of twenty documents d00 to d19 that everyone may read."""
    index.add([f"d{i:02}" for i in range(20)], vectors=vectors(20, 4), acls=[EVERYONE] * 20)
    index.commit()
    return index


def session_of(index: Index, user: str, *groups: str) -> Session:
    """The index as `user` sees it."""
    return index.session(Identity.asserted(user, groups))
