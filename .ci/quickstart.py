#!/usr/bin/env python3
"""The quickstart's output: two people, two answers; nothing embedded the second time."""
import pathlib
import re
import sys

first, second = (pathlib.Path(name).read_text() for name in sys.argv[1:3])
for text in (first, second):
    alice, bruno = re.split(r"Bruno, engineering", text, maxsplit=1)
    memo = re.compile(r"^ +0\.\d+  company/hr/pay-memo-2026\.md", re.MULTILINE)
    assert memo.search(alice), "Alice does not get the pay memo"
    assert not memo.search(bruno), "Bruno gets the pay memo"
    assert "company/handbook/" in bruno, "Bruno gets nothing"
    assert "may not read company/hr/pay-memo-2026.md" in bruno
assert " 0 chunks embedded" in second, "the second run embedded something"
print("quickstart: two people, two answers; the second run embedded nothing")
