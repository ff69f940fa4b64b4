"""Two runs side by side: paired on the same rows, honest about what differs; and what fewer characteristics cost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from small_sample import definitions, sample
from typer.testing import CliRunner

from credit_model import UserError
from credit_model.cli.main import app, main
from credit_model.evaluation.comparison import Judged, compare, frontier
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.sample.development import DevelopmentSample

PEOPLE = 6_000


def observed(seed: int = 3, first: int = 0) -> tuple[DevelopmentSample, np.ndarray]:
    """People on one date, and their true risk."""
    X, _, _ = sample(PEOPLE, seed=seed)
    z = -2.2 + 1.2 * X["adverse_36m"] - 1.5 * X["volunteer_24m"] + 2.0 * X["noise_36m"]
    risk = (1 / (1 + np.exp(-z))).to_numpy()
    y = np.random.default_rng(seed).random(PEOPLE) < risk
    people = np.array([f"person {first + n}" for n in range(PEOPLE)], dtype=object)
    record = (X["adverse_36m"] > 0).to_numpy()
    return DevelopmentSample(
        X=X, y=y.astype(np.int8), weight=np.ones(PEOPLE), subject_id=people,
        as_of=np.full(PEOPLE, 18_000, dtype=np.int32), with_record=record, escalation=np.zeros(PEOPLE, dtype=bool),
        audit=pd.DataFrame(index=range(PEOPLE)), counts=pd.DataFrame(), digest="made up",
    ), risk  # fmt: skip


def left(
    folder: Path, clf: ScorecardClassifier, rows: DevelopmentSample, risk: np.ndarray | None = None, **said: object
) -> Path:
    """What a run leaves in its folder, as far as a comparison reads it."""
    folder.mkdir()
    card = clf.to_card("small")
    card.save(folder / "card.json")
    (folder / "experiment.json").write_text(json.dumps({"question": "small?", "card": said}))
    Judged.of(card, rows, risk).write(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    learned, (rows, risk) = observed()[0], observed(seed=4)
    home = tmp_path_factory.mktemp("runs")
    plain, full = (
        ScorecardClassifier(definitions(), max_characteristics=k, method="woe_logistic").fit(learned.X, learned.y)
        for k in (1, 8)
    )  # fmt: skip
    order = np.random.default_rng(0).permutation(PEOPLE)
    shuffled = replace(
        rows, X=rows.X.iloc[order], **{n: getattr(rows, n)[order] for n in ("y", "weight", "subject_id", "as_of")},
        with_record=rows.with_record[order],
    )  # fmt: skip
    return (
        left(home / "plain", plain, rows, risk, max_characteristics=1),
        left(home / "full", full, shuffled, risk[order], max_characteristics=8),
    )


def test_a_card_that_ranks_better_is_shown_to_with_a_paired_interval(folders: tuple[Path, Path]) -> None:
    found = compare(*folders)
    assert (found.first, found.second, found.rows, found.people) == ("plain", "full", PEOPLE, PEOPLE)
    by = {(c.segment, c.measure): c for c in found.contests}
    gini, rows = by["all", "gini"], observed(seed=4)[0]
    scores = [Judged.read(folder).columns["score"] for folder in folders]
    y = Judged.read(folders[0]).columns["y"]
    plain, full = (2 * roc_auc_score(y, -score) - 1 for score in scores)
    assert gini.difference.value == pytest.approx(full - plain)
    assert (gini.verdict, found.bads) == ("second", int(rows.y.sum()))
    assert gini.difference.low > 0
    width = [found.high - found.low for found in (gini.first, gini.second, gini.difference)]
    assert width[2] < np.hypot(*width[:2])  # the pairing narrows it
    assert by["all", "soft_gini"].verdict == "second"
    assert by["all", "log_loss"].difference.value < 0
    assert found.settings["card.max_characteristics"] == (1, 8)
    assert found.characteristics[0] == 1 < found.characteristics[1]
    assert 0 < found.moved < 1
    json.dumps(found.to_dict(), allow_nan=False)


def test_exchanged_the_differences_are_the_same_with_the_other_sign(folders: tuple[Path, Path]) -> None:
    there, back = compare(*folders), compare(*folders[::-1])
    for one, other in zip(there.contests, back.contests, strict=True):
        assert one.difference.value == pytest.approx(-other.difference.value)
        assert one.difference.low == pytest.approx(-other.difference.high)
        assert {one.verdict, other.verdict} in ({"first", "second"}, {"no difference shown"})


def test_a_run_does_not_differ_from_itself(folders: tuple[Path, Path]) -> None:
    found = compare(folders[0], folders[0])
    assert (found.moved, found.settings) == (0.0, {})
    assert all(c.difference.value == 0 and c.verdict == "no difference shown" for c in found.contests)


def test_the_rows_that_are_kept_name_nobody(folders: tuple[Path, Path]) -> None:
    assert b"person 17" not in (folders[0] / "judged.parquet").read_bytes()
    assert set(Judged.read(folders[0]).columns) <= {
        "person", "y", "weight", "with_record", "score", "probability_of_bad", "true_risk"
    }  # fmt: skip


def test_what_cannot_be_paired_is_refused_in_one_line(folders: tuple[Path, Path], tmp_path: Path) -> None:
    rows, _ = observed()
    clf = ScorecardClassifier(definitions(), max_characteristics=2, method="woe_logistic").fit(rows.X, rows.y)
    others = left(tmp_path / "others", clf, observed(seed=4, first=1)[0])
    with pytest.raises(UserError, match="were not judged on the same rows"):
        compare(folders[0], others)
    good = replace(rows, y=np.zeros(PEOPLE, dtype=np.int8))
    with pytest.raises(UserError, match="0 of the rows that both judged are bad"):
        compare(*[left(tmp_path / f"good {n}", clf, good) for n in (1, 2)])
    (others / "judged.parquet").unlink()
    with pytest.raises(UserError, match="holds no rows that a run judged"):
        compare(folders[0], others)
    with pytest.raises(UserError, match=r"is no folder of a run: it holds no card\.json"):
        compare(folders[0], tmp_path)


def test_the_command_prints_a_table_or_one_object(folders: tuple[Path, Path], tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["compare", *map(str, folders)])
    assert said.exit_code == 0
    assert "second minus first" in said.output
    assert "differs: card.max_characteristics: 1 | 8" in said.output
    as_json = CliRunner().invoke(app, ["compare", "--json", *map(str, folders)])
    assert json.loads(as_json.output)["contests"][0]["verdict"] == "second"
    never = tmp_path / "never.toml"
    never.write_text("schema = 1\n")
    assert main(["compare", str(never), str(folders[0])]) == 2


def test_the_frontier_tells_what_fewer_characteristics_cost() -> None:
    rows, _ = observed()
    clf = ScorecardClassifier(definitions(), method="woe_logistic")
    table = frontier(clf, rows.X, rows.y, rows.weight, rows.subject_id, sizes=(4, 1, 2), folds=3)
    assert table["at_most"].tolist() == [1, 2, 4]
    assert (table["characteristics"] <= table["at_most"]).all()
    assert table["auc"].is_monotonic_increasing
    assert table["auc_given_up"].tolist() == pytest.approx((table["auc"].iloc[-1] - table["auc"]).tolist())
    assert table["auc_given_up_low"].iloc[0] > 0 == table["auc_given_up"].iloc[-1]
    assert clf.max_characteristics is None  # as it was
    with pytest.raises(UserError, match="sizes must be whole numbers from 1"):
        frontier(clf, rows.X, rows.y, sizes=())
    with pytest.raises(UserError, match="at least 5 rows each"):
        frontier(clf, rows.X[:9], [0] * 7 + [1] * 2)
