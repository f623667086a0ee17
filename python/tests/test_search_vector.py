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
        {"vector": [1.0] * 4, "filter": {"equals": {"key": "a"}}},
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


@pytest.mark.parametrize("width", [np.float16, np.float32, np.float64])
def test_every_width_of_floats_is_taken(filled: Index, width: type) -> None:
    session = session_of(filled, "alice")
    want = session.search_vector([1, 0, 0, 0]).ids
    assert session.search_vector(np.array([1, 0, 0, 0], dtype=width)).ids == want
    assert session.search_vectors(np.array([[1, 0, 0, 0]] * 2, dtype=width))[1].ids == want


def test_where_the_numbers_lie_does_not_matter(filled: Index) -> None:
    session = session_of(filled, "alice")
    wide = np.zeros((4, 6), dtype=np.float32)
    wide[0, 0] = 1
    want = session.search_vector([1, 0, 0, 0]).ids
    unaligned = np.frombuffer(b"x" + wide[:4, 0].tobytes(), dtype=np.float32, offset=1)
    assert not unaligned.flags.aligned
    for vector in (wide[:, 0], wide[0, :4], wide[:4, 0][::1], unaligned, np.asfortranarray(wide)[0, :4]):
        assert session.search_vector(vector).ids == want
    read_only = wide[0, :4].copy()
    read_only.flags.writeable = False
    assert session.search_vector(read_only).ids == want
    matrix = np.asfortranarray(np.vstack([wide[0, :4], np.eye(4, dtype=np.float32)]))
    assert session.search_vectors(matrix)[0].ids == want
    assert session.search_vectors(matrix[:, ::-1])[1].ids == session.search_vector([0, 0, 0, 1]).ids


def test_rows_of_arrow_are_taken(filled: Index, vectors: Make) -> None:
    pa = pytest.importorskip("pyarrow")
    rows = vectors(5, 4)
    session = session_of(filled, "alice")
    want = [answer.ids for answer in session.search_vectors(rows)]
    array = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 4)
    chunked = pa.chunked_array([array[:2], array[2:]])
    for given in (array, chunked, Speaks(array)):
        assert [answer.ids for answer in session.search_vectors(given)] == want
    assert [answer.ids for answer in session.search_vectors(array[3:])] == want[3:]
    halves = pa.FixedSizeListArray.from_arrays(pa.array(rows.astype(np.float16).ravel()), 4)
    assert len(session.search_vectors(halves)) == 5
    assert session.search_vector(pa.array(rows[0])).ids == want[0]


def test_rows_of_arrow_without_numbers_are_refused(filled: Index) -> None:
    pa = pytest.importorskip("pyarrow")
    session = session_of(filled, "alice")
    fixed = pa.list_(pa.float32(), 4)
    for rows in ([[1.0] * 4, None], [[1.0, 2.0, 3.0, None]]):
        with pytest.raises(InvalidError, match="`vectors` is no array of vectors"):
            session.search_vectors(pa.array(rows, type=fixed))
    with pytest.raises(InvalidError):
        session.search_vectors(pa.array([["a", "b", "c", "d"]], type=pa.list_(pa.string(), 4)))
    with pytest.raises(InvalidError):
        session.search_vectors(pa.array([1.0, 2.0]))


class Speaks:
    """Something that gives itself as an Arrow array."""

    def __init__(self, array: object) -> None:
        self.array = array

    def __arrow_array__(self, type: object = None) -> object:
        return self.array
