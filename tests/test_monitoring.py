"""A card in use: its reference, quiet months, stepped-up inspection found and traced, outcomes held against it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_card import penalty, raw_card, small_card, small_ledger

from credit_model import UserError
from credit_model.foundation.calendar import to_day
from credit_model.metrics.performance import SMALLEST_CELL
from credit_model.monitoring.intake import episodes_of, intake_of
from credit_model.monitoring.monitor import monitor
from credit_model.monitoring.reference import CellCounts, Reference
from credit_model.monitoring.snapshot import Snapshot
from credit_model.monitoring.stability import compare
from credit_model.sample.outcome import Y12
from credit_model.scorecard.bins import CategoricalBins
from credit_model.scorecard.card import Card
from credit_model.scorecard.characteristic import Attribute, Characteristic
from credit_model.scorecard.scale import ProbabilityMap, load_profile

DAY_OF_USE = "2026-07-01"
LEARNED = ["2020-06-01", "2021-01-01"]
CARD = small_card(outcome=Y12.to_dict(), sample={"development": LEARNED})
PEOPLE = 3_000


def inspected(seed: int = 3, shock: float = 1.8, stopped: str = "") -> list[dict[str, Any]]:
    """Forty penalties a month from 2018 on; from June to November 2021 so many times as many; ending on a day."""
    rng = np.random.default_rng(seed)
    records: list[dict[str, Any]] = []
    for month in range(60):
        first = date(2018 + month // 12, month % 12 + 1, 1)
        times = shock if date(2021, 6, 1) <= first < date(2021, 12, 1) else 1.0
        for _ in range(rng.poisson(40 * times)):
            decided = first + timedelta(days=int(rng.integers(0, 28)))
            if not stopped or decided.isoformat() < stopped:
                records.append(
                    penalty(f"r{len(records)}", decided.isoformat())
                    | {
                        "subject_id": f"p{rng.integers(0, PEOPLE)}",
                        "known_on": (decided + timedelta(days=int(rng.integers(3, 40)))).isoformat(),
                    }
                )
    return records


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Reference]:
    people = [{"subject_id": f"p{i}"} for i in range(PEOPLE)]
    ledger = small_ledger(tmp_path_factory.mktemp("world") / "ledger", inspected(), subjects=people)
    return ledger, Reference.of(CARD, Snapshot.take(ledger, CARD, LEARNED, DAY_OF_USE))


# ---------------------------------------------------------------- the reference


def test_a_reference_holds_counts_of_ten_and_more_and_nobody(world: tuple[Any, Reference]) -> None:
    _, reference = world
    text = reference.to_json()
    assert '"p1' not in text
    for cells in (reference.grades, reference.tail, *reference.characteristics.values()):
        assert all(count >= SMALLEST_CELL for count in cells.counts)
    assert (reference.rows, reference.people) == (2 * PEOPLE, PEOPLE)
    assert sum(reference.grades.counts) == reference.rows
    assert Reference.from_json(text) == reference
    assert reference.card_digest == CARD.digest


def test_a_reference_of_another_card_is_refused(world: tuple[Any, Reference]) -> None:
    ledger, reference = world
    other = small_card("retention")
    with pytest.raises(UserError, match="belongs to card"):
        monitor(ledger, other, reference, "2021-05-01", DAY_OF_USE)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 7}', '{"schema": 1, "grades": 3}', "[" * 3_000])
def test_what_is_no_reference_is_refused_in_one_line(text: str, tmp_path: Path) -> None:
    file = tmp_path / "reference.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as told:
        Reference.load(file)
    assert "reference.json" in str(told.value) or "schema" in str(told.value)
    with pytest.raises(UserError, match="cannot read the reference"):
        Reference.load(tmp_path / "absent.json")


def test_small_neighbours_are_joined() -> None:
    cells = CellCounts.freeze([400, 3, 2, 60, 0, 4])
    assert cells.members == ((0,), (1, 2, 3, 4, 5))
    assert cells.counts == (400, 69)
    assert cells.count([1, 2, 3, 4, 5, 6]) == (1, 20)
    assert CellCounts.freeze([3, 4]).counts == (7,)


def test_too_few_rows_make_no_reference(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "ledger", [])
    with pytest.raises(UserError, match="too few"):
        Reference.of(CARD, Snapshot.take(ledger, CARD, ["2021-01-01"], DAY_OF_USE))
    with pytest.raises(UserError, match="nobody is scored on 1990-01-02"):
        Snapshot.take(ledger, CARD, ["1990-01-02"], DAY_OF_USE)
    with pytest.raises(UserError, match="reads raw columns"):
        Snapshot.take(ledger, raw_card(), ["2021-01-01"], DAY_OF_USE)


# ---------------------------------------------------------------- months


def test_quiet_months_are_quiet(world: tuple[Any, Reference]) -> None:
    ledger, reference = world
    for month in ("2021-02-01", "2021-04-01", "2021-06-01"):
        found = monitor(ledger, CARD, reference, month, DAY_OF_USE)
        assert found.alarms == ()
        assert found.episodes == ()
        assert found.migration.people == PEOPLE
        json.dumps(found.to_dict(), allow_nan=False)


def test_stepped_up_inspection_is_found_in_decisions_within_two_months(world: tuple[Any, Reference]) -> None:
    ledger, reference = world
    found = monitor(ledger, CARD, reference, "2021-08-01", DAY_OF_USE)
    alarm = next(alarm for alarm in found.alarms if alarm.kind == "intake")
    assert alarm == found.alarms[0], "the cause comes before the effect"
    assert alarm.name == "adm_penalty"
    assert "Administrative penalty in 2021-0" in alarm.text_en
    assert "行政处罚" in alarm.text_zh
    assert "inspection was stepped up" in alarm.text_en
    assert "Adverse records, 24 months" in alarm.text_en, "it says which characteristics will show it"


def test_the_score_shows_it_once_it_can_and_says_why(world: tuple[Any, Reference]) -> None:
    ledger, reference = world
    found = monitor(ledger, CARD, reference, "2022-04-01", DAY_OF_USE)
    assert not any(one.moved for one in found.intake), "inspection is back to the usual"
    alarm = next(alarm for alarm in found.alarms if alarm.name == "adverse_24m")
    assert re.search(r"Administrative penalty, [12]\.\d times the usual in 2021-06 – 2021-\d\d", alarm.text_en)
    assert re.search(r"行政处罚在2021-06 – 2021-\d\d为通常的", alarm.text_zh)


def test_a_delivery_that_stops_is_found(tmp_path: Path) -> None:
    people = [{"subject_id": f"p{i}"} for i in range(PEOPLE)]
    ledger = small_ledger(tmp_path / "ledger", inspected(shock=1.0, stopped="2021-06-01"), subjects=people)
    (found,) = {one for one in intake_of(ledger, to_day("2021-08-01")) if one.moved and one.months_after == 1}
    assert (found.month, found.decisions, found.times) == ("2021-06", 0, 0.0)
    (episode,) = episodes_of(ledger, to_day("2021-09-01"))
    assert (episode.first, episode.last, episode.months) == ("2021-06", "2021-07", 2)


def test_what_became_known_later_changes_no_month(world: tuple[Any, Reference], tmp_path: Path) -> None:
    ledger, reference = world
    day = to_day("2021-08-01")
    people = [{"subject_id": f"p{i}"} for i in range(PEOPLE)]
    known = [row for row in inspected() if row["known_on"] < "2021-08-01"]
    earlier = small_ledger(tmp_path / "ledger", known, subjects=people)
    assert intake_of(earlier, day) == intake_of(ledger, day)
    one, two = (compare(CARD, reference, Snapshot.take(l, CARD, [day], DAY_OF_USE)) for l in (earlier, ledger))  # noqa: E741
    assert one == two


def test_nothing_told_describes_a_few_people(world: tuple[Any, Reference]) -> None:
    ledger, reference = world
    found = monitor(ledger, CARD, reference, "2022-04-01", DAY_OF_USE)
    for movement in found.stability.movements:
        for share in movement.shares:
            for told, people in ((share.then, reference.rows), (share.now, found.stability.people_now)):
                assert told is None or told == 0 or told * people > SMALLEST_CELL - 0.5
    assert all(one.decisions is None or one.decisions == 0 or one.decisions >= 10 for one in found.intake)


def test_an_empty_ledger_has_no_months_to_compare(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "ledger", [])
    assert intake_of(ledger, to_day("2021-08-01")) == ()
    assert episodes_of(ledger, to_day("2021-08-01")) == ()


# ---------------------------------------------------------------- outcomes


def test_outcomes_are_held_against_the_card_once_they_are_mature(world: tuple[Any, Reference]) -> None:
    ledger, reference = world
    assert monitor(ledger, CARD, reference, "2022-06-01", DAY_OF_USE).realised is None, "only development is mature"
    found = monitor(ledger, CARD, reference, "2022-11-01", DAY_OF_USE)
    realised = found.realised
    assert realised.as_of == "2021-04-01"
    assert realised.off_level, "the small card's probabilities were set by hand, far too low"
    alarm = next(alarm for alarm in found.alarms if alarm.kind == "level")
    assert f"{realised.observed_to_expected.value:.2f}" in alarm.text_en
    assert "2021-04-01" in alarm.text_zh


def test_attributes_that_turned_are_named(world: tuple[Any, Reference]) -> None:
    ledger, reference = world
    woes = {"adverse_24m": (-2.0, 1.0, 2.0, 0.0)}  # nothing on record would be the worst
    turned = tuple(
        c
        if c.name not in woes
        else replace(c, attributes=tuple(replace(a, woe=w) for a, w in zip(c.attributes, woes[c.name], strict=True)))
        for c in CARD.characteristics
    )
    card = Card(CARD.name, CARD.profile, turned, CARD.probabilities, CARD.kernel_version, CARD.provenance)
    own = replace(reference, card_digest=card.digest)
    found = monitor(ledger, card, own, "2022-11-01", DAY_OF_USE)
    assert {one.name for one in found.realised.turned} <= {"adverse_24m"}


# ---------------------------------------------------------------- raw columns


def tenures(seed: int, people: int, lacking: float = 0.02, tent: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    values = rng.choice(np.array(["own", "rent", "free"], object), people, p=[0.6, 0.3, 0.1])
    values[rng.random(people) < lacking] = None
    values[:tent] = "tent"
    return {"tenure": values}


TENURE = Card(
    "raw",
    load_profile("zhejiang_1000"),
    (
        Characteristic(
            "tenure",
            CategoricalBins((("own",), ("rent",), ("free",))),
            tuple(
                Attribute(points, 0.0, share, None)
                for points, share in ((0, 0.6), (-20, 0.3), (-5, 0.1), (-10, 0.0), (-15, 0.02))
            ),
            reference=0,
        ),
    ),
    ProbabilityMap((700, 800), (1.0, 2.0)),
)


@pytest.mark.parametrize(
    ("later", "moved"),
    [
        ({}, set()),
        ({"lacking": 0.10}, {"missing", "characteristic"}),
        ({"tent": 60}, {"unseen", "characteristic"}),
    ],
)
def test_missing_and_unseen_values_are_told(later: dict[str, Any], moved: set[str]) -> None:
    reference = Reference.of(TENURE, Snapshot.of_rows(TENURE, tenures(1, 8_000), range(8_000), ["2024-01-01"]))
    now = Snapshot.of_rows(TENURE, tenures(2, 3_000, **later), range(3_000), ["2024-02-01"])
    found = compare(TENURE, reference, now)
    assert {movement.kind for movement in found.out_of_limit} - {"grades", "off_reference"} == moved


def test_the_mean_score_moves_by_the_points_of_its_characteristics() -> None:
    reference = Reference.of(TENURE, Snapshot.of_rows(TENURE, tenures(1, 8_000), range(8_000), ["2024-01-01"]))
    now = Snapshot.of_rows(TENURE, tenures(3, 3_000, lacking=0.2), range(3_000), ["2024-02-01"])
    found = compare(TENURE, reference, now)
    points = next(m.points for m in found.movements if m.kind == "characteristic")
    assert points.value == pytest.approx(found.mean_score_now - found.mean_score_then, abs=1e-5)


def test_months_in_which_nothing_moves_seldom_alarm() -> None:
    alarms = 0
    for world in range(4):
        reference = Reference.of(TENURE, Snapshot.of_rows(TENURE, tenures(world, 8_000), range(8_000), ["2024-01-01"]))
        for month in range(150):
            rows = tenures(1_000 * world + month + 10, 3_000)
            now = Snapshot.of_rows(TENURE, rows, range(3_000), ["2024-02-01"])
            alarms += bool(compare(TENURE, reference, now).out_of_limit)
    assert alarms <= 3  # of 600; at most 0.2 % are allowed, and chance is allowed for
