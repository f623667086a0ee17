"""Policies in Cedar, beside the ACLs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import safepassage
from safepassage import Identity, Index

SCHEMA = """
entity Group;
entity Object in Object;
entity User in Group;
entity Document in Object { dept?: String, year?: Long };
action read appliesTo { principal: User, resource: Document };
"""
POLICIES = """
permit(principal, action == Action::"read", resource);
forbid(principal, action == Action::"read", resource)
when { resource has dept && resource.dept == "hr" }
unless { principal in Group::"hr" };
"""


@pytest.fixture
def index(tmp_path: Path) -> Index:
    index = Index.create(tmp_path / "index", dim=4)
    index.set_policies(POLICIES, SCHEMA, attributes=["dept"], reason="the works council")
    everyone = {"allow": ["everyone"]}
    metadata = [{"dept": "hr"}, {"dept": "it", "year": 2020}, None]
    index.add(["hr", "it", "none"], vectors=np.eye(4)[:3], acls=[everyone, everyone, {}], metadata=metadata)
    index.commit()
    return index


def sees(index: Index, user: str, *groups: str) -> list[str]:
    return index.session(Identity.asserted(user, groups)).visible()["documents"]


def test_acls_and_policies_must_both_permit(index: Index) -> None:
    assert sees(index, "ann") == ["it"]
    assert sees(index, "ann", "hr") == ["hr", "it"]
    explained = index.explain(Identity.asserted("ann"), "hr")
    assert {reason["effect"] for reason in explained["reasons"]} == {"allow", "policy"}
    assert len(index.session(Identity.asserted("ann")).search_vector(np.ones(4), k=9)) == 1


def test_groups_that_may_be_incomplete_are_refused(index: Index) -> None:
    with pytest.raises(safepassage.DeniedError):
        index.session(Identity.asserted("ann", groups_complete=False))


def test_policies_are_kept_and_removed_with_a_reason(index: Index, tmp_path: Path) -> None:
    again = Index.open(tmp_path / "index")
    known = again.policies()
    assert known is not None and known["policies"] == POLICIES and known["attributes"] == ["dept"]
    assert sees(again, "ann") == ["it"]
    with pytest.raises(safepassage.InvalidError, match="reason"):
        index.remove_policies(reason=" ")
    index.remove_policies(reason="agreed with the works council")
    assert again.policies() is None
    assert sees(again, "ann") == ["hr", "it"]
    with pytest.raises(safepassage.NotFoundError):
        index.remove_policies(reason="again")


def test_policies_that_do_not_fit_are_refused_and_nothing_changes(index: Index) -> None:
    for policies in ("permit(principal, action, resource) when { resource.dpt == 1 };", "permit(", "forbid"):
        with pytest.raises(safepassage.InvalidError):
            index.set_policies(policies, SCHEMA, reason="a mistake")
    assert sees(index, "ann") == ["it"]
