"""Filters over declared metadata, facets and counts, of what the asker may see."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Mapping

import numpy as np
import pytest

from safepassage import Index, InvalidError, Session

from .conftest import session_of

SCHEMA: dict[str, Any] = {"dept": "string", "year": "number", "open": "bool", "tags": "list", "day": "date"}


def metadata(n: int) -> dict[str, Any]:
    """What document `n` has; every seventh has a year that is no number."""
    return {
        "dept": ["hr", "it", "legal"][n % 3],
        "year": "old" if n % 7 == 0 else 2000 + n,
        "open": n % 2 == 0,
        "tags": ["a", "b"][: n % 3],
        "day": f"2024-{n % 12 + 1:02}-01",
    }


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Forty documents; alice may read the first thirty."""
    made = Index.create(tmp_path / "index", dim=4, schema=SCHEMA)
    rows = np.random.default_rng(3).standard_normal((40, 4)).astype(np.float32)
    allowed = [{"allow": ["user:alice" if n < 30 else "user:bob"]} for n in range(40)]
    made.add([f"d{n:02}" for n in range(40)], vectors=rows, acls=allowed, metadata=[metadata(n) for n in range(40)])
    made.commit()
    return made


@pytest.fixture
def alice(index: Index) -> Session:
    return session_of(index, "alice")


FILTER: Mapping[str, Any] = {
    "andAll": [{"equals": {"key": "dept", "value": "hr"}}, {"greaterThan": {"key": "year", "value": 2004}}]
}
WANTED = {f"d{n:02}" for n in range(30) if n % 3 == 0 and n % 7 and n > 4}


@pytest.mark.parametrize("given", [FILTER, json.dumps(FILTER)], ids=["dict", "str"])
def test_search_keeps_to_what_matches(alice: Session, given: Mapping[str, Any] | str) -> None:
    question = np.ones(4, dtype=np.float32)
    found = alice.search_vector(question, k=40, filter=given)
    assert set(found.ids) == WANTED and found.complete
    assert all(hit.metadata["dept"] == "hr" for hit in found.hits)
    assert alice.search_vector(question, k=3, filter=given).ids == found.ids[:3]
    both = alice.search_vectors(np.ones((2, 4), dtype=np.float32), k=40, filter=given)
    assert [results.ids for results in both] == [found.ids] * 2
    assert asyncio.run(alice.search_vector_async(question, k=40, filter=given)).ids == found.ids


def test_counts_are_of_what_is_visible(alice: Session, index: Index) -> None:
    assert alice.count() == {"documents": 30, "passages": 30}
    assert alice.count(FILTER) == {"documents": len(WANTED), "passages": len(WANTED)}
    assert asyncio.run(alice.count_async(filter=FILTER)) == alice.count(FILTER)
    assert session_of(index, "eve").count() == {"documents": 0, "passages": 0}


def test_facets_are_of_what_is_visible(alice: Session, index: Index) -> None:
    dept = alice.facets("dept")
    assert dept["values"] == [{"value": name, "count": 10} for name in ("hr", "it", "legal")]
    assert (dept["type"], dept["documents"], dept["present"], dept["distinct"]) == ("string", 30, 30, 3)
    assert alice.facets("tags", FILTER)["values"] == []
    year = alice.facets("year", limit=4)
    assert (year["min"], year["max"], year["present"]) == (2001, 2029, 25)
    assert sum(bucket["count"] for bucket in year["buckets"]) == 25
    assert alice.facets("open")["values"] == [{"value": False, "count": 15}, {"value": True, "count": 15}]
    assert alice.facets("day", limit=12)["buckets"][0] == {
        "from": "2024-01-01T00:00:00Z",
        "to": "2024-02-01T00:00:00Z",
        "count": 3,
    }
    assert asyncio.run(alice.facets_async("dept")) == dept
    assert session_of(index, "eve").facets("dept")["values"] == []


def test_fields_are_declared_changed_and_suggested(index: Index, alice: Session) -> None:
    assert index.fields == SCHEMA
    stats = {field["field"]: field for field in index.field_stats()}
    assert (stats["year"]["documents"], stats["year"]["mistyped"]) == (34, 6)
    suggestion = index.suggest_fields()
    assert suggestion["fields"] == {name: kind for name, kind in SCHEMA.items() if name != "year"}
    assert suggestion["mixed"] == {"year": {"number": 34, "string": 6}}
    before = index.stats()["generation"]
    assert index.set_fields({"dept": "string"}) == before + 1
    assert index.fields == {"dept": "string"}
    nothing = {"notEquals": {"key": "year", "value": 1}}
    assert alice.count(nothing) == {"documents": 0, "passages": 0}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "one operator is needed"),
        ("{", "no JSON"),
        (3, "a dict is needed"),
        ({"equals": {"key": "year", "value": "x"}}, "`year` is a number"),
        ({"andAll": [{"equals": {"key": "dept", "value": "x"}}]}, "two members or more"),
    ],
)
def test_what_is_no_filter_is_named(alice: Session, given: Any, message: str) -> None:
    for call in (lambda: alice.search_vector([1.0] * 4, filter=given), lambda: alice.count(given)):
        with pytest.raises(InvalidError, match=message):
            call()


def test_what_cannot_be_counted_is_named(alice: Session) -> None:
    with pytest.raises(InvalidError, match="`team` is not declared"):
        alice.facets("team")
    with pytest.raises(InvalidError, match="limit"):
        alice.facets("dept", limit=0)


@pytest.mark.parametrize("schema", [{"a": "text"}, {"": "string"}, {"a": 1}, []])
def test_what_is_no_schema_is_refused(tmp_path: Path, schema: Any) -> None:
    with pytest.raises(InvalidError):
        Index.create(tmp_path / "other", dim=4, schema=schema)
