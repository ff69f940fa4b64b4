"""The ledger of a made city: taking it in, reading one person's file alone, one more row, forgetting one person.

Times by the wall; of the ingest and of a file also by the processor, which says more where a machine does other work.

    python benchmarks/ledger.py --people 100000
    python benchmarks/ledger.py --people 1000000 --folder /somewhere/large --json
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from harness import in_own_process, lines, memory_mb, milliseconds, timed

import credit_model as cm

TABLES = ("records", "amendments", "subjects", "audit")
LOOKUPS = 1_000


def ingest(folder: Path) -> dict[str, Any]:
    """Take in the raw tables, in a process of its own."""
    ledger = cm.Ledger.create(folder / "ledger")
    seconds = timed(lambda: ledger.ingest(**{table: folder / f"{table}.parquet" for table in TABLES})).wall
    used = resource.getrusage(resource.RUSAGE_SELF)
    files = [file for file in (folder / "ledger").rglob("*") if file.is_file()]
    return {
        "rows": sum(pq.read_metadata(folder / f"{table}.parquet").num_rows for table in TABLES),
        "ingest_s": round(seconds, 1),
        "ingest_processor_s": round(used.ru_utime + used.ru_stime, 1),
        "ingest_peak_mb": used.ru_maxrss // 1024,
        "folder_mb": sum(file.stat().st_size for file in files) // 2**20,
    }


def look(folder: Path) -> dict[str, Any]:
    """Read one file after another, as a service that has just started would; then let somebody else deliver."""
    people = pd.read_parquet(folder / "subjects.parquet", columns=["subject_id"])["subject_id"].unique()
    asked = np.random.default_rng(1).choice(people, LOOKUPS + 1, replace=False).tolist()
    before, ledger = memory_mb(), cm.Ledger.open(folder / "ledger")
    first = timed(lambda: ledger.tables([asked[0]])).wall
    used = time.process_time()
    alone = [milliseconds(partial(ledger.tables, [person]), 1)[0] for person in asked[1:]]
    used = time.process_time() - used
    unmoved = milliseconds(ledger.refresh, LOOKUPS)
    held = int(memory_mb() - before)
    other, delivered, seen = cm.Ledger.open(folder / "ledger"), [], []
    for n in range(40):
        row = {"record_id": [f"one-more-{time.time_ns()}-{n}"], "subject_id": [asked[n]], "kind": ["honour"]}
        one = pd.DataFrame(row | {"decided_on": ["2026-01-10"], "known_on": ["2026-01-10"]})
        delivered += milliseconds(partial(other.ingest, records=one), 1)
        seen += milliseconds(lambda n=n: (ledger.refresh(), ledger.tables([asked[n]])), 1)
    return {
        "first_file_ms": round(first * 1000),
        "file_p50_ms": round(statistics.median(alone), 2),
        "file_p95_ms": round(float(np.percentile(alone, 95)), 2),
        "file_processor_ms": round(used * 1000 / LOOKUPS, 2),
        "reader_mb": held,
        "refresh_unchanged_ms": round(statistics.median(unmoved), 4),
        "one_row_first_ms": round(delivered[0]),
        "one_row_p50_ms": round(statistics.median(delivered[1:])),
        "one_row_max_ms": round(max(delivered[1:])),
        "seen_p50_ms": round(statistics.median(seen), 1),
        "seen_max_ms": round(max(seen), 1),
    }


def forget(folder: Path) -> dict[str, Any]:
    """Forget one person."""
    ledger = cm.Ledger.open(folder / "ledger")
    person = pd.read_parquet(folder / "records.parquet", columns=["subject_id"])["subject_id"].iloc[0]
    held = ledger.tables([person])
    seconds = timed(lambda: ledger.forget(person, reason="benchmark", approver="benchmark")).wall
    return {"forget_s": round(seconds, 1), "forgotten_records": len(held.records["record_id"])}


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument(
        "--folder", type=Path, help="where the city's tables are, or are put; a temporary one without it"
    )
    parser.add_argument("--step", choices=("ingest", "look", "forget"), help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.step:
        print(json.dumps({"ingest": ingest, "look": look, "forget": forget}[asked.step](asked.folder)))
        return 0
    with tempfile.TemporaryDirectory() as made:
        folder = asked.folder or Path(made)
        if not (folder / "records.parquet").exists():
            cm.synthesise(people=asked.people, seed=1).write(folder)
        figures: dict[str, Any] = {"people": asked.people}
        for step in ("ingest", "look", "forget"):
            figures |= in_own_process(__file__, "--step", step, "--folder", folder)
    print(json.dumps(figures) if asked.json else "\n".join(lines(figures, 22, "")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
