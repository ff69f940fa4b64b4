"""A whole city on one machine: segments compiled into buckets, features streamed to Parquet, beside DuckDB.

Features: 12 kinds x 6 windows x (count, sum of amount), and days since the last of each kind: 156. DuckDB gets what it
needs ready-made: visible rows (person, kind, decided on, amount) in a Parquet file sorted by person, and answers with
one query a kind, the way that was fastest for it. Results are written to Parquet by both.

    python benchmarks/city.py compile --people 1_000_000      # a ledger ingested, compiled into buckets
    python benchmarks/city.py build --people 5_000_000        # features from compiled buckets

Buckets for ``build`` are written directly, without a ledger of 50 million rows behind them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from harness import in_own_process, peak_kb

from credit_model.catalogue.catalogue import load_catalogue
from credit_model.features.build import build_features
from credit_model.features.definition import FeatureDefinition
from credit_model.foundation.calendar import FOREVER, NO_VALUE, from_days, to_day
from credit_model.ledger import buckets as kept
from credit_model.ledger.ledger import Ledger
from credit_model.visibility.segments import compile_segments
from credit_model.visibility.tables import Segments

SEED, RECORDS = 20261124, 10  # records a person
DAY, USE = "2024-11-24", "2026-11-24"
CATALOGUE = load_catalogue()
KINDS = tuple(CATALOGUE.kinds)[:12]
WINDOWS = (3, 6, 12, 24, 36, 60)


def definitions() -> list[FeatureDefinition]:
    found = []
    for kind in KINDS:
        where = {"kinds": [kind]}
        for months in WINDOWS:
            window = f"{months}m"
            found += [
                FeatureDefinition(name=f"n_{kind}_{window}", aggregate="count", where=where, window=window),
                FeatureDefinition(name=f"s_{kind}_{window}", aggregate="sum", of="amount", where=where, window=window),
            ]
        found.append(FeatureDefinition(name=f"d_{kind}", aggregate="recency_days", where=where, window="ever"))
    return found


def drawn(people: int, rows: int, first: int, seed: int) -> dict[str, Any]:
    """Visible rows of some people, sorted by person; both are skewed."""
    chance = np.random.default_rng(seed)
    share = chance.pareto(1.5, people) + 0.2
    person = np.sort(chance.choice(people, rows, p=share / share.sum())).astype(np.int32)
    return {
        "person": person + first,
        "kind": np.minimum(chance.exponential(3, rows).astype(np.int16), len(KINDS) - 1),
        "decided_on": (to_day("2016-01-01") + chance.integers(0, 3200, rows)).astype(np.int32),
        "delay": chance.integers(0, 60, rows).astype(np.int32),
        "amount": chance.integers(0, 100_000, rows),
    }


def by_duckdb(rows: Path, out: Path) -> dict[str, Any]:
    """One query a kind, each to its own Parquet file."""
    out.mkdir()
    base = duckdb.connect()
    base.execute("SET threads = 2; SET preserve_insertion_order = false")
    began = time.perf_counter()
    for number in range(len(KINDS)):
        parts = []
        for months in WINDOWS:
            inside = f"FILTER (WHERE decided_on >= DATE '{DAY}' - INTERVAL {months} MONTH)"
            parts += [f"count(*) {inside} AS n_{months}", f"sum(amount) {inside} AS s_{months}"]
        base.execute(
            f"COPY (SELECT person, {', '.join(parts)}, DATE '{DAY}' - max(decided_on) AS d FROM '{rows}' WHERE "
            f"kind = {number} AND known_on < DATE '{DAY}' AND decided_on < DATE '{DAY}' GROUP BY person) "
            f"TO '{out}/{number}.parquet' (FORMAT parquet)"
        )
    return {"seconds": time.perf_counter() - began, "peak_gb": peak_kb() / 1e6}


def equal(dataset: Path, peer: Path) -> bool:
    """Whether sums of all counts agree, kind by kind and window by window."""
    base = duckdb.connect()
    for number, kind in enumerate(KINDS):
        ours = ", ".join(f"sum(n_{kind}_{m}m)::BIGINT, sum(s_{kind}_{m}m::DOUBLE)" for m in WINDOWS)
        theirs = ", ".join(f"sum(n_{m})::BIGINT, sum(s_{m}::FLOAT::DOUBLE)" for m in WINDOWS)
        found = base.execute(f"SELECT {ours} FROM '{dataset}/*.parquet'").fetchall()[0]
        if not np.allclose(found, base.execute(f"SELECT {theirs} FROM '{peer}/{number}.parquet'").fetchall()[0]):
            return False
    return True


def visible_rows(blocks: list[dict[str, Any]], path: Path) -> None:
    with pq.ParquetWriter(path, _schema(), compression="zstd") as writer:
        for block in blocks:
            writer.write_table(_visible(block))


def _schema() -> Any:
    fields = {"person": pa.int32(), "kind": pa.int16(), "decided_on": pa.date32(), "known_on": pa.date32()}
    return pa.schema({**fields, "amount": pa.int64()})


def _visible(block: dict[str, Any]) -> Any:
    known = block["decided_on"] + block["delay"]
    columns = [block["person"], block["kind"], block["decided_on"], known, block["amount"]]
    return pa.table(
        [pa.array(column).cast(field.type) for column, field in zip(columns, _schema(), strict=True)], schema=_schema()
    )


def ids(numbers: Any) -> Any:
    return np.char.add("S", np.char.zfill(numbers.astype(str), 8)).astype(object)


@cache
def record_ids(count: int) -> Any:
    return np.array([f"R{n:07d}" for n in range(count)], object)


# ------------------------------------------------------------------------------------------------ compile


def compile_all(ledger: Path) -> dict[str, Any]:
    began = time.perf_counter()
    buckets = Ledger.open(ledger).buckets(USE)
    with ThreadPoolExecutor(2) as pool:
        rows = sum(pool.map(lambda number: len(buckets.open(number)), range(len(buckets))))
    return {
        "seconds": time.perf_counter() - began,
        "segments": rows,
        "buckets": len(buckets),
        "peak_gb": peak_kb() / 1e6,
    }


def stages(ledger: Path) -> dict[str, Any]:
    """Read the ledger's rows, compile them, write buckets: one after the other, on one core, timed apart."""
    buckets = Ledger.open(ledger).buckets(USE)
    spent = dict.fromkeys(("read", "compile", "write"), 0.0)
    for number in range(len(buckets)):
        marks = [time.perf_counter()]
        tables = buckets.finder.tables_between(*buckets.span(number))
        marks.append(time.perf_counter())
        segments = compile_segments(tables, buckets.catalogue, buckets.policy, buckets.day_of_use)
        marks.append(time.perf_counter())
        kept._keep(buckets.folder, buckets.path(number), kept._written(segments))
        marks.append(time.perf_counter())
        for name, took in zip(spent, np.diff(marks), strict=True):
            spent[name] += float(took)
    return spent


