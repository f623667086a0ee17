"""Permissions that other products have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import safepassage
from safepassage import Identity, Index

FIXTURES = Path(__file__).parents[2] / "fixtures" / "import"


@pytest.fixture
def index(tmp_path: Path) -> Index:
    index = Index.create(tmp_path / "index", dim=4)
    index.add(["all.md", "either.md", "none.md"], vectors=np.eye(4)[:3])
    index.commit()
    return index


def sees(index: Index, user: str, *groups: str) -> list[str]:
    return index.session(Identity.asserted(user, groups)).visible()["documents"]


def test_a_dry_run_says_what_an_import_then_does(index: Index) -> None:
    said = index.import_acls("azure", FIXTURES / "azure.json", dry_run=True)
    assert said["applied"] is None
    assert said["changes"] is not None
    gained = {change["principal"]: change["gained"] for change in said["changes"]}
    assert gained["group:1c0e-hr"] == ["all.md", "either.md"]
    assert gained["everyone"] == ["all.md"]
    assert "public" not in gained
    assert sees(index, "ann", "1c0e-hr") == []

    said = index.import_acls("azure", FIXTURES / "azure.json")
    assert said["changes"] is None
    assert said["applied"] is not None
    assert (said["applied"]["changed"], said["applied"]["unknown"]) == (2, 1)
    assert sees(index, "ann", "1c0e-hr") == ["all.md", "either.md"]
    assert sees(index, "ann") == ["all.md"]
    assert any("rbacScope" in warning for warning in said["warnings"])


def test_what_cannot_be_read_changes_nothing(index: Index, tmp_path: Path) -> None:
    (tmp_path / "azure.jsonl").write_text('{"id": "all.md", "userIds": ["all"]}\n{"id": "either.md", "userIds": "ann"}\n')
    with pytest.raises(safepassage.InvalidError, match="not a list of strings"):
        index.import_acls("azure", tmp_path / "azure.jsonl")
    assert sees(index, "ann") == []
    with pytest.raises(safepassage.InvalidError, match="`acls` is not"):
        index.import_acls("acls", tmp_path)  # type: ignore[arg-type]
