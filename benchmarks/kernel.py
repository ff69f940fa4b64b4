"""The kernel beside DuckDB, polars, pandas and featuretools, in one run, each step in a process of its own.

The peers get the rows that are visible, ready made, with the first day of every window worked out; the kernel gets
segments, of which it has to find those in force. Everything else is alike: one file sorted by person, reading included,
the result in memory. Times are by the wall, best of ``--repeat``; `scan` is DuckDB summing the columns the kernel reads.

    python benchmarks/kernel.py --people 100000
    python benchmarks/kernel.py --people 1000000 --section one_date four_dates --json

featuretools 1.31 runs with neither pandas 3 nor setuptools 81: FEATURETOOLS_PYTHON names an interpreter that has it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from harness import in_own_process, lines, memory_mb, peak_kb, timed

from credit_model.catalogue.catalogue import load_catalogue
from credit_model.features.batching import run
from credit_model.features.definition import FeatureDefinition
from credit_model.features.kernel import compute
from credit_model.features.program import columns_read, program_of
from credit_model.foundation.calendar import FOREVER, to_day, window_start
from credit_model.visibility.tables import Segments

CATALOGUE = load_catalogue()
KINDS = tuple(CATALOGUE.kinds)
DOMAINS, MONTHS = KINDS[:12], (3, 6, 12, 24, 36, 60)
DAY = to_day("2024-11-24")
FIRST, LAST = to_day("2017-01-01"), to_day("2024-10-01")
NOT_FINAL = 11
PIECES = 32  # row groups of a file, people by people
SECTIONS = ("one_date", "four_dates", "featuretools", "slope", "start", "cases")


def definitions(
    kinds: tuple[str, ...] = DOMAINS, months: tuple[int, ...] = MONTHS, per: str = "record"
) -> list[FeatureDefinition]:
    """For each kind: records and their amount in every window, and days since the last."""
    made = []
    for kind in kinds:
        where = {"kinds": [kind]}
        for m in months:
            said: dict[str, Any] = {"where": where, "window": f"{m}m", "per": per}
            made.append(FeatureDefinition(name=f"n_{kind}_{m}", aggregate="count", **said))
            made.append(FeatureDefinition(name=f"s_{kind}_{m}", aggregate="sum", of="amount", **said))
        made.append(FeatureDefinition(name=f"d_{kind}", aggregate="recency_days", where=where))
    return made


# ------------------------------------------------------------------------------------------------ data
def make(people: int, each: int = 10, kinds: int = 12, seed: int = 1) -> dict[str, np.ndarray]:
    """Segments sorted by person: few people with many records, few kinds with most; three of ten not final at first."""
    rng = np.random.default_rng(seed)
    records = people * each
    weight = rng.pareto(1.5, people) + 0.2
    subject = np.sort(rng.choice(people, records, p=weight / weight.sum()))
    share = 1 / np.arange(1, kinds + 1)
    kind = rng.choice(kinds, records, p=share / share.sum())
    decided = rng.integers(FIRST, LAST, records)
    start = decided + rng.integers(1, 60, records)
    final = np.where(rng.random(records) < 0.3, start + 180, start)
    amount = rng.integers(0, 100_000, records)
    waits = np.flatnonzero(final > start)
    order = np.argsort(np.concatenate([waits * 2, np.arange(records) * 2 + 1]), kind="stable")

    def both(first: Any, then: Any) -> np.ndarray:
        return np.concatenate([np.broadcast_to(first, len(waits)), np.broadcast_to(then, records)])[order]

    return {
        "subject": both(subject[waits], subject).astype(np.int32),
        "start": both(start[waits], final).astype(np.int32),
        "end": both(final[waits], FOREVER).astype(np.int32),
        "status": both(NOT_FINAL, 0).astype(np.int8),
        "kind": both(kind[waits], kind).astype(np.int16),
        "decided_on": both(decided[waits], decided).astype(np.int32),
        "amount": both(amount[waits], amount).astype(np.int64),
    }


def write(folder: Path, people: int) -> None:
    """``segments``, ``visible`` at DAY, ``in_force`` at some time, and four days of their own for everyone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def put(name: str, table: dict[str, np.ndarray]) -> None:
        schema = pa.table(table).schema
        with pq.ParquetWriter(folder / f"{name}.parquet", schema, compression="lz4", use_dictionary=False) as writer:
            cuts = np.searchsorted(table["subject"], np.linspace(0, people, PIECES + 1).astype(int))
            for low, high in pairwise(cuts.tolist()):
                piece = {column: values[low:high] for column, values in table.items()}
                writer.write_table(pa.table(piece, schema=schema), row_group_size=max(high - low, 1))

    rows = make(people)
    put("segments", rows)
    in_force = {
        name: rows[name][rows["status"] == 0] for name in ("subject", "start", "end", "kind", "decided_on", "amount")
    }
    put("in_force", in_force)
    seen = (in_force["start"] <= DAY) & (in_force["decided_on"] < DAY)
    put("visible", {name: in_force[name][seen] for name in ("subject", "kind", "decided_on", "amount")})
    days = np.random.default_rng(2).integers(to_day("2020-01-01"), DAY, (people, 4))
    days = np.sort(days, axis=1) + np.arange(4)  # four different ones
    own = {"subject": np.repeat(np.arange(people, dtype=np.int32), 4), "as_of": days.ravel().astype(np.int32)}
    begins = {f"b{m}": window_start(own["as_of"].astype(np.int64) - 1, "months", m).astype(np.int32) for m in MONTHS}
    put("panel", {**own, **begins})


