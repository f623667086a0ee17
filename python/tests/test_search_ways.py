"""Every keyword of `search`: what it changes, and that it shows nobody more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from safepassage import Index, InvalidError, Session

from .conftest import session_of

ROOT = Path(__file__).parents[2]
QUESTION = "what is the pay rise in 2026?"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """The company of the fixtures."""
    index = Index.create(tmp_path_factory.mktemp("company") / "index", chunk_tokens=32)
    index.sync(ROOT / "fixtures" / "company")
    return index


@pytest.fixture
def alice(company: Index) -> Session:
    return session_of(company, "alice.keane", "hr", "leadership")


@pytest.fixture
def bruno(company: Index) -> Session:
    return session_of(company, "bruno.ferri", "engineering", "firmware")


def test_a_reranker_orders_the_candidates_and_reads_nothing_hidden(alice: Session, bruno: Session) -> None:
    read: list[str] = []

    def shortest_first(question: str, passages: list[str]) -> list[float]:
        assert question == QUESTION
        read.extend(passages)
        return [-float(len(passage)) for passage in passages]

    hits = bruno.search(QUESTION, k=5, rerank=shortest_first, candidates=20).hits
    assert len(read) == 20
    assert [-hit.score for hit in hits] == sorted(len(passage) for passage in read)[:5]
    visible = {hit.text for hit in bruno.search(QUESTION, k=500).hits}
    assert set(read) <= visible
    assert "hr/pay-memo-2026.md" not in {hit.document for hit in hits}
    assert "hr/pay-memo-2026.md" in alice.search(QUESTION, k=5).ids


def test_what_a_reranker_does_wrong_is_an_error(bruno: Session) -> None:
    with pytest.raises(InvalidError, match="score"):
        bruno.search(QUESTION, rerank=lambda _, passages: [0.0] * (len(passages) + 1))
    with pytest.raises(InvalidError):
        bruno.search(QUESTION, rerank=lambda _, passages: [float("nan")] * len(passages))
    with pytest.raises(InvalidError, match="ZeroDivisionError"):
        bruno.search(QUESTION, rerank=lambda _, passages: [1 / 0])


def test_diverse_spreads_and_distinct_leaves_out(tmp_path: Path) -> None:
    index = Index.create(tmp_path / "index")
    same = "Salaries rise by four percent in July."
    index.add(
        ["a", "b", "c"],
        texts=[same, same.replace(" ", "  "), "The roses in the garden are cut in July."],
        acls=[{"allow": ["everyone"]}] * 3,
    )
    index.commit()
    bob = session_of(index, "bob")
    assert set(bob.search("salaries in July", k=2).ids) == {"a", "b"}
    assert sorted(bob.search("salaries in July", k=2, distinct=True).ids)[-1] == "c"
    assert bob.search("salaries in July", k=2, diverse=0.0).ids[1] == "c"
    with pytest.raises(InvalidError, match="0 to 1"):
        bob.search("salaries", diverse=1.5)


def test_around_gives_what_stands_beside_a_hit(alice: Session) -> None:
    [alone] = alice.search(QUESTION, k=1).hits
    [wide] = alice.search(QUESTION, k=1, around=1).hits
    assert alone.document == wide.document and alone.text in wide.text and len(wide.text) > len(alone.text)
    [section] = alice.search(QUESTION, k=1, section=64).hits
    assert alone.text in section.text
    merged = alice.search(QUESTION, k=20, merged=True).hits
    assert len(merged) <= 20 and len({(hit.document, hit.chunk) for hit in merged}) == len(merged)


def test_a_hit_has_its_page_and_can_be_given_with_all_of_it(tmp_path: Path) -> None:
    index = Index.create(tmp_path / "index", chunk_tokens=32)
    report = index.sync(ROOT / "fixtures" / "office")
    assert [skipped["document"] for skipped in report["skipped"]] == ["legal/scan.pdf"]
    lawyer = session_of(index, "ann", "legal")
    [hit] = lawyer.search("66,875", mode="lexical", k=1).hits
    assert (hit.document, hit.page) == ("legal/contract.pdf", 2)
    results = lawyer.search("66,875", mode="lexical", k=1, page=64)
    assert hit.text in results.hits[0].text and results.hits[0].text.startswith("Interest")
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    assert list(results.to_pandas()["page"]) == results.to_arrow()["page"].to_pylist() == [2]
    assert session_of(index, "ann").search("66,875", mode="lexical").hits == []
    assert session_of(index, "ann").search("leave", k=1).hits[0].page is None


def test_a_transform_asks_other_questions_as_the_same_asker(alice: Session, bruno: Session) -> None:
    def parts(question: str) -> list[str]:
        return [question, "who approves the pay memo?"]

    assert all(document in bruno.visible()["documents"] for document in bruno.search(QUESTION, transform=parts).ids)
    assert alice.search(QUESTION, k=3, transform=lambda q: [q]).ids == alice.search(QUESTION, k=3).ids
    with pytest.raises(InvalidError, match="1 to 16"):
        alice.search(QUESTION, transform=lambda _: [])


def test_fusion_and_vector(alice: Session) -> None:
    by_words = alice.search(QUESTION, mode="lexical").ids
    assert alice.search(QUESTION, fusion="scores:1").ids[0] == by_words[0]
    assert alice.search(QUESTION, fusion="ranks:60").scores[0] < 0.1
    with pytest.raises(InvalidError, match="fusion"):
        alice.search(QUESTION, fusion="best")
    with pytest.raises(InvalidError):
        alice.search(QUESTION, vector=np.zeros(3, np.float32))


def test_it_can_be_awaited_with_all_of_it(alice: Session) -> None:
    given = {"k": 4, "distinct": True, "diverse": 0.7, "around": 1}
    awaited = asyncio.run(alice.search_async(QUESTION, **given))
    assert awaited.ids == alice.search(QUESTION, **given).ids
