"""The exceptions, one class for each kind."""

from __future__ import annotations

import pickle

import pytest

import safepassage
from safepassage import Index, InvalidError, SafepassageError

KINDS = {
    "InvalidError": ("Invalid", False),
    "NotFoundError": ("NotFound", False),
    "DeniedError": ("Denied", False),
    "ConflictError": ("Conflict", True),
    "UnavailableError": ("Unavailable", True),
    "ThrottledError": ("Throttled", True),
    "CorruptedError": ("Corrupted", False),
    "InternalError": ("Internal", False),
}


def test_every_kind_has_its_class() -> None:
    classes = {name for name in safepassage.__all__ if name.endswith("Error")} - {"SafepassageError"}
    assert classes == set(KINDS)
    for name, (kind, retryable) in KINDS.items():
        error = getattr(safepassage, name)
        assert issubclass(error, SafepassageError)
        assert (error.kind, error.retryable, error.__module__) == (kind, retryable, "safepassage")
        assert error.__doc__
    assert issubclass(InvalidError, ValueError)
    assert issubclass(SafepassageError, Exception)


def test_an_error_says_what_happened_and_can_be_pickled(index: Index) -> None:
    with pytest.raises(SafepassageError) as raised:
        index.add(["a"], vectors=[[1.0]])
    error = raised.value
    assert type(error) is InvalidError
    assert error.message == str(error) == "add: the vector has 1 dimensions and the index 4 (row `0`)"
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is InvalidError
    assert copy.message == error.message


def test_wrong_types_are_type_errors(index: Index) -> None:
    with pytest.raises(TypeError):
        index.session("alice")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        index.add()  # type: ignore[call-arg]
