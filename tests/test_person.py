"""One person at a time equals the kernel, to the last bit."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernel import CATALOGUE, MADE, computed, days, made_segments, observations, ordinal

from credit_model import UserError
from credit_model.catalogue.catalogue import load_catalogue
from credit_model.features.definition import FeatureDefinition
from credit_model.features.dictionary import library
from credit_model.features.kernel import compute, trail
from credit_model.features.subject_features import SubjectFeatures, days_of_change
from credit_model.visibility.segments import compile_segments
from credit_model.visibility.tables import Segments, Tables

PLAN = SubjectFeatures(MADE, CATALOGUE)


@given(made_segments(), observations)
def test_a_plan_gives_the_values_of_the_kernel_to_the_last_bit(
    segments: Segments, observed: list[tuple[str, date]]
) -> None:
    subjects = segments.subject_index([subject for subject, _ in observed]).tolist()
    rows = [PLAN.one(segments, s, ordinal(day)) for s, (_, day) in zip(subjects, observed, strict=True)]
    found = np.array([row.values for row in rows])
    assert found.astype(np.float32).tobytes() == computed(segments, observed, MADE).tobytes()
    np.testing.assert_array_equal(found, found.astype(np.float32).astype(float))  # each a float32 already


@settings(max_examples=60)
@given(made_segments(), st.sampled_from("abz"), days)
def test_a_plan_names_the_records_of_the_trail(segments: Segments, subject: str, day: date) -> None:
    (index,) = segments.subject_index([subject]).tolist()
    row = PLAN.one(segments, index, ordinal(day))
    for column, definition in enumerate(MADE):
        assert row.used(column) == trail(segments, index, ordinal(day), definition, CATALOGUE).used


@settings(max_examples=60)
@given(made_segments(), st.sampled_from("ab"), st.lists(days, min_size=2, max_size=4))
def test_what_a_plan_answered_before_changes_no_answer(segments: Segments, subject: str, asked: list[date]) -> None:
    (index,) = segments.subject_index([subject]).tolist()
    used_before = SubjectFeatures(MADE[::3], CATALOGUE)
    for day in asked:
        fresh = SubjectFeatures(MADE[::3], CATALOGUE).one(segments, index, ordinal(day)).values
        assert repr(used_before.one(segments, index, ordinal(day)).values) == repr(fresh)


def test_a_plan_answers_for_its_own_catalogue_only() -> None:
    segments = compile_segments(Tables.of({}), CATALOGUE, "ever", ordinal(date(2026, 1, 1)))
    with pytest.raises(UserError, match="another catalogue"):
        SubjectFeatures(library(), load_catalogue()).one(segments, -1, 0)


@settings(max_examples=40)
@given(made_segments(), st.sampled_from("ab"), days, st.sampled_from(MADE))
def test_between_its_days_of_change_a_value_stays_what_it_is(
    segments: Segments, subject: str, day: date, definition: FeatureDefinition
) -> None:
    file = segments.select([subject])
    first = ordinal(day)
    every = np.arange(first, first + 1_500)
    values = compute(file, np.zeros(len(every), int) if len(file) else every * 0 - 1, every, [definition], CATALOGUE)
    moved = [a.tobytes() != b.tobytes() for a, b in zip(values[1:], values[:-1], strict=True)]
    assert set(every[1:][moved].tolist()) <= set(days_of_change([definition], file, first, first + 1_500).tolist())


def test_a_decayed_sum_that_would_overflow_is_refused_as_the_kernel_refuses_it() -> None:
    record = {"record_id": ["r"], "subject_id": ["a"], "kind": ["debt"], "decided_on": ["2023-01-01"]}
    faded = FeatureDefinition(name="f", aggregate="decayed_sum", of="amount", half_life_days=100)
    plan, day = SubjectFeatures([faded], CATALOGUE), ordinal(date(2023, 3, 1))

    def held(amount: int) -> Segments:
        tables = Tables.of(record | {"known_on": ["2023-01-01"], "amount": [amount]})
        return compile_segments(tables, CATALOGUE, "ever", ordinal(date(2026, 1, 1)))

    kept = held(2**39 - 1)
    assert plan.one(kept, 0, day).values == tuple(compute(kept, [0], [day], [faded], CATALOGUE)[0].tolist())
    told = "feature 'f': values of 'amount' are too great for a decayed sum"
    with pytest.raises(UserError, match=told):
        plan.one(held(2**39), 0, day)
    with pytest.raises(UserError, match=told):
        compute(held(2**39), [0], [day], [faded], CATALOGUE)
