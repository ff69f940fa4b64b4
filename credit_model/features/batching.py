"""Observations cut into blocks of neighbouring subjects, each run through the pass; compiled blocks on every core.

In: a program, segments, observations. Out: a float32 matrix, column by column, written in place by the blocks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from credit_model.features import kernel_compiled as loop
from credit_model.features import kernel_numpy as vectors
from credit_model.features.facts import Facts
from credit_model.features.kernel_compiled import (
    DISTINCT,
    LAST,
    Days,
    Integers,
    KernelTables,
    Observations,
    Rows,
    Target,
    Work,
)
from credit_model.features.program import Ints, Program, as_lists, too_great
from credit_model.foundation.errors import UserError
from credit_model.visibility.tables import Segments, spans

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

ENGINES: Final = ("auto", "numba", "numpy", "python")

_LINES = 1 << 18  # (observation, segment) pairs in a block: bounds memory, changes no value
_OVERHEAD = 4  # an observation costs about as much as so many lines
_TILE = 1 << 17  # bins of a tile: they stay in the cache of a core; long columns of it are written fastest
_REPAYS = 100_000_000  # lines times definitions for which loading the compiled pass pays; once loaded, it always does


class Block(NamedTuple):
    """Rows of segments and the observations that see them, as the pass takes them."""

    tables: KernelTables
    rows: Rows
    observations: Observations


def run(
    program: Program,
    segments: Segments,
    subject: ArrayLike,
    day: ArrayLike,
    engine: str = "auto",
    out: NDArray[np.float32] | None = None,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Run a program.

    Parameters
    ----------
    program : Program
    segments : Segments
        Of the columns of rows, only ``columns_read`` are touched.
    subject : array-like of int, shape (n,)
        Index into ``segments.subject_ids``; -1 for a subject without a file.
    day : array-like of int, shape (n,)
        Days since 1970-01-01; the start of the day.
    engine : {"auto", "numba", "numpy", "python"}
        ``auto`` takes ``numba`` where it is installed and the batch repays loading it (about a second, once a process),
        else ``numpy``. ``python`` is the compiled pass uncompiled. All give the same values.
    out : ndarray of float32, shape (n, number of definitions), optional
        Where the values go: a matrix in Fortran order, or consecutive rows of one.
    threads : int, optional
        Of the compiled pass; one for each core without it. Whoever runs several programs at once wants 1.

    Returns
    -------
    ndarray of float32, shape (n, number of definitions)
        Column by column in memory (Fortran order), as frames and Parquet hold it.

    Raises
    ------
    UserError
        If values are too great for a decayed sum in 64 bits; if the engine is unknown or not installed.
    """
    subject, day = np.asarray(subject, np.int64), np.asarray(day, np.int64)
    if out is None:
        out = np.empty((len(program.definitions), len(subject)), np.float32).T
    if not out.size:
        return out
    # The last, 0, is for those without a file.
    row_counts = np.diff(segments.offsets, append=segments.offsets[-1])[subject]
    scan, workers = _engine(engine, int(row_counts.sum() + len(row_counts)) * len(program.definitions))
    order = np.arange(len(subject))
    if (subject[1:] < subject[:-1]).any():
        order = np.argsort(subject, kind="stable")
    days = program.days(day)

    def one(rows: slice) -> int:
        places = order[rows]
        block = _block(program, segments, days, places, subject[places], row_counts[places], day[places])
        return scan(program, days, block, out)

    blocks = list(_blocks(row_counts[order]))
    if min(threads or workers, workers) == 1 or len(blocks) == 1:
        wrong = max(map(one, blocks))
    else:
        with ThreadPoolExecutor(threads or workers) as pool:
            wrong = max(pool.map(one, blocks))
    if wrong >= 0:
        raise UserError(too_great(program, wrong))
    return out


def _blocks(row_counts: Ints) -> Iterator[slice]:
    """Consecutive observations that see at most about ``_LINES`` segments together (or one observation)."""
    total = np.cumsum(row_counts + _OVERHEAD)
    start = 0
    while start < len(row_counts):
        before = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, before + _LINES, side="right")))
        yield slice(start, stop)
        start = stop


def _block(
    program: Program, segments: Segments, days: Days, row: Ints, subject: Ints, row_counts: Ints, day: Ints
) -> Block:
    low = np.where(row_counts > 0, segments.offsets[subject], 0)
    begins = (row_counts > 0) & (np.diff(subject, prepend=-1) != 0)
    whose, count = low[begins], row_counts[begins]
    first, last = (int(whose[0]), int(whose[-1] + count[-1])) if len(whose) else (0, 0)
    rows: slice | Ints = slice(first, last)
    if 2 * int(count.sum()) >= last - first:
        low = low - first
    else:  # few of many subjects: their rows alone
        rows = spans(whose, count)
        low = np.append(np.cumsum(count) - count, 0)[np.cumsum(begins) - 1]
    low = np.where(row_counts > 0, low, 0)
    return block_of(program, segments, rows, Observations(row, day, days.row[row], low, low + row_counts))


