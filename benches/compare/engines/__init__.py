"""Which engines are compared, and where is each one's adapter?

A name gives a class; the module is read only in the process that runs the engine, so a missing package is that engine's
affair alone. The first is ours.
"""

from __future__ import annotations

import importlib

from engines.base import Engine

__all__ = ["ENGINES", "MORE", "OURS", "Engine", "engine_class"]

OURS = "safepassage"
ENGINES = {
    OURS: "ours:Safepassage",
    "hnswlib": "hnsw:Hnswlib",
    "faiss-hnsw": "faiss_indexes:FaissHnsw",
    "faiss-hnsw-sq8": "faiss_indexes:FaissHnswSq8",
    "faiss-ivf": "faiss_indexes:FaissIvf",
    "vsag-hgraph": "vsag:VsagHgraph",
    "usearch-f32": "usearch_index:UsearchF32",
    "usearch-bf16": "usearch_index:UsearchBf16",
    "qdrant-edge": "qdrant:QdrantEdge",
    "qdrant-edge-acorn": "qdrant:QdrantEdgeAcorn",
    "lancedb": "lance:Lance",
    "turbovec-4b": "turbo:Turbovec",
    "rabitq-symqg": "rabitq:SymphonyQg",
    "brute-avx512": "brute:BruteSimd",
    "brute-faiss-flat": "brute:BruteFaiss",
    "brute-numpy": "brute:BruteNumpy",
}
# Not in the comparison: the same with other settings, for build_memory.py.
MORE = {
    "hnswlib-efc100": "hnsw:HnswlibQuick",
    "hnswlib-efc400": "hnsw:HnswlibThorough",
}


def engine_class(name: str) -> type[Engine]:
    """The adapter of an engine."""
    module, _, cls = {**ENGINES, **MORE}[name].partition(":")
    return getattr(importlib.import_module(f"engines.{module}"), cls)
