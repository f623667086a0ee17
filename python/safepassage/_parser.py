"""A program that parses one file and ends: what ``Index.sync`` runs for files that may take all the memory.

``_parser.py MODULE FORMAT BYTES`` loads the compiled module from that file, and nothing else of the package."""

from __future__ import annotations

import sys


def main() -> None:
    """Reads the file from standard input and writes what it is to standard output."""
    import importlib.util

    module, format, most_bytes = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("_core", module)
    assert spec is not None and spec.loader is not None
    core = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(core)
    core._serve_parser(format, int(most_bytes))


if __name__ == "__main__":
    main()
