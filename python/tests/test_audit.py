"""The audit log: who was given what, and breaking the glass."""

from __future__ import annotations

from pathlib import Path

import pytest

from safepassage import CorruptedError, DeniedError, Identity, Index, InvalidError, NotFoundError

from .conftest import session_of

REASON = "regulator asks for file 17"
VECTOR = [1.0, 0.0, 0.0, 0.0]


def test_every_answer_is_a_line_once_it_is_switched_on(filled: Index) -> None:
    assert not filled.audit_settings()["on"]
    with pytest.raises(NotFoundError):
        filled.audit_head()
    assert filled.set_audit(on=True, durability="written", keep_days=7) == filled.audit_settings()
    eve = session_of(filled, "eve")
    found = eve.search_vector(VECTOR, k=3)
    eve.search_vectors([VECTOR, VECTOR], k=2)
    with pytest.raises(InvalidError):
        eve.search_vector([1.0])
    lines = filled.audit_show(user="eve")
    assert [(line["action"], line["outcome"], line.get("hits")) for line in lines] == [
        ("search_vector", "ok", 3),
        ("search_vectors", "ok", 2),
        ("search_vectors", "ok", 2),
        ("search_vector", "Invalid", None),
    ]
    assert lines[0]["documents"] == found.ids
    assert len(filled.audit_show(document=found.ids[0])) == 3
    assert filled.audit_head() == {"seq": lines[-1]["seq"], "hash": lines[-1]["hash"]}
    assert len(found.hits) == 3 and filled.audit_head()["seq"] == lines[-1]["seq"]


def test_a_changed_line_is_found_and_answers_are_withheld(filled: Index) -> None:
    filled.set_audit(on=True)
    eve = session_of(filled, "eve")
    eve.search_vector(VECTOR)
    head = filled.audit_head()["hash"]
    eve.visible()
    assert filled.audit_verify(expect=head)["lines"] == 4
    with pytest.raises(CorruptedError, match="no line"):
        filled.audit_verify(expect="0" * 64)
    with pytest.raises(InvalidError):
        filled.audit_verify(expect="0")
    log = Path(filled.path) / "audit" / "00000001.jsonl"
    written = log.read_bytes()
    log.write_bytes(written.replace(b"eve", b"bob", 1))
    with pytest.raises(CorruptedError, match="00000001.jsonl.*line"):
        filled.audit_verify()
    log.write_bytes(written[:-20])
    with pytest.raises(CorruptedError):
        eve.search_vector(VECTOR)
    assert filled.audit_mend("a test cut it")["set_aside_bytes"] > 0
    eve.search_vector(VECTOR)
    assert filled.audit_verify()["set_aside"] == 1


def test_settings_that_make_no_sense(filled: Index) -> None:
    with pytest.raises(InvalidError, match="durability"):
        filled.set_audit(durability="maybe")  # type: ignore[arg-type]
    with pytest.raises(InvalidError):
        filled.set_audit(rotate_bytes=1)
    filled.set_audit(on=True, keep_days=30)
    with pytest.raises(InvalidError, match="30"):
        filled.audit_retire(29)
    with pytest.raises(InvalidError):
        filled.audit_retire()
    assert filled.audit_retire(keep_files=1, reason="tidy") == {"files": 0, "first_seq": 1}


def test_breaking_the_glass(filled: Index) -> None:
    filled.set_acl("d00", allow=[])
    eve = Identity.asserted("eve")
    with pytest.raises(DeniedError) as none:
        filled.break_glass("a guess", eve, REASON)
    secret = filled.enable_break_glass()
    with pytest.raises(DeniedError) as wrong:
        filled.break_glass("a guess", eve, REASON)
    assert str(wrong.value) == str(none.value)
    with pytest.raises(InvalidError):
        filled.break_glass(secret, eve, "because")
    broken = filled.break_glass(secret, eve, REASON)
    assert broken.identity.user == "eve"
    assert broken.expires_at <= eve.expires_at
    assert broken.visible()["count"] == 20
    assert "d00" in broken.search_vector(VECTOR, k=20).ids
    assert "d00" not in filled.session(eve).visible()["documents"]
    with pytest.raises(InvalidError):
        broken.search_vector(VECTOR, k=0)
    actions = [line["action"] for line in filled.audit_show(user="eve") if line["outcome"] == "ok"]
    assert actions == ["break_glass", "break_glass_visible", "break_glass_search_vector"]
    filled.disable_break_glass()
    with pytest.raises(DeniedError):
        broken.visible()
