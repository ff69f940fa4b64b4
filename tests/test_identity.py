"""Identity numbers: checked, turned into pseudonyms, recognised where they should not be, and never told."""

from __future__ import annotations

import datetime as dt
import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_model import UserError
from credit_model.catalogue.identity import (
    IdNumberError,
    looks_like_id_number,
    pseudonym,
    pseudonyms,
    redact,
    validate_id_number,
)

KEY = b"a key for tests, of thirty-two b"
TODAY = dt.date(2026, 11, 24)


def check_digit(body: str) -> str:
    """ISO 7064 MOD 11-2 in its recursive form, not the weighted sum of the package."""
    c = 0
    for digit in body:
        c = (c + int(digit)) * 2 % 11
    r = (12 - c) % 11
    return "X" if r == 10 else str(r)


@st.composite
def id_numbers(draw):
    born = draw(st.dates(dt.date(1900, 1, 1), dt.date(2026, 11, 1)))
    body = f"{draw(st.integers(110000, 999999))}{born:%Y%m%d}{draw(st.integers(0, 999)):03d}"
    return body + check_digit(body)


@pytest.mark.parametrize("number", ["360426199101010071", "120103198806018241", "110101202311012176"])
def test_published_numbers_are_valid(number):
    assert validate_id_number(number, on=TODAY) == number


@given(id_numbers())
def test_a_number_with_the_right_check_digit_is_valid(number):
    assert validate_id_number(number.lower(), on=TODAY) == number


@given(id_numbers(), st.integers(0, 17), st.integers(1, 9))
def test_no_single_slip_passes_unnoticed(number, place, shift):
    old = 10 if number[place] == "X" else int(number[place])
    wrong = str((old + shift) % 10)
    slipped = number[:place] + wrong + number[place + 1 :]
    if slipped == number:
        return
    with pytest.raises(IdNumberError):
        validate_id_number(slipped, on=TODAY)


@pytest.mark.parametrize(
    ("number", "id_type", "reason"),
    [
        ("360426199101010072", "resident_id", "id_number_check_digit"),
        ("12345678", "resident_id", "id_number_length"),
        ("330602750412001", "resident_id", "id_number_length"),
        ("36042619910230001X", "resident_id", "id_number_birth_date"),
        ("36042620991201001X", "resident_id", "id_number_birth_date"),
        ("36042619910101007A", "resident_id", "id_number_characters"),
        ("060426199101010071", "resident_id", "id_number_characters"),
        ("360426199101010071", "hmt_residence_permit", "id_number_characters"),
        ("360426199101010071", "foreign_permanent_resident", "id_number_characters"),
        ("E1", "passport", "id_number_characters"),
        ("360426199101010071", "library_card", "unknown_id_type"),
    ],
)
def test_a_number_that_cannot_be_one_is_refused_and_not_repeated(number, id_type, reason):
    with pytest.raises(IdNumberError) as caught:
        validate_id_number(number, id_type, on=TODAY)
    assert caught.value.reason == reason
    assert number not in str(caught.value)


def test_other_documents_are_taken_by_their_shape():
    assert validate_id_number("e1234567", "passport") == "E1234567"
    assert validate_id_number("91000019800101001X", "foreign_permanent_resident") == "91000019800101001X"


def test_full_width_and_lower_case_are_put_right():
    assert validate_id_number(" １１０１０１２０２３１１０１２１７６ ") == "110101202311012176"
    assert validate_id_number("11010519491231002x") == "11010519491231002X"


def test_a_pseudonym_is_keyed_and_depends_on_number_and_type():
    one = pseudonym("360426199101010071", key=KEY)
    assert one == pseudonym(" 360426199101010071 ", key=KEY)
    others = [
        pseudonym("360426199101010071", key=b"another key"),
        pseudonym("120103198806018241", key=KEY),
        pseudonym("360426199101010071", "passport", key=KEY),
    ]
    assert len({one, *others}) == 4
    assert re.fullmatch(r"[a-z2-7]{32}", one)


@given(id_numbers())
def test_a_pseudonym_never_looks_like_a_number(number):
    assert not looks_like_id_number(pa.array([pseudonym(number, key=KEY)]))[0]


def test_without_a_key_there_is_no_pseudonym(monkeypatch):
    monkeypatch.delenv("CREDIT_MODEL_PSEUDONYM_KEY", raising=False)
    with pytest.raises(UserError, match="CREDIT_MODEL_PSEUDONYM_KEY is not set: nothing was written"):
        pseudonym("360426199101010071")


def test_the_key_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("CREDIT_MODEL_PSEUDONYM_KEY", KEY.decode())
    assert pseudonym("360426199101010071") == pseudonym("360426199101010071", key=KEY)


def test_a_column_gives_the_pseudonyms_of_its_numbers_and_the_reasons_of_those_refused():
    numbers = pa.array(["360426199101010071", "360426199101010072", None, "E1234567", "36042619910101007"])
    types = pa.array([None, "resident_id", None, "passport", None], pa.string())
    subject_ids, refused = pseudonyms(numbers, types, KEY, TODAY)
    named = subject_ids.to_pylist()
    assert named[0] == pseudonym("360426199101010071", key=KEY)
    assert named[3] == pseudonym("E1234567", "passport", key=KEY)
    assert named[2] is None
    assert len({named[i] for i in (0, 1, 3, 4)}) == 4
    assert {reason: rows.tolist() for reason, rows in refused.items()} == {
        "id_number_check_digit": [False, True, False, False, False],
        "id_number_length": [False, False, False, False, True],
    }


@given(id_numbers(), st.text(st.characters(exclude_categories=["Nd", "Cs"]), max_size=5))
def test_a_number_is_recognised_inside_other_text_and_blanked_out(number, around):
    text = f"{around}见{number}，{around}"
    assert looks_like_id_number(pa.array([text]))[0]
    for key in (KEY, None):
        kept = redact(text, key)
        assert number not in kept
        assert not looks_like_id_number(pa.array([kept]))[0]


def test_neighbouring_numbers_are_all_blanked_out():
    text = "360426199101010071,120103198806018241;110101202311012176"
    kept = redact(text, None)
    assert kept == "[withheld],[withheld];[withheld]"
