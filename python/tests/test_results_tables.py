"""`results.to_arrow` and `to_pandas`."""

from __future__ import annotations

import json

import numpy as np
import pytest

from safepassage import Index, Results

from .conftest import EVERYONE, session_of

COLUMNS = ["rank", "score", "document", "chunk", "title", "uri", "text", "span", "page", "heading", "label", "metadata"]


@pytest.fixture
def results(index: Index) -> Results:
    """Two hits with different metadata."""
    index.add(["a", "b"], vectors=np.eye(4)[:2], acls=[EVERYONE] * 2, metadata=[{"year": 2026}, {"dept": ["hr"]}])
    index.commit()
    return session_of(index, "alice").search_vector([1, 0.5, 0, 0])


def test_arrow(results: Results) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = results.to_arrow()
    assert table.column_names == COLUMNS
    assert table["document"].to_pylist() == ["a", "b"]
    assert table["span"].to_pylist() == [[0, 0], [0, 0]]
    assert [json.loads(text) for text in table["metadata"].to_pylist()] == [{"year": 2026}, {"dept": ["hr"]}]
    assert table.schema.field("score").type == pyarrow.float32()
    assert pyarrow.table(results).equals(table)


def test_pandas(results: Results) -> None:
    pytest.importorskip("pandas")
    frame = results.to_pandas()
    assert list(frame.columns) == COLUMNS
    assert list(frame["document"]) == ["a", "b"]
    assert list(frame["metadata"]) == [{"year": 2026}, {"dept": ["hr"]}]


def test_no_hits_are_a_table_too(index: Index) -> None:
    pytest.importorskip("pandas")
    empty = session_of(index, "alice").search_vector([1, 0, 0, 0])
    assert empty.complete and empty.plan == "empty"
    assert empty.to_pandas().shape == (0, len(COLUMNS))
    pytest.importorskip("pyarrow")
    assert empty.to_arrow().num_rows == 0
