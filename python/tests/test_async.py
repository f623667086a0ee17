"""The asynchronous twins, and the GIL that is free while Rust works."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from pathlib import Path
from typing import Callable

import numpy as np

from safepassage import Index, Session

from .conftest import EVERYONE, Vectors, session_of

Make = Callable[[int, int], Vectors]


def test_twins_do_the_same(tmp_path: Path, vectors: Make) -> None:
    async def work() -> None:
        index = Index.create(tmp_path / "index", dim=4)
        await index.add_async([f"d{i}" for i in range(9)], vectors=vectors(9, 4), acls=[EVERYONE] * 9)
        assert await index.commit_async() == 2
        session = session_of(index, "alice")
        answers = await asyncio.gather(*(session.search_vector_async(row, k=1) for row in vectors(9, 4)))
        assert [answer.ids for answer in answers] == [[f"d{i}"] for i in range(9)]
        many = await session.search_vectors_async(vectors(9, 4), k=1)
        assert [answer.ids for answer in many] == [[f"d{i}"] for i in range(9)]

    asyncio.run(work())


def test_searches_by_text_run_beside_each_other(tmp_path: Path) -> None:
    (tmp_path / "pay.md").write_text("Salaries rise in July.")
    (tmp_path / "acl.jsonl").write_text('{"_id": "./", "acl": {"allow": ["everyone"]}}')

    async def work() -> None:
        index = Index.create(tmp_path / "index")
        report = await index.sync_async(tmp_path / "pay.md")
        assert report["added"] == 1
        session = session_of(index, "alice")
        answers = await asyncio.gather(*(session.search_async("salary") for _ in range(8)))
        assert [answer.ids for answer in answers] == [["pay.md"]] * 8

    asyncio.run(work())


def test_twins_have_the_signature_of_their_call() -> None:
    twins = 0
    for owner in (Index, Session):
        for name in (name for name in vars(owner) if name.endswith("_async")):
            call = inspect.signature(getattr(owner, name.removesuffix("_async")))
            assert inspect.signature(getattr(owner, name)) == call, name
            twins += 1
    assert twins == 14


def test_python_goes_on_while_rust_works(tmp_path: Path, vectors: Make) -> None:
    """Another thread counts between the start and the end of a long call. The switch interval is so long that nobody
    is made to hand over the GIL: only the call itself can."""
    index = Index.create(tmp_path / "index", dim=64)
    rows = vectors(15_000, 64)
    index.add([str(i) for i in range(len(rows))], vectors=rows, acls=[EVERYONE] * len(rows))
    session = session_of(index, "alice")
    for work in (index.commit, lambda: session.search_vectors(rows[:500], recall=1.0)):
        steps, started, done = [0], threading.Event(), threading.Event()

        def count() -> None:
            started.set()
            while not done.wait(0.0001):
                steps[0] += 1

        counter = threading.Thread(target=count)
        counter.start()
        started.wait()
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1_000)
        try:
            before = steps[0]
            work()
            during = steps[0] - before
        finally:
            sys.setswitchinterval(interval)
        done.set()
        counter.join()
        assert during > 20, during


def test_an_index_is_used_from_many_threads(filled: Index) -> None:
    session = session_of(filled, "alice")
    failures: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for i in range(20):
                assert len(session.search_vector([1, 0, 0, 0], k=5)) == 5
                filled.add([f"t{n}-{i}"], vectors=np.ones((1, 4)), acls=[EVERYONE])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    filled.commit()
    assert session.visible()["count"] == 100