def compiling(people: int, folder: Path) -> dict[str, Any]:
    block = drawn(people, people * RECORDS, 0, SEED)
    visible_rows([block], folder / "visible.parquet")
    known = from_days(block["decided_on"] + block["delay"])
    frame = pd.DataFrame(
        {
            "record_id": np.char.add(
                "R", np.char.zfill(np.random.default_rng(1).permutation(len(known)).astype(str), 9)
            ),
            "subject_id": ids(np.arange(people))[block["person"]],
            "kind": np.array(KINDS, object)[block["kind"]],
            "decided_on": from_days(block["decided_on"]),
            "known_on": known,
            "amount": block["amount"],
            "tier": "general",
        }
    )
    ledger = Ledger.create(folder / "ledger")
    began = time.perf_counter()
    for start in range(0, len(frame), 2_500_000):
        ledger.ingest(records=frame.iloc[start : start + 2_500_000])
    ingested = time.perf_counter() - began
    del frame, ledger, block
    ours = in_own_process(__file__, "_compile", folder / "ledger")
    again = in_own_process(__file__, "_compile", folder / "ledger")
    one_core = in_own_process(__file__, "_stages", folder / "ledger")
    peer = in_own_process(__file__, "_duckdb", folder / "visible.parquet", folder / "peer")
    return {
        "records": people * RECORDS,
        "ingest_seconds": ingested,
        "compile": ours,
        "read_again": again,
        "one_core_seconds": one_core,
        "duckdb": peer,
        "compiling_alone_over_duckdb": one_core["compile"] / peer["seconds"],
        "all_of_it_over_duckdb": ours["seconds"] / peer["seconds"],
    }


# ------------------------------------------------------------------------------------------------ build


