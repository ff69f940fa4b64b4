"""Measure calls: seconds, memory, steps in a process of their own, and two sides taken in turn.

Seconds of the processor are of this process; they move less than those of the wall where others are at work. Sides that
are to be compared are alternated, so that what slows the machine slows both, and the ratio is taken pair by pair.

In: calls. Out: figures, as plain values.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")


class Timing(NamedTuple, Generic[T]):
    """Seconds of one call by the wall and of this process's processor, and what the call returned."""

    wall: float
    processor: float
    result: T


def timed(call: Callable[[], T], repeat: int = 1) -> Timing[T]:
    """Call so many times; return the least seconds of each clock, and the last result."""
    wall = processor = float("inf")
    for _ in range(repeat):
        result = None  # the one before is not kept beside it
        wall_start, processor_start = time.perf_counter(), time.process_time()
        result = call()
        wall = min(wall, time.perf_counter() - wall_start)
        processor = min(processor, time.process_time() - processor_start)
    return Timing(wall, processor, result)  # type: ignore[arg-type]


def milliseconds(call: Callable[[], object], rounds: int) -> list[float]:
    """Return the milliseconds by the wall of each of some calls."""
    return [timed(call).wall * 1000 for _ in range(rounds)]


def alternate(sides: Sequence[Callable[[], float]], pairs: int) -> np.ndarray:
    """Take one figure of each side in turn, so many times; return them as rows."""
    return np.array([[side() for side in sides] for _ in range(pairs)])


def median_ratio(figures: np.ndarray, seed: int = 0) -> dict[str, float]:
    """Return the median of second / first over the pairs, with its 95 % interval by bootstrap."""
    ratios = figures[:, 1] / np.maximum(figures[:, 0], 1e-9)
    draws = np.random.default_rng(seed).choice(ratios, (10_000, len(ratios)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return {"ratio": float(np.median(ratios)), "low": float(low), "high": float(high)}


def in_own_process(script: str, *words: object) -> dict[str, Any]:
    """Run a step of a script in a process of its own, for its memory; return the JSON of its last line."""
    run = subprocess.run([sys.executable, script, *map(str, words)], capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(run.stderr)
    return dict(json.loads(run.stdout.splitlines()[-1]))


def peak_kb() -> int:
    """Return the most kilobytes this process has held (``ru_maxrss`` would start with what its parent held)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def memory_mb() -> float:
    """Return the megabytes this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def lines(figures: Mapping[str, object], width: int = 34, digits: str = ".4g", indent: str = "") -> Iterator[str]:
    """Yield figures as lines, a name and its value; figures within figures are indented."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield f"{indent}{name}"
            yield from lines(value, width, digits, indent + "  ")
        else:
            yield f"{indent}{name:<{width}} {format(value, digits) if isinstance(value, float) else value}"
