"""A subject id is one text wherever it is given, and somebody the ledger does not have is told of."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_card import small_card

import credit_model as cm
from credit_model import UserError
from credit_model.assessment.evaluator import Evaluator
from credit_model.catalogue.subject_ids import read_subject_ids, subject_id
from credit_model.cli.main import main
from credit_model.features.build import UnknownSubjectsWarning
from credit_model.ledger.ledger import Ledger
from credit_model.sample.outcome import Y12

USE = "2026-11-24"
DAY = "2026-04-01"
PLACE = "observations, column subject_id"
NUMBERS = [30790, 30791, 30792]
# The same three people, as files and frames write them.
SAME: dict[str, Any] = {
    "integers": NUMBERS,
    "floats": [30790.0, 30791.0, 30792.0],
    "small floats": np.array(NUMBERS, np.float32),
    "text": ["30790", "30791", "30792"],
    "text of floats": ["30790.0", " 30791.0", "30792.00"],
    "objects": pd.Series([30790, "30791", 30792.0], dtype=object),
    "categories": pd.Series(["30790", "30791", "30792"], dtype="category"),
    "nullable integers": pd.Series(NUMBERS, dtype="Int64"),
    "arrow text": pd.Series(["30790", "30791", "30792"], dtype=pd.ArrowDtype(pa.string())),
    "decimals": [decimal.Decimal("30790.00"), decimal.Decimal("30791.00"), decimal.Decimal("30792.00")],
}
NO_IDS: dict[str, tuple[Any, str]] = {
    "a fraction": ([1.0, 30790.5], "row 1, 30790.5, a fraction"),
    "infinite": ([1.0, np.inf], "row 1, inf, not a finite number"),
    "no number": ([1.0, np.nan], "row 1, missing"),
    "missing": (["a", None], "row 1, missing"),
    "blank": (["a", "  "], "row 1, blank"),
    "booleans": ([True, False], "row 0, True, a boolean"),
    "a boolean among text": (["a", True], "row 1 is True, a boolean"),
    "a fraction among text": (["a", 0.5], "row 1 is 0.5, a fraction"),
    "beyond what a float holds": ([1.0, 3.30602199003070016e17], "row 1, a float too large to be exact"),
    "dates": ([dt.date(2026, 1, 1)] * 2, "row 0, a value of type date32"),
    "a NUL": (["a", "b\0"], "row 1, text with a NUL character"),
    "lists": ([["a"], ["b"]], "row 0, a value of type list"),
}


def rows(ids: Any) -> pd.DataFrame:
    """One severe record each."""
    frame = pd.DataFrame({"subject_id": ids})
    return frame.assign(
        record_id=[f"CF-{n}" for n in range(len(frame))], kind="adm_penalty", tier="serious", decided_on="2026-01-10",
        final_on="2026-02-20", known_on="2026-03-01",
    )  # fmt: skip


def people(ids: Any) -> pd.DataFrame:
    return pd.DataFrame({"subject_id": ids}).assign(born_on="1990-05-01")


def observed(ids: Any) -> pd.DataFrame:
    return pd.DataFrame({"subject_id": ids}).assign(as_of=DAY)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Whole numbers, delivered as a column with a gap is: floats."""
    made = Ledger.create(tmp_path / "ledger")
    made.ingest(records=rows(SAME["floats"]), subjects=people(SAME["floats"]))
    return made


# ------------------------------------------------------------------------------------------------ one form


@pytest.mark.parametrize("form", SAME)
def test_however_an_id_is_written_it_is_the_same_person_at_every_entry_point(
    form: str, ledger: Ledger, tmp_path: Path
) -> None:
    given_ = SAME[form]
    other = Ledger.create(tmp_path / "other")
    assert other.ingest(records=rows(given_), subjects=people(given_)).accepted == 6
    assert sorted(other.tables().records["subject_id"]) == sorted(map(str, NUMBERS))

    X = cm.build_features(ledger, observed(given_), ["adverse_24m"], day_of_use=USE)
    assert X["adverse_24m"].tolist() == [1, 1, 1]
    for name in ("X.parquet", "folder"):
        out = cm.build_features(ledger, observed(given_), ["adverse_24m"], out=tmp_path / name, day_of_use=USE)
        files = [out] if name == "X.parquet" else sorted(out.glob("*.parquet"))
        written = pd.concat(pd.read_parquet(file) for file in files).sort_values("subject_id")
        assert written["subject_id"].tolist() == [str(number) for number in NUMBERS]
        assert written["adverse_24m"].tolist() == [1, 1, 1]

    evaluator = Evaluator(small_card(), ledger)
    assert [a.record_ids for a in evaluator.assess_many(observed(given_), day_of_use=USE)] == [
        ("CF-0",), ("CF-1",), ("CF-2",),
    ]  # fmt: skip
    for number, one in enumerate(list(given_)):
        found = cm.explain_feature(ledger, one, DAY, "adverse_24m", day_of_use=USE).rows
        assert found["record_id"].tolist() == [f"CF-{number}"]
        assert evaluator.assess(one, DAY, day_of_use=USE).record_ids == (f"CF-{number}",)
        assert ledger.tables([one]).records["record_id"].tolist() == [f"CF-{number}"]
    earlier, later = observed(given_).assign(as_of="2026-01-01"), "2027-11-24"
    labels = Y12.label(ledger, earlier, day_of_use=later, known_through=later)
    assert labels["subject_id"].tolist() == [str(number) for number in NUMBERS]
    assert labels["event_record_id"].tolist() == ["CF-0", "CF-1", "CF-2"]


