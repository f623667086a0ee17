"""`Index.create` and `Index.open`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from safepassage import ConflictError, CorruptedError, Identity, Index, InvalidError, NotFoundError


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


@pytest.mark.parametrize("metric", ["cosine", "inner_product", "l2"])
@pytest.mark.parametrize("precision", ["f32", "f16"])
def test_metric_and_precision(tmp_path: Path, metric: str, precision: str) -> None:
    index = Index.create(tmp_path / "index", dim=8, metric=metric, precision=precision)
    rows = np.random.default_rng(4).normal(size=(500, 8)).astype(np.float32)
    index.add([str(i) for i in range(500)], vectors=rows, acls=[{"allow": ["public"]}] * 500)
    index.commit()
    question = rows[7] * 2
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    scores = {
        "cosine": unit @ (question / np.linalg.norm(question)),
        "inner_product": rows @ question,
        "l2": -((rows - question) ** 2).sum(axis=1),
    }[metric]
    found = index.session(Identity.anonymous()).search_vector(question, k=5)
    assert found.exact and found.recall == 1.0
    assert found.ids == [str(i) for i in np.argsort(-scores)[:5]]
    np.testing.assert_allclose(found.scores, np.sort(-scores)[:5] * -1, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("setting", [{"metric": "manhattan"}, {"precision": "f8"}])
def test_unknown_settings_are_named(tmp_path: Path, setting: dict[str, str]) -> None:
    with pytest.raises(InvalidError, match=next(iter(setting.values()))):
        Index.create(tmp_path / "index", dim=8, **setting)
