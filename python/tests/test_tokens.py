"""Identities from tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from safepassage import DeniedError, Identity, Index, InvalidError, UnavailableError, Verifier

TOKENS = Path(__file__).parents[2] / "fixtures" / "tokens"
ISSUER = "https://login.example.com/"
TOKEN = (TOKENS / "alice.jwt").read_text().strip()
JWKS = (TOKENS / "jwks.json").read_text()


def test_a_token_becomes_an_identity() -> None:
    verifier = Verifier(ISSUER, "safepassage", JWKS)
    for token in (TOKEN, TOKEN.encode()):
        alice = Identity.from_jwt(token, verifier)
        assert (alice.user, alice.groups_complete, alice.expires_at.year) == ("alice.keane", True, 2100)
        assert f"{ISSUER}|group:hr" in alice.principals
    assert (verifier.issuer, verifier.audiences) == (ISSUER, ["safepassage"])
    assert "login" in repr(verifier) and TOKEN not in repr(verifier)


def test_it_sees_what_its_principals_may(index: Index) -> None:
    acls = [{"allow": ["group:all"]}, {"allow": [f"{ISSUER}|group:hr"]}, {"allow": ["group:legal"]}]
    index.add(["nested", "issuer", "other"], vectors=[[1, 0, 0, 0]] * 3, acls=acls)
    index.commit()
    local = Verifier(ISSUER, ["a", "safepassage"], JWKS, ["EdDSA"], local_issuer=True, group_parents={"hr": ["all"]})
    visible = index.session(Identity.from_jwt(TOKEN, local)).visible()
    assert visible["documents"] == ["nested"]
    foreign = index.session(Identity.from_jwt(TOKEN, Verifier(ISSUER, "safepassage", JWKS)))
    assert foreign.visible()["documents"] == ["issuer"]


@pytest.mark.parametrize(
    ("token", "issuer", "audience", "claims", "reason"),
    [
        (TOKEN[:-2], ISSUER, "safepassage", None, "signature"),
        (TOKEN + ".", ISSUER, "safepassage", None, "token_form"),
        ("", ISSUER, "safepassage", None, "token_form"),
        (TOKEN, "https://evil.example/", "safepassage", None, "issuer"),
        (TOKEN, ISSUER, "other", None, "audience"),
        (TOKEN, ISSUER, "safepassage", "cognito", "claim_missing"),
        (TOKEN, ISSUER, "safepassage", {"groups": ["sub"]}, "claim_type"),
    ],
)
def test_refusals_have_reasons(token: str, issuer: str, audience: str, claims: object, reason: str) -> None:
    verifier = Verifier(issuer, audience, JWKS, claims=claims)  # type: ignore[arg-type]
    with pytest.raises(DeniedError, match=f"`{reason}`"):
        Identity.from_jwt(token, verifier)


def test_keys_are_fetched_once_and_failures_are_typed() -> None:
    fetched: list[int] = []

    def fetch() -> str:
        fetched.append(1)
        return JWKS

    verifier = Verifier(ISSUER, "safepassage", fetch, ["EdDSA"])
    for _ in range(3):
        Identity.from_jwt(TOKEN, verifier)
    assert fetched == [1]

    def down() -> str:
        raise OSError("no network")

    with pytest.raises(UnavailableError):
        Identity.from_jwt(TOKEN, Verifier(ISSUER, "safepassage", down, ["EdDSA"]))


def test_settings_that_cannot_be_used() -> None:
    for make in (
        lambda: Verifier("", "a", JWKS),
        lambda: Verifier(ISSUER, [], JWKS),
        lambda: Verifier(ISSUER, "a", "{}"),
        lambda: Verifier(ISSUER, "a", JWKS, ["none"]),
        lambda: Verifier(ISSUER, "a", JWKS, ["HS256"]),
        lambda: Verifier(ISSUER, "a", JWKS, ["RS256", "ES256"]),
        lambda: Verifier(ISSUER, "a", JWKS, claims="keycloak"),
        lambda: Verifier(ISSUER, "a", lambda: JWKS),
        lambda: Verifier(ISSUER, "a", JWKS, leeway_seconds=301),
        lambda: Verifier(ISSUER, "a", JWKS, group_parents={"hr": "all"}),  # type: ignore[dict-item]
    ):
        with pytest.raises(InvalidError):
            make()
