"""The stubs say what the module has, and programs written against them pass a strict type check."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import safepassage

HERE = Path(__file__).parent


def run(*arguments: str) -> None:
    """Runs a Python module in the tests' folder and shows what it says if it fails."""
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=HERE.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_typed_program_passes_mypy_strict() -> None:
    run("mypy", "--strict", "--no-incremental", "--config-file=", "tests/typed_usage.py", "safepassage")


def test_stubs_and_module_agree() -> None:
    run("mypy.stubtest", "safepassage")


def test_every_public_name_is_exported() -> None:
    core = {name for name in vars(safepassage._core) if not name.startswith("_")}
    assert core | {"__version__"} == set(safepassage.__all__)


def test_every_public_thing_is_documented() -> None:
    for name in set(safepassage.__all__) - {"__version__"}:
        thing = getattr(safepassage, name)
        assert thing.__doc__, name
        if name in {"Answer", "AnswerStream", "BreakGlass", "Generator", "Hit", "Identity", "Index", "Reranker", "Results", "Session", "Verifier"}:
            for part in (part for part in vars(thing) if not part.startswith("_")):
                assert getattr(thing, part).__doc__, f"{name}.{part}"
