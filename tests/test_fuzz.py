"""Inputs nobody would send end in a right result or in one clear line; no row and no value of a person is lost."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import signal
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from faults.mutations import CANARY, NUMBERS, TEXTS, damaged, mutated, to_toml
from small_card import penalty, small_card, small_evaluation, small_ledger

from credit_model import UserError, build_features
from credit_model.catalogue.catalogue import load_catalogue
from credit_model.cli.main import main
from credit_model.experiments.reader import load_experiment
from credit_model.features.dictionary import load_definitions
from credit_model.ledger.ledger import Ledger
from credit_model.ledger.mapping import load_mapping
from credit_model.scorecard.card import Card
from credit_model.scorecard.document import seal
from credit_model.visibility.amendments import ACTIONS

# Observed ids are damaged on purpose; tests/test_subject_ids.py holds what is said of subjects nobody knows.
pytestmark = pytest.mark.filterwarnings("ignore::credit_model.features.build.UnknownSubjectsWarning")
ROOT = Path(__file__).parents[1]
USE, SECONDS = "2026-11-24", 60
SHORT, LONG = 40, 1_100  # inputs of each sort in the tests, and in make soak

Fuzz = Callable[[random.Random, Path], str]
SORTS: dict[str, Fuzz] = {}


def sort(function: Fuzz) -> Fuzz:
    """A sort of input: makes one from chance, gives it, and says what became of it (``refused`` or ``taken``)."""
    SORTS[function.__name__.replace("_", " ")] = function
    return function


@contextmanager
def in_time() -> Iterator[None]:
    """Whoever takes a minute hangs."""

    def hang(*_: Any) -> None:
        raise AssertionError(f"it hangs: no end within {SECONDS} s")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        patch.delenv("CREDIT_MODEL_PSEUDONYM_KEY", raising=False)
        yield


def fuzz(name: str, numbers: range, folder: Path) -> dict[str, int]:
    """Give inputs of a sort; an input is made again from its sort and number alone."""
    ends = {"taken": 0, "refused": 0}
    for number in numbers:
        place = folder / f"{number}"
        place.mkdir()
        try:
            with in_time():
                ends[SORTS[name](random.Random(f"{name} {number}"), place)] += 1
        except BaseException as error:
            error.add_note(f"input: {name} {number}")
            raise
    return ends


def refused(error: UserError, headed: bool = True) -> str:
    """A refusal is one line, no essay, and names nobody (where a value stands in the header, it is a name)."""
    said = str(error)
    assert CANARY not in said or not headed, f"a value of a person is in the message: {said}"
    assert len(said.splitlines()) == 1, f"not one line: {said!r}"
    assert len(said) < 20_000
    return "refused"


# ---------------------------------------------------------------------------------------------------- rows

COLUMNS = {
    "records": ("record_id", "subject_id", "kind", "case_id", "occurred_on", "decided_on", "served_on", "final_on",
                "known_on", "tier", "amount", "hours", "source", "penalty_type", "valid_to"),
    "amendments": ("record_id", "action", "effective_on", "known_on", "seq", "value", "source"),
    "subjects": ("subject_id", "born_on", "resident_from", "resident_to", "occupations", "district", "valid_from",
                 "known_on", "standing"),
    "audit": ("subject_id", "sex", "education"),
}  # fmt: skip
NEEDED = {
    "records": ("subject_id", "kind", "decided_on", "known_on"),
    "amendments": ("record_id", "action", "effective_on", "known_on"),
    "subjects": ("subject_id",),
    "audit": ("subject_id",),
}
RIGHT = {
    "record_id": ("R1", "R2", "R3", "R4"),
    "subject_id": ("S1", "S2", f"{CANARY}-3"),
    "kind": ("adm_penalty", "honour", "dishonest_executee", "volunteer_service", "commitment_breach"),
    "tier": ("minor", "general", "serious"),
    "action": ACTIONS,
    "value": ("paid=5", "100", "tier=minor", "decided_on=2024-01-01", "amount=1", "record_confirmed",
              "objection_sustained", f"{CANARY}-4", "S2"),
    "amount": ("0", "100", "5000000"),
    "hours": ("10",),
    "seq": ("1", "2"),
    "sex": ("f", "m"),
    "standing": ("deceased", "incapable"),
}  # fmt: skip
DATES = ("2024-01-10", "2024-02-20", "2024-03-01", "2023-05-31", "2025-07-01")
CELLS = (
    None, True, f"{CANARY} 王小明", f"{CANARY}\n2", "110101202311012176", "2024-13-01", "0001-01-01", "9999-12-31",
    "99999-01-01", "2024-01-01T25:00", "01/02/2024", "1.0", "1e3", "٣", "１２",
)  # fmt: skip


def right(column: str, chance: random.Random) -> Any:
    if column.endswith(("_on", "_from", "_to")):
        return chance.choice(DATES)
    return chance.choice(RIGHT.get(column, (f"{CANARY} {chance.randrange(5)}",)))


def wrong(chance: random.Random) -> Any:
    """A value of any type that a cell can have."""
    number = chance.choice(NUMBERS)
    return chance.choice((number, str(number), chance.choice(TEXTS), *(chance.choice(CELLS) for _ in range(5))))


def table(name: str, chance: random.Random, rows: int) -> dict[str, list[Any]]:
    """Columns of a table, mostly right; now and then one is missing, twice or nobody's."""
    optional = [column for column in COLUMNS[name] if column not in NEEDED[name] and chance.random() < 0.6]
    columns = [*NEEDED[name], *optional]
    spoilt = chance.choice((0.0, 0.05, 0.3))
    made = {
        column: [wrong(chance) if chance.random() < spoilt else right(column, chance) for _ in range(rows)]
        for column in columns
    }
    if chance.random() < 0.06:
        del made[chance.choice(columns)]
    if chance.random() < 0.06:
        made[chance.choice(("Subject_ID", "民族", "religion", "teir", "", " ", "x" * 300, "id_number"))] = [
            f"{CANARY}"
        ] * rows
    return made


