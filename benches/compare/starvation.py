"""Is anybody left hungry, or given what is not theirs? A million searches as a thousand random people.

    WORK/venv/bin/python benches/compare/starvation.py --index FOLDER [--rows N] [--questions N] [--people N]

The index in FOLDER is made if it is not there. Every answer is checked: no row that the asker may not see, no row
twice, k rows or all there are, and said to be complete. For a sample of each person's questions the recall is measured
against exact search over what they may see. Exit code 1 if a promise is broken.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safepassage
from workloads import DEPARTMENTS, GROUPS, K, SEED, Manifold, departments, groups_of_rows, nearest

BATCH = 10_000
SAMPLE = 20
# How many groups somebody of each kind is in; `department` has one topic only, `personal` three rows of their own,
# fewer than k, and `stranger` nothing at all.
KINDS = {
    "narrow": (1, 3),
    "usual": (15, 25),
    "wide": (100, 200),
    "department": (0, 0),
    "personal": (0, 0),
    "stranger": (0, 0),
}
DENIED = 0.03


@dataclass
class World:
    """Rows with their ACLs: pairs (row, group) of what is allowed and denied, the department of each row."""

    base: np.ndarray
    department: np.ndarray
    allow: np.ndarray
    deny: np.ndarray

    def may_see(self, groups: list[int], department: int | None, own: np.ndarray) -> np.ndarray:
        """The judge: allowed by a group, the department or by name, and not denied."""
        mask = np.zeros(len(self.base), dtype=bool)
        mask[self.allow[np.isin(self.allow[:, 1], groups), 0]] = True
        if department is not None:
            mask |= self.department == department
        mask[own] = True
        mask[self.deny[np.isin(self.deny[:, 1], groups), 0]] = False
        return mask


@dataclass
class Tally:
    """What was found about one kind of people."""

    people: int = 0
    searches: int = 0
    leaks: int = 0
    twice: int = 0
    short: int = 0
    incomplete: int = 0
    recall: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    plans: Counter[str] = field(default_factory=Counter)


def world(rows: int, rng: np.random.Generator) -> World:
    """The rows."""
    base = Manifold().rows(rows)
    department, _ = departments(base, base[:1])
    denied = np.flatnonzero(rng.random(rows) < DENIED)
    deny = np.column_stack([denied, rng.integers(0, GROUPS, len(denied))])
    return World(base, department, groups_of_rows(department, rng), deny)


def build(folder: Path, made: World, own: dict[int, list[str]]) -> None:
    """Writes the index; `own` names the users who may read a row by name."""
    index = safepassage.Index.create(folder, dim=made.base.shape[1])
    allow: list[list[str]] = [[f"group:d{department}"] for department in made.department]
    for row, users in own.items():
        allow[row] += [f"user:{user}" for user in users]
    deny: list[list[str]] = [[] for _ in allow]
    for pairs, lists in ((made.allow, allow), (made.deny, deny)):
        for row, group in pairs.tolist():
            lists[row].append(f"group:g{group}")
    for at in range(0, len(allow), BATCH):
        part = range(at, min(at + BATCH, len(allow)))
        acls = [{"allow": allow[i], "deny": deny[i]} for i in part]
        index.add([str(i) for i in part], vectors=made.base[part.start : part.stop], acls=acls)
    index.commit()


def ask(index: safepassage.Index, who: safepassage.Identity, mask: np.ndarray, made: World, questions: np.ndarray,
        recall: float, tally: Tally) -> None:  # fmt: skip
    """Asks everything as one person and judges every answer."""
    found = index.session(who).search_vectors(questions, k=K, recall=recall)
    seen = np.flatnonzero(mask)
    tally.people += 1
    tally.searches += len(found)
    tally.shares.append(len(seen) / len(mask))
    wanted = min(K, len(seen))
    right = nearest(made.base, questions[:SAMPLE], seen) if wanted else None
    shares = []
    for i, answer in enumerate(found):
        rows = [int(document) for document in answer.ids]
        tally.leaks += sum(not mask[row] for row in rows)
        tally.twice += len(set(rows)) < len(rows)
        tally.short += len(rows) < wanted
        tally.incomplete += not answer.complete
        tally.plans[answer.plan] += 1
        if right is not None and i < SAMPLE:
            shares.append(len(set(rows) & set(right[i].tolist())) / wanted)
    if shares:
        tally.recall.append(float(np.mean(shares)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=1_000)
    parser.add_argument("--recall", type=float, default=0.95)
    given = parser.parse_args()
    rng = np.random.default_rng(SEED)
    made = world(given.rows, rng)
    pool = Manifold().questions(Manifold.BLOCK)
    people: list[tuple[str, list[int], int | None, np.ndarray]] = []
    own: dict[int, list[str]] = {}
    for p in range(given.people):
        kind = list(KINDS)[p % len(KINDS)]
        low, high = KINDS[kind]
        groups = rng.choice(GROUPS, int(rng.integers(low, high + 1)), replace=False).tolist()
        rows = rng.choice(given.rows, 3, replace=False) if kind == "personal" else np.array([], dtype=int)
        for row in rows.tolist():
            own.setdefault(row, []).append(f"p{p}")
        people.append((kind, groups, int(rng.integers(DEPARTMENTS)) if kind == "department" else None, rows))
    if not given.index.exists():
        start = time.perf_counter()
        build(given.index, made, own)
        print(f"built in {time.perf_counter() - start:.0f} s", flush=True)
    index = safepassage.Index.open(given.index)
    tallies = {kind: Tally() for kind in KINDS}
    wall, cpu = time.perf_counter(), time.process_time()
    each = -(-given.questions // given.people)
    for p, (kind, groups, department, rows) in enumerate(people):
        names = [f"g{g}" for g in groups] + ([] if department is None else [f"d{department}"])
        who = safepassage.Identity.asserted(f"p{p}", names)
        questions = pool[rng.choice(len(pool), each, replace=each > len(pool))]
        mask = made.may_see(groups, department, rows)
        ask(index, who, mask, made, questions, given.recall, tallies[kind])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{given.rows} rows, recall asked for {given.recall}, seed {SEED}, {wall:.0f} s, {cpu:.0f} s of processor\n")
    head = (
        "people | may see, % | searches | leaks | twice | not filled | said incomplete | recall | worst person | plans"
    )
    print(f"| {head} |")
    print("|---" * 10 + "|")
    broken = 0
    for kind, t in tallies.items():
        broken += t.leaks + t.twice + t.short + t.incomplete
        shares = f"{100 * min(t.shares, default=0):.3g} – {100 * max(t.shares, default=0):.3g}"
        counts = f"{t.searches} | {t.leaks} | {t.twice} | {t.short} | {t.incomplete}"
        recall = f"{np.mean(t.recall):.4f} | {min(t.recall):.4f}" if t.recall else "– | –"
        plans = ", ".join(f"{plan} {count}" for plan, count in t.plans.most_common())
        print(f"| {t.people} {kind} | {shares} | {counts} | {recall} | {plans} |")
    print(f"\n{sum(t.searches for t in tallies.values())} searches, {broken} broken promises")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
