"""A pair wherever a card is used: the same points on every path, one reason that names both, parts that add up."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from service_process import ENVELOPE
from small_card import DAY_OF_USE, penalty, small_card, small_evaluation, small_ledger
from small_pairs import BREACHES, HONOURED, people_card, people_rows, raw_card, raw_rows, scored_rows
from test_service import LocalService

from credit_model import load_evaluator
from credit_model.assessment.evaluator import Evaluator
from credit_model.cli.main import main
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.monitoring.monitor import monitor
from credit_model.monitoring.reference import Reference
from credit_model.monitoring.snapshot import Snapshot
from credit_model.monitoring.stability import compare
from credit_model.monitoring.wording import alarms_of
from credit_model.registry.registration import register
from credit_model.registry.runs import log_run
from credit_model.reports.model_card import ModelCard, render_model_card
from credit_model.scorecard.card import Card
from credit_model.scorecard.loader import _load_pyfunc, open_card
from credit_model.scorecard.pairs import Pair

CARDS = {"people": people_card(), "raw": raw_card()}
ROWS = {"people": people_rows(), "raw": raw_rows()}
NAMES = {"zh": "近24个月不良信息条数", "en": "Adverse records, 24 months"}


def naive(card: Card, row: dict[str, Any]) -> dict[str, int]:
    """Points of every term by looking each value up in the document, and nothing else of the package."""
    document = json.loads(card.to_json())
    at = {}
    for table in document["characteristics"]:
        value = row[table["name"]]
        if "groups" in table:
            places = [number for number, group in enumerate(table["groups"]) if value in group]
            at[table["name"]] = len(table["groups"]) + 1 if value is None else (*places, len(table["groups"]))[0]
        else:
            at[table["name"]] = (
                len(table["cuts"]) + 1 if value != value else sum(np.float32(value) > cut for cut in table["cuts"])
            )
    found = {t["name"]: t["attributes"][at[t["name"]]]["points"] for t in document["characteristics"]}
    for pair in document["pairs"]:
        found[f"{pair['first']} × {pair['second']}"] = pair["points"][at[pair["first"]]][at[pair["second"]]]
    return found


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Every way to a score: the card, its document, its folder, MLflow's loader, the registry, the service."""
    place = tmp_path_factory.mktemp("paths")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place / 'mlflow.db'}")
        yield {which: ways(which, place / which) for which in CARDS}


def ways(which: str, folder: Path) -> dict[str, Any]:
    import mlflow

    folder.mkdir()
    card, local = CARDS[which], LocalService(folder, CARDS[which], rows=1_000)
    made = register(card, log_run("pairs"), author="Li Wei", name=which, evaluation=small_evaluation())
    return {
        "document": Card.from_json(card.to_json()).score,
        "folder": open_card(folder).score,
        "loader": _load_pyfunc(str(folder)).predict,
        "registry": load_evaluator(made.uri).card.score,
        "pyfunc": mlflow.pyfunc.load_model(made.uri).predict,
        "service": lambda frame: asked(local, {"columns": plain(frame).to_dict("list")}),
        "service, row by row": lambda frame: pd.concat(
            [asked(local, {"rows": [row]}) for row in plain(frame).head(40).to_dict("records")]
        ),
    }


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """As JSON has it: what is missing is null."""
    return frame.astype(object).where(frame.notna(), None)


def asked(local: LocalService, what: dict[str, Any]) -> pd.DataFrame:
    status, found = local.post("/score", {**ENVELOPE, **what})
    assert status == 200, found
    return pd.DataFrame({name: found[name] for name in ("score", "probability_of_bad", "grade")})


@pytest.mark.parametrize("which", list(CARDS))
def test_a_pair_gives_the_same_points_on_every_path(paths: dict[str, Any], which: str) -> None:
    card, rows = CARDS[which], ROWS[which]
    expected = card.score(rows)
    assert (card.explain(rows)[[pair.name for pair in card.pairs]] != 0).any().all()
    for way, score in paths[which].items():
        found = score(rows)
        same = expected.head(len(found))
        assert found["score"].tolist() == same["score"].tolist(), way
        assert found["grade"].tolist() == same["grade"].tolist(), way
        np.testing.assert_array_equal(found["probability_of_bad"], same["probability_of_bad"])


@pytest.mark.parametrize("which", list(CARDS))
def test_parts_add_up_to_the_score_in_a_batch_and_in_one_row_as_by_hand(which: str) -> None:
    card, rows = CARDS[which], ROWS[which]
    told, scores = card.explain(rows), card.score(rows)["score"]
    assert told.columns.tolist() == ["base", *card.terms]
    assert told.sum(axis=1).tolist() == scores.tolist()
    for number, row in enumerate(plain(rows).to_dict("records")):
        by_hand = naive(card, {name: float("nan") if v is None and name != "home" else v for name, v in row.items()})
        one = card.score_one(row)
        assert dict(one.points) == by_hand == told.drop(columns="base").iloc[number].to_dict()
        assert one.score == card.base + sum(by_hand.values()) == scores.iloc[number]
        assert len({reason.characteristic for reason in one.reasons}) == len(one.reasons)


