#!/usr/bin/env python3
"""What does a filter of 500 group ids cost where permissions are rows of a table? SQLite, in memory, from Python's own
library: 1,000,000 documents with three groups each of 5,000. Usage: sql_filter.py [DOCUMENTS]"""
import random
import sqlite3
import statistics
import sys
import time

DOCUMENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
GROUPS, OF_AN_IDENTITY, ROUNDS = 5_000, 500, 7
chance = random.Random(1)
base = sqlite3.connect(":memory:")
base.execute("CREATE TABLE acl (document INTEGER, grp INTEGER)")
group = lambda: min(chance.randrange(GROUPS), chance.randrange(GROUPS))
rows = ((document, one) for document in range(DOCUMENTS) for one in {group() for _ in range(3)})
base.executemany("INSERT INTO acl VALUES (?, ?)", rows)
base.execute("CREATE INDEX by_group ON acl (grp, document)")
base.execute("ANALYZE")
times = []
for _ in range(ROUNDS):
    groups = chance.sample(range(GROUPS), OF_AN_IDENTITY)
    started = time.perf_counter()
    marks = ",".join("?" * len(groups))
    seen = base.execute(f"SELECT COUNT(DISTINCT document) FROM acl WHERE grp IN ({marks})", groups).fetchone()[0]
    times.append((time.perf_counter() - started) * 1000)
print(f"sqlite {sqlite3.sqlite_version}: {OF_AN_IDENTITY} groups see {seen} of {DOCUMENTS} documents; "
      f"median {statistics.median(times):.0f} ms, least {min(times):.0f} ms, {ROUNDS} identities")