@given(st.integers(-(2**53), 2**53))
def test_an_integer_its_float_and_their_texts_are_one_id(number: int) -> None:
    forms = [number, float(number), str(number), f"{number}.0", np.int64(number), np.float64(number)]
    assert {subject_id(form) for form in forms} == {str(number)}
    for form in forms:
        assert read_subject_ids([form], PLACE).to_pylist() == [str(number)]


@given(st.text(st.characters(codec="utf-8", exclude_characters=".\0"), min_size=1).filter(lambda text: text.strip()))
def test_other_text_stays_as_it_is_but_for_blanks_around_it(text: str) -> None:
    (many,) = read_subject_ids([text], PLACE).to_pylist()
    assert subject_id(text) == many == text.strip()
    assert subject_id(f"{text}.5").endswith(".5")


@pytest.mark.parametrize("case", NO_IDS)
def test_a_value_that_cannot_be_an_id_is_refused_in_one_line_at_every_entry_point(case: str, ledger: Ledger) -> None:
    values, said = NO_IDS[case]
    frame = pd.DataFrame({"subject_id": pd.Series(values, dtype=object)}).assign(as_of=DAY)
    evaluator = Evaluator(small_card(), ledger)
    for attempt in (
        lambda: read_subject_ids(values, PLACE),
        lambda: cm.build_features(ledger, frame, ["adverse_24m"], day_of_use=USE),
        lambda: evaluator.assess_many(frame, day_of_use=USE),
        lambda: Y12.label(ledger, frame, day_of_use=USE),
    ):
        with pytest.raises(UserError) as caught:
            attempt()
        assert str(caught.value).startswith(f"{PLACE}: ")
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
    wrong = values[-1]
    for one in (
        lambda: subject_id(wrong),
        lambda: evaluator.assess(wrong, DAY, day_of_use=USE),
        lambda: cm.explain_feature(ledger, wrong, DAY, "adverse_24m", day_of_use=USE),
    ):
        with pytest.raises(UserError, match=r"subject.id"):
            one()


@pytest.mark.parametrize(
    ("values", "accepted", "rejected"),
    [
        ([30793.0, 30794.5, np.inf], 1, {"unreadable_subject_id": 2}),
        ([30793.0, 30794.0, None], 2, {"missing_required": 1}),
        ([True, False, True], 0, {"unreadable_subject_id": 3}),
        ([30793.0, 3.3e17, 30794.0], 2, {"unreadable_subject_id": 1}),
    ],
)
def test_ingest_refuses_rows_whose_id_is_none(
    ledger: Ledger, values: list[Any], accepted: int, rejected: dict[str, int]
) -> None:
    report = ledger.ingest(records=pa.Table.from_pandas(rows(values).assign(record_id=["a", "b", "c"])))
    assert (report.accepted, report.rejected) == (accepted, rejected)
    told = [json.loads(line)["reasons"][0] for line in report.quarantine.read_text(encoding="utf-8").splitlines()]
    assert {reason["column"] for reason in told} == {"subject_id"}


def test_of_objects_of_several_types_only_rows_without_an_id_are_refused(ledger: Ledger) -> None:
    ids = pd.Series(["a", 30793.0, 30794, True, 0.5, " 30795.0", None, b"x"], dtype=object)
    report = ledger.ingest(records=rows(ids).assign(record_id=list("abcdefgh")))
    assert (report.accepted, report.rejected) == (4, {"missing_required": 1, "unreadable_subject_id": 3})
    assert {"a", "30793", "30794", "30795"} <= set(ledger.tables().records["subject_id"])


