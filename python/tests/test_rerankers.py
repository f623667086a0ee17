"""Rerankers of a catalogue: what a server is asked, and what it is not sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from safepassage import DeniedError, Index, InvalidError, NotFoundError, Reranker

from .conftest import session_of

ROOT = Path(__file__).parents[2]
QUESTION = "what is the pay rise in 2026?"


class Server(ThreadingHTTPServer):
    """Speaks `/v1/rerank`; the shortest passage is the best."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []


class Asked(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.path == "/v1/rerank"
        self.server.asked.append(body)
        self.server.keys.append(self.headers["authorization"])
        scores = [-len(text) for text in body["documents"]]
        best = sorted(range(len(scores)), key=lambda at: -scores[at])
        answer = json.dumps({"results": [{"index": at, "relevance_score": scores[at]} for at in best]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def catalogue(folder: Path, server: Server, more: str = "") -> Path:
    file = folder / "models.toml"
    file.write_text(
        f"""
        [[model]]
        name = "shortest"
        provider = "openai"
        model = "shortest-first"
        highest_label = "internal"
        at = {{ url = "http://127.0.0.1:{server.server_port}/v1", key_env = "RERANK_KEY" }}
        {more}
        """
    )
    return file


def test_a_server_orders_what_it_may_read(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RERANK_KEY", "open sesame")
    index = Index.create(tmp_path / "index", chunk_tokens=32)
    index.sync(ROOT / "fixtures" / "company")
    models = catalogue(tmp_path, server)
    with pytest.raises(DeniedError, match="not in the catalogue"):
        Reranker.from_catalogue(models, "longest")
    reranker = Reranker.from_catalogue(models, "shortest")
    assert reranker.name == "openai:shortest-first" and "shortest-first" in repr(reranker)
    bruno = session_of(index, "bruno.ferri", "engineering", "firmware")
    hits = bruno.search(QUESTION, k=5, rerank=reranker, candidates=20).hits
    read = [text for asked in server.asked for text in asked["documents"]]
    assert {asked["query"] for asked in server.asked} == {QUESTION} and set(server.keys) == {"Bearer open sesame"}
    assert {asked["model"] for asked in server.asked} == {"shortest-first"}
    labels = {hit.text: hit.label for hit in bruno.search(QUESTION, k=500).hits}
    assert set(read) <= set(labels) and {labels[text] for text in read} <= {"public", "internal"}
    given = [len(hit.text) for hit in hits if hit.text in read]
    assert given == sorted(given) and given


def test_what_is_no_reranker(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InvalidError, match="RERANK_KEY"):
        Reranker.from_catalogue(catalogue(tmp_path, server), "shortest")
    with pytest.raises(DeniedError, match="2020-01-01"):
        Reranker.from_catalogue(catalogue(tmp_path, server, 'expires = "2020-01-01"'), "shortest")
    with pytest.raises(NotFoundError):
        Reranker.from_catalogue(tmp_path / "gone.toml", "shortest")
    with pytest.raises(NotFoundError):
        Reranker(tmp_path / "gone")