def block_of(program: Program, segments: Segments, rows: slice | Ints, observations: Observations) -> Block:
    """Return rows of segments and their observations (which count rows from the first of these) for the pass."""
    facts = Facts(segments, program.catalogue, rows)
    classes = facts.classes(program.conditions)
    dates = {bool(is_visible) for is_visible in program.plan.ladder_on.tolist()}
    on = {is_visible: _column(facts.raw(name), np.int32) for is_visible, name in _DATES if is_visible in dates}
    either = next(iter(on.values()))
    numbers = [facts.number(name) for name in program.facts]
    return Block(
        program.tables(classes),
        Rows(
            _column(facts.raw("start"), np.int32),
            _column(facts.raw("end"), np.int32),
            _column(facts.raw("status"), np.int8),
            classes.code,
            on.get(False, either),
            on.get(True, either),
            _column(facts.raw("case") if program.plan.by_case.any() else np.zeros(0, np.int64), np.int32),
            _column(facts.raw("seq") if LAST in program.plan.family else np.zeros(0, np.int64), np.int64),
            _column(numbers[0] if len(numbers) == 1 else np.concatenate([*numbers, np.zeros(0, np.int64)]), np.int64),
        ),
        observations,
    )


_DATES: Final = ((False, "decided_on"), (True, "visible_from"))


def _column(values: Integers, dtype: type[np.integer[Any]]) -> Integers:
    """Return a column in the one form the pass is compiled for: columns of files are read-only, so all are."""
    column = np.ascontiguousarray(values, dtype).view()
    column.flags.writeable = False
    return column


# ------------------------------------------------------------------------------------------------ engines
_Scan = Callable[[Program, Days, Block, NDArray[np.float32]], int]


def _engine(engine: str, work: int) -> tuple[_Scan, int]:
    """How blocks are run, and by how many threads at once."""
    if engine not in ENGINES:
        raise UserError(f"features were asked of kernel engine {engine!r}; there are: {', '.join(ENGINES)}")
    if engine == "python":
        return interpreted, 1
    if engine == "numba" or (engine == "auto" and (compiled.cache_info().currsize or work >= _REPAYS)):
        if (scan := compiled()) is not None:
            return partial(_compiled, scan), max(len(os.sched_getaffinity(0)), 1) if hasattr(
                os, "sched_getaffinity"
            ) else 1
        if engine == "numba":
            raise UserError("features were asked of kernel engine 'numba', which is not here: pip install numba")
    return _vectors, 1


def compiled_repays(work: int) -> None:
    """Load the compiled pass where so many lines times definitions are ahead, whatever the size of each batch."""
    if work >= _REPAYS:
        compiled()


@cache
def compiled() -> Callable[..., int] | None:
    """Return the compiled pass; ``None`` where numba is absent, cannot be imported, or may not compile.

    It is kept on disk beside this module, or where that is read-only in the user's cache folder, or in
    ``NUMBA_CACHE_DIR``; where no folder can be written, it is compiled anew in each process.
    """
    try:
        import numba
    except ImportError:  # not installed, or not for this numpy
        return None
    if getattr(numba.config, "DISABLE_JIT", 0):
        return None
    try:
        return numba.njit(nogil=True, error_model="numpy", cache=True)(loop.scan)
    except RuntimeError:  # numba: no locator available
        return numba.njit(nogil=True, error_model="numpy")(loop.scan)


def _vectors(program: Program, days: Days, block: Block, out: NDArray[np.float32]) -> int:
    return vectors.scan(program.plan, days, *block, out)


def _compiled(scan: Callable[..., int], program: Program, days: Days, block: Block, out: NDArray[np.float32]) -> int:
    return int(scan(program.plan, days, *block, _work(program, block.observations), _flat(out)))


def interpreted(program: Program, days: Days, block: Block, out: NDArray[np.float32]) -> int:
    """Run the compiled pass uncompiled, over lists: an array gives out its numbers one by one much more slowly."""
    plan, tables = program.lists_of(program.plan), program.lists_of(block.tables)
    rows, observations, work = (
        as_lists(block.rows),
        as_lists(block.observations),
        as_lists(_work(program, block.observations)),
    )
    return loop.scan(plan, as_lists(days), tables, rows, observations, work, _flat(out))


def _flat(out: NDArray[np.float32]) -> Target:
    """Flatten a matrix in Fortran order (or consecutive rows of one); also return the step from column to column."""
    rows, columns = out.shape
    step = out.strides[1] // out.itemsize if columns > 1 else rows
    return Target(np.lib.stride_tricks.as_strided(out[:, 0], ((columns - 1) * step + rows,), (out.itemsize,)), step)


def _work(program: Program, observations: Observations) -> Work:
    plan = program.plan
    distinct = int((plan.family == DISTINCT).sum())
    most = int((observations.high - observations.low).max(initial=0))  # rows an observation sees
    slots, cases = (1 << (2 * each * most + 1).bit_length() for each in (distinct, int(plan.by_case.any())))
    tile, ladders = min(max(_TILE // int(plan.cells[0]), 64), 512, len(observations.row)), len(plan.ladder_on)
    groups = len(plan.family)
    sizes: tuple[int, ...] = (int(plan.cells[0]) * tile, ladders, tile, slots, slots, slots, slots)
    sizes += (most, most, cases, cases, 2 * most, groups, groups, groups)
    bins, last, value, *table = (np.zeros(size, np.int64) for size in sizes)
    return Work(bins, plan.local_cell * tile, last, value.astype(np.float32), *table)
