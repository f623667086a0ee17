#!/usr/bin/env python3
"""The house as DESIGN has it: arrows point down only, unsafe in one room, nothing heavy in the default face, MSRV real."""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
faults = []

# Which of our crates each may use.
ALLOWED = {
    "safepassage-error": set(),
    "safepassage-access": {"error"},
    "safepassage-audit": {"error"},
    "safepassage-models": {"error", "minilm-1", "minilm-2", "minilm-3"},
    "safepassage-minilm-1": set(),
    "safepassage-minilm-2": set(),
    "safepassage-minilm-3": set(),
    "safepassage-identity": {"error", "access"},
    "safepassage-policy": {"error", "access"},
    "safepassage-prompt": {"error"},
    "safepassage-usage": {"error"},
    "safepassage-index": {"error", "access"},
    "safepassage-ingest": {"error", "access", "index", "models"},
    "safepassage-aws": {"error", "ingest", "models"},
    "safepassage": {"error", "access", "audit", "aws", "identity", "index", "ingest", "models", "policy", "prompt", "usage"},
    "safepassage-eval": {""},
    "safepassage-cli": {"", "eval", "index"},
    # The index for a feature of its build in CI alone: no line of it is used.
    "safepassage-python": {"", "eval", "index"},
    "safepassage-benches": {""},
    "safepassage-tests": {"", "index", "access", "error"},
}
# What the default face must never pull in.
HEAVY = re.compile(
    r"^(aws-|hyper|reqwest|tokio|rustls|ring|openssl|native-tls|opentelemetry|prost|pyo3|candle|ort|onnx|safepassage-minilm)"
)


def metadata():
    out = subprocess.run(["cargo", "metadata", "--format-version", "1"], cwd=ROOT, check=True, capture_output=True)
    return json.loads(out.stdout)


def tree(*arguments):
    command = ["cargo", "tree", "--prefix", "none", "--format", "{p}", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


meta = metadata()
members = set(meta["workspace_members"])
ours = {p["name"]: p for p in meta["packages"] if p["id"] in members}

for name, package in ours.items():
    if name not in ALLOWED:
        faults.append(f"{name}: not a room of the house; add it to .ci/structure.py and crates/README.md")
        continue
    used = {d["name"] for d in package["dependencies"] if d["kind"] is None and d["name"] in ours}
    allowed = {"safepassage" + ("-" + short if short else "") for short in ALLOWED[name]}
    for wrong in sorted(used - allowed):
        faults.append(f"{name} uses {wrong}: arrows point down only")

for line in tree("-p", "safepassage", "-e", "normal"):
    if HEAVY.match(line) or line.startswith(("jsonwebtoken", "cedar-policy", "ureq", "safepassage-policy")):
        faults.append(f"the default face pulls in {line}")
for line in tree("-p", "safepassage", "-e", "normal", "--features", "jwt"):
    if HEAVY.match(line):
        faults.append(f"the feature `jwt` pulls in {line}")
for line in tree("-p", "safepassage", "-e", "normal", "--features", "cedar"):
    if HEAVY.match(line) or line.startswith(("jsonwebtoken", "ureq")):
        faults.append(f"the feature `cedar` pulls in {line}")
for feature in ("openfga", "authzen"):
    for line in tree("-p", "safepassage", "-e", "normal", "--features", feature):
        if line.startswith(("aws-", "openssl", "native-tls", "hyper", "tokio", "cmake", "jsonwebtoken", "cedar-policy")):
            faults.append(f"the feature `{feature}` pulls in {line}")
for arguments in (("-p", "safepassage-cli"), ("-p", "safepassage-cli", "--features", "remote")):
    for line in tree(*arguments, "-e", "normal"):
        if line.startswith(("opentelemetry", "tracing-", "prost")) and not line.startswith(("tracing-attributes", "tracing-core")):
            faults.append(f"the binary pulls in {line} without `otel`")
builtin = {line.split()[0] for line in tree("-p", "safepassage", "-e", "normal", "--features", "builtin")}
if "safepassage-minilm-1" not in builtin:
    faults.append("the feature `builtin` does not bring the model")

for name, package in ours.items():
    root = pathlib.Path(package["manifest_path"]).parent
    for target in package["targets"]:
        if not set(target["kind"]) & {"lib", "bin"} or name in ("safepassage-index", "safepassage-python"):
            continue
        text = pathlib.Path(target["src_path"]).read_text()
        if "benches" not in str(root) and "#![forbid(unsafe_code)]" not in text:
            faults.append(f"{target['src_path']}: unsafe is not forbidden")
UNSAFE = {"storage/local.rs", "lexical/stored.rs", "kernel/avx2.rs", "kernel/avx512.rs"}
for path in (ROOT / "crates/index/src").rglob("*.rs"):
    name = path.relative_to(ROOT / "crates/index/src").as_posix()
    if re.search(r"\bunsafe\s*(\{|fn|impl)", path.read_text()) and name not in UNSAFE:
        faults.append(f"{path}: unsafe outside the mapped-file room, the shared bytes of words and the kernels")

# What an identity passes is asked in one place, which also checks how old permissions may be.
ASKS = {"crates/index/src/index.rs", "crates/index/src/history.rs"}
for folder in ("crates/index/src", "crates/ingest/src", "crates/safepassage/src", "crates/cli/src", "python/src"):
    for path in (ROOT / folder).rglob("*.rs"):
        name = path.relative_to(ROOT).as_posix()
        if re.search(r"plane\.permitted\(", path.read_text()) and name not in ASKS:
            faults.append(f"{name}: asks the plane past `Index::permitted`")

stated = tuple(map(int, ours["safepassage"]["rust_version"].split(".")))[:2]
used_ids = {n["id"] for n in meta["resolve"]["nodes"]}
for package in meta["packages"]:
    needs = package.get("rust_version")
    if package["id"] in used_ids and needs and tuple(map(int, needs.split(".")))[:2] > stated:
        faults.append(f"{package['name']} {package['version']} needs Rust {needs}; the stated MSRV is {'.'.join(map(str, stated))}")

for folder in sorted((ROOT / "crates").glob("minilm-*")):
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    if size >= 10_000_000:
        faults.append(f"{folder.name} has {size} bytes; a registry takes less than 10 MB")

for fault in faults:
    print(fault, file=sys.stderr)
print(f"{len(ours)} packages, {len(faults)} faults")
sys.exit(bool(faults))
