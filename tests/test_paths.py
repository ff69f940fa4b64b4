"""One number on eight paths: every path gives the same integer or refuses, and a table says which."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from service_process import ENVELOPE, running, send
from small_card import small_card, small_evaluation, small_ledger

from credit_model import UserError
from credit_model.registry.registration import register
from credit_model.registry.runs import log_run
from credit_model.scorecard.bins import CategoricalBins, NumericBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.characteristic import Attribute, Characteristic
from credit_model.scorecard.pairs import Pair

CASES = yaml.safe_load(Path(__file__).with_name("cases").joinpath("paths.yaml").read_text(encoding="utf-8"))
PAGE = Path(__file__).parents[1] / "docs" / "service.md"

Row = dict[str, Any]
Path_ = Callable[[list[Row]], list[int] | None]  # None: refused


def path_card() -> Card:
    """Whole numbers that are never missing, decimals and a category that may be: every kind of bin there is."""

    def points(*given: int) -> tuple[Attribute, ...]:
        return tuple(Attribute(p, 0.0, 0.0, None) for p in given)

    cuts = tuple(float(np.float32(cut)) for cut in (-1.5, 0.1, 0.3, 1e6))
    some = small_card()
    more = (
        Characteristic("ratio", NumericBins(cuts), points(0, -3, -7, -12, -20, -5), reference=0),
        Characteristic("housing", CategoricalBins((("own", "free"), ("rent",))), points(0, -4, -9, -6), reference=0),
    )
    whole = some.characteristics[0]
    pairs = (grid(more[0], more[1], -2), grid(whole, more[0], -3))
    made = (*some.characteristics, *more)
    return Card("paths", some.profile, made, some.probabilities, kernel_version=1, pairs=pairs)


def grid(first: Characteristic, second: Characteristic, by: int) -> Pair:
    """A pair whose points differ from cell to cell, with none where either is at its reference."""
    rows = [[by * i * j % 7 - 3 for j in range(second.bins.count)] for i in range(first.bins.count)]
    at = (first.reference, second.reference)
    points = (tuple(0 if i == at[0] or j == at[1] else p for j, p in enumerate(row)) for i, row in enumerate(rows))
    return Pair(first.name, second.name, tuple(points))


CARD = path_card()
NUMBERS = [c.name for c in CARD.characteristics if isinstance(c.bins, NumericBins)]
NEVER_MISSING = [c.name for c in CARD.characteristics if c.is_never_missing]
CUTS = {c.name: c.bins.cuts for c in CARD.characteristics if isinstance(c.bins, NumericBins)}


# ---------------------------------------------------------------------- rows of each class


def beside(cut: float) -> list[float]:
    """A float32 step on either side of a cut, and doubles that round to it or away from it."""
    low, high = (float(np.nextafter(np.float32(cut), np.float32(side))) for side in (-math.inf, math.inf))
    return [low, high, (cut + low) / 2, (cut + high) / 2, math.nextafter((cut + high) / 2, math.inf)]


def rows_of(numbers: Callable[[str], st.SearchStrategy[Any]], **columns: st.SearchStrategy[Any]) -> Any:
    """Rows with these numbers, and other columns as given."""
    made = {name: numbers(name) for name in NUMBERS} | {"housing": st.sampled_from(["own", "free", "rent"])} | columns
    return st.lists(st.fixed_dictionaries(made), min_size=1, max_size=4)


def any_number(_: str) -> st.SearchStrategy[Any]:
    return st.floats(-1e7, 1e7) | st.sampled_from([0.0, -0.0, 1.0, 2.0, 5e-324, 0.1])


def one_in(rows: Any, value: Any, names: list[str]) -> Any:
    """The rows, with this value in one place."""

    def put(drawn: tuple[list[Row], int, str]) -> list[Row]:
        made, place, name = drawn
        return [row | {name: value} if n == place % len(made) else row for n, row in enumerate(made)]

    return st.tuples(rows, st.integers(0, 3), st.sampled_from(names)).map(put)


PLAIN = rows_of(any_number)
BITS = rows_of(lambda _: st.integers(0, 1))
CLASSES: dict[str, Any] = {
    "any numbers": PLAIN,
    "values equal to a cut": rows_of(lambda name: st.sampled_from(CUTS[name])),
    "one float32 step beside a cut": rows_of(lambda name: st.sampled_from([v for c in CUTS[name] for v in beside(c)])),
    "whole numbers, 0 and 1": BITS,
    "whole numbers, some above 1": one_in(BITS, 7, NUMBERS),
    "columns in another order": st.tuples(PLAIN, st.permutations(CARD.columns)).map(
        lambda drawn: [{name: row[name] for name in drawn[1]} for row in drawn[0]]
    ),
    "a category never seen": rows_of(any_number, housing=st.sampled_from(["tent", "", "OWN", "拥有", " own", "None"])),
    "null or NaN where a feature may be missing": one_in(PLAIN, None, ["ratio", "housing"]),
    "null or NaN where a feature is never missing": one_in(PLAIN, None, NEVER_MISSING),
    "plus infinity": one_in(PLAIN, math.inf, NUMBERS),
    "minus infinity": one_in(PLAIN, -math.inf, NUMBERS),
    "beyond float32, within a double": one_in(PLAIN, 1e300, NUMBERS) | one_in(PLAIN, -1e39, NUMBERS),
    "a truth value for a number": st.tuples(PLAIN, st.sampled_from(NUMBERS), st.booleans()).map(
        lambda drawn: [row | {drawn[1]: drawn[2]} for row in drawn[0]]
    ),
    "a number as text": st.tuples(PLAIN, st.sampled_from(NUMBERS)).map(
        lambda drawn: [row | {drawn[1]: "1"} for row in drawn[0]]
    ),
    "a number for a category": rows_of(any_number, housing=st.integers(0, 3)),
    "a column too many": PLAIN.map(lambda rows: [row | {"shoe_size": 42.0} for row in rows]),
    "a column too few": st.tuples(PLAIN, st.sampled_from(CARD.columns)).map(
        lambda drawn: [{name: value for name, value in row.items() if name != drawn[1]} for row in drawn[0]]
    ),
}

# The row that is meant, where a path reads one into what was given.
MEANT: dict[str, Callable[[Row], Row]] = {
    "a truth value for a number": lambda row: {n: float(v) if type(v) is bool else v for n, v in row.items()},
    "a number as text": lambda row: {n: 1.0 if v == "1" else v for n, v in row.items()},
    "a column too many": lambda row: {n: v for n, v in row.items() if n != "shoe_size"},
}


# ---------------------------------------------------------------------- the paths

# Reads the card's JSON and nothing else: what somebody writes from the page that describes a card.
READER = r"""
import json, struct, sys
card = json.load(open(sys.argv[1], encoding="utf-8"))

