"""A program that uses most of the package, for the type checker; `test_stubs.py` checks it and nothing runs it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from safepassage import (
    Answer,
    BreakGlass,
    Generator,
    Guardrail,
    Hit,
    Identity,
    Index,
    InvalidError,
    Results,
    SafepassageError,
    Verifier,
    evaluate,
)
from safepassage.types import Acl, EvaluationReport, Report


def fill(path: Path) -> Index:
    index = Index.create(path, dim=4, default_label="internal")
    acl: Acl = {"allow": ["group:hr"], "deny": ["user:bob"]}
    vectors = np.eye(4, dtype=np.float32)
    index.add(ids=list("abcd"), vectors=vectors, acls=[acl] * 4, metadata=[{"year": 2026}] * 4)
    generation: int = index.commit()
    assert generation == index.stats()["generation"]
    report: Report = index.sync("docs=folder", progress=lambda stage, done, total: print(stage, done, total))
    print(report["added"], [skipped["reason"] for skipped in report["skipped"]])
    index.set_acl("a", allow=["everyone"])
    index.revoke("a", "user:bob")
    index.restore("a", "user:bob", "a mistake")
    return index


def measure(index: Index) -> float:
    personas = {"ann": Identity.asserted("ann", ["hr"])}
    gate = {"ndcg@10": {"min": 0.5}}
    report: EvaluationReport = evaluate(index, Path("questions.jsonl"), personas=personas, k=[10, 100], gate=gate)
    assert report["passed"] and not report["leaks"]
    return report["all"]["measures"]["ndcg@10"]["mean"]


def sign_in(token: str, keys: bytes) -> Identity:
    verifier = Verifier("https://idp", ["search"], keys, ["RS256"], claims={"preset": "entra"}, leeway_seconds=10)
    print(verifier.issuer, verifier.audiences)
    return Identity.from_jwt(token, verifier)


def operate(index: Index, secret: str) -> list[str]:
    index.set_audit(on=True, durability="written", keep_days=365)
    index.audit_verify(expect=index.audit_head()["hash"])
    broken: BreakGlass = index.break_glass(secret, Identity.asserted("alice"), "the auditor needs it")
    print(broken.search("pay", k=3).ids, broken.visible()["count"], broken.expires_at)
    return [line["action"] for line in index.audit_show(user="alice") if line.get("hits", 0) > 0]


def ask(index: Index) -> list[str]:
    identity = Identity.asserted(user="alice", groups=["hr"], clearance="internal")
    session = index.session(identity)
    try:
        results: Results = session.search("pay", k=3)
    except InvalidError as error:
        print(error.kind, error.message, error.retryable)
        results = session.search_vector([1.0, 0.0, 0.0, 0.0])
    first: Hit = results[0]
    print(first.title or first.document, results.scores.dtype, results.to_pandas().shape)
    return [hit.text for hit in results] + session.visible()["documents"]


async def ask_all(index: Index) -> int:
    session = index.session(Identity.from_json({"user": "bob", "groups": []}))
    answers = await asyncio.gather(session.search_async("pay"), session.search_async("leave"))
    many: list[Results] = await session.search_vectors_async(np.eye(4, dtype=np.float32))
    return sum(len(answer) for answer in [*answers, *many])


def answer(index: Index, url: str) -> str:
    session = index.session(Identity.asserted("ann", []))

    def model(messages: list[dict[str, str]], tokens: int) -> str:
        return messages[-1]["content"][:tokens]

    first: Answer = session.ask("pay?", model, k=3, redact=["answer"])
    local = Generator.local(url, "m", highest_label="internal")
    with session.ask_stream("pay?", local, template="own.toml", inputs={"tone": "kind"}) as stream:
        pieces = "".join(stream)
    rail = Guardrail.from_catalogue("models.toml", "rail")
    session.ask("pay?", model, guardrails=[rail, lambda text, direction: None], suspected="drop", suspected_from=0.6)
    session.feedback(first.id, 1, "good")
    return first.text + pieces + str([citation["document"] for citation in first.citations]) + str(first.usage)


async def answer_all(index: Index) -> list[str]:
    session = index.session(Identity.asserted("ann", []))

    async def model(messages: list[dict[str, str]], tokens: int) -> str:
        return "yes"

    whole = await session.ask_async("pay?", model)
    return [whole.text] + [piece async for piece in await session.ask_stream_async("pay?", model)]


def refused(error: SafepassageError) -> bool:
    return error.retryable
