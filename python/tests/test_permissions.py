"""Who sees what: allow, deny, groups, labels, revocations, tenants."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from safepassage import DeniedError, Identity, Index, InvalidError, NotFoundError

from .conftest import session_of

ACLS = {
    "allowed": {"allow": ["user:alice"]},
    "denied": {"allow": ["everyone"], "deny": ["user:alice"]},
    "everyone": {"allow": ["everyone"]},
    "group": {"allow": ["group:hr"]},
    "group denied": {"allow": ["everyone"], "deny": ["group:contractors"]},
    "issuer": {"allow": ["https://idp|user:alice"]},
    "nobody": {"allow": []},
    "none": None,
    "public": {"allow": ["public"]},
}


@pytest.fixture
def company(index: Index) -> Index:
    """One document for each ACL."""
    index.add(list(ACLS), vectors=np.eye(4, dtype=np.float32)[np.arange(len(ACLS)) % 4], acls=list(ACLS.values()))
    index.commit()
    return index


def seen(index: Index, identity: Identity) -> set[str]:
    """The documents that `identity` sees, which must be those it finds."""
    session = index.session(identity)
    visible = set(session.visible()["documents"])
    assert session.visible()["count"] == len(visible)
    found = session.search_vector([1, 1, 1, 1], k=100)
    assert set(found.ids) == visible
    assert found.complete
    return visible


def test_each_sees_what_the_acls_say(company: Index) -> None:
    open_to_all = {"everyone", "public", "group denied"}
    assert seen(company, Identity.asserted("alice")) == open_to_all | {"allowed"}
    assert seen(company, Identity.asserted("bob")) == open_to_all | {"denied"}
    assert seen(company, Identity.asserted("bob", ["hr"])) == open_to_all | {"denied", "group"}
    assert seen(company, Identity.asserted("bob", ["contractors"])) == {"everyone", "public", "denied"}
    assert seen(company, Identity.anonymous()) == {"public"}
    issued = Identity.from_json({"user": "alice", "issuer": "https://idp", "groups": [], "groups_complete": True})
    assert seen(company, issued) == open_to_all | {"denied", "issuer"}


def test_incomplete_groups_do_not_pass_a_group_deny(company: Index) -> None:
    unsure = Identity.asserted("bob", groups_complete=False)
    assert seen(company, unsure) == {"everyone", "public", "denied"}


def test_no_acl_is_for_nobody(index: Index) -> None:
    index.add(["a"], vectors=np.ones((1, 4)))
    index.commit()
    assert seen(index, Identity.asserted("alice")) == set()


def test_labels_and_clearance(index: Index) -> None:
    index.add(["low", "high"], vectors=np.ones((2, 4)), acls=[{"allow": ["public"]}] * 2, labels=[None, "restricted"])
    index.commit()
    assert seen(index, Identity.asserted("alice")) == {"low"}
    assert seen(index, Identity.asserted("alice", clearance="restricted")) == {"low", "high"}
    with pytest.raises(InvalidError, match="unknown label"):
        index.session(Identity.asserted("alice", clearance="secret"))


def test_tenants_do_not_meet(index: Index) -> None:
    index.add(["a"], vectors=np.ones((1, 4)), acls=[{"allow": ["public"]}], tenant="acme")
    index.commit()
    assert seen(index, Identity.asserted("alice")) == set()
    assert seen(index, Identity.asserted("alice", tenant="acme")) == {"a"}
    assert index.acl("a", tenant="acme")["allow"] == ["public"]
    with pytest.raises(NotFoundError):
        index.acl("a")


CHILD = """
import sys
import safepassage

index = safepassage.Index.open(sys.argv[1])
session = index.session(safepassage.Identity.asserted("alice"))
for _ in sys.stdin:
    print(",".join(session.search_vector([1, 0, 0, 0]).ids), flush=True)
"""


def test_a_revocation_holds_at_once_in_every_process(filled: Index) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, filled.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdin and child.stdout

        def ask() -> list[str]:
            assert child.stdin and child.stdout
            child.stdin.write("\n")
            child.stdin.flush()
            return child.stdout.readline().strip().split(",")

        here = session_of(filled, "alice")
        top = here.search_vector([1, 0, 0, 0]).ids[0]
        assert ask()[0] == top
        filled.revoke(top, "user:alice")
        assert top not in here.search_vector([1, 0, 0, 0]).ids
        assert top not in ask()
        assert top in session_of(filled, "bob").search_vector([1, 0, 0, 0]).ids
        filled.set_acl(top, allow=["user:alice"])
        assert top not in here.visible()["documents"]
        filled.rollback(2)
        assert top not in ask()
        filled.restore(top, "user:alice", "it was a mistake")
        assert ask()[0] == top
        child.stdin.close()


def test_set_acl_replaces(filled: Index) -> None:
    epoch = filled.set_acl("d00", allow=["group:hr"], deny=["user:bob"])
    acl = filled.acl("d00")
    assert (acl["allow"], acl["deny"], acl["acl_epoch"]) == (["group:hr"], ["user:bob"], epoch)
    assert "d00" in session_of(filled, "alice", "hr").visible()["documents"]
    assert "d00" not in session_of(filled, "bob", "hr").visible()["documents"]
    filled.set_acl("d00", allow=[])
    assert "d00" not in session_of(filled, "alice", "hr").visible()["documents"]
    with pytest.raises(InvalidError):
        filled.set_acl("d00")
    with pytest.raises(NotFoundError):
        filled.set_acl("nothing", allow=["public"])
    with pytest.raises(InvalidError):
        filled.revoke("d00", "bob")
    with pytest.raises(InvalidError, match="reason"):
        filled.restore("d00", "user:bob", " ")


def test_explain_tells_operators_why_and_askers_nothing(company: Index) -> None:
    alice = Identity.asserted("alice")
    said = company.explain(alice, "denied")
    assert not said["visible"]
    assert {"allow", "deny"} == {reason["effect"] for reason in said["reasons"]}
    session = company.session(alice)
    assert session.explain("denied") == session.explain("nothing") == {"visible": False, "reasons": []}
    assert session.explain("allowed")["visible"]
    with pytest.raises(NotFoundError):
        company.explain(alice, "nothing")


def test_an_identity_ends(company: Index) -> None:
    with pytest.raises(DeniedError, match="expired"):
        Identity.asserted("alice", ttl_seconds=0)
    with pytest.raises(DeniedError):
        Identity.from_json('{"user": "alice", "groups": [], "expires_at": "2001-01-01T00:00:00Z"}')


def test_identities_from_json(tmp_path: Path) -> None:
    text = '{"user": "alice", "groups": ["hr"], "groups_complete": true, "clearance": "internal", "tenant": "acme"}'
    for json in (text, text.encode(), {"user": "alice", "groups": ["hr"], "groups_complete": True,
                                       "clearance": "internal", "tenant": "acme"}):
        identity = Identity.from_json(json)
        assert (identity.user, identity.tenant, identity.clearance) == ("alice", "acme", "internal")
        assert identity.groups_complete
        assert set(identity.principals) == {"public", "everyone", "user:alice", "group:hr"}
        assert identity.expires_at.tzinfo is not None
    assert not Identity.from_json({"user": "alice", "groups": []}).groups_complete
    for bad in ("{", '{"user": "alice"}', '{"user": "", "groups": []}', '{"user": "a", "groups": [], "x": 1}'):
        with pytest.raises(InvalidError):
            Identity.from_json(bad)
    with pytest.raises(InvalidError):
        Identity.asserted("")
    with pytest.raises(TypeError):
        Identity.asserted("alice", "hr")