def build(ledger: Path, people: int, out: Path) -> dict[str, Any]:
    rows = pd.DataFrame(
        {"subject_id": pd.Series(pq.read_table(ledger / "people.parquet")["subject_id"].to_pandas()), "as_of": DAY}
    )
    before = peak_kb() / 1e6
    began = time.perf_counter()
    build_features(Ledger.open(ledger), rows, definitions(), out=out, day_of_use=USE)
    return {"seconds": time.perf_counter() - began, "peak_gb": peak_kb() / 1e6, "with_observations_gb": before}


def building(people: int, folder: Path) -> dict[str, Any]:
    ledger = Ledger.create(folder / "ledger")
    buckets = ledger.buckets(USE)
    each = kept.ROWS // RECORDS
    starts = list(range(0, people, each))
    bounds = [f"S{start:08d}" for start in starts[1:]]
    (folder / "ledger" / "cache").mkdir(exist_ok=True)
    place = folder / "ledger" / "cache" / f"{buckets.name}.bounds"
    kept._keep(folder / "ledger", place, [json.dumps(bounds).encode()])
    cut = ledger.buckets(USE)
    with pq.ParquetWriter(folder / "visible.parquet", _schema(), compression="zstd") as writer:
        for number, start in enumerate(starts):
            here = min(each, people - start)
            block = drawn(here, here * RECORDS, start, SEED + number)
            writer.write_table(_visible(block))
            kept._keep(folder / "ledger", cut.path(number), kept._written(_segments(block, start, here)))
    pq.write_table(pa.table({"subject_id": [f"S{n:08d}" for n in range(people)]}), folder / "ledger" / "people.parquet")
    size = sum(file.stat().st_size for file in (folder / "ledger" / "cache").iterdir())
    ours = in_own_process(__file__, "_build", folder / "ledger", people, folder / "city")
    peer = in_own_process(__file__, "_duckdb", folder / "visible.parquet", folder / "peer")
    return {
        "people": people,
        "records": people * RECORDS,
        "buckets_gb": size / 1e9,
        "build": ours,
        "dataset_gb": sum(file.stat().st_size for file in (folder / "city").iterdir()) / 1e9,
        "duckdb": peer,
        "equal": equal(folder / "city", folder / "peer"),
        "duckdb_over_build": peer["seconds"] / ours["seconds"],
    }


def _segments(block: dict[str, Any], first: int, people: int) -> Segments:
    count = len(block["person"])
    start = block["decided_on"] + block["delay"] + 1
    none = np.zeros(count, np.int8)
    types = {"int": np.int64, "date": np.int32, "text": np.int32}
    empty = {"int": np.iinfo(np.int64).min, "date": np.iinfo(np.int32).min, "text": -1}
    held = CATALOGUE.attribute_types.items()
    return Segments(
        subject_ids=ids(np.arange(first, first + people)),
        record_ids=record_ids(count),
        case_ids=record_ids(count),
        kind_codes=tuple(CATALOGUE.kinds),
        vocabularies={name: () for name, type in held if type == "text"},
        subject=(block["person"] - first).astype(np.int32),
        record=np.arange(count, dtype=np.int32),
        start=start,
        end=np.full(count, FOREVER, np.int32),
        status=none, role=none, kind=block["kind"], tier=none,
        decided_on=block["decided_on"], occurred_on=block["decided_on"], visible_from=start, known_on=start - 1,
        amount=block["amount"], hours=none.astype(np.int64), outstanding=block["amount"], performed=none,
        case=np.arange(count, dtype=np.int32), seq=np.full(count, NO_VALUE),
        attributes={name: np.full(count, empty[type], types[type]) for name, type in held},
    )  # fmt: skip


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1].startswith("_"):
        words = sys.argv[2:]
        steps = {
            "_compile": lambda: compile_all(Path(words[0])),
            "_stages": lambda: stages(Path(words[0])),
            "_build": lambda: build(Path(words[0]), int(words[1]), Path(words[2])),
            "_duckdb": lambda: by_duckdb(Path(words[0]), Path(words[1])),
        }
        print(json.dumps(steps[sys.argv[1]]()))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["compile", "build"])
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="city-"))
    try:
        found = {"day": str(date.today()), **(compiling if given.what == "compile" else building)(given.people, folder)}
    finally:
        shutil.rmtree(folder)
    if given.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<20} {value}")


if __name__ == "__main__":
    main()