def segments_of(columns: dict[str, np.ndarray], people: int) -> Segments:
    """Segments with nothing in them but the columns given."""
    absent: Any = np.zeros(0, np.int8)
    unread = (
        "record",
        "role",
        "tier",
        "occurred_on",
        "visible_from",
        "known_on",
        "hours",
        "outstanding",
        "performed",
        "seq",
        "case",
    )
    return Segments(
        subject_ids=np.broadcast_to(np.array("", object), (people,)),
        record_ids=absent,
        case_ids=absent,
        kind_codes=KINDS,
        vocabularies={},
        attributes={},
        **(dict.fromkeys(unread, absent) | columns),
    )


def read(file: Any, piece: int, names: list[str]) -> dict[str, np.ndarray]:
    """Columns of a row group."""
    table = file.read_row_group(piece, columns=names, use_threads=False)
    return {name: table[name].combine_chunks().to_numpy() for name in names}


# ------------------------------------------------------------------------------------------------ ours
def ours(folder: Path, people: int, repeat: int, own: bool, engine: str) -> dict[str, Any]:
    """Read a row group (some of the people) and compute it, on both cores; the pass is loaded before."""
    import pyarrow.parquet as pq

    wanted = definitions()
    program = program_of(wanted, CATALOGUE)
    compute(segments_of(make(100), 100), [0], [DAY], wanted, CATALOGUE, engine)
    before, names = memory_mb(), ["subject", *columns_read(wanted, CATALOGUE)]
    cuts = np.linspace(0, people, PIECES + 1).astype(int).tolist()
    each = 4 if own else 1
    reading = [0.0] * PIECES

    def do() -> np.ndarray:
        values = np.empty((len(wanted), people * each), np.float32).T

        def one(piece: int) -> None:
            low, high = cuts[piece : piece + 2]
            began = time.perf_counter()
            with pq.ParquetFile(folder / "segments.parquet") as file:
                columns = read(file, piece, names)
            asked, days = np.arange(high - low), np.full(high - low, DAY)
            if own:
                with pq.ParquetFile(folder / "panel.parquet") as file:
                    asked, days = read(file, piece, ["subject", "as_of"]).values()
                asked = asked - low
            columns["subject"] = columns["subject"] - np.int32(low)
            reading[piece] = time.perf_counter() - began
            run(program, segments_of(columns, high - low), asked, days, engine, values[low * each : high * each], 1)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(one, range(PIECES)))
        return values

    wall, processor, values = timed(do, repeat)
    peak, result = peak_kb() / 1024, values.nbytes / 2**20
    return {
        "s": wall, "processor_s": processor, "reading_s_of_both": sum(reading), "result_mb": result, "peak_mb": peak,
        "over_result_mb": peak - result, "of_which_before_mb": before, **sums(values),
    }  # fmt: skip


