"""ACL objects, all-of groups and narrower sections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import safepassage
from safepassage import Identity, Index


@pytest.fixture
def index(tmp_path: Path) -> Index:
    index = Index.create(tmp_path / "index", dim=4)
    index.set_acl_object("site", allow=["group:staff"], deny=["user:mallory"])
    index.set_acl_object("hr", allow=["group:hr"], parent="site", inherit="both-permit")
    acls = [{"parent": "site"}, {"parent": "hr"}, {"all_of": [["group:staff", "group:cleared"]]}]
    index.add(["in-site", "in-hr", "together"], vectors=np.eye(4)[:3], acls=acls)
    index.commit()
    return index


def sees(index: Index, user: str, *groups: str) -> list[str]:
    return index.session(Identity.asserted(user, groups)).visible()["documents"]


def test_objects_are_inherited_and_groups_wanted_together(index: Index) -> None:
    assert sees(index, "ann", "staff") == ["in-site"]
    assert sees(index, "ann", "staff", "hr", "cleared") == ["in-hr", "in-site", "together"]
    assert sees(index, "ann", "hr", "cleared") == []
    assert sees(index, "mallory", "staff", "hr") == []


def test_a_folder_is_changed_moved_revoked_and_removed(index: Index) -> None:
    index.set_acl_object("hr", allow=["group:people"])
    assert sees(index, "ann", "people") == ["in-hr"]
    epoch = index.revoke_acl_object("hr", "user:ann")
    assert sees(index, "ann", "people") == []
    known = index.acl_object("hr")
    assert (known["revoked"], known["acl_epoch"], known["parent"]) == (["user:ann"], epoch, None)
    index.restore_acl_object("hr", "user:ann", "a mistake")
    assert sees(index, "ann", "people") == ["in-hr"]
    index.remove_acl_object("hr")
    assert sees(index, "ann", "people") == []
    assert [(known["name"], known["stated"]) for known in index.acl_objects()] == [("site", True), ("hr", False)]
    with pytest.raises(safepassage.NotFoundError):
        index.remove_acl_object("hr")


def test_what_cannot_be_stated_is_refused(index: Index) -> None:
    with pytest.raises(safepassage.InvalidError, match="above themselves"):
        index.set_acl_object("site", parent="hr")
    with pytest.raises(safepassage.InvalidError, match="unknown parent `nowhere` of `new`"):
        index.set_acl_object("new", parent="nowhere")
    with pytest.raises(safepassage.InvalidError, match="`inherit` is deny-wins"):
        index.set_acl_object("new", parent="site", inherit="wider")  # type: ignore[arg-type]
    with pytest.raises(safepassage.InvalidError, match="say who may read"):
        index.set_acl_object("new")
    with pytest.raises(safepassage.InvalidError, match="the ACL object `nowhere`, which is not stated"):
        index.add(["x"], vectors=np.ones((1, 4)), acls=[{"parent": "nowhere"}])
    with pytest.raises(safepassage.InvalidError, match="list of lists"):
        index.add(["x"], vectors=np.ones((1, 4)), acls=[{"allow": ["group:a"], "all_of": ["group:b"]}])
