"""VSAG's HGraph with a bitmap as its filter, through native.cpp and the C interface of the library in its wheel; its
Python package takes none."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
from engines.base import K
from engines.native import Native, address


class VsagHgraph(Native):
    package = "pyvsag"
    imports = ("pyvsag",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        import pyvsag  # noqa: F401  the wheel's own way to find what the library needs

        folder = Path(importlib.util.find_spec("pyvsag").origin).parent.parent / "pyvsag.libs"
        trouble = self.lib.vsag_open(str(next(folder.glob("libvsag*.so*"))).encode())
        if trouble:
            raise RuntimeError(trouble.decode())
        settings = {
            "dtype": "float32",
            "metric_type": "ip",
            "dim": self.work.dim,
            "index_param": {
                # The fastest of fp32, sq8 and sq8_uniform on real vectors, with the same recall.
                "base_quantization_type": "sq8_uniform",
                "use_reorder": True,
                "precise_quantization_type": "fp32",
                "max_degree": 32,
                "ef_construction": 200,
                "build_thread_count": self.threads,
            },
        }
        self.handle = self.lib.vsag_new(b"hgraph", json.dumps(settings).encode())
        if not self.handle:
            raise RuntimeError("vsag does not take the settings")
        self.settings = {ef: json.dumps({"hgraph": {"ef_search": ef}}).encode() for ef in self.sweep}

    def build(self, base: np.ndarray) -> None:
        ids = np.arange(len(base), dtype=np.int64)
        if self.lib.vsag_build(self.handle, address(base), address(ids), base.shape[1], len(base)):
            raise RuntimeError("vsag did not build")
        if self.lib.vsag_save(self.handle, str(self.folder / "hgraph.bin").encode()):
            raise RuntimeError("vsag did not save")

    def load(self) -> None:
        if self.lib.vsag_load(self.handle, str(self.folder / "hgraph.bin").encode()):
            raise RuntimeError("vsag did not load")

    def search(self, who: int | None, question: int, parameter: int) -> list[int]:
        settings, dim = self.settings[parameter], self.work.dim
        count = self.lib.vsag_search(self.handle, who, question, dim, K, settings, self.out)
        return self.out[: max(count, 0)]
