"""The whole comparison in one command: environment, workloads, every engine, tables and plots.

    python benches/compare/run.py --work FOLDER --techdocs FOLDER-WITH-base.f16.npy
    python benches/compare/run.py --work FOLDER --data synth --rows unf,r10,d10,r01 --limit 5000 --quick

What is left in --work may be used again: an index is built anew only when its engine or the vectors change. Results,
tables and plots go to --out. With --quick it measures briefly and then checks itself: what must be true of any machine
(no leaks, exact engines exact, ours filled and at the recall asked for), with exit code 1 if it is not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import environment

ROWS = "unf,r50,r10,r1,r01,r001,d50,d10,d1,d01,grp"
DATA = ("synth", "techdocs", "wink")


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for the environment, vectors and indexes")
    parser.add_argument("--out", type=Path, help="folder for results (default: WORK/out)")
    parser.add_argument("--data", default=",".join(DATA), help="data sets (default: %(default)s)")
    parser.add_argument("--techdocs", type=Path, help="folder of the data set `techdocs`; without it is skipped")
    parser.add_argument("--rows", default=ROWS, help="rows of the table (default: %(default)s)")
    parser.add_argument("--engines", help="engines (default: all)")
    parser.add_argument("--limit", type=int, help="only so many vectors of each data set")
    parser.add_argument("--wheel", type=Path, help="our wheel (default: built from this clone)")
    parser.add_argument("--installed", action="store_true", help="use the environment in WORK as it is")
    parser.add_argument("--fresh", action="store_true", help="make the environment anew")
    parser.add_argument("--threads", type=int, default=1, help="threads of a build (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="windows of each point (default: %(default)s)")
    parser.add_argument("--window", type=float, default=0.15, help="processor seconds of each (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="go on with the results that are in --out")
    parser.add_argument("--quick", action="store_true", help="measure briefly and check what must be true")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser.parse_args()


def outside(given: argparse.Namespace) -> int:
    """Makes the environment and goes on in it."""
    work = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if given.installed:
        python, ours = work / "venv" / "bin" / "python", (work / "ours").read_text()
    else:
        python = environment.python_with_peers(work, given.fresh)
        ours = environment.install_ours(work, python, given.wheel)
        (work / "ours").write_text(ours)
    env = environment.with_threads(1)
    headers = environment.hnswlib_headers(work, python)
    if headers is not None:
        env["HNSWLIB_HEADERS"] = str(headers)
    command = [str(python), str(Path(__file__).resolve()), *sys.argv[1:], "--inside", ours]
    return subprocess.run(command, env=env).returncode


def workload(given: argparse.Namespace, name: str) -> Path | None:
    """The folder of a data set, made if it is not there."""
    source = None
    if name == "techdocs":
        source = given.techdocs
        if source is None:
            environment.say("skipped: `techdocs` needs --techdocs")
            return None
    if name == "wink":
        source = environment.wink(given.work.resolve())
        if source is None:
            return None
    folder = given.work.resolve() / "data" / (f"{name}-{given.limit}" if given.limit else name)
    if not (folder / "about.json").exists():
        environment.say(f"making {name}")
        command = [sys.executable, str(environment.HERE / "workloads.py"), name, str(folder)]
        command += ["--source", str(source)] if source else []
        command += ["--limit", str(given.limit)] if given.limit else []
        # All cores: nothing is measured yet.
        env = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
        subprocess.run(command, check=True, env=env)
    return folder


def machine() -> dict[str, str]:
    """What was measured on."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
    git = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, cwd=environment.ROOT, capture_output=True, text=True).stdout.strip()
    return {"cpu": model, "cores": str(os.cpu_count()), "python": platform.python_version(), "commit": commit}


def inside(given: argparse.Namespace) -> int:
    """Measures."""
    import plot
    import tables
    from check import faults
    from contest import Settings, contest
    from engines import ENGINES

    out = (given.out or given.work / "out").resolve()
    out.mkdir(parents=True, exist_ok=True)
    engines = given.engines.split(",") if given.engines else list(ENGINES)
    if "HNSWLIB_HEADERS" not in os.environ:
        engines = [name for name in engines if name not in ("hnswlib", "vsag-hgraph", "brute-avx512")]
    settings = Settings(rounds=given.rounds, window_s=given.window, threads=given.threads)
    if given.quick:
        settings = Settings(rounds=2, window_s=0.03, pass_s=1.0, threads=given.threads, short_sweep=True)
    wrong = []
    for name in given.data.split(","):
        folder = workload(given, name)
        if folder is None:
            continue
        file = out / f"{folder.name}.json"
        if not given.keep:
            file.unlink(missing_ok=True)
        indexes = given.work.resolve() / "index" / folder.name
        results = contest(folder, indexes, engines, given.rows.split(","), settings, given.inside, file)
        results["machine"] = machine()
        file.write_text(json.dumps(results, indent=1))
        tables.write(results, out / f"{folder.name}.md", out / f"{folder.name}.csv")
        plot.draw(results, out / folder.name)
        wrong += [f"{name}: {fault}" for fault in faults(results)]
    for fault in wrong:
        environment.say(f"fault: {fault}")
    environment.say(f"results in {out}, {len(wrong)} faults")
    return 1 if wrong and given.quick else 0


if __name__ == "__main__":
    asked = arguments()
    sys.exit(inside(asked) if asked.inside else outside(asked))
