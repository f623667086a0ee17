"""`Index.create` and `Index.open`."""

from __future__ import annotations

from pathlib import Path

import pytest

from safepassage import ConflictError, CorruptedError, Index, InvalidError, NotFoundError


def test_an_index_that_was_made_can_be_opened(tmp_path: Path) -> None:
    made = Index.create(tmp_path / "index", dim=4, default_label="internal")
    opened = Index.open(str(tmp_path / "index"))
    assert made.dim == opened.dim == 4
    assert opened.stats()["default_label"] == "internal"
    assert opened.stats()["model"] is None
    assert opened.path == str(tmp_path / "index")


def test_create_does_not_replace(index: Index) -> None:
    with pytest.raises(ConflictError) as raised:
        Index.create(index.path, dim=4)
    assert raised.value.retryable


def test_open_needs_an_index(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        Index.open(tmp_path / "nothing")


@pytest.mark.parametrize(
    "settings",
    [
        {"dim": 0},
        {"dim": -1},
        {"dim": 65_537},
        {"dim": 4, "default_label": "secret"},
        {"dim": 4, "embedder": "builtin"},
        {"dim": 4, "chunk_tokens": 100},
        {"embedder": "no/such/folder"},
        {"chunk_tokens": 100_000},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, settings: dict[str, object]) -> None:
    with pytest.raises((InvalidError, NotFoundError)):
        Index.create(tmp_path / "index", **settings)  # type: ignore[arg-type]


def test_a_flipped_byte_is_found(filled: Index) -> None:
    file = next(Path(filled.path).glob("segment/*/vectors*"))
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.unlink()
    file.write_bytes(content)
    with pytest.raises(CorruptedError) as raised:
        Index.open(filled.path).verify()
    assert not raised.value.retryable
