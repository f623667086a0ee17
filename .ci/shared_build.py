#!/usr/bin/env python3
"""The quickstart and the Python package take the tests' build of a dependency: the same features, or it is built once more.

What a build of its own costs is minutes; what is allowed to differ is our own crates and what hangs on nothing.
"""
import collections
import re
import subprocess
import sys

TESTS = ["--workspace", "--all-features", "--edges", "normal,dev"]
OTHERS = {
    "the quickstart (crates/safepassage/Cargo.toml)": ["--package", "safepassage", "--features", "builtin", "--edges", "normal,dev"],
    "Python (python/Cargo.toml)": ["--package", "safepassage-python", "--features", "shared-build", "--edges", "normal"],
}
# A crate of terminals' colours, on which only the command line hangs.
ALLOWED = {"anstream"}


def features(arguments):
    """The sets of features that each dependency is built with, by name and version."""
    command = ["cargo", "tree", "--locked", "--no-dedupe", "--prefix", "none", "--format", "{p}|{f}", *arguments]
    found = collections.defaultdict(set)
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        package, _, names = re.sub(r" \((proc-macro|\*)\)", "", line).rpartition("|")
        found[package.strip()].add(names.removesuffix(" (*)").strip())
    return found


tests = features(TESTS)
differ = [
    f"{who}: {package} is built with {sorted(sets - tests[package])}, for tests with {sorted(tests[package])}"
    for who, arguments in OTHERS.items()
    for package, sets in sorted(features(arguments).items())
    if not sets <= tests[package] and package.split()[0] not in ALLOWED and not package.startswith("safepassage")
]
if differ:
    sys.exit("\n".join(differ))
print(f"shared build: {len(tests)} packages, the same for the tests, the quickstart and Python")