def arrow(values: list[Any], chance: random.Random) -> Any:
    """A column as some frame would hold it: by its own type where it has one, as text otherwise."""
    chosen = chance.randrange(12)
    texts = pa.array([None if value is None else str(value) for value in values], pa.string())
    try:
        if chosen == 0:
            return pa.array(values)
        if chosen == 1:
            return texts.dictionary_encode()
        if chosen == 2:
            return texts.cast(pa.large_string())
        if chosen == 3:
            return texts.cast(pa.date32())
        if chosen == 4:
            return texts.cast(
                pa.timestamp(chance.choice(("s", "ms", "us", "ns")), chance.choice((None, "Asia/Shanghai")))
            )
        if chosen == 5:
            return texts.cast(
                chance.choice((pa.int64(), pa.float64(), pa.int8(), pa.uint64(), pa.decimal128(30, 3), pa.float32()))
            )
        if chosen == 6:
            return pa.nulls(len(values), chance.choice((pa.null(), pa.string(), pa.date32(), pa.int64(), pa.float64())))
        if chosen == 7 and chance.random() < 0.2:
            return pa.array([[value] for value in texts.to_pylist()])
        if chosen == 7 and chance.random() < 0.2:
            return texts.cast(pa.binary())
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        pass
    return texts


def balanced(
    ledger: Ledger, before: str, give: Callable[[], Any], rows: dict[str, int] | None, headed: bool = True
) -> str:
    """Give a delivery: every row is accounted for, and what was taken can be used; a refusal leaves no trace."""
    try:
        report = give()
    except UserError as error:
        assert Ledger.open(ledger.path).digest == before, "a refused delivery left a trace"
        return refused(error, headed)
    counts = report.tables
    if rows is not None:
        found = {name: sum(count.values()) for name, count in counts.items()}
        assert found == rows, f"rows are lost: {found} of {rows}"
    assert report.read == report.accepted + report.duplicates + report.rejected_rows + report.excluded
    by_table = {key: sum(count[key] for count in counts.values()) for key in ("accepted", "rejected")}
    if len(counts) == 1:  # else a raw row may come to two tables, and is counted once
        assert (report.accepted, report.rejected_rows) == (by_table["accepted"], by_table["rejected"])
    assert report.rejected_rows <= by_table["rejected"] <= sum(report.rejected.values())
    kept = Ledger.open(ledger.path)
    tables = kept.tables()
    held = {name: len(getattr(tables, name)["subject_id" if name == "subjects" else "record_id"]) for name in
            ("records", "amendments", "subjects")}  # fmt: skip
    for name, count in counts.items():
        if name in held:
            assert held[name] == count["accepted"], f"{name}: {held[name]} kept of {count['accepted']} accepted"
    if report.rejected_rows:
        lines = report.quarantine.read_text(encoding="utf-8").splitlines()
        assert len(lines) == by_table["rejected"]
        assert all(json.loads(line)["reasons"] for line in lines)
    again = give()
    assert again.accepted == 0, "what was delivered again was taken again"
    assert again.rejected_rows == report.rejected_rows
    assert Ledger.open(ledger.path).digest == kept.digest
    kept.as_of("2024-06-01", USE)
    kept.between("2024-01-01", "2025-01-01", known_by="2025-08-01", day_of_use=USE)
    observations = pd.DataFrame({"subject_id": ["S1", "S2"], "as_of": ["2024-06-01", "2026-01-01"]})
    assert build_features(kept, observations, day_of_use=USE).shape[0] == 2
    return "taken"


