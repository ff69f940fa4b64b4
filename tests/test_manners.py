"""Learners among other tools: routed metadata, searches, every kind of frame, one line for what cannot be learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline

from credit_model import UserError
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.learning.transformer import WoeTransformer


def frame(n: int = 1200, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    late = rng.poisson(0.7, n)
    X = pd.DataFrame({"late": late, "home": rng.choice(["own", "rent"], n), "since": rng.normal(size=n)})
    return X, (rng.random(n) < 1 / (1 + np.exp(2 - late - (X["home"] == "rent")))).astype(int)


def test_weights_subjects_and_periods_are_routed_to_the_fit() -> None:
    X, y = frame()
    weight, groups = np.where(y == 1, 1.0, 2.0), np.arange(len(y)) // 2
    with sklearn.config_context(enable_metadata_routing=True):
        clf = ScorecardClassifier(method="woe_logistic").set_fit_request(sample_weight=True, groups=True, periods=True)
        clf = clf.set_score_request(sample_weight=True)
        given = {"sample_weight": weight, "groups": groups, "periods": groups % 2}
        found = cross_validate(clf, X, y, cv=GroupKFold(3), params=given, return_estimator=True, return_indices=True)
        for fitted, train in zip(found["estimator"], found["indices"]["train"], strict=True):
            assert fitted.card_.provenance["development"]["weight"] == weight[train].sum()
            assert fitted.card_ == clf.fit(X.iloc[train], y[train], **{k: v[train] for k, v in given.items()}).card_
        woe = WoeTransformer().set_fit_request(sample_weight=True, periods=True)
        model = make_pipeline(woe, LogisticRegression().set_fit_request(sample_weight=False))
        model.fit(X, y, sample_weight=weight, periods=groups % 2)
        assert model[0].counts_["late"][:2].sum() == weight.sum()


def test_a_search_of_settings_takes_the_classifier_as_it_is() -> None:
    X, y = frame()
    search = GridSearchCV(ScorecardClassifier(), {"max_bins": [2, 6]}, scoring="roc_auc", cv=2).fit(X, y)
    assert search.best_params_ == {"max_bins": 6}
    assert search.best_estimator_.card_ == ScorecardClassifier(max_bins=6).fit(X, y).card_


def kinds(X: pd.DataFrame) -> dict[str, Any]:
    """The same rows as every kind of frame."""
    nullable = X.astype({"late": "Int64", "home": "string", "since": "Float64"})
    arrow = X.astype({"late": pd.ArrowDtype(pa.int32()), "home": pd.ArrowDtype(pa.string())})
    return {
        "category": X.astype({"home": "category"}),
        "object": X.astype(object),
        "nullable": nullable,
        "arrow": arrow,
        "polars": pl.from_pandas(X),
        "polars categorical": pl.from_pandas(X).with_columns(pl.col("home").cast(pl.Categorical)),
    }


@pytest.mark.parametrize("kind", ["category", "object", "nullable", "arrow", "polars", "polars categorical"])
def test_every_kind_of_frame_gives_the_same_card_and_the_same_woe(kind: str) -> None:
    X, y = frame()
    same = kinds(X)[kind]
    plain, other = ScorecardClassifier().fit(X, y), ScorecardClassifier().fit(same, y)
    assert other.card_ == plain.card_
    assert (other.predict_proba(same) == plain.predict_proba(X)).all()
    woe = WoeTransformer().fit(same, y)
    assert woe.bins_ == WoeTransformer().fit(X, y).bins_
    assert (woe.transform(same) == WoeTransformer().fit(X, y).transform(X)).all()


def test_numbers_and_texts_in_one_column_are_categories_and_missing_values_are_one() -> None:
    X, y = frame()
    mixed = X["late"].astype(object).where(X["late"] != 1, "one")
    mixed[:50] = [None, np.nan, pd.NA, float("nan"), None] * 10
    clf = ScorecardClassifier().fit(pd.DataFrame({"late": mixed}), y)
    names = [name for group in clf.bins_["late"].groups for name in group]
    assert {"0", "one", "2"} <= set(names)
    assert clf.bins_["late"].index_of("one") != clf.bins_["late"].other
    assert len(set(clf.predict_proba(pd.DataFrame({"late": mixed[:5]}))[:, 1])) == 1
    assert clf.predict_proba(pd.DataFrame({"late": ["never seen", 77.0]})).shape == (2, 2)


@pytest.mark.parametrize("learner", [ScorecardClassifier, WoeTransformer])
def test_what_cannot_be_learned_from_is_one_line_in_both_learners(learner: Any) -> None:
    X, y = frame(200)
    for rows, outcome, said in (
        (X.assign(late=np.nan), y, "every value is missing in: late"),
        (pl.from_pandas(X).with_columns(late=pl.lit(None, dtype=pl.Float64)), y, "every value is missing in: late"),
        (X, np.ones(200), "y has only one class"),
        (X, np.arange(200) % 3, "Only binary classification is supported"),
        (X.assign(late=pd.Timestamp("2026-01-01")), y, "'late' must hold"),
        (X[:0], y[:0], "holds nothing to learn from"),
    ):
        with pytest.raises(UserError, match=said) as caught:
            learner().fit(rows, outcome)
        assert "\n" not in str(caught.value)
    fitted = learner().fit(X, y)
    use = fitted.predict if learner is ScorecardClassifier else fitted.transform
    for unseen in (X.rename(columns={"late": "delay"}), X[["late", "home"]], X.assign(more=1)):
        with pytest.raises(ValueError, match="feature names"):
            use(unseen)


def test_a_constant_column_has_no_points_and_harms_nobody() -> None:
    X, y = frame()
    clf = ScorecardClassifier().fit(X.assign(same=1.0, word="x"), y)
    assert not {"same", "word"} & set(clf.card_.columns)
    assert clf.information_values_["same"] == clf.information_values_["word"] == pytest.approx(0)
    assert clf.card_.characteristics == ScorecardClassifier().fit(X, y).card_.characteristics
