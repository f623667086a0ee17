"""How fast is a text cut, beside the splitters that people would use instead? All with the same tokenizer and limit.

    cargo build -p safepassage-ingest --example chunk_speed
    cargo build --manifest-path benches/compare/chunkers/Cargo.toml --target-dir target
    python benches/chunk_speed.py DOCS.jsonl --ours target/debug/examples/chunk_speed \\
        --text-splitter target/debug/safepassage-compare-chunkers --tokenizer crates/minilm-3/tokenizer.json

DOCS.jsonl has a `text` a line. Needs the PyPI packages tokenizers, langchain-text-splitters, llama-index-core, semchunk and
chonkie; what is not there is named and left out. One thread each, in turns, several rounds; the figure is the best
round in MB a processor second, so that what else the machine does counts little.
"""

import argparse
import json
import os
import pathlib
import subprocess
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"

TOKENS = 254


def peers(tokenizer):
    """Name and a function from a text to its chunks."""

    def count(text):
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    def langchain():
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        return RecursiveCharacterTextSplitter(chunk_size=TOKENS, chunk_overlap=0, length_function=count).split_text

    def llama_index():
        from llama_index.core.node_parser import SentenceSplitter

        def tokens(text):
            return tokenizer.encode(text, add_special_tokens=False).ids

        return SentenceSplitter(chunk_size=TOKENS, chunk_overlap=0, tokenizer=tokens).split_text

    def semchunk():
        import semchunk

        # It remembers whole texts by the function that counts.
        return semchunk.chunkerify(lambda text: count(text), chunk_size=TOKENS)

    def chonkie():
        from chonkie import RecursiveChunker

        return RecursiveChunker(tokenizer=tokenizer, chunk_size=TOKENS)

    def chonkie_tokens():
        from chonkie import TokenChunker

        return TokenChunker(tokenizer=tokenizer, chunk_size=TOKENS, chunk_overlap=0)

    return {
        "tokenizers alone (Python)": lambda: count,
        "langchain RecursiveCharacterTextSplitter": langchain,
        "llama-index SentenceSplitter": llama_index,
        "semchunk": semchunk,
        "chonkie RecursiveChunker": chonkie,
        "chonkie TokenChunker": chonkie_tokens,
    }


def cut(chunker, texts):
    chunks = 0
    for text in texts:
        found = chunker(text)
        chunks += len(found) if hasattr(found, "__len__") else 1
    return chunks


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("docs", type=pathlib.Path)
    parser.add_argument("--ours", type=pathlib.Path, required=True)
    parser.add_argument("--text-splitter", type=pathlib.Path)
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True)
    parser.add_argument("--documents", type=int, default=300, help="so many of the texts, evenly spread")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with arguments.docs.open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    texts = texts[:: max(1, len(texts) // arguments.documents)]
    size = sum(len(text.encode()) for text in texts)
    part = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"chunk_speed_{os.getpid()}.jsonl"
    part.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    ready = {}
    for name, make in peers(tokenizer).items():
        try:
            cut(make(), texts[:2])
            ready[name] = make
        except Exception as error:  # noqa: BLE001
            print(f"{name} is left out: {error}")
    best = {}

    def note(name, seconds, chunks):
        if name not in best or seconds < best[name][0]:
            best[name] = (seconds, chunks)

    environment = {**os.environ, "RAYON_NUM_THREADS": "1"}
    for _ in range(arguments.rounds):
        programs = [[arguments.ours, part, str(TOKENS)]]
        if arguments.text_splitter:
            programs.append([arguments.text_splitter, part, str(TOKENS), arguments.tokenizer])
        for program in programs:
            run = subprocess.run(program, env=environment, check=True, capture_output=True, text=True)
            for line in run.stdout.splitlines():
                row = json.loads(line)
                note(row["name"], row["seconds"], row["chunks"])
        for name, make in ready.items():
            # A new one each time: some remember what they have cut.
            chunker = make()
            started = time.process_time()
            chunks = cut(chunker, texts)
            note(name, time.process_time() - started, chunks)
    part.unlink()
    print(f"{len(texts)} texts, {size / 1e6:.2f} MB, at most {TOKENS} tokens, no overlap\n")
    print("| | MB a processor second | chunks |\n|---|---|---|")
    for name, (seconds, chunks) in sorted(best.items(), key=lambda row: row[1][0]):
        # Ours count in hundredths of a second.
        speed = f"{size / 1e6 / seconds:.2f}" if seconds else f"over {size / 1e6 / 0.01:.0f}"
        print(f"| {name} | {speed} | {chunks} |")


main()