@sort
def frames(chance: random.Random, folder: Path) -> str:
    ledger = Ledger.create(folder / "ledger")
    given: dict[str, Any] = {}
    for name in chance.sample(sorted(COLUMNS), chance.choice((1, 1, 2, 4))):
        rows = chance.choice((0, 1, 5, 40))
        made = table(name, chance, rows)
        how = chance.randrange(4)
        if how == 0:
            given[name] = pd.DataFrame(made)
            if chance.random() < 0.05 and made:
                given[name] = pd.concat([given[name], given[name].iloc[:, :1]], axis=1)
        else:
            columns = [arrow(values, chance) for values in made.values()]
            names = list(made)
            if chance.random() < 0.04 and columns:
                columns, names = [*columns, columns[0]], [*names, names[0]]
            given[name] = pa.table(columns, names=names)
            if how == 3 and len(set(names)) == len(names):
                pq.write_table(given[name], folder / f"{name}.parquet")
                given[name] = folder / f"{name}.parquet"
    rows = {
        name: pq.read_metadata(data).num_rows if isinstance(data, Path) else len(data) for name, data in given.items()
    }
    return balanced(ledger, ledger.digest, lambda: ledger.ingest(**given), rows)


@sort
def csv_files(chance: random.Random, folder: Path) -> str:
    name, rows = chance.choice(sorted(COLUMNS)), chance.choice((0, 1, 5, 40))
    made = table(name, chance, rows)
    written = io.StringIO()
    quoting = chance.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC))
    delimiter = chance.choice(",,,,,,;\t|")
    writer = csv.writer(written, quoting=quoting, delimiter=delimiter, lineterminator=chance.choice(("\n", "\r\n")))
    writer.writerow(list(made))
    lines = [["" if value is None else str(value) for value in row] for row in zip(*made.values(), strict=True)]
    for line in lines:
        if chance.random() < 0.05:
            line.append("more") if chance.random() < 0.5 else line.pop()
        writer.writerow(line)
    text = written.getvalue()
    try:
        data = text.encode(chance.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "gb18030", "utf-16", "latin-1")))
    except UnicodeEncodeError:
        data = text.encode()
    plain = chance.random() < 0.7
    if not plain:
        data = damaged(data, chance)
    path = folder / f"{name}.{chance.choice(('csv', 'CSV', 'txt'))}"
    path.write_bytes(data)
    # A line of nothing but one empty cell is an empty line; a lone NUL or carriage return is no text of a table.
    sound = (
        plain
        and delimiter == ","
        and len(made) > 1
        and not any("\x00" in cell or "\r" in cell for line in lines for cell in line)
    )
    given = sum(
        bool(line) for line in text.replace("\r\n", "\n").split("\n")[1:]
    )  # a cell with a line end is two lines
    ledger = Ledger.create(folder / "ledger")
    return balanced(
        ledger, ledger.digest, lambda: ledger.ingest(**{name: path}), {name: given} if sound else None, plain
    )


@sort
def parquet_bytes(chance: random.Random, folder: Path) -> str:
    name = chance.choice(sorted(COLUMNS))
    made = {column: [right(column, chance) for _ in range(20)] for column in NEEDED[name]}
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table(made), path, compression=chance.choice(("none", "snappy", "zstd")))
    path.write_bytes(damaged(path.read_bytes(), chance))
    ledger = Ledger.create(folder / "ledger")
    return balanced(ledger, ledger.digest, lambda: ledger.ingest(**{name: path}), None)


