"""The card behind MLflow's loader gives the integers of the card."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_card import POINTS, small_card, small_evaluation

from credit_model import UserError, load_evaluator
from credit_model.registry.registration import register
from credit_model.registry.runs import log_run
from credit_model.scorecard.loader import _load_pyfunc, open_card

CARD = small_card()
CUTS = sorted({cut for cuts, _ in POINTS.values() for cut in cuts})
VALUES = st.one_of(
    st.sampled_from([0.0, 1.0, 2.0, *CUTS, float("nan"), float("inf"), -float("inf"), -0.0]),
    st.floats(width=32),
)
ROWS = st.lists(st.fixed_dictionaries(dict.fromkeys(CARD.columns, VALUES)), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Every way to a number: the card, reloaded, opened as MLflow would, through MLflow."""
    folder = tmp_path_factory.mktemp("serving")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        made = register(CARD, log_run("serving"), author="Li Wei", evaluation=small_evaluation())
        CARD.save(folder / "card.json")
        import mlflow

        yield {
            "reloaded": open_card(folder).score,
            "folder": _load_pyfunc(str(folder)).predict,
            "registry": load_evaluator(made.uri).card.score,
            "pyfunc": mlflow.pyfunc.load_model(made.uri).predict,
        }


@given(rows=ROWS, order=st.permutations(CARD.columns))
@settings(max_examples=30)
def test_one_number_on_every_path(paths: dict[str, Any], rows: list[dict[str, float]], order: list[str]) -> None:
    frame = pd.DataFrame(rows).astype("float64")
    expected = CARD.score(frame)
    assert expected["score"].tolist() == [CARD.score_one(row).score for row in rows]
    assert expected["score"].tolist() == CARD.explain(frame).sum(axis=1).tolist()
    for predict in paths.values():
        found = predict(frame[order])
        assert found["score"].tolist() == expected["score"].tolist()
        assert found["grade"].tolist() == expected["grade"].tolist()
        np.testing.assert_array_equal(found["probability_of_bad"], expected["probability_of_bad"])


def test_whole_numbers_and_floats_score_alike_through_mlflow(paths: dict[str, Any]) -> None:
    frame = pd.DataFrame({name: [0, 1, 2, 3] for name in CARD.columns})
    assert paths["pyfunc"](frame.astype("int32"))["score"].tolist() == CARD.score(frame)["score"].tolist()


def test_mlflow_refuses_a_missing_column_and_text_for_a_number(paths: dict[str, Any]) -> None:
    from mlflow.exceptions import MlflowException

    frame = pd.DataFrame({name: [0.0] for name in CARD.columns})
    for wrong in (frame.drop(columns="listed_now"), frame.assign(listed_now="many")):
        with pytest.raises(MlflowException):
            paths["pyfunc"](wrong)


def test_a_folder_without_a_card_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no card at .*card.json. Give a card's JSON file"):
        open_card(tmp_path)


def test_opening_a_card_as_mlflow_would_imports_no_mlflow(tmp_path: Path) -> None:
    CARD.save(tmp_path / "card.json")
    program = (
        f"import sys; from credit_model.scorecard.loader import _load_pyfunc; _load_pyfunc({str(tmp_path)!r})\n"
        "assert not {'mlflow', 'sklearn', 'pandas', 'pyarrow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
