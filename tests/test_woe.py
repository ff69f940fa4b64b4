"""Weight of evidence as a transformer: scikit-learn's manners, bins that can be read, drawn and edited."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib import font_manager
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator

from credit_model import UserError
from credit_model.learning.fine_classes import weight_of_evidence
from credit_model.learning.transformer import WoeTransformer
from credit_model.scorecard.bins import CategoricalBins, NumericBins
from credit_model.texts.fonts import font_families

# What scikit-learn would check and is not promised, and why; everything else it checks must pass.
EXPECTED_FAILED_CHECKS = {
    "check_array_api_input": "arrays other than numpy's are not promised; the check runs with SCIPY_ARRAY_API=1 only",
}
CHECKS = {
    check.func.__name__ + repr(check.keywords or ""): check
    for _, check in estimator_checks_generator(WoeTransformer())
    if check.func.__name__ not in EXPECTED_FAILED_CHECKS
}


class SaidTransformer(WoeTransformer):  # type: ignore[misc]
    """Says, of whatever two labels a check uses, that the greater one is bad."""

    def fit(self, X: Any, y: Any, *more: Any, **named: Any) -> SaidTransformer:
        labels = () if y is None else np.unique(np.asarray(y))
        try:
            self.bad = labels[1] if len(labels) == 2 else None
            return super().fit(X, y, *more, **named)
        finally:
            self.bad = None


@pytest.mark.parametrize("check", CHECKS)
def test_scikit_learn_finds_its_manners_kept(check: str) -> None:
    CHECKS[check](SaidTransformer())


def frame(n: int = 4000, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    age = np.where(rng.random(n) < 0.05, -999, rng.integers(18, 80, n)).astype(float)
    home = rng.choice(["own", "rent", "free", None], n, p=[0.5, 0.3, 0.17, 0.03])
    income = np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(8, 1, n))
    z = -2 + 0.002 * (age - 45) ** 2 * (age > 0) + 0.8 * (home == "rent") + 0.9 * np.isnan(income)
    return pd.DataFrame({"age": age, "home": home, "income": income}), (rng.random(n) < 1 / (1 + np.exp(-z))).astype(
        int
    )


def test_every_value_becomes_the_woe_of_its_attribute() -> None:
    X, y = frame()
    classed = WoeTransformer(trend="auto", special_values={"age": [-999]}).fit(X, y)
    assert classed.trends_ == {"age": "valley", "home": "none", "income": classed.trends_["income"]}
    assert classed.bins_["age"].labels()[-2:] == ("= -999", "missing")
    table = classed.table("age")
    assert table["share"].sum() == pytest.approx(1)
    assert table["goods"].sum() + table["bads"].sum() == len(X)
    rent = weight_of_evidence(*classed.counts_["home"][:2], smoothing=2.0)
    assert classed.woes_["home"] == pytest.approx(rent)
    woe = classed.transform(X)
    assert np.isfinite(woe).all()
    named = dict(zip(classed.bins_["home"].labels(), classed.woes_["home"], strict=True))
    assert set(woe[(X["home"] == "rent").to_numpy(), 1]) == {named["rent"]}
    assert classed.information_values_["age"] == pytest.approx(table["information_value"].sum())


def test_output_has_the_names_and_the_kind_that_were_asked_for() -> None:
    X, y = frame()
    for kind, type_ in (("pandas", pd.DataFrame), ("polars", pl.DataFrame)):
        found = WoeTransformer().set_output(transform=kind).fit(X, y).transform(X)
        assert isinstance(found, type_)
        assert list(found.columns) == list(X.columns)
    of_polars = WoeTransformer().fit(pl.from_pandas(X), y)
    assert of_polars.bins_ == WoeTransformer().fit(X, y).bins_
    assert (of_polars.transform(pl.from_pandas(X)) == WoeTransformer().fit(X, y).transform(X)).all()


def test_it_stands_in_a_pipeline_and_is_cloned() -> None:
    X, y = frame()
    model = make_pipeline(WoeTransformer(trend="auto"), LogisticRegression())
    first, second = (clone(model).fit(X, y).predict_proba(X) for _ in range(2))
    assert (first == second).all()
    assert model.fit(X, y)[-1].coef_.max() < 0  # more WOE, fewer bads


def test_weights_are_repeated_rows() -> None:
    X, y = frame(2000)
    times = np.random.default_rng(5).integers(1, 4, len(X))
    weighted = WoeTransformer(min_events=1).fit(X[["home"]], y, sample_weight=times)
    repeated = WoeTransformer(min_events=1).fit(X[["home"]].loc[np.repeat(X.index, times)], np.repeat(y, times))
    assert weighted.bins_ == repeated.bins_
    assert weighted.counts_["home"][:2] == pytest.approx(repeated.counts_["home"][:2])


def test_the_order_by_woe_holds_in_every_period() -> None:
    rng = np.random.default_rng(2)
    x, period = rng.integers(0, 6, 12_000).astype(float), rng.integers(0, 3, 12_000)
    risk = 0.05 + 0.03 * x - np.where(period == 2, 0.15 * (x == 3), 0)  # in one period the value 3 is harmless
    X, y = pd.DataFrame({"x": x}), (rng.random(len(x)) < risk).astype(int)

    def broken(classed: WoeTransformer) -> int:
        attribute = classed.bins_["x"].index(x.astype(np.float32))
        rates = [[y[(attribute == a) & (period == p)].mean() for a in np.unique(attribute)] for p in range(3)]
        return int((np.diff(rates, axis=1) < 0).sum())

    assert broken(WoeTransformer(trend="ascending").fit(X, y)) > 0
    held = WoeTransformer(trend="ascending").fit(X, y, periods=period)
    assert broken(held) == 0
    assert held.bins_["x"].labels() == ("≤ 3", "≥ 4", "missing")  # 3 can stand with its lower neighbours only


def test_an_edit_changes_the_table_and_what_comes_out() -> None:
    X, y = frame()
    first = WoeTransformer(trend="auto").fit(X, y)
    age = first.bins_["age"]
    assert isinstance(age, NumericBins)
    edited = age.merge(0).move(0, 40).split(66)
    again = WoeTransformer(trend="auto", bins={"age": edited}).fit(X, y)
    assert again.bins_["age"] == edited
    assert again.bins_["income"] == first.bins_["income"]
    assert again.table("age")["attribute"].tolist() == list(edited.labels())
    assert len(set(again.transform(X)[:, 0])) == edited.intervals


def test_a_column_is_drawn_with_its_shares_and_bad_rates() -> None:
    X, y = frame()
    classed = WoeTransformer().fit(X, y)
    figure, ax = plt.subplots()
    assert classed.plot("home", ax) is ax
    assert [text.get_text() for text in ax.get_xticklabels()][:1] == [classed.table("home")["attribute"][0]]
    assert "information value" in ax.get_title()
    plt.close(figure)


@pytest.mark.needs("chromium")  # `make system` installs a Chinese font along with it
def test_a_column_with_chinese_labels_is_drawn_in_letters_not_in_boxes(recwarn: pytest.WarningsRecorder) -> None:
    X, y = frame()
    homes = {"own": "自有", "rent": "租房", "free": "与家人同住"}
    classed = WoeTransformer().fit(pd.DataFrame({"住房情况": X["home"].map(homes)}), y)
    figure, ax = plt.subplots()
    classed.plot("住房情况", ax)
    figure.canvas.draw()  # matplotlib warns of every letter that no font has
    plt.close(figure)
    assert not [str(warning.message) for warning in recwarn]


def test_without_a_chinese_font_plots_keep_the_fonts_that_were_set(monkeypatch: pytest.MonkeyPatch) -> None:
    fonts = [font for font in font_manager.fontManager.ttflist if font.name.startswith("DejaVu")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    assert font_families() == plt.rcParams["font.family"] == ["sans-serif"]


def test_a_chinese_font_stands_behind_the_fonts_that_were_set(monkeypatch: pytest.MonkeyPatch) -> None:
    fonts = [font_manager.FontEntry(name=name) for name in ("SimHei", "Noto Sans CJK SC", "DejaVu Sans")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    monkeypatch.setitem(plt.rcParams, "font.family", ["serif"])
    assert font_families() == ["serif", "Noto Sans CJK SC"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_bins": 1}, "max_bins must be a number from 2 to 50, not 1"),
        ({"min_share": 0.9}, "min_share must be a share"),
        ({"min_events": 0}, "min_events must be a number from 1"),
        ({"trend": {"height": "peak"}}, "there is no column 'height'"),
        ({"special_values": {"weight": [1]}}, "there is no column 'weight'"),
        ({"bins": {"size": CategoricalBins((("a",),))}}, "there is no column 'size'"),
        ({"trend": "up"}, "there is no trend 'up'"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(settings: dict[str, object], said: str) -> None:
    X, y = frame(300)
    with pytest.raises(UserError, match=said):
        WoeTransformer(**settings).fit(X, y)  # type: ignore[arg-type]


def test_a_column_that_is_not_there_is_refused_with_those_there_are() -> None:
    X, y = frame(300)
    with pytest.raises(UserError, match="there is no column 'size'; there are age, home, income"):
        WoeTransformer().fit(X, y).table("size")


def test_known_labels_say_which_is_bad_and_others_need_it_said() -> None:
    X, y = frame()
    plain = WoeTransformer().fit(X, y)
    words = WoeTransformer().fit(X, np.where(y == 1, "bad", "good"))
    said = WoeTransformer(bad=1).fit(X, np.where(y == 1, 1, 2))
    for classed in (words, said):
        assert classed.bins_ == plain.bins_
        assert (classed.transform(X) == plain.transform(X)).all()
    with pytest.raises(UserError, match="do not say which means bad"):
        WoeTransformer().fit(X, np.where(y == 1, 1, 2))
