"""Spans go to a collector: those of a question, and no word of it. In a program of its own: a process has one collector."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import http.server, sys, threading
import safepassage

bodies = []

class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        bodies.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=server.serve_forever, daemon=True).start()
safepassage.flush_spans()
assert not safepassage.export_spans()
url = f"http://127.0.0.1:{server.server_port}"
assert safepassage.export_spans(url)
try:
    safepassage.export_spans(url)
    raise SystemExit("a second collector was taken")
except safepassage.InvalidError as error:
    assert "already" in str(error), error

index = safepassage.Index.create(sys.argv[1], dim=2)
index.add(["d"], texts=["Pay in zanzibar."], vectors=[[1, 0]], acls=[{"allow": ["group:hr"]}])
index.commit()
session = index.session(safepassage.Identity.asserted("ann", groups=["hr"]))
answer = session.ask("quetzal zanzibar?", lambda messages, tokens: "A wombat [1].", mode="lexical")
assert "wombat" in answer.text, answer
safepassage.flush_spans()
assert {path for path, _ in bodies} == {"/v1/traces"}
sent = b"".join(body for _, body in bodies)
for name in (b"gen_ai.operation.name", b"retrieval", b"chat", b"safepassage.acl_epoch"):
    assert name in sent, name
for word in (b"quetzal", b"zanzibar", b"wombat"):
    assert word not in sent, word
server.shutdown()
server.server_close()
"""


def test_spans_of_a_question_go_to_the_collector_without_a_word_of_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "index")],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": ""},
    )
    assert done.returncode == 0, done.stdout + done.stderr
