"""The engine behind the kernel: the program it makes, the columns it reads, and what it loads."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_model import UserError
from credit_model.catalogue.catalogue import load_catalogue
from credit_model.features import batching as blocks
from credit_model.features.batching import run
from credit_model.features.definition import FeatureDefinition
from credit_model.features.dictionary import library
from credit_model.features.kernel import compute
from credit_model.features.program import columns_read, program_of
from credit_model.foundation.calendar import add_months, to_day, window_start
from credit_model.visibility.segments import compile_segments
from credit_model.visibility.tables import Segments, Tables

CATALOGUE = load_catalogue()
ENGINES = ("numpy", "numba", "python")
HONOURS = FeatureDefinition(name="honours", aggregate="count", where={"kinds": ["honour"]}, window="60m")


def city(people: int, seed: int = 1) -> Segments:
    """Files of honours and penalties, some empty."""
    rng = np.random.default_rng(seed)
    rows = people * 3
    decided = to_day("2021-01-01") + rng.integers(0, 1400, rows)
    records = {
        "record_id": [f"r{i:06}" for i in range(rows)],
        "subject_id": [f"p{i:05}" for i in rng.integers(0, people, rows)],
        "kind": rng.choice(["honour", "adm_penalty", "volunteer_service"], rows),
        "decided_on": decided.astype(np.int32),
        "known_on": (decided + rng.integers(0, 60, rows)).astype(np.int32),
        "tier": rng.choice(["minor", "general", "serious"], rows),
        "amount": rng.integers(0, 1000, rows),
        "hours": rng.integers(0, 90, rows),
    }
    tables = Tables.of(records, attribute_types=CATALOGUE.attribute_types)
    return compile_segments(tables, CATALOGUE, "tier", to_day("2026-11-24"))


@given(st.integers(-4000, 30_000), st.integers(1, 80))
def test_the_lowest_day_of_a_window_is_the_first_that_has_not_run_out(until: int, months: int) -> None:
    low = int(window_start(np.array([until]), "months", months)[0])
    assert add_months(low, months) > until >= add_months(low - 1, months)


@pytest.mark.parametrize("until", ["2023-02-28", "2024-02-28", "2024-02-29", "2024-04-30", "2024-12-31"])
@pytest.mark.parametrize("months", [1, 2, 6, 10, 12, 48])
def test_the_lowest_day_is_exact_at_month_ends(until: str, months: int) -> None:
    day = to_day(until)
    low = int(window_start(np.array([day]), "months", months)[0])
    assert add_months(low, months) > day >= add_months(low - 1, months)


def test_a_window_more_costs_no_group_more() -> None:
    def groups(windows: int) -> int:
        wanted = [replace(HONOURS, name=f"n{n}", window=f"{n}m") for n in range(1, windows + 1)]
        return len(program_of(wanted, CATALOGUE).groups)

    assert groups(1) == groups(60) == 1


def test_what_is_not_among_the_columns_read_is_not_read() -> None:
    segments = city(50)
    wanted = [*library(), HONOURS]
    read = columns_read(wanted, CATALOGUE)
    unread = {
        f.name: np.zeros(0, object)
        for f in fields(Segments)
        if f.name not in (*read, "subject", "subject_ids", "kind_codes", "vocabularies", "attributes")
    }
    bare = replace(segments, **unread, attributes={name: v for name, v in segments.attributes.items() if name in read})
    people = np.arange(len(segments.subject_ids))
    days = np.full(len(people), to_day("2024-06-30"))
    np.testing.assert_array_equal(
        compute(bare, people, days, wanted, CATALOGUE), compute(segments, people, days, wanted, CATALOGUE)
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_few_of_many_people_in_any_order_and_often_are_who_they_are(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = city(400)
    rng = np.random.default_rng(2)
    everyone = np.arange(-1, len(segments.subject_ids))
    day = to_day("2024-06-30")
    whole = compute(segments, everyone, np.full(len(everyone), day), library(), CATALOGUE, "numpy")
    monkeypatch.setattr(blocks, "_LINES", 200)
    for asked in (rng.choice(everyone, 12), rng.choice(everyone, 900), everyone[::-1], np.array([7, 7, 300, -1])):
        found = compute(segments, asked, np.full(len(asked), day), library(), CATALOGUE, engine)
        np.testing.assert_array_equal(found, whole[asked + 1])


@pytest.mark.parametrize("engine", ENGINES)
def test_own_days_are_what_each_day_alone_gives(engine: str) -> None:
    segments = city(60)
    rng = np.random.default_rng(3)
    asked = np.repeat(np.arange(len(segments.subject_ids)), 4)
    days = rng.integers(to_day("2021-06-01"), to_day("2026-06-01"), len(asked))
    days[::7] -= 40_000  # a day of another century leaves a table of days mostly empty
    found = compute(segments, asked, days, library(), CATALOGUE, engine)
    for row in range(0, len(asked), 5):
        alone = compute(segments, asked[row : row + 1], days[row : row + 1], library(), CATALOGUE, "numpy")
        np.testing.assert_array_equal(found[row : row + 1], alone)


def test_classes_too_many_to_tabulate_are_counted_first(monkeypatch: pytest.MonkeyPatch) -> None:
    from credit_model.features import facts

    segments = city(60)
    people = np.arange(len(segments.subject_ids))
    days = np.full(len(people), to_day("2024-06-30"))
    wanted = [
        *library(),
        *(
            replace(HONOURS, name=f"a{n}", where={"amount": {"ge": n * 50}, "tier_at_least": "general"})
            for n in range(12)
        ),
    ]
    usual = compute(segments, people, days, wanted, CATALOGUE)
    assert usual[:, -12:].sum() > 0
    monkeypatch.setattr(facts, "_MOST_CLASSES", 8)
    np.testing.assert_array_equal(compute(segments, people, days, wanted, CATALOGUE), usual)


@pytest.mark.parametrize("engine", ENGINES)
def test_pieces_of_a_city_fill_rows_of_one_matrix(engine: str) -> None:
    segments, day = city(90), to_day("2024-06-30")
    people = len(segments.subject_ids)
    program = program_of(library(), CATALOGUE)
    whole = np.full((len(library()), people), 7, np.float32).T
    for low, high in ((40, people), (0, 1), (1, 40)):
        asked = np.arange(low, high)
        run(program, segments, asked, np.full(len(asked), day), engine, out=whole[low:high], threads=low % 2 + 1)
    np.testing.assert_array_equal(
        whole, compute(segments, np.arange(people), np.full(people, day), library(), CATALOGUE)
    )


def test_an_engine_that_is_not_there_is_named() -> None:
    segments = city(5)
    with pytest.raises(UserError, match="kernel engine 'fpga'; there are: auto, numba, numpy, python"):
        compute(segments, [0], [20_000], [HONOURS], CATALOGUE, "fpga")


def test_without_numba_a_big_batch_runs_on_numpy_and_numba_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    segments = city(5)
    usual = compute(segments, [0, 1], [20_000, 20_000], [HONOURS], CATALOGUE, "numba")
    monkeypatch.setitem(sys.modules, "numba", None)  # as where it is not installed, or not for this numpy
    monkeypatch.setattr(blocks, "_REPAYS", 0)
    blocks.compiled.cache_clear()
    np.testing.assert_array_equal(compute(segments, [0, 1], [20_000, 20_000], [HONOURS], CATALOGUE), usual)
    with pytest.raises(UserError, match="pip install numba"):
        compute(segments, [0], [20_000], [HONOURS], CATALOGUE, "numba")
    blocks.compiled.cache_clear()


@pytest.mark.parametrize(("repays", "loaded"), [("", "False"), ("blocks._REPAYS = 0", "True")])
def test_the_compiler_is_loaded_only_where_a_batch_repays_it(repays: str, loaded: str) -> None:
    program = f"""
import sys
from test_engine import CATALOGUE, HONOURS, blocks, city, compute
{repays}
compute(city(5), [0, 1], [20_000, 20_001], [HONOURS], CATALOGUE)
print('numba' in sys.modules)
"""
    here = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", program], cwd=here, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [loaded]
