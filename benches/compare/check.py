"""What must be true of the results on any machine?"""

from __future__ import annotations

from typing import Any

from engines import OURS

# What a recall of 400 questions may lie below what was asked for, by chance.
SLACK = 0.02


def faults(results: dict[str, Any]) -> list[str]:
    """Everything that must not be, in words."""
    found = []
    engines = results["engines"]
    for name, about in engines.items():
        if name == OURS and "left_out" in about:
            found.append(f"{name} was left out: {about['left_out']}")
    for point in results["points"]:
        name, at = point["engine"], f"{point['engine']} in {point['row']} at {point['parameter']}"
        if point["leaks"]:
            found.append(f"{at}: {point['leaks']} rows that the asker may not see")
        if engines[name].get("exact") and point["recall"] < 0.999:
            found.append(f"{at}: exact, but recall {point['recall']}")
        if name != OURS:
            continue
        if point["short"]:
            found.append(f"{at}: {point['short']} answers not filled")
        if any("incomplete" in plan for plan in point.get("plans", {})):
            found.append(f"{at}: says that answers are incomplete")
        if point["recall"] < point["parameter"] - SLACK:
            found.append(f"{at}: recall {point['recall']}")
    return found