def test_a_reason_names_a_pair_once_with_both_of_its_values_in_both_languages() -> None:
    card = CARDS["raw"]
    row = card.score_one({"arrears": 1, "debts": 6000, "home": "rent"})
    told = {reason.characteristic: reason for reason in row.reasons}
    assert list(told) == ["arrears", "debts", "arrears × debts", "home"]  # -20, -12, -6, -4
    assert told["arrears × debts"].text_en == "arrears: 1; debts: 6000 (6 points lost)"
    assert told["arrears × debts"].text_zh == "arrears：1；debts：6000（扣6分）"
    (added,) = row.positives
    assert (added.code, added.text_en) == ("debts+home", "debts: 6000; home: rent (6 points added)")


# ---------------------------------------------------------------------- a person


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A person with a penalty, a breach, an unperformed judgment and an honour."""
    return small_ledger(
        tmp_path_factory.mktemp("broken") / "ledger",
        [
            penalty("P-1", "2026-01-10"),
            {"record_id": "B-1", "kind": "commitment_breach", "tier": "general", "decided_on": "2025-10-01",
             "final_on": "2025-10-01"},
            {"record_id": "J-1", "kind": "judgment_unperformed", "decided_on": "2025-05-01", "final_on": "2025-05-01"},
            {"record_id": "H-1", "kind": "honour", "decided_on": "2025-06-01"},
        ],
    )  # fmt: skip


def test_a_person_is_told_of_a_pair_once_with_the_records_of_both_and_the_day_it_ends(broken: Any) -> None:
    card = people_card()
    values = dict.fromkeys(card.columns, 0.0)
    answer = Evaluator(card, broken).assess("a", "2026-04-01", day_of_use=DAY_OF_USE)
    (paired,) = [reason for reason in answer.reasons if "+" in reason.code]
    codes = {c.name: c.reason for c in card.characteristics}
    assert paired.code == f"{codes[BREACHES.first]}+{codes[BREACHES.second]}"
    assert NAMES["en"] in paired.text_en
    assert NAMES["zh"] in paired.text_zh
    alone = {reason.code: reason for reason in answer.reasons}
    both = {*alone[codes[BREACHES.first]].record_ids, *alone[codes[BREACHES.second]].record_ids}
    assert set(paired.record_ids) == both
    assert paired.record_ids == tuple(sorted(both))
    assert paired.earliest_change_on is not None
    told = [reason.points for reason in (*answer.reasons, *answer.positives)]
    assert answer.score == card.base + sum(told)
    assert answer.score != Evaluator(small_card(), broken).assess("a", "2026-04-01", day_of_use=DAY_OF_USE).score
    assert card.score_one(values).score == card.base


def test_the_service_and_the_command_line_say_of_a_person_what_the_library_says(
    broken: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = people_card()
    expected = Evaluator(card, broken).assess("a", "2026-04-01", day_of_use=DAY_OF_USE).to_dict()
    status, found = LocalService(tmp_path, card, broken).post(
        "/assess", {**ENVELOPE, "subject_id": "a", "as_of": "2026-04-01"}
    )
    assert status == 200
    assert {name: found[name] for name in ("score", "grade", "reasons", "positives", "record_ids")} == {
        name: expected[name] for name in ("score", "grade", "reasons", "positives", "record_ids")
    }
    command = ["assess", "a", "--ledger", str(broken.path), "--model", str(tmp_path / "card.json")]
    assert main([*command, "--as-of", "2026-04-01", "--day-of-use", DAY_OF_USE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == expected
    assert main([*command, "--as-of", "2026-04-01", "--day-of-use", DAY_OF_USE]) == 0
    said = capsys.readouterr().out
    assert said.count(next(r["code"] for r in expected["reasons"] if "+" in r["code"])) == 1


# ---------------------------------------------------------------------- what is said of the card


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[EvaluationReport, str]:
    """Rows with their features, scored by the card of raw columns, evaluated from files by ``credit-model report``."""
    place, card, rng = tmp_path_factory.mktemp("reported"), CARDS["raw"], np.random.default_rng(3)
    rows = raw_rows(3_000)
    frame = rows.join(scored_rows(card, rows))
    frame.to_parquet(place / "rows.parquet")
    beside = pd.DataFrame({"subject_id": frame["subject_id"], "sex": rng.choice(["F", "M"], len(frame))})
    beside.to_parquet(place / "beside.parquet")
    options = ["--attributes", place / "beside.parquet", "--card", card.save(place / "card.json")]
    assert main(["report", str(place / "rows.parquet"), *map(str, options), "--out", str(place / "page.html")]) == 0
    evaluation = EvaluationReport.from_json((place / "page.json").read_text(encoding="utf-8"))
    return evaluation, (place / "page.html").read_text(encoding="utf-8")


def test_the_report_shows_a_pair_as_one_characteristic_with_a_name_a_table_and_a_reason(
    reported: tuple[EvaluationReport, str],
) -> None:
    evaluation, page = reported
    card = CARDS["raw"]
    told = {c["name"]: c for c in evaluation.card["characteristics"]}
    assert list(told) == list(card.terms)
    assert {a["points"] for a in told["arrears × debts"]["attributes"]} == {-9, -6, -2, -1}
    by_code = {reason.code: reason for reason in evaluation.reasons}
    assert by_code["arrears+debts"].text_en == "arrears × debts"
    assert by_code["arrears+debts"].share is not None
    assert "arrears × debts" in page
    groups = {reason.code: reason for reason in evaluation.fairness.reasons}
    assert groups["arrears+debts"].text_en == "arrears × debts"


def test_the_page_of_a_version_lists_a_pair_with_the_points_of_the_card() -> None:
    card = people_card()
    empty = EvaluationReport()
    page = render_model_card(ModelCard("paired", 1, "Li Wei", card, empty, empty.digest, {}, ()), "en")
    lines = [line for line in page.splitlines() if line.startswith("| `") and " × " in line]
    table = card.table()
    rows = table[table["characteristic"].isin([pair.name for pair in card.pairs])]
    assert [int(line.split("|")[3]) for line in lines] == rows["points"].tolist()
    assert set(rows["points"]) == {-7, -15, 3, 8}


def test_the_monitor_counts_a_pair_and_movements_in_points_add_up_to_that_of_the_score() -> None:
    card = people_card()
    then, now = (people_rows(count, seed) for count, seed in ((6_000, 1), (4_000, 2)))
    now["commitment_breaches_36m"] = np.maximum(now["commitment_breaches_36m"], now["listed_now"])
    snapshots = [
        Snapshot.of_rows(card, rows, range(len(rows)), [day])
        for rows, day in ((then, "2023-09-01"), (now, "2025-04-01"))
    ]
    reference = Reference.of(card, snapshots[0])
    assert Reference.from_json(reference.to_json()) == reference
    found = compare(card, reference, snapshots[1])
    by_name = {movement.name: movement for movement in found.movements if movement.kind == "characteristic"}
    assert list(by_name) == list(card.terms)
    assert by_name[BREACHES.name].moved
    assert not by_name[HONOURED.name].moved
    assert by_name[BREACHES.name].label_en.count(" × ") == 1
    added = sum(movement.points.value for movement in by_name.values() if movement.points)
    assert added == pytest.approx(found.mean_score_now - found.mean_score_then, abs=1e-5)


def test_a_reference_of_before_pairs_were_counted_still_serves_for_the_rest() -> None:
    card = people_card()
    snapshot = Snapshot.of_rows(card, people_rows(2_000), range(2_000), ["2025-04-01"])
    full = Reference.of(card, snapshot)
    older = replace(full, characteristics={name: full.characteristics[name] for name in card.columns})
    names = {movement.name for movement in compare(card, older, snapshot).movements}
    assert set(card.columns) <= names
    assert BREACHES.name not in names


def test_what_moves_a_pair_is_traced_to_the_kinds_of_both_its_columns(broken: Any) -> None:
    card = people_card()
    people = people_rows(2_000)
    snapshot = Snapshot.of_rows(card, people, range(2_000), ["2023-09-01"], np.ones(2_000, bool))
    found = monitor(broken, card, Reference.of(card, snapshot), "2026-04-01", DAY_OF_USE)
    assert set(found.reads[BREACHES.name]) == {*found.reads[BREACHES.first], *found.reads[BREACHES.second]}
    assert "commitment_breach" in found.reads[BREACHES.name]
    assert all(alarm.text_en and alarm.text_zh for alarm in alarms_of(found))


GRIDS = st.tuples(st.integers(2, 4), st.integers(2, 4)).flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.int64, shape, elements=st.integers(-20, 20)),
        hnp.arrays(np.int64, shape, elements=st.integers(0, 9)),
    )
)


@given(GRIDS)
def test_a_pairs_points_are_parted_between_its_two_as_by_both_orders_of_telling(drawn: Any) -> None:
    grid, counts = drawn
    counts[0, 0] += 1
    pair = Pair("a", "b", tuple(map(tuple, grid.tolist())))
    background = [cell for cell in np.ndindex(*grid.shape) for _ in range(counts[cell])]
    first, second = pair.shared(counts / counts.sum())

    def mean(a: int | None, b: int | None) -> float:
        """Mean points of the background's rows once one or both of the values are the row's."""
        return float(np.mean([grid[i if a is None else a, j if b is None else b] for i, j in background]))

    for a, b in itertools.product(*map(range, grid.shape)):
        alone = (mean(a, None) - mean(None, None) + mean(a, b) - mean(None, b)) / 2
        assert first[a, b] == pytest.approx(alone, abs=1e-9)
        assert first[a, b] + second[a, b] == pytest.approx(grid[a, b] - mean(None, None), abs=1e-9)
