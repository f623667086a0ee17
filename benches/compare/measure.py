"""How much processor time and memory does this process use?"""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["MB", "Usage", "memory", "pin", "reset_peak"]

MB = 1_000_000


def memory() -> dict[str, float]:
    """Memory of this process in MB: `rss`, its parts `anonymous` and `mapped`, and the `peak` since `reset_peak`."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    names = {"rss": "VmRSS", "anonymous": "RssAnon", "mapped": "RssFile", "peak": "VmHWM"}
    return {name: int(lines[field].split()[0]) * 1_024 / MB for name, field in names.items()}


def reset_peak() -> None:
    """Lets the peak begin anew at what is resident now."""
    Path("/proc/self/clear_refs").write_text("5")


def pin(cores: int) -> None:
    """Keeps this process on the last `cores` of the cores it may use."""
    mine = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, mine[-cores:])


class Usage:
    """Seconds and memory between `with` and its end."""

    def __enter__(self) -> Usage:
        reset_peak()
        self.before = memory()
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        self.after = memory()

    def report(self) -> dict[str, float]:
        """Seconds of processor and wall, the peak over what was resident before, what stayed, in MB."""
        kinds = ("rss", "anonymous", "mapped")
        grown = {f"{kind}_mb": round(self.after[kind] - self.before[kind], 1) for kind in kinds}
        peak = round(self.after["peak"] - self.before["rss"], 1)
        seconds = {"cpu_s": round(self.cpu, 3), "wall_s": round(self.wall, 3)}
        return {**seconds, "before_mb": round(self.before["rss"], 1), "peak_mb": peak, **grown}
