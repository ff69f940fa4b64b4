"""Random deliveries for tests of the ledger: a few families, cut into pieces, in parts so small that all code runs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_visibility_naive import TRIAL, pool_of, random_ledger

from credit_model.ledger import parts, sources, transaction
from credit_model.ledger.ledger import Ledger
from credit_model.visibility.segments import compile_segments
from credit_model.visibility.tables import Segments, Tables

TABLES = ("records", "amendments", "subjects")
Rows = dict[str, list[dict[str, Any]]]


def random_rows(rng: random.Random, families: int) -> Rows:
    """Rows of some families; records move between all their members."""
    pool, rows = pool_of(rng), {table: [] for table in TABLES}
    for n in range(families):
        family = random_ledger(rng, pool, f"family{n:02d}")
        rows["records"] += [{**row, "source": rng.choice(["court", None])} for row in family.records]
        rows["subjects"] += family.subjects
        rows["amendments"] += [{k: v for k, v in row.items() if k != "facts"} for row in family.amendments]
    people = sorted({row["subject_id"] for row in rows["subjects"] + rows["records"]})
    for record in rows["records"]:
        for _ in range(rng.choice([0, 0, 0, 1, 2, 3])):
            rows["amendments"].append(
                {"record_id": record["record_id"], "action": "moved_to_subject", "effective_on": rng.choice(pool),
                 "known_on": rng.choice(pool), "seq": rng.randrange(10**9), "value": rng.choice(people)}
            )  # fmt: skip
    rng.shuffle(rows["records"])
    return rows


def people_of(rows: Rows) -> list[str]:
    """Everybody who is named."""
    moved = [row["value"] for row in rows["amendments"] if row["action"] == "moved_to_subject"]
    return sorted({*moved, *(row["subject_id"] for row in rows["records"] + rows["subjects"])})


def pieces(rng: random.Random, rows: Rows, n: int) -> list[Rows]:
    """The rows as n deliveries; a row may come later than one that speaks of it."""
    cut: list[Rows] = [{table: [] for table in TABLES} for _ in range(n)]
    for table in TABLES:
        for row in rows[table]:
            rng.choice(cut)[table].append(row)
    return [piece for piece in cut if any(piece.values())]


def deliver(ledger: Ledger, piece: Rows) -> Any:
    """Ingest one delivery."""
    return ledger.ingest(**{table: pd.DataFrame(rows, dtype=object) for table, rows in piece.items() if rows})


def made(folder: Path, *deliveries: Rows) -> Ledger:
    """A ledger of the trial catalogue with these deliveries."""
    ledger = Ledger.create(folder, TRIAL)
    for piece in deliveries:
        deliver(ledger, piece)
    return ledger


@contextmanager
def small_parts(most: int = 3) -> Iterator[None]:
    """Batches of five rows, parts of twelve, row groups of two, four that are few: as in a large ledger, in small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_ROW_GROUP", 2)
        for module in (parts, transaction):
            patch.setattr(module, "SMALL_ROWS", 4)
        patch.setattr(transaction, "PART_ROWS", 12)
        patch.setattr(sources, "BATCH_ROWS", 5)
        patch.setattr(transaction, "MAX_UNMERGED", most)
        yield


def rows_of(tables: Tables, *left_out: str) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of three tables in an order that depends on nothing else."""
    found = {}
    for name in TABLES:
        columns = {
            column: values.tolist() for column, values in getattr(tables, name).items() if column not in left_out
        }
        found[name] = sorted(zip(*columns.values(), strict=True), key=repr)
    return found


def compiled(ledger: Ledger, tables: Tables, day_of_use: int = 20_000) -> Segments:
    """Segments of some rows."""
    return compile_segments(tables, ledger.catalogue, ledger.policy, day_of_use)


def file_of(segments: Segments, subject_id: str) -> list[tuple[Any, ...]]:
    """The file of one person through time, in words: no code depends on who else is there."""
    own = segments.select([subject_id])
    columns = [
        own.record_ids[own.record], own.start, own.end, own.status, own.role, own.kind, own.tier, own.decided_on,
        own.occurred_on, own.visible_from, own.known_on, own.amount, own.hours, own.outstanding, own.performed,
        own.case_ids[own.case],
    ]  # fmt: skip
    for name, values in own.attributes.items():
        words = own.vocabularies.get(name)
        columns.append(
            values if words is None else [*words, None] and [[*words, None][code] for code in values.tolist()]
        )
    return list(zip(*(list(column) for column in columns), strict=True))
