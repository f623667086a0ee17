"""`examples/notebook.ipynb` runs, and prints what is stored in it."""

from __future__ import annotations

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_notebook_runs_and_prints_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    monkeypatch.chdir(EXAMPLES)
    cells = json.loads(Path("notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    for cell in (cell for cell in cells if cell["cell_type"] == "code"):
        body = ast.parse("".join(cell["source"])).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(ast.Module(body, []), "cell", "exec"), names)
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None
        said = {output["output_type"]: output for output in cell["outputs"]}
        assert printed.getvalue() == "".join(said.get("stream", {"text": ""})["text"])
        # How a table is drawn is left to pandas.
        if "execute_result" in said and not hasattr(value, "columns"):
            assert repr(value) == "".join(said["execute_result"]["data"]["text/plain"])
