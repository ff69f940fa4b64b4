"""Names and identity numbers planted in raw input are found in nothing that is kept, shown or logged."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from small_experiment import experiment_text

from credit_model.cli.main import main
from credit_model.synthetic.city import synthesise

PEOPLE = 1_020  # some die or move before they come on file
KEY = "a pseudonym key that lives outside the ledger"
MARK = "龘靐"  # every planted name begins so, and nothing else does
NUMBER = re.compile(r"999999[ -]?(?:19|20)\d{2}[ -]?\d{4}")  # every planted number begins so: no county has this code
TABLES = ("records", "amendments", "subjects", "audit")
EXPERIMENT = experiment_text(
    "What do planted canaries leave behind?",
    """
[card]
method = "woe_logistic"
profile = "zhejiang_1000"
max_characteristics = 3
max_bins = 3
penalty = 1.0
[[card.policy_points]]
characteristic = "honours_60m"
points = [0, 6, 10]
approver = "Chen Jing"
ground = "honours are too rare to learn from"
[gates]
gini = -1.0
""",
    include=("adverse_24m", "adverse_general_36m", "listed_now", "law_abiding_24m", "honours_60m"),
    source='folder = "ledger"\nknown_through = 2026-10-31',
)


def _plant(folder: Path) -> set[str]:
    """Raw tables with a name beside every number, rows that will be refused among them; the numbers."""
    city = synthesise("L", PEOPLE, seed=3, with_id_numbers=True)
    subjects = city.subjects["id_number"].drop_duplicates().tolist()
    name_of = {number: f"{MARK}{place:04d}" for place, number in enumerate(subjects)}
    mapping = ["schema = 1", 'name = "canaries"']
    for table in TABLES:
        frame = getattr(city, table)
        mapping += ["[[table]]", f'source = "{table}"', f'target = "{table}"', "[table.columns]"]
        mapping += [f'{column} = "{column}"' for column in frame.columns]
        if table == "records":
            frame = pd.concat([frame, _refused(frame)], ignore_index=True)
        if "id_number" in frame.columns:
            frame = frame.assign(姓名=frame["id_number"].map(name_of).fillna(f"{MARK}9999"))
        frame.to_csv(folder / f"{table}.csv", index=False, date_format="%Y-%m-%d")
    (folder / "mapping.toml").write_text("\n".join(mapping), encoding="utf-8")
    return set(subjects)


def _refused(records: pd.DataFrame) -> pd.DataFrame:
    """Rows with a number where none may be, and numbers that cannot be right."""
    some = records.head(60).copy()
    number = some["id_number"]
    spaced = number.str[:6] + " " + number.str[6:14] + " " + number.str[14:]
    some["record_id"] = [f"X{place}" for place in range(len(some))]
    some.loc[some.index[0:10], "id_number"] = number[0:10].str[:-1] + "?"  # no check digit
    some.loc[some.index[10:20], "id_number"] = number[10:20].str[:6] + "-" + number[10:20].str[6:]
    some.loc[some.index[20:30], "source"] = "report about " + number[20:30]
    some.loc[some.index[30:40], "record_id"] = number[30:40]
    some.loc[some.index[40:50], "kind"] = number[40:50]
    some.loc[some.index[50:60], "case_id"] = spaced[50:60]
    return some


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """The raw folder, and the folder of everything a whole walk left behind, what was printed among it."""
    raw, kept = tmp_path_factory.mktemp("raw"), tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDIT_MODEL_PSEUDONYM_KEY", KEY)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{kept / 'mlflow.db'}")
        patch.setenv("CREDIT_MODEL_HOME", str(kept / "home"))
        patch.chdir(kept)
        _plant(raw)
        (kept / "canaries.toml").write_text(EXPERIMENT, encoding="utf-8")
        tables = [part for table in TABLES for part in (f"--{table}", str(raw / f"{table}.csv"))]
        with (kept / "printed.log").open("w", encoding="utf-8") as log:
            patch.setattr("sys.stdout", log)
            patch.setattr("sys.stderr", log)
            given = [*tables, "--mapping", str(raw / "mapping.toml")]
            assert main(["ingest", "ledger", *given]) == 3  # the planted rows are refused: what is said names nobody
            assert main(["ingest", "ledger", *given, "--max-rejected", "1"]) == 0
            assert main(["ingest", "ledger", "--records", str(raw / "records.csv")]) == 2  # 姓名 is refused
            assert main(["run", "canaries.toml", "--author", "Li Wei"]) == 3
            (kept / "canaries.toml").write_text(f"{EXPERIMENT}\n[ingest]\nmax_rejected_share = 1\n", encoding="utf-8")
            assert main(["run", "canaries.toml", "--author", "Li Wei"]) == 0
            assert main(["promote", "1", "--approver", "Zhou Min", "--name", "personal-credit"]) == 0
            subject = _a_subject(kept)
            assert main(["assess", subject, "--ledger", "ledger"]) == 0
            assert main(["assess", _a_number(raw), "--ledger", "ledger", "--json"]) == 0
            assert (
                main(["explain", subject, "--ledger", "ledger", "--as-of", "2026-01-01", "--feature", "adverse_60m"])
                == 0
            )
            (kept / "observations.csv").write_text(f"subject_id,as_of\n{subject},2026-01-01\n", encoding="utf-8")
            assert main(["features", "ledger", "observations.csv", "--out", "X.parquet"]) == 0
        yield raw, kept


def _a_subject(kept: Path) -> str:
    from credit_model import Ledger

    return str(Ledger.open(kept / "ledger").as_of("2026-01-01")["subject_id"].iloc[0])


def _a_number(raw: Path) -> str:
    return str(pd.read_csv(raw / "subjects.csv", dtype=str)["id_number"].iloc[0])


def _readings(path: Path) -> Iterator[str]:
    """A file as raw bytes under every encoding a name could hide in, and decoded where it is a table or a database."""
    data = path.read_bytes()
    yield from (data.decode(encoding, errors="ignore") for encoding in ("utf-8", "gb18030", "utf-16-le", "utf-16-be"))
    yield re.sub(rb"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)).encode(), data).decode(errors="ignore")
    if data[:4] == b"PAR1":
        for _, column in pd.read_parquet(path).items():
            yield "\n".join(column.dropna().astype(str).unique())
    if data[:15] == b"SQLite format 3":
        with sqlite3.connect(path) as database:
            yield "\n".join(database.iterdump())


def _found(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            hits = {
                hit for text in _readings(path) for hit in (*NUMBER.findall(text), *([MARK] if MARK in text else []))
            }
            hits |= {KEY} if KEY.encode() in path.read_bytes() else set()
            if hits:
                found[str(path.relative_to(folder))] = sorted(hits)[:5]
    return found


def test_the_search_finds_what_was_planted(left: tuple[Path, Path]) -> None:
    raw, _ = left
    assert set(_found(raw)) == {"records.csv", "subjects.csv", "audit.csv"}
    text = (raw / "subjects.csv").read_text(encoding="utf-8")
    assert len(set(re.findall(rf"{MARK}\d{{4}}", text))) >= 1_000
    assert len(set(re.findall(r"999999\d{11}[\dX]", text))) >= 1_000


def test_a_whole_walk_leaves_no_name_no_number_and_no_key_behind(left: tuple[Path, Path]) -> None:
    _, kept = left
    kinds = {path.suffix for path in kept.rglob("*") if path.is_file()}
    assert kinds >= {".parquet", ".jsonl", ".json", ".html", ".db", ".log"}  # all of it was looked at
    assert _found(kept) == {}


def test_quarantined_rows_do_not_identify_a_person(left: tuple[Path, Path]) -> None:
    _, kept = left
    (first, *_) = sorted((kept / "ledger" / "quarantine").glob("*.jsonl"))
    lines = first.read_text(encoding="utf-8")
    for reason in ("id_number_length", "id_number_in_text", "unknown_kind"):
        assert reason in lines
