"""`index.add_rows` and `index.sync_rows`: tables of libraries that speak Arrow."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from safepassage import Index, InvalidError

from .conftest import Vectors, session_of

pa = pytest.importorskip("pyarrow")


@pytest.fixture
def rows() -> Any:
    return pa.table(
        {
            "id": ["memo", "handbook", "draft"],
            "text": ["Salaries rise by four percent.", "Pay is reviewed yearly.", "Not yet."],
            "acl": pa.array(
                [{"allow": ["group:hr"], "deny": ["user:bob"]}, {"allow": ["everyone"], "deny": None}, None],
                pa.struct([("allow", pa.list_(pa.string())), ("deny", pa.list_(pa.string()))]),
            ),
            "label": pa.array([None, "internal", None], pa.dictionary(pa.int8(), pa.string())),
            "uri": ["https://x/memo", None, None],
            "metadata": pa.array([{"year": 2024}, {"year": None}, None], pa.struct([("year", pa.int64())])),
        }
    )


def texts(path: Path) -> Index:
    return Index.create(path / "texts")


def test_rows_become_documents_with_their_permissions(tmp_path: Path, rows: Any) -> None:
    index = texts(tmp_path)
    assert index.add_rows(rows) == 3
    index.commit()
    assert session_of(index, "ann", "hr").visible()["documents"] == ["memo"]
    assert session_of(index, "bob", "hr").visible()["documents"] == []
    hit = session_of(index, "ann", "hr").search("salaries", k=1).hits[0]
    assert (hit.document, hit.uri, hit.metadata) == ("memo", "https://x/memo", {"year": 2024})


@pytest.mark.parametrize("kind", ["table", "batch", "reader", "polars", "duckdb"])
def test_everything_that_speaks_arrow_is_taken(tmp_path: Path, rows: Any, kind: str) -> None:
    index = texts(tmp_path)
    if kind == "polars":
        given = pytest.importorskip("polars").from_arrow(rows)
    elif kind == "duckdb":
        given = pytest.importorskip("duckdb").sql("select * from rows")
    else:
        batch = rows.combine_chunks().to_batches()[0]
        given = {"table": rows, "batch": batch, "reader": rows.to_reader(max_chunksize=2)}[kind]
    assert index.add_rows(given) == 3
    index.commit()
    assert session_of(index, "ann", "hr").visible()["documents"] == ["memo"]


def test_vectors_come_as_lists(index: Index, vectors: Callable[[int, int], Vectors]) -> None:
    numbers = vectors(3, 4)
    acl = [["everyone"]] * 3
    index.add_rows(pa.table({"id": ["a", "b", "c"], "vector": numbers.tolist(), "acl": acl}))
    index.commit()
    assert session_of(index, "ann").search_vector(numbers[1], k=1).ids == ["b"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"id": ["a"], "text": ["x"], "departmnet": ["hr"]}, "the column `departmnet` is none of a document"),
        ({"id": ["a"], "text": ["x"], "acl": [7]}, "column `acl`"),
        ({"id": ["a"], "text": ["x"], "acl": [["grup:x"]]}, "column `acl`"),
        ({"id": [7], "text": ["x"]}, "the column `id` is of the type Int64"),
        ({"id": ["a", "a"], "text": ["x", "y"]}, "stands twice"),
    ],
)
def test_what_cannot_be_a_document_stages_nothing(tmp_path: Path, columns: dict[str, Any], said: str) -> None:
    index = texts(tmp_path)
    with pytest.raises(InvalidError, match=said):
        index.add_rows(pa.table(columns))
    assert index.commit() == 1


def test_only_what_speaks_arrow_is_taken(index: Index) -> None:
    for other in ([{"id": "a"}], pa.array(["a"]), 7):
        with pytest.raises(InvalidError):
            index.add_rows(other)  # type: ignore[arg-type]


def test_a_sync_of_rows_deletes_what_is_gone_and_embeds_what_is_new(tmp_path: Path, rows: Any) -> None:
    index = texts(tmp_path)
    first = index.sync_rows(rows, "wiki")
    assert (first["added"], first["without_acl"]) == (3, 1)
    again = index.sync_rows(rows.to_reader(max_chunksize=1), "wiki")
    assert (again["added"], again["changed"], again["embedded"], again["unchanged"]) == (0, 0, 0, 3)
    narrower = rows.slice(1)
    report = index.sync_rows(narrower, "wiki", dry_run=True)
    assert report["deleted"] == 1
    assert session_of(index, "ann", "hr").visible()["documents"] == ["memo"]
    assert index.sync_rows(narrower, "wiki")["deleted"] == 1
    assert session_of(index, "ann", "hr").visible()["documents"] == []
    # Another source has nothing to do with it, but for its ids.
    with pytest.raises(InvalidError, match="also comes from"):
        index.sync_rows(rows, "other")


def test_a_row_that_cannot_be_read_is_named_and_hidden(tmp_path: Path) -> None:
    index = texts(tmp_path)
    index.sync_rows(pa.table({"id": ["a"], "text": ["x"], "acl": [["everyone"]]}), "wiki")
    assert session_of(index, "ann").visible()["count"] == 1
    report = index.sync_rows(pa.table({"id": ["a"], "text": ["x"], "acl": ["everyone"]}), "wiki")
    assert report["skipped"][0]["document"] == "a"
    assert "batch 0, row 0: column `acl`" in report["skipped"][0]["reason"]
    assert session_of(index, "ann").visible()["count"] == 0


def test_what_a_reader_raises_is_told_and_changes_nothing(tmp_path: Path, rows: Any) -> None:
    index = texts(tmp_path)
    index.sync_rows(rows, "wiki")

    def batches() -> Iterator[Any]:
        yield from rows.slice(0, 1).to_batches()
        raise ValueError("the disk is gone")

    with pytest.raises(InvalidError, match="the disk is gone"):
        index.sync_rows(pa.RecordBatchReader.from_batches(rows.schema, batches()), "wiki")
    assert index.sync_rows(rows, "wiki")["unchanged"] == 3


def test_both_have_twins(tmp_path: Path, rows: Any) -> None:
    index = texts(tmp_path)

    async def both() -> None:
        assert await index.add_rows_async(rows.slice(0, 1)) == 1
        await index.commit_async()
        report = await index.sync_rows_async(rows.slice(1), "wiki")
        assert report["added"] == 2

    asyncio.run(both())


def test_a_parquet_file_is_a_source(tmp_path: Path, rows: Any) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(rows, tmp_path / "docs.parquet", compression="zstd")
    index = texts(tmp_path)
    assert index.sync(tmp_path / "docs.parquet")["added"] == 3
    assert session_of(index, "ann", "hr").visible()["documents"] == ["memo"]