@sort
def observations(chance: random.Random, folder: Path) -> str:
    ledger = small_ledger(folder / "ledger", [penalty("r1", "2025-10-10")])
    rows = chance.choice((0, 1, 30))
    made: dict[str, Any] = {"subject_id": ["a"] * rows, "as_of": [chance.choice(DATES) for _ in range(rows)]}
    for column in list(made):
        if chance.random() < 0.4:
            made[column] = [wrong(chance) if chance.random() < 0.3 else value for value in made[column]]
        if chance.random() < 0.05:
            del made[column]
    frame = pd.DataFrame(made)
    if chance.random() < 0.3:
        frame.index = pd.Index([chance.choice((0, 1, "x")) for _ in range(len(frame))])
    out = folder / "X.parquet" if chance.random() < 0.3 else None
    try:
        X = build_features(ledger, frame, ["adverse_24m"], out=out, day_of_use=USE)
    except UserError as error:
        assert out is None or not out.exists()
        return refused(error)
    found = pd.read_parquet(X) if out else X
    assert len(found) == len(frame)
    assert found["adverse_24m"].isin([0.0, 1.0]).all()
    return "taken"


# ---------------------------------------------------------------------------------------------------- documents


def toml_file(path: Path, chance: random.Random, folder: Path) -> Path:
    """A valid file with something wrong in it, in its content or in its bytes."""
    text = path.read_text(encoding="utf-8")
    if chance.random() < 0.03:
        data = text.encode() + b"\n[deep]\nx = " + chance.choice((b"[", b"{ a = ")) * chance.choice((40, 400, 40_000))
    elif chance.random() < 0.75:
        data = to_toml(mutated(tomllib.loads(text), chance)).encode("utf-8", "surrogatepass")
    else:
        data = damaged(text.encode(), chance)
    file = folder / path.name
    file.write_bytes(data)
    return file


MAPPING = """
schema = 1
name = "raw"
drawn_on = 2026-10-31
[[table]]
source = "raw"
where = [{ column = "state", in = ["valid"] }, { column = "who", null = false }]
[table.columns]
subject_id = "who"
kind = { value = "adm_penalty" }
tier = { column = "severity", values = { "low" = "minor", "high" = "serious" }, otherwise = "general" }
decided_on = { column = "decided", format = "%Y/%m/%d" }
known_on = { columns = ["received", "decided2"] }
amount = { column = "fine", multiply = 10000, round = true }
record_id = { template = "CF-{office}-{number}" }
[[table]]
source = "raw"
target = "amendments"
where = [{ column = "paid", not_in = [""] }]
[table.columns]
record_id = { template = "CF-{office}-{number}" }
action = { value = "partly_performed" }
effective_on = "received"
known_on = "received"
value = { column = "paid", multiply = 1, prefix = "paid=" }
"""


@sort
def mappings(chance: random.Random, folder: Path) -> str:
    source = folder / "source.toml"
    source.write_text(MAPPING, encoding="utf-8")
    n = 12
    raw = {
        "who": [chance.choice(("S1", f"{CANARY}-2", "")) for _ in range(n)],
        "state": [chance.choice(("valid", "void")) for _ in range(n)],
        "severity": [chance.choice(("low", "high", "other", "")) for _ in range(n)],
        "decided": ["2024/01/10", "10.01.2024", ""] * 4,
        "decided2": [chance.choice(DATES) for _ in range(n)],
        "received": [chance.choice((*DATES, "")) for _ in range(n)],
        "fine": [chance.choice(("0.5", "1.23456", "x", "", "-1")) for _ in range(n)],
        "office": ["A", "B", ""] * 4, "number": [str(i) for i in range(n)],
        "paid": [chance.choice(("", "3", "x")) for _ in range(n)],
    }  # fmt: skip
    path = toml_file(source, chance, folder)
    ledger = Ledger.create(folder / "ledger")
    data = pa.table(raw)
    try:
        mapping = load_mapping(path)
    except UserError as error:
        return refused(error)
    outputs = [output.target for output in mapping.outputs_of("raw", only=True)]
    rows = {target: n * outputs.count(target) for target in set(outputs)}
    return balanced(ledger, ledger.digest, lambda: ledger.ingest(records={"raw": data}, mapping=mapping), rows)


