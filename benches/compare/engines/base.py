"""What must an engine do to be compared?

Build an index from the vectors, load it in another process, take what a person may see in whatever form it takes that
best, and answer one question a call. Everything that a user could do once a person (a bitmap, a filter object, a
session) is done in `person`, outside the timed region; everything done for each question is in `search`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from workloads import K, Row, Workload

__all__ = ["EF", "Engine", "K"]

EF = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048)


class Engine(ABC):
    """An engine with one index over one workload, in a folder of its own."""

    package: ClassVar[str | None] = None
    """The package whose version names the engine."""
    imports: ClassVar[tuple[str, ...]] = ()
    """Modules to have before memory is measured, so that an index is not charged for its library."""
    sweep: ClassVar[tuple[Any, ...]] = EF
    """Values of the parameter that trades speed for recall, the fastest first; an exact engine has one."""
    exact: ClassVar[bool] = False
    """Whether every answer is exact."""
    filters: ClassVar[bool] = True
    """Whether it takes a permission at all."""
    whole_sweep: ClassVar[bool] = False
    """Whether to go on when the recall cannot rise any more."""
    same_index_as: ClassVar[str | None] = None
    """Another engine's name, if only the searching is different."""
    how: ClassVar[str] = "native"
    """How the permission arrives: native, payload, post, mask, session."""

    def __init__(self, folder: Path, work: Workload, threads: int) -> None:
        self.folder, self.work, self.threads = folder, work, threads

    @classmethod
    def unfit(cls, work: Workload) -> str | None:
        """Why this engine cannot take the workload, if it cannot."""
        return None

    @abstractmethod
    def build(self, base: np.ndarray) -> None:
        """Makes the index of `base` (n x dim float32, unit length) and leaves it in the folder."""

    @abstractmethod
    def load(self) -> None:
        """Gets the index from the folder, in a fresh process."""

    @abstractmethod
    def person(self, row: Row, person: int) -> Any:
        """What `search` needs to know of a person, made ready once; None is without permission (row `unf`)."""

    def question(self, vector: np.ndarray) -> Any:
        """A question as `search` takes it."""
        return vector

    @abstractmethod
    def search(self, who: Any, question: Any, parameter: Any) -> Any:
        """The K best rows that the person may see, in whatever shape is cheapest: this is what is timed."""

    def rows(self, found: Any) -> list[int]:
        """What `search` gave, as row numbers."""
        return list(found)

    def plan(self, who: Any, question: Any, parameter: Any) -> str | None:
        """How the engine says it would go about a question, ending in `exact` if no better answer can exist."""
        return None
