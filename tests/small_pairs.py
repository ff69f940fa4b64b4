"""Cards with pairs, small enough to add up by hand: what the tests of every path of a pair share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from small_card import small_card

from credit_model.scorecard.bins import CategoricalBins, NumericBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.characteristic import Attribute, Characteristic
from credit_model.scorecard.pairs import Pair
from credit_model.scorecard.scale import ProbabilityMap, load_profile

BREACHES = Pair("adverse_24m", "commitment_breaches_36m", ((0, 0, 0), (0, -7, 0), (0, -15, 0), (0, 0, 0)))
HONOURED = Pair("unperformed_judgments", "honours_60m", ((0, 0, 0, 0), (0, 3, 8, 0), (0, 0, 0, 0)))


def people_card(policy: str = "tier", **more: Any) -> Card:
    """The small card of features of records, with two pairs; one of them can add points."""
    plain = small_card(policy, **more)
    return replace(plain, name="paired", pairs=(BREACHES, HONOURED), golden=())


def raw_card() -> Card:
    """Three raw columns; a pair of two numbers that both cost more the greater they are, and one with a text."""

    def made(name: str, bins: Any, points: tuple[int, ...], direction: int = 0) -> Characteristic:
        share = 1 / len(points)
        return Characteristic(name, bins, tuple(Attribute(p, 0.0, share, None) for p in points), 0, direction)

    arrears = made("arrears", NumericBins((0.5, 2.5), whole=True), (0, -20, -30, 0), 1)
    debts = made("debts", NumericBins((1000.0, 5000.0)), (0, -5, -12, -3), 1)
    home = made("home", CategoricalBins((("own",), ("rent", "lodge"))), (0, -4, -9, 0))
    pairs = (
        Pair("arrears", "debts", ((0, 0, 0, 0), (0, -2, -6, 0), (0, -2, -9, 0), (0, 0, 0, -1))),
        Pair("debts", "home", ((0, 0, 0, 0), (0, 3, 0, 0), (0, 6, -8, 0), (0, 0, 0, 2))),
    )
    probabilities = ProbabilityMap((500, 700), (1.0, 5.0))
    return Card("raw pairs", load_profile("open_600"), (arrears, debts, home), probabilities, pairs=pairs)


def raw_rows(count: int = 400, seed: int = 7) -> pd.DataFrame:
    """Rows that reach every attribute of :func:`raw_card`: missing values and unseen texts too."""
    rng = np.random.default_rng(seed)
    arrears = rng.choice([0.0, 1.0, 2.0, 3.0, 9.0, np.nan], count)
    debts = rng.choice([0.0, 1000.0, 1000.1, 4999.0, 5000.5, 1e9, np.nan], count)
    home = rng.choice(np.array(["own", "rent", "lodge", "tent", None], object), count)
    return pd.DataFrame({"home": home, "debts": debts, "arrears": arrears})


def people_rows(count: int = 400, seed: int = 7) -> pd.DataFrame:
    """Rows that reach every attribute of :func:`people_card` that a person can have."""
    rng = np.random.default_rng(seed)
    columns = {name: rng.choice([0, 0, 1, 2, 5], count).astype(np.float32) for name in people_card().columns}
    return pd.DataFrame(columns)


def wide_card() -> Card:
    """Long names, long texts, many attributes, two pairs: what is hardest to draw."""
    bins = NumericBins(tuple(float(np.float32(cut)) for cut in np.linspace(0.0123456, 8.7654321, 9)))
    ordered = (*(Attribute(-3 * place, 0.0, 0.09, None) for place in range(10)), Attribute(0, 0.0, 0.1, None))
    groups = (
        ("own, free of any debt or pledge",),
        ("rent from a company", "rent from a person"),
        ("学生宿舍或单位集体宿舍",),
    )
    homes = tuple(Attribute(points, 0.0, 0.2, None) for points in (0, -4, 7, -9, 0))
    columns = (
        Characteristic("Share of instalments that were paid late in a year, any bank", bins, ordered, 0, 1),
        Characteristic("近二十四个月内在本市各商业银行逾期还款的次数与比例", bins, ordered, 0, 1),
        Characteristic("home", CategoricalBins(groups), homes, 0),
    )
    steps = tuple(tuple(-(i * j) // 4 if i < 10 and j < 10 else 0 for j in range(11)) for i in range(11))
    texts_by = tuple(
        tuple(-i if i < 10 and j == 1 else i // 2 if i < 10 and j == 2 else 0 for j in range(5)) for i in range(11)
    )
    pairs = (Pair(columns[0].name, columns[1].name, steps), Pair(columns[1].name, "home", texts_by))
    return Card("wide", load_profile("open_600"), columns, ProbabilityMap((300, 700), (0.0, 5.0)), pairs=pairs)


def wide_rows(count: int = 2_000, seed: int = 3) -> pd.DataFrame:
    """Rows that reach every attribute of :func:`wide_card`."""
    rng, card = np.random.default_rng(seed), wide_card()
    texts = [*(text for group in card.characteristics[2].bins.groups for text in group), "a tent", None]
    columns = {name: rng.uniform(-1, 10, count).astype(np.float32) for name in card.columns[:2]}
    return pd.DataFrame(columns | {"home": rng.choice(np.array(texts, object), count)})


def scored_rows(card: Card, rows: pd.DataFrame, seed: int = 3) -> pd.DataFrame:
    """Rows as an evaluation takes them, with outcomes that follow the score."""
    found, rng = card.score(rows), np.random.default_rng(seed)
    bad = rng.random(len(rows)) < 1 / (1 + np.exp(2 + (found["score"] - 560) / 20))
    people = [f"S{number:04}" for number in range(len(rows))]
    return found.assign(subject_id=people, as_of=pd.Timestamp("2025-04-01"), y=bad.astype(int))