@sort
def catalogues(chance: random.Random, folder: Path) -> str:
    sources = (ROOT / "credit_model/catalogue/catalogue.toml", ROOT / "tests/cases/small_catalogue.toml",
               ROOT / "data/public/sf_restaurants/catalogue.toml")  # fmt: skip
    path = toml_file(chance.choice(sources), chance, folder)
    try:
        catalogue = load_catalogue(path)
        ledger = Ledger.create(folder / "ledger", catalogue, next(iter(catalogue.policies)))
    except UserError as error:
        return refused(error)
    kind = next(iter(catalogue.kinds))
    row = {"subject_id": ["S1"], "kind": [kind], "decided_on": ["2024-01-10"], "known_on": ["2024-01-11"]}
    try:
        report = ledger.ingest(records=pa.table(row))
        Ledger.open(ledger.path).as_of("2024-06-01", USE)
    except UserError as error:
        return refused(error)
    assert report.accepted + report.rejected_rows == 1
    return "taken"


@sort
def definitions(chance: random.Random, folder: Path) -> str:
    sources = ROOT / "credit_model/features/dictionary.toml", ROOT / "data/public/sf_restaurants/features.toml"
    path = toml_file(chance.choice(sources), chance, folder)
    ledger = small_ledger(folder / "ledger", [penalty("r1", "2025-10-10")])
    frame = pd.DataFrame({"subject_id": ["a", "b"], "as_of": ["2026-01-01", "2025-01-01"]})
    try:
        found = load_definitions(path)
        X = build_features(ledger, frame, path, day_of_use=USE)
    except UserError as error:
        return refused(error)
    assert X.shape == (2, len(found))
    return "taken"


@sort
def experiments(chance: random.Random, folder: Path) -> str:
    sources = [path for path in sorted((ROOT / "experiments").glob("*.toml")) if path.stem != "road_traffic_fines"]
    source = chance.choice(sources)
    text = source.read_text(encoding="utf-8").replace("../data", str(ROOT / "data"))
    (folder / "of").mkdir()
    (folder / "of" / source.name).write_text(text, encoding="utf-8")
    path = toml_file(folder / "of" / source.name, chance, folder)
    try:
        experiment = load_experiment(path)
    except UserError as error:
        return refused(error)
    assert json.loads(experiment.to_json())["seed"] == experiment.seed
    assert len(experiment.digest) == 64
    return "taken"


CARD = small_card().to_json()
ROWS = pd.DataFrame(
    {name: [0.0, 1.0, 3.0, float("nan")] for name in small_card().columns}, columns=list(small_card().columns)
)


@sort
def cards(chance: random.Random, folder: Path) -> str:
    document = json.loads(CARD)
    way = chance.randrange(3)
    if way == 0:
        data = damaged(CARD.encode(), chance)
    else:
        content = mutated({key: value for key, value in document.items() if key != "digest"}, chance, days=False)
        if way == 1:  # the digests are those of before
            data = json.dumps({**content, "digest": document["digest"]}).encode()
        else:
            try:
                data = seal(content).encode()
            except (ValueError, RecursionError):  # no JSON
                data = json.dumps(content).encode() if chance.random() < 0.5 else b"[" * 100_000
    path = folder / "card.json"
    path.write_bytes(data)
    try:
        card = Card.load(path)
    except UserError as error:
        return refused(error)
    assert way == 2 or card == Card.from_json(CARD), "an altered card was taken"
    assert Card.from_json(card.to_json()) == card
    rows = ROWS.reindex(columns=list(card.columns), fill_value=0.0)
    try:
        scores, points = card.score(rows), card.explain(rows)
    except UserError as error:
        return refused(error)
    assert (points.sum(axis=1) == scores["score"]).all()
    one = card.score_one(rows.iloc[1].to_dict())
    assert (one.score, one.probability_of_bad) == (scores["score"][1], scores["probability_of_bad"][1])
    assert scores["probability_of_bad"].between(0, 1).all()
    return "taken"


EVALUATION = small_evaluation(("gini", 0.41, 0.30, None), ("slope", 1.01, 0.88, 1.12)).to_json()


@sort
def evaluations(chance: random.Random, folder: Path) -> str:
    if chance.random() < 0.3:
        data = damaged(EVALUATION.encode(), chance)
    else:
        data = json.dumps(mutated(json.loads(EVALUATION), chance, days=False)).encode()
    path, page = folder / "evaluation.json", folder / "page.html"
    path.write_bytes(data)
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        code = main(["report", str(path), "--out", str(page)])
    if code == 2:
        (line,) = said.getvalue().splitlines()
        assert not page.exists(), "half a page was left"
        return refused(UserError(line))
    assert (code, said.getvalue()) == (0, "")
    assert page.read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    return "taken"


# ---------------------------------------------------------------------------------------------------- what was found

