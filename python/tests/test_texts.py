"""Texts with the built-in model: `index.sync`, and `session.search`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from safepassage import Index, InvalidError, NotFoundError

from .conftest import EVERYONE, session_of


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Three texts, one of them for hr only."""
    index = Index.create(tmp_path_factory.mktemp("texts") / "index")
    index.add(
        ["memo", "handbook", "menu"],
        texts=["# Pay\n\nSalaries rise by four percent in July.", "Pay is reviewed once a year.", "Soup and bread."],
        acls=[{"allow": ["group:hr"]}, EVERYONE, EVERYONE],
    )
    index.commit()
    return index


def test_a_search_gives_what_the_asker_may_read(texts: Index) -> None:
    question = "how much more will we earn?"
    hr = session_of(texts, "alice", "hr").search(question, k=1)
    assert hr.ids == ["memo"]
    assert (hr[0].title, hr[0].heading) == ("Pay", "Pay")
    assert hr[0].text.endswith("Salaries rise by four percent in July.")
    everybody = session_of(texts, "bob").search(question, k=3)
    assert everybody.ids == ["handbook", "menu"]
    assert everybody.complete


@pytest.mark.parametrize(
    "question",
    [
        {"text": " "},
        {"text": "pay", "k": 0},
        {"text": "pay", "mode": "words"},
        {"text": "pay", "fusion": "scores:2"},
        {"text": "pay", "filter": {}},
        {"text": "pay", "recall": -0.1},
    ],
    ids=str,
)
def test_bad_questions_are_refused(texts: Index, question: dict[str, object]) -> None:
    with pytest.raises(InvalidError):
        session_of(texts, "alice").search(**question)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["hybrid", "vector", "lexical"])
def test_every_mode_finds_what_may_be_read(texts: Index, mode: str) -> None:
    found = session_of(texts, "alice").search("pay", mode=mode, k=1)  # type: ignore[arg-type]
    assert found.complete


def test_an_index_of_vectors_has_no_text_search(filled: Index) -> None:
    with pytest.raises(InvalidError, match="no model"):
        session_of(filled, "alice").search("pay")
    with pytest.raises(InvalidError, match="no model"):
        filled.sync(".")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three documents, one of them without an ACL."""
    folder = tmp_path / "docs"
    (folder / "hr").mkdir(parents=True)
    (folder / "hr" / "pay.md").write_text("# Pay\n\nSalaries rise by four percent in July.\n")
    (folder / "handbook.txt").write_text("Holidays are agreed with your team.\n")
    (folder / "draft.md").write_text("Nobody has said who may read this.\n")
    lines = [{"_id": "hr/", "acl": {"allow": ["group:hr"]}}, {"_id": "handbook.txt", "acl": EVERYONE}]
    (folder / "acl.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_sync_of_a_folder_and_a_file_of_lines(tmp_path: Path, folder: Path) -> None:
    lines = tmp_path / "wiki.jsonl"
    lines.write_text(json.dumps({"id": "faq", "text": "Ask the desk.", "title": "FAQ", "acl": {"allow": ["public"]}}))
    index = Index.create(tmp_path / "index")
    told: list[tuple[str, int, int]] = []
    dry = index.sync([f"docs={folder}", f"wiki={lines}"], dry_run=True)
    assert (dry["added"], dry["dry_run"], dry["generation"]) == (4, True, 1)
    report = index.sync(
        [f"docs={folder}", f"wiki={lines}"], progress=lambda stage, done, total: told.append((stage, done, total))
    )
    assert (report["added"], report["without_acl"], report["skipped"]) == (4, 1, [])
    assert report["without_acl_documents"] == ["docs/draft.md"]
    assert told and all(done <= total or total == 0 for _, done, total in told)
    assert session_of(index, "bob").visible()["documents"] == ["docs/handbook.txt", "wiki/faq"]
    assert session_of(index, "alice", "hr").search("salary").ids[0] == "docs/hr/pay.md"

    (folder / "handbook.txt").unlink()
    again = index.sync([f"docs={folder}", f"wiki={lines}"])
    assert (again["deleted"], again["embedded"], again["unchanged"]) == (1, 0, 3)


def test_sync_takes_paths_and_an_acl_file(tmp_path: Path, folder: Path) -> None:
    acl = tmp_path / "acl.jsonl"
    acl.write_text('{"_id": "./", "acl": {"allow": ["everyone"]}}\n')
    index = Index.create(tmp_path / "index")
    assert index.sync(folder, acl=acl)["added"] == 3
    assert session_of(index, "bob").visible()["count"] == 3


def test_sync_says_what_it_cannot_read(tmp_path: Path, folder: Path) -> None:
    index = Index.create(tmp_path / "index")
    with pytest.raises(NotFoundError):
        index.sync(tmp_path / "nothing")
    (folder / "acl.jsonl").write_text('{"_id": "x/", "acl": {"allow": ["everyone"]}}\n')
    with pytest.raises(InvalidError, match="matches no document"):
        index.sync(folder, strict=True)
    (folder / "acl.jsonl").write_text("{")
    with pytest.raises(InvalidError, match="line"):
        index.sync(folder)
    with pytest.raises(TypeError):
        index.sync(7)  # type: ignore[arg-type]


def test_what_a_progress_bar_raises_stops_nothing(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_stage: str, _done: int, _total: int) -> None:
        raise RuntimeError("broken")

    reported: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    assert Index.create(tmp_path / "index").sync(folder, progress=broken)["added"] == 3
    assert reported