def sums(values: np.ndarray) -> dict[str, Any]:
    """Return what two results of equal values have in common: for each column the sum and the rows that are not none."""
    totals = [[float(np.nansum(column, dtype=np.float64)), int(np.isfinite(column).sum())] for column in values.T]
    return {"sums": totals}


# ------------------------------------------------------------------------------------------------ peers
def duck(folder: Path) -> Any:
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 2; SET preserve_insertion_order = false")
    for name in ("segments", "visible", "in_force", "panel"):
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM '{folder}/{name}.parquet'")
    return connection


def scan(folder: Path, own: bool, repeat: int) -> dict[str, Any]:
    """DuckDB sums every column the kernel reads."""
    connection = duck(folder)
    names = ["subject", *columns_read(definitions(), CATALOGUE)]
    summed = ", ".join(f'sum("{name}")' for name in names)
    queries = [f"SELECT {summed} FROM segments"]
    if own:
        queries.append("SELECT sum(subject), sum(as_of) FROM panel")
    wall, processor, _ = timed(lambda: [connection.execute(query).fetchall() for query in queries], repeat)
    return {"s": wall, "processor_s": processor}


def aggregates(kind: int, own: bool, prefix: str = "") -> Iterator[str]:
    """Write the 13 aggregates of a kind in SQL; ``prefix`` names the kind within them, for one pass over all."""
    begins = {m: int(window_start(np.array([DAY - 1]), "months", m)[0]) for m in MONTHS}
    for m in MONTHS:
        inside = f"{prefix}decided_on >= {f'b{m}' if own else begins[m]}"
        yield f"count(*) FILTER ({inside}) AS n_{kind}_{m}"
        yield f"sum(amount) FILTER ({inside}) AS s_{kind}_{m}"
    last = f"max(decided_on) FILTER (kind = {kind})" if prefix else "max(decided_on)"
    yield f"{last} AS d_{kind}"


