"""Retrieval for retrieval-augmented generation that returns only the passages the asker may read.

``Index`` is an index in a folder; ``index.session(identity)`` is that index as one person sees it; there is no search
without.
"""

from ._core import (
    Answer,
    AnswerStream,
    BreakGlass,
    ConflictError,
    CorruptedError,
    DeniedError,
    Generator,
    Guardrail,
    Hit,
    Identity,
    Index,
    InternalError,
    InvalidError,
    NotFoundError,
    Reranker,
    Results,
    SafepassageError,
    Session,
    ThrottledError,
    UnavailableError,
    Verifier,
    __version__,
    evaluate,
    learn_fusion,
)

__all__ = [
    "Answer",
    "AnswerStream",
    "BreakGlass",
    "ConflictError",
    "CorruptedError",
    "DeniedError",
    "Generator",
    "Guardrail",
    "Hit",
    "Identity",
    "Index",
    "InternalError",
    "InvalidError",
    "NotFoundError",
    "Reranker",
    "Results",
    "SafepassageError",
    "Session",
    "ThrottledError",
    "UnavailableError",
    "Verifier",
    "__version__",
    "evaluate",
    "learn_fusion",
]