def single(number):
    try:
        return struct.unpack("f", struct.pack("f", number))[0]
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")

def place(characteristic, value):
    last = len(characteristic["attributes"]) - 1
    if value is None or value != value:
        return last
    if "groups" in characteristic:
        if type(value) is not str:
            value = str(int(value)) if float(value).is_integer() else repr(float(value))
        places = [place for place, group in enumerate(characteristic["groups"]) if value in group]
        return places[0] if places else last - 1
    if type(value) is str:
        raise ValueError("text for a number")
    value = single(value)
    return sum(value > cut for cut in characteristic["cuts"])

def score(row):
    if sorted(row) != sorted(c["name"] for c in card["characteristics"]):
        raise ValueError("other columns")
    at = {c["name"]: place(c, row[c["name"]]) for c in card["characteristics"]}
    alone = sum(c["attributes"][at[c["name"]]]["points"] for c in card["characteristics"])
    together = sum(pair["points"][at[pair["first"]]][at[pair["second"]]] for pair in card.get("pairs", []))
    return card["profile"]["reference_points"] + alone + together

for line in sys.stdin:
    try:
        answer = [score(row) for row in json.loads(line)]
    except ValueError:
        answer = None
    print(json.dumps(answer), flush=True)
"""


def refusing(score: Callable[[list[Row]], Any], *errors: type[Exception]) -> Path_:
    """A path that says None where it refuses."""

    def answer(rows: list[Row]) -> list[int] | None:
        try:
            return [int(found) for found in score(rows)]
        except errors:
            return None

    return answer


def mlflow_serving(uri: str, store: str, folder: Path) -> Iterator[Path_]:
    """``mlflow models serve``, as its own page says to run it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    programs = str(Path(sys.executable).parent)
    environment = os.environ | {"MLFLOW_TRACKING_URI": store, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", uri, "--env-manager", "local"]
    with (folder / "serving.txt").open("w") as said, subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)], env=environment, stdout=said, stderr=said,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            _wait_for(f"http://127.0.0.1:{port}/ping", process)

            def answer(rows: list[Row]) -> list[int] | None:
                status, found = send(f"http://127.0.0.1:{port}/invocations", {"dataframe_records": rows})
                return [row["score"] for row in found["predictions"]] if status == 200 else None

            yield answer
        finally:
            os.killpg(process.pid, 15)
            process.wait(timeout=20)


