"""Features of a table of observations, from a ledger; and the records behind one value."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import credit_model as cm
from credit_model import UserError
from credit_model.features.build import UnknownSubjectsWarning
from credit_model.features.definition import FeatureDefinition
from credit_model.features.dictionary import library

# "nobody" is observed on purpose; tests/test_subject_ids.py holds what is said of such subjects.
pytestmark = pytest.mark.filterwarnings("ignore::credit_model.features.build.UnknownSubjectsWarning")
USE = "2026-11-24"
RECORDS = pd.DataFrame(
    [
        ("r1", "ann", "adm_penalty", "2024-01-10", "2024-02-01", "2024-02-20", "general", 5000),
        ("r2", "ann", "adm_penalty", "2024-03-01", "2024-03-10", "2024-04-01", "general", 800),
        ("r3", "ann", "honour", "2022-05-01", "2022-05-01", "2022-06-01", None, None),
        ("r4", "ann", "honour", "2018-05-01", "2018-05-01", "2018-06-01", None, None),
        ("r5", "bob", "dishonest_executee", "2020-02-29", "2020-02-29", "2020-03-10", None, 90_000),
        ("r6", "bob", "adm_penalty", "2024-05-01", None, "2024-05-02", "serious", None),
        ("r7", "ann", "adm_penalty", "2024-02-02", "2024-02-02", "2024-12-01", "general", 100),
    ],
    columns=["record_id", "subject_id", "kind", "decided_on", "final_on", "known_on", "tier", "amount"],
).astype({"amount": "Int64"})
AMENDMENTS = pd.DataFrame(
    [("r2", "repaired", "2024-06-01", "2024-06-03"), ("r5", "delisted", "2024-07-01", "2024-07-20")],
    columns=["record_id", "action", "effective_on", "known_on"],
)
SUBJECTS = pd.DataFrame({"subject_id": ["ann", "bob"], "born_on": ["1980-01-01", "1990-01-01"]})
COUNT = FeatureDefinition(name="n", aggregate="count", where={"polarity": "adverse"}, window="ever")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> cm.Ledger:
    made = cm.Ledger.create(tmp_path_factory.mktemp("ledger") / "city")
    report = made.ingest(records=RECORDS, amendments=AMENDMENTS, subjects=SUBJECTS)
    assert report.accepted == len(RECORDS) + len(AMENDMENTS) + len(SUBJECTS)
    return made


def observed(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["subject_id", "as_of"])


SOME = observed(("bob", "2024-07-20"), ("ann", "2024-06-03"), ("nobody", "2024-06-03"), ("ann", "2024-06-04"),
                ("bob", "2024-07-21"), ("ann", "2024-02-20"), ("ann", "2024-02-21"))  # fmt: skip


# ------------------------------------------------------------------------------------------------ the table
def test_each_row_is_as_of_its_own_date_with_the_index_of_the_observations(ledger: cm.Ledger) -> None:
    some = SOME.set_index(pd.Index(list("gfedcba"), name="row")).assign(more=1.5)
    X = cm.build_features(ledger, some, [COUNT], day_of_use=USE)
    assert X.index.equals(some.index)
    assert X["n"].to_list() == [1, 2, 0, 1, 0, 0, 1]
    assert (X.dtypes == np.float32).all()


def test_without_features_the_whole_dictionary_is_built(ledger: cm.Ledger) -> None:
    X = cm.build_features(ledger, SOME, day_of_use=USE)
    assert X.columns.to_list() == [definition.name for definition in library()]
    ann = X.iloc[1]
    assert ann["adverse_general_12m"] == 2
    assert ann["fines_36m"] == 5800
    assert ann["honours_60m"] == 1
    assert ann["days_since_adverse_general"] == 94
    bob = X.iloc[0]
    assert bob["listed_now"] == 1
    assert bob["listed_debt"] == 90_000
    assert X.iloc[4]["listed_now"] == 0


def test_an_unknown_subject_is_a_row_of_none_and_warned_of(ledger: cm.Ledger) -> None:
    with pytest.warns(UnknownSubjectsWarning, match=r"1 of 7 observations name 1 subject .*row 2, 'nobody'"):
        X = cm.build_features(ledger, SOME, day_of_use=USE)
    assert X.iloc[2].to_list() == [np.float32(definition.none) for definition in library()]


def test_features_may_be_names_definitions_or_a_file(ledger: cm.Ledger, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[[feature]]\nname = "n"\naggregate = "count"\nwhere = { polarity = "adverse" }')
    by_file = cm.build_features(ledger, SOME, path, day_of_use=USE)
    pd.testing.assert_frame_equal(by_file, cm.build_features(ledger, SOME, str(path), day_of_use=USE))
    pd.testing.assert_frame_equal(by_file, cm.build_features(ledger, SOME, [COUNT], day_of_use=USE))
    named = cm.build_features(ledger, SOME, ["honours_60m", "adverse_12m"], day_of_use=USE)
    assert named.columns.to_list() == ["honours_60m", "adverse_12m"]
    mixed = cm.build_features(ledger, SOME, [COUNT, "adverse_12m"], day_of_use=USE)
    assert mixed.columns.to_list() == ["n", "adverse_12m"]


def test_one_by_one_is_the_same_as_together_and_after_opening_again(ledger: cm.Ledger) -> None:
    together = cm.build_features(ledger, SOME, day_of_use=USE)
    again = cm.Ledger.open(ledger.path)
    for i in range(len(SOME)):
        alone = cm.build_features(again, SOME.iloc[[i]], day_of_use=USE)
        pd.testing.assert_frame_equal(alone, together.iloc[[i]], check_exact=True)


@pytest.mark.parametrize("kind", ["str", "object", "category", "datetime"])
def test_ids_and_dates_may_come_in_any_usual_type(ledger: cm.Ledger, kind: str) -> None:
    some = SOME.astype({"subject_id": "category" if kind == "category" else "object"})
    if kind == "object":
        some["as_of"] = pd.to_datetime(some["as_of"]).dt.date
    if kind == "datetime":
        some["as_of"] = pd.to_datetime(some["as_of"])
    X = cm.build_features(ledger, some, [COUNT], day_of_use=USE)
    assert X["n"].to_list() == [1, 2, 0, 1, 0, 0, 1]


def test_whole_numbers_as_subject_ids_are_read_as_the_ledger_reads_them(tmp_path: Path) -> None:
    ledger = cm.Ledger.create(tmp_path / "city")
    ledger.ingest(records=RECORDS.assign(subject_id=[1, 1, 1, 1, 2, 2, 1]))
    X = cm.build_features(ledger, observed((1, "2024-06-03"), (2, "2024-06-03")), [COUNT], day_of_use=USE)
    assert X["n"].to_list() == [2, 1]


def test_the_law_of_the_day_of_use_holds_for_every_row(tmp_path: Path) -> None:
    cm.Ledger.create(tmp_path / "city", policy="retention")
    ledger = cm.Ledger.open(tmp_path / "city", clock=lambda: dt.date(2025, 12, 31))
    ledger.ingest(records=RECORDS.assign(kind="public_security_violation", tier="minor"))
    for use, count in (("2025-12-31", 3), ("2026-01-01", 0)):
        X = cm.build_features(ledger, observed(("ann", "2024-06-03")), [COUNT], day_of_use=use)
        assert X["n"].to_list() == [count]


def test_what_is_ingested_later_and_known_later_changes_no_bit(tmp_path: Path) -> None:
    ledger = cm.Ledger.create(tmp_path / "city")
    ledger.ingest(records=RECORDS, amendments=AMENDMENTS, subjects=SUBJECTS)
    early = observed(("ann", "2024-06-04"), ("bob", "2024-06-04"))
    before = cm.build_features(ledger, early, day_of_use=USE)
    more = RECORDS.assign(record_id="s" + RECORDS["record_id"], known_on="2024-06-04", final_on="2024-06-01")
    more = pd.concat([more, more.assign(record_id="t" + more["record_id"], subject_id="aaron")])
    revoked = AMENDMENTS.assign(
        record_id=["r1", "r3"], action="revoked", effective_on="2024-05-01", known_on="2024-06-04"
    )
    ledger.ingest(records=more, amendments=revoked)
    pd.testing.assert_frame_equal(before, cm.build_features(ledger, early, day_of_use=USE), check_exact=True)
    assert not before.equals(cm.build_features(ledger, early.assign(as_of="2024-06-05"), day_of_use=USE))


# ------------------------------------------------------------------------------------------------ a file
def test_out_writes_parquet_and_returns_its_path(ledger: cm.Ledger, tmp_path: Path) -> None:
    X = cm.build_features(ledger, SOME, day_of_use=USE)
    path = cm.build_features(ledger, SOME, out=tmp_path / "x.parquet", day_of_use=USE)
    assert path == tmp_path / "x.parquet"
    written = pd.read_parquet(path)
    pd.testing.assert_frame_equal(written[X.columns], X, check_exact=True)
    assert written["subject_id"].to_list() == SOME["subject_id"].to_list()
    assert written["as_of"].astype(str).to_list() == SOME["as_of"].to_list()
    assert [item.name for item in tmp_path.iterdir()] == ["x.parquet"]


def test_no_observations_are_an_empty_table_and_an_empty_file(ledger: cm.Ledger, tmp_path: Path) -> None:
    none = SOME.iloc[:0]
    assert cm.build_features(ledger, none, day_of_use=USE).shape == (0, len(library()))
    written = pd.read_parquet(cm.build_features(ledger, none, out=tmp_path / "x.parquet", day_of_use=USE))
    assert written.shape == (0, len(library()) + 2)


def test_a_file_is_there_whole_or_as_it_was(ledger: cm.Ledger, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_text("the old one")
    rich = FeatureDefinition(name="d", aggregate="decayed_sum", of="amount", half_life_days=1, window="ever")
    huge = cm.Ledger.create(tmp_path / "city")
    huge.ingest(records=RECORDS.assign(amount=2**40))
    with pytest.raises(UserError, match="too great for a decayed sum"):
        cm.build_features(huge, SOME, [rich], out=path, day_of_use=USE)
    assert path.read_text() == "the old one"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["city", "x.parquet"]


# ------------------------------------------------------------------------------------------------ mistakes
@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"observations": SOME[["as_of"]]}, r"need the columns subject_id and as_of; missing: subject_id"),
        ({"observations": ["ann"]}, r"missing: subject_id, as_of"),
        ({"observations": observed(("ann", "soon"), ("ann", "2024-01-01"))}, r"column as_of: .*1 of 2 values"),
        ({"observations": SOME.assign(as_of=[*SOME["as_of"][:-1], None])}, r"column as_of: 1 rows have no date.*row 6"),
        ({"observations": SOME.assign(subject_id=None)}, r"column subject_id: 7 rows have no subject"),
        ({"engine": "dask"}, r"engine 'dask'; this version has: local, spark"),
        ({"features": []}, r"none is named; leave 'features' out"),
        ({"features": ["honour_60m"]}, r"'honour_60m' is no feature of the dictionary; did you mean 'honours_60m'\?"),
        ({"features": "honours_60"}, r"'honours_60' is no feature of the dictionary; did you mean 'honours_60m'\?"),
        ({"features": "nowhere.toml"}, r"nowhere\.toml: cannot be read"),
        ({"features": [COUNT, COUNT]}, r"feature 'n': 2 definitions share the name"),
        ({"features": [FeatureDefinition(name="n", aggregate="count", where={"kinds": "x"})]}, r"unknown kind 'x'"),
        ({"out": "/nowhere/x.parquet"}, r"to be written to /nowhere/x\.parquet: there is no folder /nowhere"),
    ],
)
def test_a_mistake_gets_one_clear_line(ledger: cm.Ledger, said: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        cm.build_features(ledger, **{"observations": SOME, **said}, day_of_use=USE)
    assert "\n" not in str(caught.value)
    assert not re.search(r"\b(ann|bob|soon)\b", str(caught.value))


# ------------------------------------------------------------------------------------------------ the trail
def test_a_value_is_explained_by_the_records_on_file_used_or_left_out(ledger: cm.Ledger) -> None:
    found = cm.explain_feature(ledger, "ann", "2024-06-04", "adverse_general_12m", day_of_use=USE).rows
    assert found.columns.to_list() == [
        "record_id", "used", "ground", "kind", "decided_on", "known_on", "visible_from",
    ]  # fmt: skip
    told = found.set_index("record_id")
    assert told["used"].to_dict() == {"r4": False, "r3": False, "r1": True, "r2": False}  # r7 is not on file yet
    assert told["ground"].to_dict() == {"r4": "not_matched", "r3": "not_matched", "r1": "", "r2": "repaired"}
    assert told.loc["r1", "visible_from"] == pd.Timestamp("2024-02-21")
    assert pd.isna(told.loc["r2", "visible_from"])


def test_a_record_outside_the_window_and_one_without_a_value_say_so(ledger: cm.Ledger) -> None:
    honours = cm.explain_feature(ledger, "ann", "2024-06-04", "honours_60m", day_of_use=USE).rows.set_index("record_id")
    assert honours.loc[["r4", "r3"], "ground"].to_list() == ["outside_the_window", ""]
    amounts = FeatureDefinition(name="a", aggregate="sum", of="amount", window="ever")
    found = cm.explain_feature(ledger, "ann", "2024-06-04", "a", [amounts], day_of_use=USE).rows.set_index("record_id")
    assert found.loc["r3", "ground"] == "no_value"
    assert found.loc["r1", "used"]


def test_a_record_off_the_list_is_named_with_its_ground_not_as_unmatched(ledger: cm.Ledger) -> None:
    (row,) = cm.explain_feature(ledger, "bob", "2024-07-21", "listed_now", day_of_use=USE).rows[:1].itertuples()
    assert (row.record_id, row.used, row.ground) == ("r5", False, "past_use_window")


def test_an_unknown_subject_has_no_trail_and_an_unknown_feature_is_named(ledger: cm.Ledger) -> None:
    assert cm.explain_feature(ledger, "nobody", "2024-07-21", "listed_now", day_of_use=USE).rows.empty
    with pytest.raises(UserError, match=r"feature 'listed' was to be explained.*did you mean 'listed_now'\?"):
        cm.explain_feature(ledger, "bob", "2024-07-21", "listed", day_of_use=USE)
    with pytest.raises(UserError, match="date was expected"):
        cm.explain_feature(ledger, "bob", "soon", "listed_now", day_of_use=USE)
