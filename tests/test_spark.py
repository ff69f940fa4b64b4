"""Spark, for real and on this machine alone: the values of one machine, of one person and of numpy, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from small_card import small_card
from small_pairs import raw_card as raw_pairs_card
from small_pairs import raw_rows

import credit_model as cm
from credit_model import UserError
from credit_model.catalogue.catalogue import load_catalogue
from credit_model.features import spark
from credit_model.features.build import UnknownSubjectsWarning
from credit_model.features.definition import FeatureDefinition
from credit_model.features.dictionary import library
from credit_model.features.kernel import compute
from credit_model.features.subject_features import SubjectFeatures
from credit_model.foundation.calendar import to_days
from credit_model.ledger import buckets
from credit_model.ledger.ledger import Ledger

pytestmark = pytest.mark.needs("java")
# "nobody" is observed on purpose; tests/test_subject_ids.py holds what is said of such subjects.
pytestmark = pytest.mark.filterwarnings("ignore::credit_model.features.build.UnknownSubjectsWarning")
USE = "2026-07-01"
DEFINITIONS = (
    *library()[::3],
    FeatureDefinition(name="visits", aggregate="count", where={"kinds": "honour"}, window="last_day:adm_penalty"),
    FeatureDefinition(name="amounts", aggregate="mean", of="amount", window="365d", window_on="visible_from"),
    FeatureDefinition(name="distinct", aggregate="count_distinct", of="kind", where={"polarity": "adverse"}),
    FeatureDefinition(name="tiers", aggregate="last", of="tier", window="36m", trend="higher_is_worse", none=-1),
    FeatureDefinition(name="since", aggregate="tenure_days", window="ever", scale=7),
    FeatureDefinition(name="balance", aggregate="contrast", numerator={"polarity": "adverse"},
                      denominator={"polarity": "positive"}, window="24m"),
)  # fmt: skip


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """Two threads, a small heap, small batches; nobody to talk to."""
    found = spark.session(
        {
            "spark.master": "local[2]",
            "spark.driver.memory": "512m",
            "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
            "spark.sql.execution.arrow.maxRecordsPerBatch": "300",
            "spark.sql.shuffle.partitions": "2",
        }
    )
    yield found
    found.stop()


@pytest.fixture(scope="module")
def ledger(city: Any, tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    made = Ledger.create(tmp_path_factory.mktemp("spark") / "ledger", load_catalogue(), "retention")
    made.ingest(records=city.records, amendments=city.amendments, subjects=city.subjects)
    with pytest.MonkeyPatch.context() as patch:  # once cut, the cuts stay, for every process
        patch.setattr(buckets, "ROWS", 1_500)
        assert len(made.buckets(USE)) > 2
    return made


@pytest.fixture(scope="module")
def observations(city: Any) -> pd.DataFrame:
    """Several own dates a subject, in no order, under an index of their own; one subject nobody knows."""
    random = np.random.default_rng(20261124)
    subjects = [*random.choice(city.subjects["subject_id"].unique(), 900), "nobody"]
    days = np.datetime64("2022-01-01") + random.integers(0, 1_200, len(subjects))
    return pd.DataFrame({"as_of": days, "subject_id": subjects}, index=np.arange(len(subjects))[::-1] * 3)


def test_spark_one_machine_one_person_and_numpy_alone_agree_to_the_last_bit(
    session: Any, ledger: Ledger, observations: pd.DataFrame
) -> None:
    local = cm.build_features(ledger, observations, DEFINITIONS, day_of_use=USE)
    found = cm.build_features(ledger, observations, DEFINITIONS, engine="spark", day_of_use=USE)
    again = cm.build_features(ledger, observations, DEFINITIONS, engine="spark", day_of_use=USE)  # buckets are kept now
    pd.testing.assert_frame_equal(again, found, check_exact=True)
    pd.testing.assert_index_equal(found.index, observations.index)
    assert found.columns.to_list() == local.columns.to_list()
    assert found.to_numpy().tobytes() == local.to_numpy().tobytes()

    segments = ledger.segments(USE)
    subjects = segments.subject_index(observations["subject_id"])
    days = to_days(observations["as_of"].to_numpy())
    alone = compute(segments, subjects, days, DEFINITIONS, ledger.catalogue, engine="numpy")
    assert alone.tobytes() == local.to_numpy().tobytes()
    plan = SubjectFeatures(DEFINITIONS, ledger.catalogue)
    rows = [plan.one(segments, s, d).values for s, d in zip(subjects.tolist(), days.tolist(), strict=True)]
    assert np.array(rows, np.float32).tobytes() == local.to_numpy().tobytes()
    assert (local.nunique() > 1).mean() > 0.8  # there is something to agree on


def test_a_card_scores_features_on_spark_as_on_one_machine(
    session: Any, ledger: Ledger, observations: pd.DataFrame, tmp_path: Path
) -> None:
    card = cm.load_evaluator(str(small_card("retention").save(tmp_path / "card.json"))).card
    columns = {"subject_id": observations["subject_id"].tolist(), "as_of": days_of(observations)}
    frame = made_frame(session, columns | {"district": ["x"] * len(observations)})
    described = cm.build_features(ledger, frame, card.features, engine="spark", out=tmp_path / "X", day_of_use=USE)
    assert described == tmp_path / "X"
    scored = spark.collected(spark.score(card, session.read.parquet(str(described)))).to_pandas()
    assert scored.columns.to_list() == ["subject_id", "as_of", "district", "score", "probability_of_bad", "grade"]

    expected = card.score(cm.build_features(ledger, observations, card.features, day_of_use=USE))
    expected = observations.assign(**expected, as_of=days_of(observations))
    key = ["subject_id", "as_of", "score"]
    scored, expected = (table.sort_values(key, ignore_index=True) for table in (scored, expected))
    for name in ("subject_id", "score", "probability_of_bad", "grade"):
        assert scored[name].tolist() == expected[name].tolist()
    assert scored["score"].nunique() > 3


def test_a_card_with_pairs_of_numbers_and_texts_scores_on_spark_as_on_one_machine(session: Any) -> None:
    card, rows = raw_pairs_card(), raw_rows()
    columns = {name: pa.Array.from_pandas(rows[name]) for name in rows}
    frame = made_frame(session, columns | {"row": list(range(len(rows)))})
    scored = spark.collected(spark.score(card, frame)).to_pandas()
    scored, expected = scored.sort_values("row", ignore_index=True), card.score(rows)
    for name in ("score", "probability_of_bad", "grade"):
        assert scored[name].tolist() == expected[name].tolist()


def test_an_id_is_the_same_person_on_spark_in_any_form_and_what_cannot_be_one_is_refused(
    session: Any, tmp_path: Path
) -> None:
    ledger = Ledger.create(tmp_path / "ledger")
    honour = {"record_id": ["H-1"], "subject_id": [30790.0], "kind": ["honour"]}
    ledger.ingest(records=pd.DataFrame({**honour, "decided_on": ["2024-01-10"], "known_on": ["2024-03-01"]}))
    day = pd.to_datetime(["2024-06-01"] * 2).date.tolist()
    for ids in ([30790.0, 30790.0], [30790, 30790], ["30790.0", " 30790"], pd.Series([30790, "30790"], dtype=object)):
        local = pd.DataFrame({"subject_id": ids, "as_of": day})
        X = cm.build_features(ledger, local, ["honours_60m"], engine="spark", day_of_use=USE)
        assert X["honours_60m"].tolist() == [1, 1]
        if isinstance(ids, list):
            frame = made_frame(session, {"subject_id": ids, "as_of": day})
            described = cm.build_features(ledger, frame, ["honours_60m"], engine="spark", day_of_use=USE)
            rows = spark.collected(described).to_pydict()
            assert (rows["subject_id"], rows["honours_60m"]) == (["30790"] * 2, [1, 1])
    fraction = made_frame(session, {"subject_id": [30790.0, 0.5], "as_of": day})
    undone = cm.build_features(ledger, fraction, ["honours_60m"], engine="spark", day_of_use=USE)
    with pytest.raises(UserError, match=r"one batch: 1 rows have no subject id \(first: row \d, 0\.5, a fraction\)"):
        spark.collected(undone)
    flags = made_frame(session, {"subject_id": [True, False], "as_of": day})
    with pytest.raises(UserError, match="subject_id is boolean, not string"):
        cm.build_features(ledger, flags, ["honours_60m"], engine="spark", day_of_use=USE)
    strangers = pd.DataFrame({"subject_id": ["30790", "nobody"], "as_of": day})
    with pytest.warns(UnknownSubjectsWarning, match="1 of 2 observations name 1 subject"):
        cm.build_features(ledger, strangers, ["honours_60m"], engine="spark", day_of_use=USE)


def test_what_is_wrong_is_told_in_one_line_wherever_it_is_noticed(session: Any, city: Any, tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "ledger")
    ledger.ingest(records=city.records.iloc[:50])
    day = days_of(pd.DataFrame({"as_of": ["2024-01-01"]}))
    known = made_frame(session, {"subject_id": ["a"], "as_of": day})
    for columns, told in (
        ({"subject_id": ["a"]}, "as_of is missing"),
        ({"subject_id": ["a"], "as_of": ["2024-01-01"]}, "as_of is string, not date"),
        ({"subject_id": ["a"], "as_of": day, "honours_60m": [1.0]}, "columns of the names of features: honours_60m"),
    ):
        with pytest.raises(UserError, match=told):
            cm.build_features(ledger, made_frame(session, columns), ["honours_60m"], engine="spark")
    with pytest.raises(UserError, match="adverse_24m is missing"):
        spark.score(small_card(), known)
    undated = made_frame(session, {"subject_id": ["a", "b"], "as_of": pa.array([None, *day], pa.date32())})
    with pytest.raises(UserError, match=r"column as_of: 1 rows of one batch have none"):
        cm.build_features(ledger, undated, ["honours_60m"], engine="spark", out=tmp_path / "X")
    lazy = cm.build_features(ledger, known, ["honours_60m"], engine="spark")
    ledger.ingest(records=city.records.iloc[50:60])
    with pytest.raises(UserError, match="was written to while Spark read it"):
        spark.collected(lazy)


def days_of(observations: pd.DataFrame) -> list[Any]:
    return pd.to_datetime(observations["as_of"]).dt.date.tolist()


def made_frame(session: Any, columns: dict[str, Any]) -> Any:
    with spark.unwarned():
        return session.createDataFrame(pa.table(columns))
