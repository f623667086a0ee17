#!/usr/bin/env python3
"""The README's shell lines run as they stand, in an empty folder, with the binary that the tests have built."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
binary = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "debug"
blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
lines = [line for block in blocks if "safepassage sync" in block for line in block.splitlines() if "cargo install" not in line]
assert len(lines) >= 10, "the README's shell lines are gone"
with tempfile.TemporaryDirectory() as folder:
    os.symlink(ROOT / "fixtures", pathlib.Path(folder) / "fixtures")
    path = f"{binary}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(["sh", "-ec", "\n".join(lines)], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True)
if ran.returncode != 0:
    print(ran.stdout[-2000:], ran.stderr[-2000:], file=sys.stderr)
    sys.exit("the README's shell lines failed")
assert "hr/pay-memo-2026.md" in ran.stdout and "whole:" in ran.stdout, ran.stdout
print(f"the README's {len(lines)} shell lines ran")
