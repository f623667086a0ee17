"""`session.search_vector` and `search_vectors` against numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import numpy as np
import pytest

from safepassage import Index, InvalidError

from .conftest import EVERYONE, Vectors, session_of

Make = Callable[[int, int], Vectors]


def test_answers_are_those_of_numpy(tmp_path: Path, vectors: Make) -> None:
    rows = vectors(3_000, 32)
    index = Index.create(tmp_path / "index", dim=32)
    index.add([str(i) for i in range(3_000)], vectors=rows, acls=[EVERYONE] * 3_000)
    index.commit()
    queries = rows[:50] + np.float32(0.5) * rows[50:100]
    exact = np.argsort(-(queries @ rows.T), axis=1)[:, :10]
    session = session_of(index, "alice")
    many = session.search_vectors(queries)
    assert len(many) == 50
    found = sum(len({str(i) for i in want} & set(got.ids)) for want, got in zip(exact, many))
    assert found / 500 >= 0.95
    for query, want, got in zip(queries, exact, session.search_vectors(queries, recall=1.0)):
        assert got.exact
        assert got.complete
        assert got.ids == [str(i) for i in want]
        assert got.ids == session.search_vector(query, recall=1.0).ids


def test_a_graph_reaches_the_recall_asked_for(tmp_path: Path, vectors: Make) -> None:
    rows = vectors(20_050, 16)
    rows, queries = rows[:20_000], rows[20_000:]
    index = Index.create(tmp_path / "index", dim=16)
    index.add([str(i) for i in range(len(rows))], vectors=rows, acls=[EVERYONE] * len(rows))
    index.commit()
    assert index.stats()["graphs"] == 1
    exact = np.argsort(-(queries @ rows.T), axis=1)[:, :10]
    answers = session_of(index, "alice").search_vectors(queries)
    assert {answer.plan for answer in answers} == {"graph"}
    found = sum(len({str(i) for i in want} & set(got.ids)) for want, got in zip(exact, answers))
    assert found / exact.size >= 0.95


def test_what_an_answer_says(filled: Index) -> None:
    session = session_of(filled, "alice")
    results = session.search_vector([1, 0, 0, 0], k=30)
    assert len(results) == len(results.ids) == len(results.hits) == 20
    assert results.complete and results.exact
    assert results.scores.dtype == np.float32
    assert list(results.scores) == sorted(results.scores, reverse=True)
    assert [hit.document for hit in results] == results.ids
    assert [hit.rank for hit in results.hits] == list(range(1, 21))
    assert results[-1].document == results.ids[-1]
    assert [hit.document for hit in results[:2]] == results.ids[:2]
    assert (results.plan, results.generation, results.acl_epoch) == ("scan", 2, filled.stats()["acl_epoch"])
    with pytest.raises(IndexError):
        results[20]


def test_passages_are_those_of_the_generation_searched(filled: Index) -> None:
    results = session_of(filled, "alice").search_vector([1, 0, 0, 0], k=3)
    filled.delete(results.ids)
    filled.commit()
    filled.merge()
    assert [hit.document for hit in results.hits] == results.ids


@pytest.mark.parametrize(
    "question",
    [
        {"vector": [1.0, 0.0]},
        {"vector": [[1.0, 0.0, 0.0, 0.0]]},
        {"vector": [0.0] * 4},
        {"vector": [np.nan] * 4},
        {"vector": "text"},
        {"vector": [1.0] * 4, "k": 0},
        {"vector": [1.0] * 4, "k": -1},
        {"vector": [1.0] * 4, "recall": 1.5},
        {"vector": [1.0] * 4, "recall": np.nan},
        {"vector": [1.0] * 4, "filter": {"equals": {"key": "a", "value": 1}}},
    ],
    ids=str,
)
def test_bad_questions_are_refused(filled: Index, question: dict[str, object]) -> None:
    with pytest.raises(InvalidError):
        session_of(filled, "alice").search_vector(**question)  # type: ignore[arg-type]


def test_rows_of_another_length_are_refused(filled: Index) -> None:
    with pytest.raises(InvalidError, match="8 dimensions and the index 4"):
        session_of(filled, "alice").search_vectors(np.ones((3, 8), dtype=np.float32))
    assert session_of(filled, "alice").search_vectors(np.ones((0, 4), dtype=np.float32)) == []
