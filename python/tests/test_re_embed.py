"""`index.re_embed`, `switch`, `candidate`, `drop_candidate` and `Index.open_candidate`: another model for an index."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from safepassage import ConflictError, Index, InvalidError, NotFoundError

from .conftest import EVERYONE, session_of


def of(dim: int, asked: list[str]):  # type: ignore[no-untyped-def]
    """A model of that many numbers, which says what it was asked."""

    def embed(texts: list[str], purpose: str) -> list[list[float]]:
        asked.extend(texts)
        return [[float(len(text) % (n + 3)) + 1.0 for n in range(dim)] for text in texts]

    return embed


def test_an_index_changes_its_model_and_goes_back(tmp_path: Path) -> None:
    old, new = [], []  # type: list[str], list[str]
    index = Index.create(tmp_path / "index", dim=3, embedder=of(3, old))
    index.add(["a", "b"], texts=["One text.", "Another text."], acls=[EVERYONE, {"allow": ["group:hr"]}])
    index.commit()
    assert index.candidate() is None
    with pytest.raises(NotFoundError):
        index.switch()
    with pytest.raises(NotFoundError):
        Index.open_candidate(tmp_path / "index")
    with pytest.raises(InvalidError, match="already"):
        index.re_embed(of(3, old), dim=3)
    assert index.re_embed(of(5, new), dim=5, dry_run=True)["embedded"] == 2
    assert new == []

    report = index.re_embed(of(5, new), dim=5)
    assert (report["documents"], report["embedded"], report["left"], report["ready"]) == (2, 2, 0, True)
    candidate = index.candidate()
    assert candidate is not None
    assert (candidate["dim"], candidate["documents"], candidate["missing"]) == (5, 2, 0)
    looked_at = Index.open_candidate(tmp_path / "index", embedder=of(5, new))
    assert session_of(looked_at, "ann").search("text", k=9).ids == ["a"]
    with pytest.raises(ConflictError):
        looked_at.rollback(1)

    index.add(["c"], texts=["A third text."], acls=[EVERYONE])
    index.commit()
    switched = asyncio.run(index.switch_async())
    assert (switched["embedded"], index.dim) == (1, 5)
    assert sorted(session_of(index, "ann").search("text", k=9).ids) == ["a", "c"]
    assert [g["dim"] for g in index.generations()] == [3, 3, 3, 5]
    assert index.candidate() is None

    index.rollback(3)
    assert index.dim == 3
    assert sorted(session_of(index, "ann").search("text", k=9).ids) == ["a", "c"]
    assert index.re_embed(of(5, new), dim=5)["ready"]
    assert index.drop_candidate()
    assert not index.drop_candidate()


def test_an_index_that_was_opened_with_the_old_model_says_so(tmp_path: Path) -> None:
    asked = []  # type: list[str]
    index = Index.create(tmp_path / "index", dim=3, embedder=of(3, asked))
    index.add(["a"], texts=["One text."], acls=[EVERYONE])
    index.commit()
    other = Index.open(tmp_path / "index", embedder=of(3, asked))
    index.re_embed(of(5, asked), dim=5)
    index.switch()
    with pytest.raises(ConflictError, match="open the index again"):
        session_of(other, "ann").search("text")
    assert session_of(other, "ann").search("text", mode="lexical").ids == ["a"]
    with pytest.raises(InvalidError, match="dimensions"):
        session_of(other, "ann").search_vector([1.0, 0.0, 0.0])
