"""Who is scored, as of a day: the version in force, the reasons in their order, and a naive reading beside it."""

from __future__ import annotations

import datetime as dt
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_model.foundation.calendar import from_days, to_days
from credit_model.visibility.population import Population
from credit_model.visibility.tables import Tables

DAY = dt.timedelta(1)
GROWN_UP = {"subject_id": "a", "born_on": "1980-05-01"}


def population(*versions: dict, subjects: str = "person") -> Population:
    names = sorted({name for version in versions for name in version})
    rows = {name: [version.get(name) for version in versions] for name in names}
    return Population.from_tables(Tables.of({}, subjects=rows), subjects)


def said(people: Population, day: str, subject: str = "a") -> tuple[str, str]:
    return people.standing([subject], day)[0], people.reason([subject], day)[0]


# ---------------------------------------------------------------------------------------------- one person


def test_an_adult_known_since_always_is_scored_with_nothing_on_record() -> None:
    assert said(population(GROWN_UP), "2024-01-01") == ("scored", "")


def test_an_unknown_person_is_not_eligible() -> None:
    assert said(population(GROWN_UP), "2024-01-01", "b") == ("not_eligible", "unmatched")


def test_a_person_is_not_known_on_the_day_of_the_first_version() -> None:
    people = population({**GROWN_UP, "known_on": "2023-06-01", "valid_from": "2020-01-01"})
    assert said(people, "2023-06-01") == ("not_eligible", "unmatched")
    assert said(people, "2023-06-02") == ("scored", "")


def test_a_version_waits_for_the_day_from_which_it_is_valid() -> None:
    people = population(
        GROWN_UP, {**GROWN_UP, "standing": "deceased", "known_on": "2023-06-01", "valid_from": "2023-07-01"}
    )
    assert said(people, "2023-06-30") == ("scored", "")
    assert said(people, "2023-07-01") == ("not_eligible", "deceased")


def test_a_person_is_scored_from_the_eighteenth_birthday() -> None:
    people = population({"subject_id": "a", "born_on": "2006-05-01"})
    assert said(people, "2024-04-30") == ("not_eligible", "minor")
    assert said(people, "2024-05-01") == ("scored", "")


def test_a_person_born_on_29_february_comes_of_age_on_1_march() -> None:
    people = population({"subject_id": "a", "born_on": "2004-02-29"})
    assert said(people, "2022-02-28") == ("not_eligible", "minor")
    assert said(people, "2022-03-01") == ("scored", "")


def test_without_a_birth_date_adulthood_cannot_be_established() -> None:
    assert said(population({"subject_id": "a"}), "2024-01-01") == ("not_eligible", "birth_date_unknown")


def test_a_newcomer_is_scored_after_twelve_months() -> None:
    people = population({**GROWN_UP, "resident_from": "2024-02-29"})
    assert said(people, "2024-03-01") == ("insufficient_records", "covered_too_short")
    assert said(people, "2025-02-28") == ("insufficient_records", "covered_too_short")
    assert said(people, "2025-03-01") == ("scored", "")


def test_a_person_who_moved_away_is_not_eligible_from_that_day() -> None:
    people = population({**GROWN_UP, "resident_to": "2024-06-01"})
    assert said(people, "2024-05-31") == ("scored", "")
    assert said(people, "2024-06-01") == ("not_eligible", "moved_away")


@pytest.mark.parametrize("standing", ["deceased", "incapable", "unmatched"])
def test_a_declared_standing_comes_before_every_other_reason(standing: str) -> None:
    people = population({"subject_id": "a", "standing": standing, "resident_to": "2020-01-01"})
    assert said(people, "2024-06-01") == ("not_eligible", standing)


def test_the_last_version_by_validity_holds_whichever_was_learned_first() -> None:
    people = population(
        {**GROWN_UP, "district": "330604", "valid_from": "2023-01-01", "known_on": "2023-01-01"},
        {**GROWN_UP, "district": "330602", "valid_from": "2022-01-01", "known_on": "2023-05-01"},
    )
    assert people.district(["a"], "2023-01-01").tolist() == [None]
    assert people.district(["a"], "2023-01-02").tolist() == ["330604"]
    assert people.district(["a"], "2023-05-02").tolist() == ["330604"]


