"""Here are engines and a workload: build every index, then let them answer in turns.

Each engine is a process of its own on the same core, and only one works at a time. A point is an engine with one value
of its accuracy parameter in one row of the table: first a pass over all questions tells what its answers are worth,
then short windows of all points, in an order shuffled anew each round, time it. A disturbance by the machine's other
users meets all engines alike, and a point's speed is the median of its windows.
"""

from __future__ import annotations

import importlib.metadata
import json
import random
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines import engine_class
from environment import with_threads
from workloads import Workload

WORKER = Path(__file__).with_name("worker.py")
# From this recall on a larger parameter buys nothing; below that one the speed of the pass is good enough.
FULL, USEFUL = 0.9995, 0.8


@dataclass(frozen=True)
class Settings:
    """How long to measure."""

    rounds: int = 3
    window_s: float = 0.15
    pass_s: float = 8.0
    threads: int = 1
    build_timeout_s: int = 3_600
    short_sweep: bool = False


class Player:
    """An engine's process."""

    def __init__(self, name: str, workload: Path, index: Path) -> None:
        self.name = name
        command = [sys.executable, str(WORKER), "serve", name, str(workload), str(index)]
        self.log = (index.parent / f"{name}.log").open("a")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        self.hello = self.read()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": f"the process ended with {self.process.wait()}"}

    def ask(self, **command: Any) -> dict[str, Any]:
        """Its reply, `{"error": ...}` if there is none."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.read()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


def version(name: str, ours: str) -> str | None:
    """What an engine's index depends on besides the vectors; None if its package is missing."""
    package = engine_class(name).package
    if package is None:
        return "-"
    try:
        found = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
    return f"{found} {ours}".strip() if package == "safepassage" else found


def build(name: str, workload: Path, index: Path, settings: Settings, stamp: str) -> dict[str, Any]:
    """Builds an engine's index, or tells what an earlier run measured while it built the same."""
    twin = engine_class(name).same_index_as
    if twin:
        report = build(twin, workload, index.with_name(twin), settings, stamp)
        # A copy, because some lock what they have open.
        shutil.rmtree(index, ignore_errors=True)
        shutil.copytree(index.with_name(twin), index)
        return report
    file = index.parent / f"{name}.build.json"
    if file.exists() and index.exists():
        before = json.loads(file.read_text())
        if before.get("stamp") == stamp and "error" not in before:
            return before
    command = [sys.executable, str(WORKER), "build", name, str(workload), str(index), str(settings.threads)]
    with (index.parent / f"{name}.log").open("w") as log:
        try:
            env, limit = with_threads(settings.threads), settings.build_timeout_s
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, text=True, env=env, timeout=limit)
            report = json.loads(done.stdout) if done.returncode == 0 else {"error": f"ended with {done.returncode}"}
        except subprocess.TimeoutExpired:
            report = {"error": f"not built in {settings.build_timeout_s} s"}
    report["stamp"] = stamp
    file.write_text(json.dumps(report))
    return report


def sweep(player: Player, row: str, settings: Settings, say: Any) -> list[dict[str, Any]]:
    """The points of one engine in one row of the table."""
    points = []
    values = player.hello["sweep"]
    if settings.short_sweep and len(values) > 4:
        values = values[:: len(values) // 3]
    for parameter in values:
        reply = player.ask(do="pass", row=row, parameter=parameter, seconds=settings.pass_s)
        if "error" in reply:
            say(f"{player.name} {row} {parameter}: {reply['error']}")
            break
        points.append({"engine": player.name, "row": row, "parameter": parameter, **reply, "windows": []})
        plans = reply.get("plans", {})
        exact = bool(plans) and all(plan.endswith("exact") for plan in plans)
        slow = reply["cpu_s"] > settings.pass_s
        if slow or exact or (reply["recall"] >= FULL and not player.hello["whole_sweep"]):
            break
    return points


def measure(players: dict[str, Player], row: str, settings: Settings, say: Any) -> list[dict[str, Any]]:
    """All points of one row of the table."""
    points = []
    for player in players.values():
        if row == "unf" or player.hello["filters"]:
            points += sweep(player, row, settings, say)
    for number in range(settings.rounds):
        turn = list(points)
        random.Random(number).shuffle(turn)
        for point in turn:
            # One window of a very slow point takes as long as all of another's.
            slow = point["qps"] < 20 / settings.window_s / settings.rounds
            if point["recall"] < USEFUL or (number and slow):
                continue
            command = {"row": row, "parameter": point["parameter"], "seconds": settings.window_s, "at": 7 * number}
            reply = players[point["engine"]].ask(do="window", **command)
            if "error" not in reply:
                point["windows"].append(reply["qps"])
    for point in points:
        point["pass_qps"] = point["qps"]
        if point["windows"]:
            point["qps"] = round(statistics.median(point["windows"]), 1)
    return points


def contest(
    workload: Path, indexes: Path, engines: list[str], rows: list[str], settings: Settings, ours: str, out: Path
) -> dict[str, Any]:
    """Runs it and keeps the results in `out` after every row of the table; rows that are there already stay."""
    work = Workload(workload)
    indexes.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {"engines": {}, "points": []}
    results.update(name=work.name, n=work.n, dim=work.dim, shares=work.shares)

    def say(text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {work.name}: {text}", flush=True)

    players: dict[str, Player] = {}
    try:
        for name in engines:
            stamp = version(name, ours)
            reason = "not installed" if stamp is None else engine_class(name).unfit(work)
            about: dict[str, Any] = {"version": stamp}
            results["engines"][name] = about
            if reason is None:
                say(f"{name}: building")
                about["build"] = build(name, workload, indexes / name, settings, f"{stamp} {settings.threads}")
                reason = about["build"].get("error")
            if reason is None:
                player = Player(name, workload, indexes / name)
                reason = player.hello.get("error")
                about.update({key: player.hello[key] for key in ("load", "how", "filters", "exact") if reason is None})
                if reason is None:
                    players[name] = player
            if reason is not None:
                say(f"{name}: left out: {reason}")
                about["left_out"] = reason
        for row in rows:
            if any(point["row"] == row for point in results["points"]):
                say(f"{row}: there already")
                continue
            start = time.perf_counter()
            results["points"] += measure(players, row, settings, say)
            say(f"{row}: {time.perf_counter() - start:.0f} s")
            out.write_text(json.dumps(results, indent=1))
        for name, player in players.items():
            results["engines"][name]["after"] = player.ask(do="memory")
    finally:
        for player in players.values():
            player.end()
    out.write_text(json.dumps(results, indent=1))
    return results
