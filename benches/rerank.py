#!/usr/bin/env python3
"""What does a reranker add to hybrid search? Late interaction over the token vectors of all-MiniLM-L6-v2: each word of the
question with its nearest word of the passage, then its order and the search's own by reciprocal rank fusion.

Usage: rerank.py MODEL_FOLDER INDEX BEIR_FOLDER [CANDIDATES]. The folder has `model.onnx` and `tokenizer.json` of the model as
packages ship it; needs onnxruntime and tokenizers beside safepassage."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from safepassage import Identity, Index, evaluate

RANK_CONSTANT = 60


class LateInteraction:
    """A callable for `rerank=`; passages come in the order of the search."""

    def __init__(self, folder: Path, fused: bool) -> None:
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(256)
        self.tokenizer.no_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.model = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
        self.inputs = [one.name for one in self.model.get_inputs()]
        self.fused = fused
        self.vectors = cache(self.embed)

    def embed(self, text: str) -> np.ndarray:
        ids = np.array([self.tokenizer.encode(text).ids])
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        rows = self.model.run(None, {name: given[name] for name in self.inputs})[0][0]
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)

    def __call__(self, question: str, passages: list[str]) -> list[float]:
        words = self.vectors(question)[1:-1].astype(np.float32)
        near = [(words @ self.vectors(text).astype(np.float32).T).max(axis=1).mean() for text in passages]
        if not self.fused:
            return [float(score) for score in near]
        own = np.empty(len(near))
        own[np.argsort(-np.array(near), kind="stable")] = np.arange(len(near))
        return [1 / (RANK_CONSTANT + place) + 1 / (RANK_CONSTANT + rank) for place, rank in enumerate(own)]


def main() -> None:
    folder, index, questions = Path(sys.argv[1]), Index.open(sys.argv[2]), sys.argv[3]
    asker = {"anybody": Identity.asserted("anybody", ttl_seconds=86_400)}
    for fused in (False, True):
        rerank = LateInteraction(folder, fused)
        report = evaluate(index, questions, personas=asker, recall=1.0, rerank=rerank, against_rerank="none")
        compared = report["against"]["measures"]["ndcg@10"]
        name = "fused with the search's order" if fused else "alone"
        print(name, report["all"]["measures"]["ndcg@10"], compared, flush=True)


if __name__ == "__main__":
    main()