def _wait_for(url: str, process: subprocess.Popen[Any]) -> None:
    for _ in range(600):
        assert process.poll() is None, "mlflow models serve ended at once"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(url)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path_]]:
    """Every way from a row to a number; each of the last four in a world of its own."""
    import mlflow
    from mlflow.exceptions import MlflowException

    folder = tmp_path_factory.mktemp("paths")
    card_file = CARD.save(folder / "card.json")
    store = f"sqlite:///{folder / 'mlflow.db'}"
    ledger = small_ledger(folder / "ledger")
    reader_command = [sys.executable, "-I", "-c", READER, str(card_file)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        uri = register(CARD, log_run("paths"), author="Li Wei", evaluation=small_evaluation(), name="paths").uri
        served_by_mlflow = mlflow_serving(uri, store, folder)
        pyfunc = mlflow.pyfunc.load_model(uri)
        with (
            running(card_file, ledger.path, folder) as service,
            subprocess.Popen(reader_command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader,
        ):

            def by_service(rows: list[Row]) -> list[int] | None:
                status, found = service.post("/score", {**ENVELOPE, "rows": rows})
                assert status in (200, 422), found
                return found["score"] if status == 200 else None

            def by_reader(rows: list[Row]) -> list[int] | None:
                assert reader.stdin is not None
                assert reader.stdout is not None
                reader.stdin.write(json.dumps(rows) + "\n")
                reader.stdin.flush()
                found: list[int] | None = json.loads(reader.stdout.readline())
                return found

            yield {
                "points": refusing(lambda rows: CARD.explain(frame(rows)).sum(axis=1), UserError),
                "row": refusing(lambda rows: [CARD.score_one(row).score for row in rows], UserError),
                "batch": refusing(lambda rows: CARD.score(frame(rows))["score"], UserError),
                "reloaded": refusing(lambda rows: Card.load(card_file).score(frame(rows))["score"], UserError),
                "pyfunc": refusing(lambda rows: pyfunc.predict(frame(rows))["score"], MlflowException, UserError),
                "mlflow_serve": next(served_by_mlflow),
                "service": by_service,
                "reader": by_reader,
            }
            served_by_mlflow.close()


def frame(rows: list[Row]) -> pd.DataFrame:
    """Rows as an analyst has them: what is missing is NaN among numbers, None among texts."""
    return pd.DataFrame(rows).astype({"housing": object} if "housing" in rows[0] else {})


def expected(kind: str) -> dict[str, str]:
    """What each path does with a class of input."""
    refuse = CASES["classes"][kind]["refuse"]
    assert set(refuse) <= set(CASES["paths"])
    return {path: "refuses" if path in refuse else "same" for path in CASES["paths"]}


@given(data=st.data())
@settings(max_examples=5)
def test_every_path_gives_the_one_integer_or_refuses(paths: dict[str, Path_], data: Any) -> None:
    for kind, rows in CLASSES.items():
        drawn = data.draw(rows, label=kind)
        answers = {path: paths[path](drawn) for path in CASES["paths"]}
        found = {path: "refuses" if answer is None else "same" for path, answer in answers.items()}
        given_out = [answer for answer in answers.values() if answer is not None]
        meant = [CARD.score_one(MEANT.get(kind, dict)(row)).score for row in drawn] if given_out else []
        assert all(answer == meant for answer in given_out), (kind, answers, meant)
        assert found == expected(kind), kind


def test_the_table_names_every_class_and_the_page_shows_it() -> None:
    assert list(CASES["classes"]) == list(CLASSES)
    page = PAGE.read_text(encoding="utf-8")
    for kind in CLASSES:
        cells = ["same" if what == "same" else "**refuses**" for what in expected(kind).values()]
        assert f"| {kind} | {' | '.join(cells)} |" in page
