"""`index.add`, `delete` and `commit`."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest

from safepassage import Index, InvalidError

from .conftest import EVERYONE, Vectors, session_of

Make = Callable[[int, int], Vectors]


@pytest.mark.parametrize(
    "layout",
    [
        lambda rows: rows,
        lambda rows: rows.astype(np.float64),
        lambda rows: np.asfortranarray(rows),
        lambda rows: np.repeat(rows, 2, axis=0)[::2],
        lambda rows: np.hstack([rows, rows])[:, :4],
        lambda rows: np.ascontiguousarray(rows[::-1])[::-1],
        lambda rows: rows.astype(">f4"),
        lambda rows: rows.tolist(),
    ],
    ids=["float32", "float64", "fortran", "strided rows", "part of columns", "reversed", "big endian", "lists"],
)
def test_every_layout_of_numbers_gives_the_same_rows(index: Index, vectors: Make, layout: Any) -> None:
    rows = vectors(9, 4)
    index.add([f"d{i}" for i in range(9)], vectors=layout(rows), acls=[EVERYONE] * 9)
    assert index.commit() == 2
    results = session_of(index, "alice").search_vector(rows[5], k=9, recall=1.0)
    assert results.ids == [f"d{i}" for i in np.argsort(-(rows @ rows[5]), kind="stable")]
    np.testing.assert_allclose(results.scores, np.sort(rows @ rows[5])[::-1], atol=1e-6)


def test_float16_is_converted(index: Index, vectors: Make) -> None:
    index.add(["a", "b"], vectors=vectors(2, 4).astype(np.float16), acls=[EVERYONE] * 2)
    index.commit()
    assert session_of(index, "alice").search_vector(vectors(2, 4)[1], k=1).ids == ["b"]


def test_rows_of_arrow_are_added(index: Index, vectors: Make) -> None:
    pa = pytest.importorskip("pyarrow")
    rows = vectors(9, 4)
    array = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), 4)
    index.add(pa.array([f"d{i}" for i in range(9)]).to_pylist(), vectors=array, acls=[EVERYONE] * 9)
    index.commit()
    results = session_of(index, "alice").search_vector(rows[5], k=9, recall=1.0)
    assert results.ids == [f"d{i}" for i in np.argsort(-(rows @ rows[5]), kind="stable")]


def test_the_array_may_change_after_add(index: Index, vectors: Make) -> None:
    rows = vectors(2, 4)
    index.add(["a", "b"], vectors=rows, acls=[EVERYONE] * 2)
    query = rows[1].copy()
    rows[:] = 1.0
    index.commit()
    assert session_of(index, "alice").search_vector(query, k=1).ids == ["b"]


ONES = np.ones((2, 4), dtype=np.float32)
BAD = [
    ({"vectors": ONES[:1]}, "`vectors` has 1 rows for 2 ids"),
    ({"vectors": ONES[0]}, "has the shape [4]"),
    ({"vectors": np.ones((2, 5))}, "5 dimensions and the index 4"),
    ({"vectors": np.ones((2, 2, 2))}, "has the shape [2, 2, 2]"),
    ({"vectors": [[1, 2, 3, 4], [1, 2]]}, "no array of numbers"),
    ({"vectors": ONES.astype(complex)}, "complex128"),
    ({"vectors": ONES.astype(str)}, "not float32"),
    ({"vectors": ONES * np.nan}, "not finite"),
    ({"vectors": ONES * np.inf}, "not finite"),
    ({"vectors": ONES * 0}, "zero"),
    ({}, "neither text nor vector"),
    ({"texts": ["a", "b"]}, "no model"),
    ({"ids": ["a", "a"], "vectors": ONES}, "stands twice"),
    ({"ids": ["a", ""], "vectors": ONES}, "empty"),
    ({"ids": ["a", 1], "vectors": ONES}, "a str is needed, not `int`"),
    ({"ids": "ab", "vectors": ONES}, "`ids` is a list"),
    ({"ids": 7, "vectors": ONES}, "`ids` is a list"),
    ({"vectors": ONES, "texts": ["a"]}, "`texts` has 1 entries for 2 ids"),
    ({"vectors": ONES, "acls": [EVERYONE] * 3}, "`acls` has 3 entries for 2 ids"),
    ({"vectors": ONES, "acls": EVERYONE}, "`acls` is a list"),
    ({"vectors": ONES, "acls": [{"allow": ["everyone"]}, {"alow": []}]}, "unknown field `alow`"),
    ({"vectors": ONES, "acls": [{"allow": ["grup:hr"]}, None]}, "`grup:hr`"),
    ({"vectors": ONES, "acls": [{"allow": "everyone"}, None]}, "`acls`"),
    ({"vectors": ONES, "labels": ["secret", None]}, "unknown label `secret`"),
    ({"vectors": ONES, "metadata": [{"a": object()}, None]}, "`object` is no JSON value"),
    ({"vectors": ONES, "metadata": [{1: 2}, None]}, "a key of a dict is not a str"),
    ({"vectors": ONES, "metadata": [{"a": float("nan")}, None]}, "not finite"),
    ({"vectors": ONES, "metadata": [[1], None]}, "a dict is needed"),
]


@pytest.mark.parametrize(("batch", "said"), BAD, ids=[said for _, said in BAD])
def test_bad_input_is_refused_and_nothing_is_staged(index: Index, batch: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidError) as raised:
        index.add(**{"ids": ["a", "b"], **batch})
    assert said in raised.value.message
    assert index.commit() == 1
    assert index.stats()["documents"] == 0


def test_metadata_that_contains_itself_is_refused(index: Index) -> None:
    ring: dict[str, Any] = {}
    ring["ring"] = ring
    with pytest.raises(InvalidError, match="nested deeper"):
        index.add(["a"], vectors=ONES[:1], metadata=[ring])


def test_metadata_titles_and_labels_come_back(index: Index) -> None:
    metadata = {"year": 2026, "big": 2**63, "ratio": 0.5, "tags": ["a", None, True], "deep": {"x": -1}, "np": np.int64(3)}
    index.add(["a"], texts=["the text"], vectors=ONES[:1], acls=[EVERYONE], metadata=[metadata], titles=["A title"],
              labels=["public"])
    index.commit()
    hit = session_of(index, "alice").search_vector(ONES[0])[0]
    assert hit.metadata == metadata
    assert (hit.title, hit.label, hit.text, hit.span, hit.chunk) == ("A title", "public", "the text", (0, 8), 0)


def test_the_same_id_replaces_and_delete_deletes(filled: Index) -> None:
    filled.add(["d00"], vectors=ONES[:1], acls=[EVERYONE])
    assert filled.delete(["d01", "nothing"]) == 1
    assert filled.commit() == 3
    visible = session_of(filled, "alice").visible()
    assert visible["count"] == 19
    assert "d01" not in visible["documents"]
    assert session_of(filled, "alice").search_vector(ONES[0], k=1).ids == ["d00"]
    with pytest.raises(InvalidError):
        filled.delete("d02")


def test_a_commit_of_nothing_makes_no_generation(filled: Index) -> None:
    assert filled.commit() == 2
    assert [generation["operation"] for generation in filled.generations()] == ["create", "commit"]
