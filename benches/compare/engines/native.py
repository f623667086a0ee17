"""Here is native/native.cpp: compile it for this machine, and call it.

`library()` gives the compiled code; `Native` is the base of the engines that go through it, with the permission as a
bitmap and id list made in C++. The folder with hnswlib's headers is in the environment variable HNSWLIB_HEADERS.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from engines.base import Engine, K
from workloads import Row

SOURCE = Path(__file__).resolve().parent.parent / "native" / "native.cpp"
FLAGS = ["-O3", "-march=native", "-std=c++17", "-fPIC", "-shared", "-w"]
P, N, C, S = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_char_p
SIGNATURES = {
    "permission_new": (P, [P, N, N]),
    "scan_new": (P, [P, N, N]),
    "scan_search": (C, [P, P, P, N, P]),
    "hnsw_build": (P, [P, N, N, N, N, N]),
    "hnsw_save": (None, [P, S]),
    "hnsw_load": (P, [N, S]),
    "hnsw_search": (C, [P, P, P, N, N, P]),
    "vsag_open": (S, [S]),
    "vsag_new": (P, [S, S]),
    "vsag_build": (C, [P, P, P, N, N]),
    "vsag_save": (C, [P, S]),
    "vsag_load": (C, [P, S]),
    "vsag_search": (C, [P, P, P, N, N, S, P]),
}


def compiled(folder: Path, headers: Path) -> Path:
    """The shared library in `folder`, compiled if the source, the flags or the processor are others."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), "")
    stamp = hashlib.sha256(SOURCE.read_bytes() + repr(FLAGS).encode() + model.encode()).hexdigest()[:16]
    target = folder / f"native-{stamp}.so"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(f".{os.getpid()}")
        compiler = os.environ.get("CXX", "g++")
        files = ["-I", str(headers), str(SOURCE), "-o", str(part)]
        subprocess.run([compiler, *FLAGS, *files, "-ldl", "-pthread"], check=True)
        part.rename(target)
    return target


@functools.cache
def library() -> ctypes.CDLL:
    """The compiled code."""
    headers = Path(os.environ["HNSWLIB_HEADERS"])
    lib = ctypes.CDLL(str(compiled(headers.parent, headers)))
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def address(array: np.ndarray) -> int:
    """Where the numbers of an array are."""
    return array.__array_interface__["data"][0]


class Native(Engine):
    """An engine behind native.cpp. Answers lie in one place that the next answer overwrites."""

    handle: int

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.lib = library()
        self.out = (ctypes.c_int64 * K)()
        self.kept: list[np.ndarray] = []

    def person(self, row: Row, person: int) -> int | None:
        seen = row.seen[person]
        if seen is None:
            return None
        ids = np.ascontiguousarray(seen, dtype=np.uint32)
        return self.lib.permission_new(address(ids), len(ids), self.work.n)

    def question(self, vector: np.ndarray) -> int:
        vector = np.array(vector, dtype=np.float32)
        self.kept.append(vector)
        return address(vector)