def test_facts_are_those_known_at_each_day() -> None:
    people = population(
        {**GROWN_UP, "occupations": "teacher", "resident_to": "2030-01-01"},
        {"subject_id": "a", "born_on": "1980-06-01", "occupations": "teacher;lawyer", "known_on": "2024-01-01"},
    )
    ids, days = ["a", "a", "b"], ["2024-01-01", "2024-01-02", "2024-01-02"]
    assert from_days(people.born_on(ids, days)).astype(str).tolist() == ["1980-05-01", "1980-06-01", "NaT"]
    assert people.occupations(ids, days).tolist() == ["teacher", "teacher;lawyer", None]
    assert from_days(people.resident_to(ids, days)).astype(str).tolist() == ["2030-01-01", "NaT", "NaT"]


def test_an_organisation_is_always_scored_known_or_not() -> None:
    firms = population(GROWN_UP, subjects="organisation")
    assert said(firms, "1970-01-01", "a") == said(firms, "2024-01-01", "b") == ("scored", "")


def test_a_ledger_without_subjects_knows_nobody() -> None:
    people = Population.from_tables(Tables.of({}))
    assert said(people, "2024-01-01") == ("not_eligible", "unmatched")
    assert people.version_known_by(20_000).tolist() == []


# ---------------------------------------------------------------------------------------------- against a naive reading


def naive_reason(versions: list[dict], subject: str, d: dt.date) -> str:
    low = dt.date.min
    known = [
        (v["valid_from"] or v["known_on"] or low, v["known_on"] or low, v["seq"], v)
        for v in versions
        if v["subject_id"] == subject
        and (v["known_on"] is None or v["known_on"] < d)
        and (v["valid_from"] or v["known_on"] or low) <= d
    ]
    if not known:
        return "unmatched"
    version = max(known, key=lambda row: row[:3])[3]
    if version["standing"]:
        return version["standing"]
    if version["born_on"] is None:
        return "birth_date_unknown"
    if d < version["born_on"].replace(year=version["born_on"].year + 18):
        return "minor"
    if version["resident_to"] and version["resident_to"] <= d:
        return "moved_away"
    start = version["resident_from"]
    return "covered_too_short" if start and d < start.replace(year=start.year + 1) else ""


@given(st.randoms(use_true_random=False))
def test_reasons_equal_a_naive_reading_and_do_not_depend_on_the_order_of_rows(rng: random.Random) -> None:
    days = [dt.date(2024, 3, 9), dt.date(2024, 3, 10), dt.date(2024, 3, 11), dt.date(2025, 3, 10)]
    born = [None, dt.date(2006, 3, 9), dt.date(2006, 3, 10), dt.date(2006, 3, 11), dt.date(1980, 1, 1)]
    versions = [
        {
            "subject_id": rng.choice("abc"), "born_on": rng.choice(born), "resident_from": rng.choice([None, *days]),
            "resident_to": rng.choice([None, *days]), "standing": rng.choice([None, None, "", "deceased"]),
            "valid_from": rng.choice([None, *days]), "known_on": rng.choice([None, *days]), "seq": seq,
        }
        for seq in range(rng.randint(1, 6))
    ]  # fmt: skip
    asked = [(subject, day + step * DAY) for subject in "abcd" for day in days for step in (-1, 0, 1)]
    ids, dates = [subject for subject, _ in asked], to_days([day for _, day in asked])
    expected = [naive_reason(versions, subject, day) for subject, day in asked]
    assert population(*versions).reason(ids, dates).tolist() == expected
    rng.shuffle(versions)
    standing = population(*versions).standing(ids, dates)
    scored = np.array([reason == "" for reason in expected])
    short = np.array([reason == "covered_too_short" for reason in expected])
    assert (
        standing.tolist()
        == np.where(scored, "scored", np.where(short, "insufficient_records", "not_eligible")).tolist()
    )
