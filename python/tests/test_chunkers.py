"""`Index.create(chunker=…)`: by what texts are cut, and what is given around what is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from safepassage import Index, InvalidError

from .conftest import EVERYONE, session_of

SENTENCES = [f"The weather of day {n} is written down in the large book of the house." for n in range(20)]
TEXT = " ".join(SENTENCES)


def made(path: Path, chunker: str) -> Index:
    index = Index.create(path / "index", chunker=chunker, chunk_tokens=40)
    index.add(["d"], texts=[TEXT], acls=[EVERYONE])
    index.commit()
    return index


@pytest.mark.parametrize("chunker", ["structure", "fixed", "sentences:1", "hierarchical:96", "semantic:80", "none"])
def test_every_chunker_keeps_every_sentence(tmp_path: Path, chunker: str) -> None:
    index = made(tmp_path, chunker)
    hits = session_of(index, "ann").search("weather", k=100, mode="lexical").hits
    assert all(any(f"day {n} " in hit.text for hit in hits) for n in range(20))
    assert all(hit.text in TEXT for hit in hits)


def test_a_sentence_is_given_with_its_neighbours(tmp_path: Path) -> None:
    session = session_of(made(tmp_path, "sentences:1"), "ann")
    assert session.search("7", k=1, mode="lexical").hits[0].text == " ".join(SENTENCES[6:9])
    assert session.search("7", k=1, mode="lexical", around=0).hits[0].text == SENTENCES[7]


def test_the_parent_of_a_chunk_is_given(tmp_path: Path) -> None:
    session = session_of(made(tmp_path, "hierarchical:96"), "ann")
    hits = session.search("7", k=2, mode="lexical").hits
    assert SENTENCES[7] in hits[0].text and hits[0].text.count("weather") > 3


def test_an_index_remembers_its_chunker(tmp_path: Path) -> None:
    made(tmp_path, "sentences:1")
    chunker = Index.open(tmp_path / "index").stats()["chunker"]
    assert chunker is not None and chunker["way"] == {"sentences": {"window": 1}}


@pytest.mark.parametrize("chunker", ["", "spiral", "fixed:3", "sentences:99", "hierarchical:8", "semantic:0"])
def test_a_chunker_that_makes_no_sense_is_refused(tmp_path: Path, chunker: str) -> None:
    with pytest.raises(InvalidError):
        Index.create(tmp_path / "index", chunker=chunker)
    assert not (tmp_path / "index").exists()


def test_vectors_that_are_brought_are_not_cut(tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="one chunk each"):
        Index.create(tmp_path / "index", dim=4, chunker="fixed")
