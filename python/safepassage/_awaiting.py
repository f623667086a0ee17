"""Waits for what a callable gives that is to be awaited, from a thread that is not the event loop's."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any


class Pieces:
    """What a callable gives for a prompt, one piece after the other, whatever it gives: a str, an iterable of them, or
    something to be awaited that is one of these.

    What is awaited runs on ``loop``, the caller's, where there is one; else on one of its own."""

    def __init__(self, callable: Callable[..., Any], messages: list[dict[str, str]], tokens: int, loop: Any) -> None:
        self._own = None if loop is not None else asyncio.new_event_loop()
        self._loop = loop
        try:
            given = callable(messages, tokens)
            if inspect.isawaitable(given):
                given = self._wait(given)
            self._single = isinstance(given, (str, dict))
            self._given: Any = given if self._single else given.__aiter__() if hasattr(given, "__aiter__") else iter(given)
        except BaseException:
            self.close()
            raise

    def _wait(self, awaitable: Any) -> Any:
        async def awaited() -> Any:
            return await awaitable

        if self._own is not None:
            return self._own.run_until_complete(awaited())
        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result()

    def next(self) -> Any:
        """The next piece, or None if there is none."""
        given = self._given
        if self._single:
            self._single, self._given = False, iter(())
            return given
        if hasattr(given, "__anext__"):
            try:
                return self._wait(given.__anext__())
            except StopAsyncIteration:
                return None
        return next(given, None)

    def close(self) -> None:
        """Ends what has not ended."""
        given: Any = getattr(self, "_given", None)
        self._single, self._given = False, iter(())
        try:
            if hasattr(given, "aclose"):
                self._wait(given.aclose())
            elif hasattr(given, "close"):
                given.close()
        finally:
            if self._own is not None and not self._own.is_closed():
                self._own.close()


async def ended_with(call: Coroutine[Any, Any, Any], cancel: Callable[[], None]) -> Any:
    """What ``call`` gives, which runs in a thread: ``cancel`` is told when nobody awaits it any more."""
    try:
        return await call
    except asyncio.CancelledError:
        cancel()
        raise
