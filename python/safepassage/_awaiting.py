"""Waits for what a callable gives that is to be awaited, from a thread that is not the event loop's."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any


class OnLoop:
    """Awaits on the caller's event loop, from other threads."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: set[Future[Any]] = set()
        self._cancelled = False

    def wait(self, awaitable: Any, last: bool = False) -> Any:
        """What ``awaitable`` gives; with ``last`` also when nobody wants anything any more."""
        work = _awaited(awaitable)
        if _running() is self._loop:
            # The loop cannot wait for itself; what ends something ends it by itself.
            if last:
                self._ending = self._loop.create_task(work)
                return None
            work.close()
            raise RuntimeError("what is awaited here must be asked for by `await`")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._waiting.add(future)
        if self._cancelled and not last:
            future.cancel()
        try:
            return future.result()
        finally:
            self._waiting.discard(future)

    def cancel(self) -> None:
        """Ends what is being awaited, and what would be."""
        self._cancelled = True
        for future in list(self._waiting):
            future.cancel()

    def close(self) -> None:
        """The loop is the caller's: it stays."""


class OwnLoop:
    """Awaits on an event loop of its own, for callers that have none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def wait(self, awaitable: Any, last: bool = False) -> Any:
        """What ``awaitable`` gives."""
        return self._loop.run_until_complete(_awaited(awaitable))

    def close(self) -> None:
        """Nothing is awaited any more."""
        if not self._loop.is_closed():
            self._loop.close()


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def awaited(awaitable: Any, loop: OnLoop | None) -> Any:
    """What ``awaitable`` gives, on ``loop``, the caller's, where there is one; else on one of its own."""
    if loop is not None:
        return loop.wait(awaitable)
    own = OwnLoop()
    try:
        return own.wait(awaitable)
    finally:
        own.close()


class Pieces:
    """What a callable gives for a prompt, one piece after the other, whatever it gives: a str, an iterable of them, or
    something to be awaited that is one of these.

    What is awaited runs on ``loop``, the caller's, where there is one; else on one of its own."""

    def __init__(
        self, callable: Callable[..., Any], messages: list[dict[str, str]], tokens: int, loop: OnLoop | None
    ) -> None:
        self._loop = loop or OwnLoop()
        try:
            given = callable(messages, tokens)
            if inspect.isawaitable(given):
                given = self._loop.wait(given)
            self._single = isinstance(given, (str, dict))
            self._given: Any = given if self._single else given.__aiter__() if hasattr(given, "__aiter__") else iter(given)
        except BaseException:
            self.close()
            raise

    def next(self) -> Any:
        """The next piece, or None if there is none."""
        given = self._given
        if self._single:
            self._single, self._given = False, iter(())
            return given
        if hasattr(given, "__anext__"):
            try:
                return self._loop.wait(given.__anext__())
            except StopAsyncIteration:
                return None
        return next(given, None)

    def close(self) -> None:
        """Ends what has not ended."""
        given: Any = getattr(self, "_given", None)
        self._single, self._given = False, iter(())
        try:
            if hasattr(given, "aclose"):
                self._loop.wait(given.aclose(), last=True)
            elif hasattr(given, "close"):
                given.close()
        finally:
            self._loop.close()


async def ended_with(call: Coroutine[Any, Any, Any], cancel: Callable[[], None]) -> Any:
    """What ``call`` gives, which runs in a thread: ``cancel`` is told when nobody awaits it any more."""
    try:
        return await call
    except asyncio.CancelledError:
        cancel()
        raise
