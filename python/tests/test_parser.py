"""A file that takes all the memory is one file that cannot be read, and not the end of the interpreter."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from safepassage import Index, InvalidError, types

from .conftest import session_of


def pdf(text: str, filler: int) -> bytes:
    """A PDF of one page that says `text`, with a stream of `filler` bytes that no page draws."""
    drawn = b"BT /F 12 Tf 20 50 Td (" + text.encode() + b") Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 100]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d>>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Length %d>>\nstream\n%s\nendstream" % (filler, b" " * filler),
    ]
    file, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    file += b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(file) + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A PDF that takes little, one that takes a lot, and a text."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "acl.jsonl").write_text('{"_id": "./", "acl": {"allow": ["everyone"]}}')
    (folder / "small.pdf").write_bytes(pdf("holiday rota of the small one", 10))
    (folder / "large.pdf").write_bytes(pdf("holiday rota of the large one", 60 << 20))
    (folder / "text.md").write_text("# Holiday\n\nA rota.")
    return folder


def synced(index: Index, folder: Path, most: int) -> tuple[types.Report, list[str]]:
    """What a sync says, and what may be read then."""
    report = index.sync(folder, parser_memory=most)
    return report, sorted(session_of(index, "ann").visible()["documents"])


def test_a_file_that_takes_too_much_memory_is_named_and_the_others_are_read(tmp_path: Path, folder: Path) -> None:
    index = Index.create(tmp_path / "index")
    report, seen = synced(index, folder, 192)
    assert [skipped["document"] for skipped in report["skipped"]] == ["large.pdf"]
    assert "more than 192 MB of memory" in report["skipped"][0]["reason"]
    assert seen == ["small.pdf", "text.md"]
    # With more it is read, and so it is in this process.
    assert index.sync(folder)["added"] == 1
    here = Index.create(tmp_path / "here")
    report, seen = synced(here, folder, 0)
    assert (report["skipped"], seen) == ([], ["large.pdf", "small.pdf", "text.md"])
    found = [session_of(one, "ann").search("holiday rota", k=9) for one in (index, here)]
    assert found[0].ids == found[1].ids
    assert [hit.text for hit in found[0]] == [hit.text for hit in found[1]]


def test_what_cannot_be_a_parser_is_refused(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index.create(tmp_path / "index")
    with pytest.raises(InvalidError, match="at least 192 MB, not 9"):
        index.sync(folder, parser_memory=9)
    for executable in (None, ""):
        monkeypatch.setattr(sys, "executable", executable)
        with pytest.raises(InvalidError, match="parser_memory=0"):
            index.sync(folder)
        assert index.sync(folder, parser_memory=0, dry_run=True)["added"] == 3