FOUND_IN_TOML = {
    "lists without end": ("baseline.toml", "seed = 20261124", f"seed = {'[' * 5_000}", "lie more than 30 deep"),
    "a number of thousands of digits": ("baseline.toml", "seed = 20261124", f"seed = {'9' * 5_000}", "not valid TOML"),
    "a seed no generator takes": ("baseline.toml", "seed = 20261124", "seed = -1", "seed: must be at least 0"),
    "a month beyond time": ("baseline.toml", "every_months = 12", f"every_months = {10**30}", "must be at most 1,200"),
    "dates without end": (
        "baseline.toml", "development_dates = 2", f"development_dates = {2**31}", "must be at most 1,200",
    ),
    "a day before the calendar": (
        "baseline.toml", "out_of_time = 2025-04-01", "out_of_time = 0001-01-01", "must be of the years 1900 to 2200",
    ),
    "a key of two lines": ("baseline.toml", "[gates]", '[gates]\n"a\\nb" = 1', "a b: is no gate"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FOUND_IN_TOML)
def test_an_experiment_nobody_means_is_refused_in_one_line(fault: str, tmp_path: Path) -> None:
    name, right, wrong, says = FOUND_IN_TOML[fault]
    text = (ROOT / "experiments" / name).read_text(encoding="utf-8")
    assert right in text
    (tmp_path / name).write_text(text.replace(right, wrong), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_experiment(tmp_path / name)
    refused(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize("key", ["trend = []", "of = {}", "label_zh = 1"])
def test_a_feature_of_lists_and_tables_is_refused(key: str, tmp_path: Path) -> None:
    path = tmp_path / "features.toml"
    path.write_text(f'[[feature]]\nname = "x"\naggregate = "max"\nwindow = "24m"\n{key}\n', encoding="utf-8")
    with pytest.raises(UserError, match=key.split()[0]):
        load_definitions(path)


def test_a_template_without_a_column_is_the_same_for_every_row(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(MAPPING.replace("CF-{office}-{number}", "CF"), encoding="utf-8")
    (first, *_) = load_mapping(path).outputs
    read, _ = first.columns["record_id"].read(pa.table({"who": ["S1", "S2"]}))
    assert read.to_pylist() == ["CF", "CF"]


@pytest.mark.parametrize("factor", ["1e308", "0", "nan", "1" + "0" * 400])
def test_a_factor_that_no_amount_survives_is_refused(factor: str, tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(MAPPING.replace("multiply = 10000", f"multiply = {factor}"), encoding="utf-8")
    with pytest.raises(UserError, match="multiply: must be a number up to"):
        load_mapping(path)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [('"small"', '"\\ud800"'), ("800", "1e400"), ('"policy": {', '"policy": {}, "rest": {'), ("800", "9" * 5_000)],
    ids=["half a surrogate pair", "a number no double holds", "a policy nobody made", "thousands of digits"],
)
def test_a_card_no_package_wrote_is_refused_in_one_line(right: str, wrong: str, tmp_path: Path) -> None:
    assert right in CARD
    (tmp_path / "card.json").write_text(CARD.replace(right, wrong), encoding="utf-8")
    with pytest.raises(UserError, match=r"card\.json: ") as caught:
        Card.load(tmp_path / "card.json")
    refused(caught.value)


def test_figures_of_another_type_are_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluation = json.loads(EVALUATION)
    evaluation["gates"][0]["value"] = {"a": 1}
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation))
    assert main(["report", str(tmp_path / "evaluation.json"), "--out", str(tmp_path / "page.html")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be rendered (TypeError): it is not an evaluation of a run" in line


# ---------------------------------------------------------------------------------------------------- by the thousand


@pytest.mark.parametrize("name", SORTS)
def test_an_input_nobody_would_send_ends_in_a_result_or_in_one_line(name: str, tmp_path: Path) -> None:
    ends = fuzz(name, range(SHORT), tmp_path)
    assert min(ends.values()) > 0, f"inputs of one end only: {ends}"


@pytest.mark.soak
@pytest.mark.parametrize("name", SORTS)
def test_thousands_of_inputs_nobody_would_send(name: str, tmp_path: Path) -> None:
    ends = fuzz(name, range(SHORT, SHORT + LONG), tmp_path)
    sys.stdout.write(
        f"\n{name:<16} {sum(ends.values()):>6} inputs {ends['taken']:>6} taken {ends['refused']:>6} refused\n"
    )
    assert min(ends.values()) > 0, f"inputs of one end only: {ends}"