def duckdb_by_domain(folder: Path, own: bool, repeat: int, check: bool = False) -> dict[str, Any]:
    """One query for each kind, 13 aggregates each, every result an Arrow table."""
    connection = duck(folder)
    queries = []
    for kind in range(len(DOMAINS)):
        listed = ", ".join(aggregates(kind, own))
        if own:
            queries.append(
                f"SELECT p.subject, p.as_of, {listed} FROM panel p JOIN in_force v ON p.subject = v.subject "
                f'WHERE kind = {kind} AND start <= as_of AND as_of < "end" AND decided_on < as_of GROUP BY p.subject, p.as_of'
            )
        else:
            queries.append(f"SELECT subject, {listed} FROM visible WHERE kind = {kind} GROUP BY subject")
    wall, processor, tables = timed(lambda: [connection.sql(q).to_arrow_table() for q in queries], repeat)
    figures = {
        "s": wall,
        "processor_s": processor,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    return figures | (totals_of(tables, own) if check else {})


def totals_of(tables: list[Any], own: bool) -> dict[str, Any]:
    """Sum the kernel's columns of the peers' tables: none is 0, days since the last are counted from the day."""
    totals = []
    for kind, table in enumerate(tables):
        day = table["as_of"].to_numpy() if own else DAY
        for m in MONTHS:
            for name in (f"n_{kind}_{m}", f"s_{kind}_{m}"):
                column = table[name].to_numpy().astype(np.float64)
                totals.append([float(np.nansum(column.astype(np.float32), dtype=np.float64)), -1])
        since = (day - table[f"d_{kind}"].to_numpy()).astype(np.float64)
        totals.append([float(since.sum()), len(since)])
    return {"sums": totals}


def duckdb_one_pass(folder: Path, repeat: int) -> dict[str, Any]:
    """All 156 aggregates in one query."""
    connection = duck(folder)
    listed = ", ".join(a for kind in range(len(DOMAINS)) for a in aggregates(kind, False, f"kind = {kind} AND "))
    query = f"SELECT subject, {listed} FROM visible GROUP BY subject"
    wall, processor, _ = timed(lambda: connection.sql(query).to_arrow_table(), repeat)
    return {"s": wall, "processor_s": processor, "peak_mb": peak_kb() / 1024}


def polars_one_pass(folder: Path, repeat: int) -> dict[str, Any]:
    """All 156 aggregates in one streaming query."""
    import polars as pl

    day = np.array([DAY - 1])
    asked: list[Any] = []
    for kind in range(len(DOMAINS)):
        of_kind = pl.col("kind") == kind
        for m in MONTHS:
            inside = of_kind & (pl.col("decided_on") >= int(window_start(day, "months", m)[0]))
            asked += [inside.sum().alias(f"n_{kind}_{m}"), pl.col("amount").filter(inside).sum().alias(f"s_{kind}_{m}")]
        asked.append(pl.col("decided_on").filter(of_kind).max().alias(f"d_{kind}"))
    query = pl.scan_parquet(folder / "visible.parquet").group_by("subject").agg(asked)
    wall, processor, _ = timed(lambda: query.collect(engine="streaming"), repeat)
    return {"s": wall, "processor_s": processor, "peak_mb": peak_kb() / 1024}


def pandas_by_feature(folder: Path, people: int, repeat: int) -> dict[str, Any]:
    """Group by each kind and window, and put the groups into a matrix."""
    import pandas as pd

    def do() -> np.ndarray:
        rows = pd.read_parquet(folder / "visible.parquet")
        values = np.zeros((len(DOMAINS) * (2 * len(MONTHS) + 1), people), np.float32)
        at = 0
        for kind in range(len(DOMAINS)):
            own = rows[rows["kind"] == kind]
            for m in MONTHS:
                inside = own[own["decided_on"] >= int(window_start(np.array([DAY - 1]), "months", m)[0])]
                grouped = inside.groupby("subject", sort=False)["amount"].agg(["size", "sum"])
                values[at, grouped.index], values[at + 1, grouped.index] = grouped["size"], grouped["sum"]
                at += 2
            last = own.groupby("subject", sort=False)["decided_on"].max()
            values[at, last.index] = DAY - last
            at += 1
        return values

    wall, processor, _ = timed(do, repeat)
    return {"s": wall, "processor_s": processor, "peak_mb": peak_kb() / 1024}


def with_featuretools(folder: Path, repeat: int, interpreter: str | None) -> dict[str, Any]:
    """5,000 people, 50,000 records, 4 aggregates, a day of its own for each person; values compared one by one."""
    import pandas as pd

    people = 5_000
    rows = make(people)
    kept = rows["status"] == 0
    rows = {name: column[kept] for name, column in rows.items()}
    days = np.random.default_rng(4).integers(to_day("2020-01-01"), DAY, people)
    wanted = [
        FeatureDefinition(name=how, aggregate=how, of=None if how == "count" else "amount")
        for how in ("count", "sum", "max", "mean")
    ]

    def do() -> np.ndarray:
        return compute(segments_of(rows, people), np.arange(people), days, wanted, CATALOGUE, "numba")

    do()
    wall, _, found = timed(do, 5 * repeat)
    if interpreter is None:
        return {"s": wall, "not run": "featuretools needs pandas<3 and setuptools<81: name an interpreter of its own"}
    records = pd.DataFrame({"person": rows["subject"], "amount": rows["amount"]})
    records["known"] = pd.to_datetime(rows["start"], unit="D")
    records.to_parquet(folder / "records.parquet")
    pd.DataFrame({"person": np.arange(people), "time": pd.to_datetime(days, unit="D")}).to_parquet(
        folder / "cutoff.parquet"
    )
    command = [interpreter, "-W", "ignore", "-c", FEATURETOOLS, str(folder)]
    slow = float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()[-1])
    table = pd.read_parquet(folder / "theirs.parquet").loc[np.arange(people)]
    names = ("COUNT(records)", "SUM(records.amount)", "MAX(records.amount)", "MEAN(records.amount)")
    theirs = np.column_stack([table[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in names]).astype(
        np.float32
    )
    equal = (found == theirs) | (np.isnan(found) & np.isnan(theirs))
    return {"s": wall, "featuretools_s": slow, "times_faster": slow / wall, "unequal_values": int((~equal).sum())}


# A record may be used from the start of the day it is visible on; featuretools takes what is at or before the cut-off.
FEATURETOOLS = """
import sys, time
import featuretools as ft, pandas as pd
folder = sys.argv[1]
records, cutoff = (pd.read_parquet(f"{folder}/{name}.parquet") for name in ("records", "cutoff"))
entities = ft.EntitySet("register")
entities.add_dataframe(dataframe_name="people", dataframe=cutoff[["person"]].copy(), index="person")
entities.add_dataframe(dataframe_name="records", dataframe=records.reset_index(names="record"), index="record", time_index="known")
entities.add_relationship("people", "person", "records", "person")
start = time.perf_counter()
table, _ = ft.dfs(entityset=entities, target_dataframe_name="people", cutoff_time=cutoff, trans_primitives=[], max_depth=1,
                  agg_primitives=["count", "sum", "max", "mean"])
taken = time.perf_counter() - start
pd.DataFrame(table).astype("float64").to_parquet(f"{folder}/theirs.parquet")
print(taken)
"""


# ------------------------------------------------------------------------------------------------ slope, start
def slope(people: int) -> dict[str, Any]:
    """Log-log slope of the processor time against records (more people; more records a person) and features."""

    def cost(count: int, each: int, wanted: list[FeatureDefinition], kinds: int) -> float:
        segments = segments_of(make(count, each, kinds), count)
        asked, days = np.arange(count), np.full(count, DAY)
        compute(segments, asked, days, wanted, CATALOGUE, "numba")
        return timed(lambda: compute(segments, asked, days, wanted, CATALOGUE, "numba"), 5).processor

    usual, steps = definitions(), (1, 2, 4, 8, 16)
    series = {
        "people": {n: cost(people * n // 16, 10, usual, 12) for n in steps},
        "records_a_person": {n: cost(people // 16, 10 * n, usual, 12) for n in steps},
        "features_by_kind": {n: cost(people // 4, 10, definitions(KINDS[: 3 * n]), 24) for n in steps[:4]},
        "features_by_window": {
            n: cost(people // 4, 10, definitions(DOMAINS, tuple(range(3, 3 + 3 * n))), 12) for n in steps[:4]
        },
    }
    slopes = {
        name: float(np.polyfit(np.log(list(taken)), np.log(list(taken.values())), 1)[0])
        for name, taken in series.items()
    }
    return {"processor_s": series, "slope": slopes, "greatest": max(slopes.values())}


def cases(people: int, share: float, repeat: int) -> dict[str, Any]:
    """Count by case and by record in turn, where a share of the records join the case of the person's record before."""
    rows, rng = make(people), np.random.default_rng(3)
    is_last = rows["end"] == FOREVER
    record, subject = np.cumsum(is_last) - is_last, rows["subject"][is_last]
    case = np.arange(len(subject))
    joins = np.flatnonzero(rng.random(len(case) - 1) < share) + 1
    joins = joins[subject[joins] == subject[joins - 1]]
    case[joins] = case[joins - 1]
    segments = segments_of({**rows, "case": rng.permutation(len(case))[case][record].astype(np.int32)}, people)
    asked, days = np.arange(people), np.full(people, DAY)
    wanted = {per: definitions(per=per) for per in ("record", "case")}
    best, values = dict.fromkeys(wanted, float("inf")), {}
    for _ in range(max(repeat, 3) + 1):  # the first loads the pass
        for per, features in wanted.items():
            began = time.process_time()
            values[per] = compute(segments, asked, days, features, CATALOGUE, "numba")
            best[per] = min(best[per], time.process_time() - began)
    differ = (values["record"] != values["case"]) & ~np.isnan(values["record"])
    return {
        "records that join a case": len(joins),
        "share of values that differ": float(differ.mean()),
        "by record, processor s": best["record"],
        "by case, processor s": best["case"],
        "by case to by record": best["case"] / best["record"],
    }


def start() -> dict[str, Any]:
    """Measure what loading costs: the first compilation, the compiled pass from disk, and numpy alone, on 100 people."""
    program = (
        "import time, numpy as np, sys; sys.path.insert(0, sys.argv[1]); import kernel as k\n"
        "s = k.segments_of(k.make(100), 100); w = k.definitions()\n"
        "k.compute(s, [0], [k.DAY], w, k.CATALOGUE, 'numpy')\n"
        "t = time.perf_counter(); k.compute(s, [0], [k.DAY], w, k.CATALOGUE, sys.argv[2]); print(time.perf_counter() - t)"
    )
    with tempfile.TemporaryDirectory() as cache:
        cold = {**os.environ, "NUMBA_CACHE_DIR": cache}
        taken = {}
        for name, engine in (("compiled_s", "numba"), ("from_disk_s", "numba"), ("numpy_s", "numpy")):
            command = [sys.executable, "-c", program, str(Path(__file__).parent), engine]
            taken[name] = float(subprocess.run(command, env=cold, capture_output=True, text=True, check=True).stdout)
    return taken


# ------------------------------------------------------------------------------------------------ all of it
STEPS: dict[str, Callable[[Path, int, int], dict[str, Any]]] = {
    "one_date:scan": lambda f, n, r: scan(f, False, r),
    "one_date:kernel": lambda f, n, r: ours(f, n, r, False, "numba"),
    "one_date:kernel, numpy alone": lambda f, n, r: ours(f, n, 1, False, "numpy"),
    "one_date:DuckDB, a query a kind": lambda f, n, r: duckdb_by_domain(f, False, r, check=True),
    "one_date:DuckDB, one query": lambda f, n, r: duckdb_one_pass(f, 1),
    "one_date:polars": lambda f, n, r: polars_one_pass(f, 1),
    "one_date:pandas": lambda f, n, r: pandas_by_feature(f, n, 1),
    "four_dates:scan": lambda f, n, r: scan(f, True, r),
    "four_dates:kernel": lambda f, n, r: ours(f, n, r, True, "numba"),
    "four_dates:DuckDB, a query a kind": lambda f, n, r: duckdb_by_domain(f, True, 1, check=True),
    "featuretools:": lambda f, n, r: with_featuretools(f, r, os.environ.get("FEATURETOOLS_PYTHON")),
    "slope:": lambda f, n, r: slope(min(n, 320_000)),
    "start:": lambda f, n, r: start(),
    "cases:one record of fifty": lambda f, n, r: cases(n, 0.02, r),
    "cases:one record of ten": lambda f, n, r: cases(n, 0.1, r),
}


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--section", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--folder", type=Path, help="where the tables are, or are put; a temporary one without it")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if asked.step:
        print(json.dumps(STEPS[asked.step](asked.folder, asked.people, asked.repeat)))
        return 0
    figures: dict[str, dict[str, Any]] = {section: {} for section in asked.section}
    with tempfile.TemporaryDirectory() as made:
        folder = asked.folder or Path(made)
        if {"one_date", "four_dates"} & set(asked.section) and not (folder / "panel.parquet").exists():
            write(folder, asked.people)
        for step in STEPS:
            section, _, name = step.partition(":")
            if section in asked.section:
                options = ("--folder", folder, "--people", asked.people, "--repeat", asked.repeat)
                taken = in_own_process(__file__, "--step", step, *options)
                figures[section] |= {name: taken} if name else taken
    for section in figures.keys() & {"one_date", "four_dates"}:
        figures[section]["ratios"] = ratios(figures[section])
    if "one_date" in figures and "four_dates" in figures:
        figures["four_dates"]["ratios"]["of one date"] = (
            figures["four_dates"]["kernel"]["s"] / figures["one_date"]["kernel"]["s"]
        )
    figures |= {"people": asked.people} if asked.json else {}  # type: ignore[dict-item]
    print(json.dumps(figures) if asked.json else "\n".join(lines(figures)))
    return 0


def ratios(steps: dict[str, Any]) -> dict[str, Any]:
    """Compare the kernel with the scan, each peer against the kernel; whether DuckDB's values are the kernel's."""
    own = steps["kernel"]["s"]
    found: dict[str, Any] = {"kernel to scan": own / steps["scan"]["s"]}
    found |= {f"{name} to kernel": step["s"] / own for name, step in steps.items() if name not in ("scan", "kernel")}
    theirs, mine = steps["DuckDB, a query a kind"].pop("sums"), steps["kernel"].pop("sums")
    steps.get("kernel, numpy alone", {}).pop("sums", None)
    same = [t == m and n in (-1, k) for (t, n), (m, k) in zip(theirs, mine, strict=True)]
    return found | {"columns unequal to DuckDB's": same.count(False)}


if __name__ == "__main__":
    sys.exit(main())