def test_a_csv_of_floats_names_the_same_people(ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    gap = pd.concat([rows([30795, None]).assign(record_id=["x", "y"])])
    gap.to_csv(tmp_path / "gap.csv", index=False)
    assert "30795.0," in (tmp_path / "gap.csv").read_text(encoding="utf-8")
    report = ledger.ingest(records=tmp_path / "gap.csv")
    assert (report.accepted, report.rejected) == (1, {"missing_required": 1})
    assert "30795" in ledger.tables().records["subject_id"].tolist()

    observed([30790.0, 30791.0]).to_csv(tmp_path / "observations.csv", index=False)
    told = command(capsys, "features", ledger.path, tmp_path / "observations.csv", "--out", tmp_path / "X.parquet")
    assert told["unknown_subjects"] == 0
    assert pd.read_parquet(tmp_path / "X.parquet")["adverse_24m"].tolist() == [1, 1]
    explained = command(
        capsys, "explain", "30790.0", "--ledger", ledger.path, "--as-of", DAY, "--feature", "adverse_24m"
    )
    assert explained["subject_id"] == "30790"
    assert [record["record_id"] for record in explained["records"]] == ["CF-0"]
    small_card().save(tmp_path / "card.json")
    assessed = command(
        capsys, "assess", "30790.0", "--ledger", ledger.path, "--as-of", DAY, "--model", tmp_path / "card.json"
    )
    assert assessed["record_ids"] == ["CF-0"]


def test_a_record_moves_to_whom_the_amendment_names_in_any_form(ledger: Ledger) -> None:
    move = pd.DataFrame({"record_id": ["CF-0"], "action": ["moved_to_subject"], "value": [30791.0]})
    ledger.ingest(amendments=move.assign(effective_on="2026-03-05", known_on="2026-03-05"))
    ledger.ingest(
        amendments=move.assign(record_id="CF-2", value="30791.0", effective_on="2026-03-05", known_on="2026-03-05")
    )
    assert cm.build_features(ledger, observed([30791]), ["adverse_24m"], day_of_use=USE)["adverse_24m"].tolist() == [3]


def test_a_person_is_forgotten_and_readmitted_by_an_id_in_any_form(ledger: Ledger) -> None:
    assert ledger.forget(30790.0, reason="left the register", approver="Zhou Min").complete
    assert "30790" not in ledger.tables().records["subject_id"].tolist()
    assert ledger.ingest(records=rows([30790])).rejected == {"forgotten": 1}
    ledger.readmit("30790.0", reason="came back", approver="Zhou Min")
    assert ledger.ingest(records=rows([30790])).accepted == 1


# ------------------------------------------------------------------------------------------------ unknown subjects


def command(capsys: pytest.CaptureFixture, *arguments: Any) -> dict[str, Any]:
    """Run a command; what it prints for machines."""
    assert main([*map(str, arguments), "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("out", [None, "X.parquet", "folder"])
def test_unknown_subjects_are_counted_in_one_warning(ledger: Ledger, tmp_path: Path, out: str | None) -> None:
    some = observed(["30790", "S-30791", "S-30792", "S-30791"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cm.build_features(ledger, some, ["adverse_24m"], day_of_use=USE, out=None if out is None else tmp_path / out)
    (one,) = caught
    assert one.category is UnknownSubjectsWarning
    assert issubclass(UnknownSubjectsWarning, UserWarning)
    assert isinstance(one.message, UnknownSubjectsWarning)
    assert (one.message.subjects, one.message.observations) == (2, 3)
    assert str(one.message) == (
        "build_features: 3 of 4 observations name 2 subjects that the ledger does not have (first: row 1, 'S-30791'); "
        'they are described as "nothing on record". Check how their subject_id is written.'
    )
    assert one.filename == __file__


def test_a_subject_of_any_table_is_not_unknown(ledger: Ledger) -> None:
    """Most people have nothing on record: the register of subjects names them, an amendment or an audit row may."""
    ledger.ingest(subjects=people(["registered"]))
    ledger.ingest(audit=pd.DataFrame({"subject_id": ["audited"], "sex": ["f"]}))
    ledger.ingest(records=rows(["of records only"]).assign(record_id="alone"))
    move = pd.DataFrame({"record_id": ["CF-0"], "action": ["moved_to_subject"], "value": ["moved to"]})
    ledger.ingest(amendments=move.assign(effective_on="2026-03-05", known_on="2026-03-05"))
    named = ["registered", "audited", "of records only", "moved to", "30790"]
    X = cm.build_features(ledger, observed(named), ["adverse_24m"], day_of_use=USE)  # warnings are errors here
    assert X["adverse_24m"].tolist() == [0, 0, 1, 1, 0]


def test_an_identity_number_in_place_of_an_id_is_not_repeated_by_the_warning(ledger: Ledger) -> None:
    with pytest.warns(UnknownSubjectsWarning) as caught:
        cm.build_features(ledger, observed(["330602199003070016"]), ["adverse_24m"], day_of_use=USE)
    assert "330602199003070016" not in str(caught[0].message)


def test_the_command_names_unknown_subjects(ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    observed(["30790", "S-30791", "S-30791"]).to_csv(tmp_path / "observations.csv", index=False)
    given_ = ["features", ledger.path, tmp_path / "observations.csv", "--out", tmp_path / "X.parquet"]
    assert command(capsys, *given_)["unknown_subjects"] == 1
    assert main(list(map(str, given_))) == 0
    told = capsys.readouterr()
    assert "2 of 3 observations name 1 subject that the ledger does not have" in told.err
    assert "warning" in told.err
    assert "\n" not in told.err.strip()
    assert "3 observations described" in told.out
