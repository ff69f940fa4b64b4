"""The evaluation service: the library's numbers over HTTP, refusals without values, and nothing answered unkept."""

from __future__ import annotations

import hashlib
import http.client
import inspect
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service_process import ENVELOPE, Running, ask, running
from small_card import PERSON, penalty, raw_card, small_card, small_evaluation, small_ledger

from credit_model import UserError
from credit_model.assessment.evaluator import PURPOSES, Evaluator
from credit_model.cli.main import main
from credit_model.ledger.ledger import Ledger
from credit_model.registry.promotion import promote
from credit_model.registry.registration import register
from credit_model.registry.runs import log_run
from credit_model.scorecard.card import Card
from credit_model.service.endpoints import Service
from credit_model.service.http import create_app
from credit_model.service.query_log import Query, QueryLog
from credit_model.service.requests import Refusal, read_object, read_quickly
from credit_model.service.served_model import ServedModel
from credit_model.service.settings import Settings, load_settings

CARD = small_card()
PAGE = Path(__file__).parents[1] / "docs" / "service.md"
TODAY = date(2026, 7, 1)
ROW = dict.fromkeys(CARD.columns, 0.0)
ID_NUMBER = "110101202311012176"
RECORDS = [
    penalty("P-1", "2026-01-10"),
    {"record_id": "L-1", "kind": "severe_list", "decided_on": "2025-03-01"},
    {"record_id": "H-1", "kind": "honour", "decided_on": "2025-05-01"},
]
AMENDMENTS = [{"record_id": "P-1", "action": "repaired", "effective_on": "2026-05-02"}]


class LocalService:
    """A service in this process: its parts, and what it answers."""

    def __init__(self, place: Path, card: Card | str = CARD, ledger: Ledger | None = None, **more: Any) -> None:
        source = card if isinstance(card, str) else str(card.save(place / "card.json"))
        held = small_ledger(place / "ledger", RECORDS, AMENDMENTS, [{"subject_id": "a"}, {"subject_id": "b"}])
        self.ledger = held if ledger is None else ledger
        self.model = ServedModel(source, self.ledger)
        self.model.check()
        self.log = QueryLog(place / "log", place / "elsewhere" / "head", sync=False)
        self.service = Service(self.model, self.ledger, self.log, Settings(**more), today=lambda: TODAY)
        self.app = create_app(self.service)

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        return ask(self.app, "POST", path, body, **headers)

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        return ask(self.app, "GET", path)

    def last(self) -> dict[str, Any]:
        return list(self.log.entries())[-1]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> LocalService:
    return LocalService(tmp_path_factory.mktemp("local"), body_bytes=300_000, rows=100)


# ---------------------------------------------------------------------- answers


@pytest.mark.parametrize("subject", ["a", "b", "nobody"])
@pytest.mark.parametrize("as_of", [None, "2026-04-01"])
def test_a_person_is_assessed_as_the_library_does_it(subject: str, as_of: str | None, local: LocalService) -> None:
    body = {"subject_id": subject, "as_of": as_of, "purpose": "incentive", "authorisation": "case 17"}
    status, found = local.post("/assess", body)
    expected = Evaluator(CARD, local.ledger).assess(subject, as_of, None, "incentive", "case 17", TODAY)
    assert status == 200
    assert found == {"subject_id": subject, **expected.to_dict(), "card_version": None}


def test_records_that_the_caller_sends_give_what_a_ledger_of_them_gives(local: LocalService) -> None:
    own = {
        "subject": {**PERSON, "subject_id": "a"},
        "records": [{"known_on": record["decided_on"], **record} for record in RECORDS],
        "amendments": [{"known_on": amendment["effective_on"], **amendment} for amendment in AMENDMENTS],
    }
    for as_of in (None, "2026-04-01", "2026-06-01"):
        _, from_ledger = local.post("/assess", {**ENVELOPE, "subject_id": "a", "as_of": as_of})
        status, from_body = local.post("/assess", {**ENVELOPE, **own, "as_of": as_of})
        assert (status, from_body) == (200, from_ledger)
        assert local.last()["record_ids"] == from_body["record_ids"]


def test_a_person_named_by_identity_number_is_known_by_pseudonym_only(
    local: LocalService, monkeypatch: pytest.MonkeyPatch
) -> None:
    born = {"id_number": ID_NUMBER, **PERSON}
    status, refused = local.post("/assess", {**ENVELOPE, "subject": born})
    assert (status, refused["error"]["code"]) == (422, "identity_number")
    monkeypatch.setenv("CREDIT_MODEL_PSEUDONYM_KEY", "a key that is kept elsewhere, long enough")
    record = {"record_id": "P-9", "known_on": "2026-01-10", **penalty("P-9", "2026-01-10")}
    status, found = local.post("/assess", {**ENVELOPE, "subject": born, "records": [record]})
    assert (status, found["score"], found["record_ids"]) == (200, 774, ["P-9"])
    assert local.last()["subject_ids"] == [found["subject_id"]]
    assert ID_NUMBER not in (local.log.folder / local.log.verify().months[-1]).read_text(encoding="utf-8")


NUMBERS = st.floats(-10, 10) | st.integers(-3, 3) | st.sampled_from([1.5, 0.5, -0.0, 1e300, 5e-324])


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(CARD.columns, NUMBERS)), min_size=1, max_size=6))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_score_as_the_library_scores_them_row_by_row_or_column_by_column(
    local: LocalService, rows: list[dict[str, float]]
) -> None:
    expected = CARD.score(pd.DataFrame(rows).astype("float64"))
    columns = {name: [row[name] for row in rows] for name in CARD.columns}
    for given_as in ({"rows": rows}, {"columns": columns}):
        status, found = local.post("/score", {**ENVELOPE, **given_as})
        assert status == 200
        assert found["score"] == expected["score"].tolist() == local.last()["scores"]
        assert found["grade"] == expected["grade"].tolist()
        np.testing.assert_array_equal(found["probability_of_bad"], expected["probability_of_bad"])
        assert (found["card_id"], found["card_digest"]) == (CARD.id, CARD.digest)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), JSON), st.booleans())
@settings(max_examples=60)
def test_what_is_read_quickly_is_what_is_read_strictly(value: dict[str, Any], plain: bool) -> None:
    body = json.dumps(value, ensure_ascii=plain).encode()
    quick, strict = read_quickly(body), read_object(body)
    assert quick == strict == value
    assert repr(quick) == repr(strict)  # numbers to the last bit, and their types


def test_colons_and_escapes_in_texts_are_no_names(local: LocalService) -> None:
    for subject_id in ("a:b:c", "x\\y", 'say "a": b'):
        body = {"purpose": "audit", "authorisation": "see: 17:4", "rows": [ROW | {"subject_id": subject_id}, ROW]}
        assert local.post("/score", body)[0] == 200
        assert local.last()["subject_ids"] == [subject_id]


def test_the_log_has_people_under_the_one_form_of_their_id(local: LocalService) -> None:
    status, answer = local.post("/score", {**ENVELOPE, "rows": [{**ROW, "subject_id": "30790.0 "}]})
    assert status == 200, answer
    assert local.last()["subject_ids"] == ["30790"]
    status, answer = local.post("/assess", {**ENVELOPE, "subject_id": "30790.0"})
    assert (status, answer["subject_id"], local.last()["subject_ids"]) == (200, "30790", ["30790"])
    for path, body in (("/assess", {"subject_id": "\u2003"}), ("/score", {"rows": [{**ROW, "subject_id": "\u2003"}]})):
        status, answer = local.post(path, ENVELOPE | body)
        assert (status, answer["error"]["code"]) == (422, "not_a_reference")


def test_rows_may_say_whom_they_are_about_and_the_log_knows_it(local: LocalService) -> None:
    status, found = local.post("/score", {**ENVELOPE, "rows": [{**ROW, "subject_id": "S-77"}]})
    assert (status, len(found["score"])) == (200, 1)
    assert [entry["scores"] for entry in local.log.about("S-77")] == [found["score"]]


def test_the_model_says_what_it_is_and_what_it_reads(local: LocalService) -> None:
    status, found = local.get("/model")
    assert status == 200
    assert (found["card_digest"], found["source"]) == (CARD.digest, local.model.source)
    assert [feature["name"] for feature in found["features"]] == list(CARD.columns)
    assert {(feature["type"], feature["may_be_null"]) for feature in found["features"]} == {("number", False)}
    assert found["assesses_from"] == {
        "ledger_digest": local.ledger.digest,
        "catalogue_digest": local.ledger.catalogue.digest,
        "policy": "tier",
    }
    assert found["purposes"] == list(PURPOSES)
    assert local.get("/health")[1]["status"] == "ok"


# ---------------------------------------------------------------------- refusals

SUBJECT = {**ENVELOPE, "subject_id": "a"}
OWN = {**ENVELOPE, "subject": {**PERSON, "subject_id": "a"}}
ONE = json.dumps({**ENVELOPE, "rows": [ROW]})
REFUSED = [
    ("not JSON", "/assess", b"{", 422, "not_json", []),
    ("not UTF-8", "/assess", b'"\xff"', 422, "not_json", []),
    ("half a surrogate", "/assess", b'{"a":"\\ud800"}', 422, "not_json", []),
    ("nested too deep", "/assess", b"[" * 100_000, 422, "not_json", []),
    ("a number of five thousand digits", "/score", ONE.replace("0.0", "9" * 5000, 1).encode(), 422, "not_json", []),
    ("a list", "/assess", [], 422, "wrong_type", []),
    ("a name twice", "/assess", b'{"a":1,"a":2}', 422, "name_twice", []),
    ("a name twice in a row", "/score", ONE.replace('"listed_now"', '"adverse_24m": 1.0, "listed_now"').encode(), 422,
     "name_twice", []),
    ("a field twice", "/score", ONE.replace('"rows"', '"purpose": "audit", "rows"').encode(), 422, "name_twice", []),
    ("a name twice, once in disguise", "/score",
     ONE.replace('"listed_now"', '"l\\u0069sted_now": 1.0, "listed_now"').encode(), 422, "name_twice", []),
    ("a name twice in a column", "/score",
     json.dumps(ENVELOPE | {"columns": {n: [0] for n in ROW}}).replace('"lis', '"adverse_24m": [1], "lis').encode(),
     422, "name_twice", []),
    ("NaN", "/score", ONE.replace("0.0", "NaN", 1).encode(), 422, "not_a_number", []),
    ("Infinity", "/score", ONE.replace("0.0", "-Infinity", 1).encode(), 422, "not_a_number", []),
    ("no purpose", "/assess", {"subject_id": "a", "authorisation": "x"}, 422, "purpose_not_permitted", ["purpose"]),
    ("a purpose that punishes", "/assess", SUBJECT | {"purpose": "deny"}, 422, "purpose_not_permitted", ["purpose"]),
    ("a purpose that is a list", "/score", SUBJECT | {"purpose": []}, 422, "purpose_not_permitted", ["purpose"]),
    ("no authorisation", "/assess", {"purpose": "audit"}, 422, "authorisation_required", ["authorisation"]),
    ("no authorisation", "/assess", SUBJECT | {"authorisation": ""}, 422, "authorisation_required", ["authorisation"]),
    ("a blank one", "/assess", SUBJECT | {"authorisation": "  "}, 422, "not_a_reference", ["authorisation"]),
    ("a long one", "/assess", SUBJECT | {"authorisation": "x" * 201}, 422, "not_a_reference", ["authorisation"]),
    ("an identity number", "/assess", SUBJECT | {"subject_id": ID_NUMBER}, 422, "identity_number", ["subject_id"]),
    ("one in a text", "/score", SUBJECT | {"authorisation": f"见{ID_NUMBER}"}, 422, "identity_number", []),
    ("no subject", "/assess", ENVELOPE, 422, "missing_field", ["subject_id"]),
    ("an unknown field", "/assess", SUBJECT | {"deny": True}, 422, "unknown_field", ["deny"]),
    ("a subject that is a number", "/assess", SUBJECT | {"subject_id": 7}, 422, "wrong_type", ["subject_id"]),
    ("a date that is none", "/assess", SUBJECT | {"as_of": "2026-02-30"}, 422, "not_a_date", ["as_of"]),
    ("a date in another form", "/assess", SUBJECT | {"as_of": "20260201"}, 422, "not_a_date", ["as_of"]),
    ("a date ahead", "/assess", SUBJECT | {"as_of": "2026-07-03"}, 422, "date_ahead", ["as_of"]),
    ("neither rows nor columns", "/score", ENVELOPE, 422, "missing_field", []),
    ("no rows", "/score", ENVELOPE | {"rows": []}, 422, "wrong_type", ["rows"]),
    ("rows that are lists", "/score", ENVELOPE | {"rows": [[1.0]]}, 422, "wrong_type", ["rows"]),
    ("a column too few", "/score", ENVELOPE | {"rows": [{"listed_now": 1}]}, 422, "missing_columns", ["adverse_24m"]),
    ("a column too many", "/score", ENVELOPE | {"rows": [ROW | {"age": 1}]}, 422, "unknown_columns", ["age"]),
    ("rows unlike", "/score", ENVELOPE | {"rows": [ROW, {"x": 1}]}, 422, "missing_columns", [*CARD.columns]),
    ("columns unlike", "/score", ENVELOPE | {"columns": ROW | {"listed_now": [0]}}, 422, "wrong_type", []),
    ("lengths unlike", "/score", ENVELOPE | {"columns": {n: [0] * (1 + (n == "listed_now")) for n in ROW}}, 422,
     "unlike_columns", ["columns"]),
    ("null", "/score", ENVELOPE | {"rows": [ROW, ROW | {"listed_now": None}]}, 422, "null_not_allowed",
     ["rows[1].listed_now"]),
    ("null in a column", "/score", ENVELOPE | {"columns": {n: [None] for n in ROW}}, 422, "null_not_allowed",
     ["columns.adverse_24m[0]"]),
    ("text", "/score", ENVELOPE | {"rows": [ROW | {"listed_now": "1"}]}, 422, "wrong_type", ["rows[0].listed_now"]),
    ("true", "/score", ENVELOPE | {"rows": [ROW | {"listed_now": True}]}, 422, "wrong_type", ["rows[0].listed_now"]),
    ("a list in a cell", "/score", ENVELOPE | {"rows": [ROW | {"listed_now": [1]}]}, 422, "wrong_type",
     ["rows[0].listed_now"]),
    ("beyond a double", "/score", ONE.replace("0.0", "1e999", 1).encode(), 422, "number_too_large", ["adverse_24m"]),
    ("a whole number beyond", "/score", ONE.replace("0.0", "9" * 400, 1).encode(), 422, "number_too_large",
     ["adverse_24m"]),
    ("too many rows", "/score", ENVELOPE | {"rows": [ROW] * 101}, 413, "too_many_rows", []),
    ("too long a body", "/score", b" " * 300_001, 413, "body_too_long", []),
    ("no person", "/assess", ENVELOPE | {"subject": {"born_on": "1990-01-01"}}, 422, "missing_field", ["subject"]),
    ("records of another", "/assess", OWN | {"records": [{"subject_id": "b"}]}, 422, "another_person",
     ["records[0].subject_id"]),
    ("an amendment of nothing", "/assess", OWN | {"amendments": [{"record_id": "x"}]}, 422, "amendment_without_record",
     ["amendments[0].record_id"]),
    ("a value that is a list", "/assess", OWN | {"records": [{"kind": ["honour"]}]}, 422, "wrong_type",
     ["records[0].kind"]),
    ("a column nobody knows", "/assess", OWN | {"records": [{"shoe_size": 42}]}, 422, "columns_refused", []),
    ("a forbidden column", "/assess", OWN | {"records": [{"religion": "x"}]}, 422, "columns_refused", []),
    ("rows that ingest refuses", "/assess",
     OWN | {"records": [{"kind": "nonsense", "decided_on": "soon", "known_on": "2026-01-01"}]}, 422, "rows_refused",
     ["records[0].decided_on: unreadable_date", "records[0].kind: unknown_kind"]),
]  # fmt: skip


@pytest.mark.parametrize(("_", "path", "body", "status", "code", "where"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_cannot_be_taken_is_refused_in_one_clear_line(
    _: str, path: str, body: Any, status: int, code: str, where: list[str], local: LocalService
) -> None:
    found_status, found = local.post(path, body)
    assert (found_status, list(found)) == (status, ["error"])
    error = found["error"]
    assert (error["code"], set(error)) == (code, {"code", "message", "where"})
    assert set(where) <= set(error["where"])
    assert "\n" not in error["message"]
    assert error["message"].endswith(".")
    kept = local.last()
    assert (kept["status"], kept["outcome"], kept["caller"]) == (status, code, "agency-07")
    assert not {"scores", "record_ids"} & set(kept)


MARKS = st.text("αβγδεζηθ", min_size=5, max_size=9) | st.integers(10**6, 10**9) | st.floats(0.0625, 0.125)
LEAVES = MARKS | st.sampled_from([None, True, "", -1, [], {}])
NAMES = st.sampled_from([*CARD.columns[:2], "kind", "record_id", "subject_id", "age"])
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)


def _marks(value: Any) -> Iterator[str]:
    """Everything in a body that would be noticed in an answer."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _marks(item)
    elif isinstance(value, list):
        for item in value:
            yield from _marks(item)
    elif len(text := str(value)) >= 5:
        yield text


def _changed(data: st.DataObject, value: Any) -> Any:
    """A body with a value somewhere in it replaced by anything."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 4)):
        name = data.draw(st.sampled_from(sorted(value)))
        return value | {name: _changed(data, value[name])}
    if isinstance(value, list) and value and data.draw(st.integers(0, 4)):
        place = data.draw(st.integers(0, len(value) - 1))
        return [_changed(data, item) if n == place else item for n, item in enumerate(value)]
    return data.draw(ANYTHING)


def _tell_nothing(local: LocalService, data: st.DataObject) -> None:
    """Send a body with something wrong in it: an answer or a refusal, without what was sent in answer or log."""
    path, body = data.draw(
        st.sampled_from([
            ("/assess", SUBJECT),
            ("/assess", OWN | {"records": [{"known_on": r["decided_on"], **r} for r in RECORDS], "amendments": []}),
            ("/score", ENVELOPE | {"rows": [ROW, ROW]}),
            ("/score", ENVELOPE | {"columns": {name: [0.0] for name in ROW}}),
        ])
    )  # fmt: skip
    changed = _changed(data, body)
    status, found = local.post(path, changed)
    assert status in (200, 422)
    if status == 422:
        kept = local.last()
        assert (kept["status"], kept["outcome"]) == (422, found["error"]["code"])
        marks = {text for text in _marks(changed) if text not in set(_marks(body))}
        told = json.dumps(found, ensure_ascii=False) + json.dumps(
            {name: value for name, value in kept.items() if name not in ("authorisation", "subject_ids", "at")},
            ensure_ascii=False,
        )
        assert not [text for text in marks if text in told]


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_that_was_sent_comes_back_in_an_error_or_stands_in_the_log(
    local: LocalService, data: st.DataObject
) -> None:
    _tell_nothing(local, data)


@pytest.mark.soak
@given(st.data())
@settings(max_examples=10_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_of_ten_thousand_wrong_bodies_no_value_comes_back(local: LocalService, data: st.DataObject) -> None:
    _tell_nothing(local, data)


def test_every_code_of_a_refusal_is_on_the_page() -> None:
    room = Path(inspect.getfile(Refusal)).parent
    source = "".join(file.read_text(encoding="utf-8") for file in room.glob("*.py"))
    codes = set(re.findall(r'Refusal\(\s*\d{3}, "(\w+)"', source)) | set(re.findall(r'_names\("(\w+)"', source))
    assert len(codes) > 20
    page = PAGE.read_text(encoding="utf-8")
    assert [code for code in sorted(codes) if f"`{code}`" not in page] == []


def test_names_the_caller_made_up_are_told_only_where_they_look_like_names(local: LocalService) -> None:
    _, found = local.post("/score", ENVELOPE | {"rows": [ROW | {"shoe_size": 1, ID_NUMBER: 1, "Zhang San": 1}]})
    assert (
        found["error"]["message"]
        == "rows[0] does not have the names it must: unknown: shoe_size, 2 that are no column's name."
    )


def test_nothing_else_is_answered_and_no_page_loads_anything(local: LocalService) -> None:
    for path in ("/", "/docs", "/redoc", "/assess/", "/score/x"):
        status, found = local.get(path)
        assert (status, found["error"]["code"]) == (404, "not_found")
    status, found = ask(local.app, "DELETE", "/assess")
    assert (status, found["error"]["code"]) == (405, "method_not_allowed")
    status, found = local.post("/score", b"{}", **{"Content-Type": "text/plain"})
    assert (status, found["error"]["code"]) == (415, "not_declared_json")
    assert "http" not in json.dumps(local.get("/openapi.json")[1]).replace("https://json", "")


# ---------------------------------------------------------------------- who asks


def test_nobody_is_answered_who_does_not_say_who_asks(local: LocalService) -> None:
    before = len(list(local.log.entries()))
    for name in ("", "two words", "x" * 65, "a/b"):
        status, found = local.post("/score", {**ENVELOPE, "rows": [ROW]}, **{"X-Caller": name})
        assert (status, found["error"]["code"], found["error"]["where"]) == (401, "caller_unknown", ["X-Caller"])
    assert len(list(local.log.entries())) == before


def test_with_tokens_the_caller_is_whose_token_it_is(tmp_path: Path) -> None:
    tokens = {"agency-07": "first secret", "agency-08": "second secret"}
    digests = {name: hashlib.sha256(token.encode()).hexdigest() for name, token in tokens.items()}
    local = LocalService(tmp_path, callers=digests)
    body = {**ENVELOPE, "rows": [ROW]}
    status, _ = local.post("/score", body, Authorization="Bearer second secret", **{"X-Caller": "agency-07"})
    assert (status, local.last()["caller"]) == (200, "agency-08")
    for sent in ("", "Bearer", "Bearer x", "Basic second secret", "Bearer " + digests["agency-07"]):
        assert local.post("/score", body, Authorization=sent)[0] == 401
    page = local.get("/openapi.json")[1]
    assert page["paths"]["/score"]["post"]["security"] == [{"token": []}]


def test_every_fault_of_a_settings_file_is_named_and_no_token_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "service.toml"
    file.write_text(
        '[log]\nretention_years = 0\nflush = "never"\n[limits]\nrows = true\n[callers]\n"a b" = "my token"\n[other]\n',
        encoding="utf-8",
    )
    with pytest.raises(UserError) as caught:
        load_settings(file)
    assert len(caught.value.faults) == 6
    assert "my token" not in str(caught.value)
    file.write_text('[log]\nretention_years = 12\nflush = "soon"\n[limits]\nrows = 5\n', encoding="utf-8")
    assert load_settings(file) == Settings(retention_years=12, flush="soon", rows=5)


# ---------------------------------------------------------------------- what goes wrong inside


def test_a_fault_of_ours_tells_its_kind_and_is_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local = LocalService(tmp_path)

    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(Evaluator, "assess", fail)
    status, found = local.post("/assess", SUBJECT)
    assert status == 500
    assert found["error"]["message"] == "a fault of ours (ZeroDivisionError); the request is in the log."
    assert (local.last()["outcome"], local.last()["subject_ids"]) == ("fault", ["a"])


def test_without_its_entry_in_the_log_there_is_no_answer(tmp_path: Path) -> None:
    local = LocalService(tmp_path)
    assert local.post("/assess", SUBJECT)[0] == 200
    month = next(local.log.folder.iterdir())
    os.truncate(month, month.stat().st_size - 1)
    status, found = local.post("/assess", SUBJECT)
    assert (status, found["error"]["code"]) == (503, "log_unavailable")
    assert "score" not in found


def test_a_ledger_that_is_gone_is_503_and_rows_are_still_scored(tmp_path: Path) -> None:
    local = LocalService(tmp_path)
    (tmp_path / "ledger").rename(tmp_path / "moved")
    assert local.post("/assess", SUBJECT)[1]["error"]["code"] == "ledger_unavailable"
    assert local.post("/score", {**ENVELOPE, "rows": [ROW]})[0] == 200
    (tmp_path / "moved").rename(tmp_path / "ledger")
    assert local.post("/assess", SUBJECT)[0] == 200


def test_a_card_that_cannot_assess_this_ledger_scores_rows_and_says_so(tmp_path: Path) -> None:
    local = LocalService(tmp_path, raw_card())
    status, found = local.post("/score", {**ENVELOPE, "rows": [{"x": 1.0}, {"x": None}]})
    assert (status, found["score"]) == (200, [790, 800])
    assert local.post("/assess", SUBJECT)[1]["error"]["code"] == "cannot_assess"
    health = local.get("/health")[1]
    assert health["status"] == "degraded"
    assert "cannot assess from a ledger" in health["problems"][0]


def test_without_a_model_everything_is_503_until_there_is_one(tmp_path: Path) -> None:
    local = LocalService(tmp_path, str(tmp_path / "none.json"))
    for status, found in (local.post("/score", {**ENVELOPE, "rows": [ROW]}), local.get("/model")):
        assert (status, found["error"]["code"]) == (503, "no_model")
    assert local.get("/health") == (503, local.get("/health")[1])
    assert local.get("/health")[1]["status"] == "unavailable"
    CARD.save(tmp_path / "none.json")
    assert local.model.check()
    assert local.get("/health")[1]["status"] == "ok"
    assert local.post("/score", {**ENVELOPE, "rows": [ROW]})[0] == 200


def test_a_card_that_fails_its_golden_rows_in_a_batch_is_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = LocalService(tmp_path)
    small_card(seed=2).save(tmp_path / "card.json")
    monkeypatch.setattr(Card, "scores", lambda self, X: np.zeros(10, np.int32))
    assert not local.model.check()
    assert local.model.current is not None
    assert local.model.current.card == CARD
    assert "does not give its golden rows their scores" in local.get("/health")[1]["problems"][0]


# ---------------------------------------------------------------------- an alias that moves


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two good versions of a model; the alias points at the first."""
    folder = tmp_path_factory.mktemp("registry")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        good = small_evaluation(("gini", 0.41, 0.30, None))
        for card in (CARD, small_card(seed=2)):
            register(card, log_run("service"), author="Li Wei", evaluation=good)
        promote(1, approver="Zhou Min")
        yield folder


def test_the_service_follows_its_alias_and_outlives_the_registry(registry: Path, tmp_path: Path) -> None:
    local = LocalService(tmp_path, "models:/personal-credit@champion")
    body = {**ENVELOPE, "rows": [ROW]}
    assert local.post("/score", body)[1]["card_version"] == 1
    assert local.get("/model")[1]["alias"] == "champion"

    class Slow(QueryLog):
        """Holds an answer back until the alias has moved."""

        def record(self, query: Query, now: Any = None) -> None:
            begun.set()
            assert moved.wait(30)
            super().record(query, now)

    begun, moved, found = threading.Event(), threading.Event(), []
    local.service.log = Slow(local.log.folder, local.log.head)
    flight = threading.Thread(target=lambda: found.append(local.post("/score", body)))
    flight.start()
    assert begun.wait(30)
    promote(2, approver="Zhou Min")
    assert local.model.check()
    assert not local.model.check()
    moved.set()
    flight.join()
    local.service.log = local.log
    assert found[0][1]["card_version"] == 1  # in flight while the card was swapped
    assert local.post("/score", body)[1]["card_version"] == 2
    assert [entry["card_version"] for entry in local.log.entries()] == [1, 1, 2]

    (registry / "mlflow.db").rename(registry / "gone.db")
    assert not local.model.check()
    assert local.post("/score", body)[1]["card_version"] == 2
    status, health = local.get("/health")
    assert (status, health["status"], health["model"]["card_version"]) == (200, "degraded", 2)
    assert "no MLflow store" in health["problems"][0]
    (registry / "gone.db").rename(registry / "mlflow.db")
    assert not local.model.check()
    assert local.get("/health")[1]["status"] == "ok"


# ---------------------------------------------------------------------- a process of its own


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("live")
    ledger = small_ledger(place / "ledger", [penalty("P-1", "2026-01-10")], subjects=[{"subject_id": "a"}])
    with running(CARD.save(place / "card.json"), ledger.path, place, "--reload-seconds", "0.1") as service:
        yield service


def _ingest(ledger: Path, table: str, row: dict[str, Any]) -> None:
    """A delivery by another process."""
    file = ledger.parent / "delivery.csv"
    pd.DataFrame([row]).to_csv(file, index=False)
    command = [sys.executable, "-m", "credit_model", "ingest", str(ledger), f"--{table}", str(file)]
    subprocess.run(command, check=True, capture_output=True)


def test_what_another_process_ingests_moves_the_next_answer_within_a_second(live: Running) -> None:
    ledger = live.log.parent / "ledger"
    ask_now = {**SUBJECT, "as_of": "2026-07-01"}
    second = {**penalty("P-2", "2026-02-10"), "subject_id": "a", "known_on": "2026-02-10"}
    repaired = {"record_id": "P-1", "action": "repaired", "effective_on": "2026-03-01", "known_on": "2026-03-01"}
    disputed = {"record_id": "P-2", "action": "disputed", "effective_on": "2026-04-01", "known_on": "2026-04-01"}
    steps = [("records", second, 760), ("amendments", repaired, 774), ("amendments", disputed, 800)]
    assert live.post("/assess", ask_now)[1]["score"] == 774
    for table, row, score in steps:
        _ingest(ledger, table, row)
        ingested = time.monotonic()
        assert live.post("/assess", ask_now)[1]["score"] == score
        assert time.monotonic() - ingested < 1


def test_a_card_that_is_replaced_is_served_without_a_restart(live: Running) -> None:
    path, other = live.log.parent / "card.json", small_card(seed=3)
    before = live.get("/health")[1]["model"]["card_digest"]
    other.save(path.with_suffix(".new")).replace(path)
    deadline = time.monotonic() + 20
    while live.get("/health")[1]["model"]["card_digest"] == before:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert live.post("/score", {**ENVELOPE, "rows": [ROW]})[1]["card_digest"] == other.digest
    path.write_text("{", encoding="utf-8")
    while live.get("/health")[1]["status"] != "degraded":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert live.post("/score", {**ENVELOPE, "rows": [ROW]})[1]["card_digest"] == other.digest
    CARD.save(path.with_suffix(".new")).replace(path)


def test_eight_clients_at_once_lose_no_entry_and_get_their_own_answers(live: Running) -> None:
    def client(number: int) -> None:
        for n in range(12):
            name, listed = f"C{number}-{n}", float((number + n) % 2)
            if n % 3:
                status, found = live.post(
                    "/score", {**ENVELOPE, "rows": [ROW | {"listed_now": listed, "subject_id": name}]}
                )
                assert (status, found["score"]) == (200, [720 if listed else 800])
            else:
                status, found = live.post("/assess", {**ENVELOPE, "subject_id": name})
                assert (status, found["subject_id"], found["status"]) == (200, name, "not_eligible")
            with lock:
                answered.append(name)

    lock, answered = threading.Lock(), []
    clients = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    log = QueryLog(live.log, live.head)
    assert log.verify().holds
    kept = [entry["subject_ids"][0] for entry in log.entries() if entry.get("subject_ids", ["a"])[0].startswith("C")]
    assert sorted(kept) == sorted(answered)
    assert len(answered) == 8 * 12


def test_the_log_of_a_running_service_is_verified_listed_and_told_by_the_command_line(
    live: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    live.post("/score", {**ENVELOPE, "rows": [ROW | {"subject_id": "S-55"}]})
    where = ["--log", str(live.log), "--log-head", str(live.head), "--json"]
    assert main(["serve", "--verify", *where]) == 0
    assert json.loads(capsys.readouterr().out)["faults"] == []
    assert main(["serve", "--about", "S-55", *where]) == 0
    assert [query["caller"] for query in json.loads(capsys.readouterr().out)["queries"]] == ["agency-07"]
    assert main(["serve", "--purge", *where]) == 0
    assert json.loads(capsys.readouterr().out)["removed"] == []


def test_a_log_that_does_not_hold_is_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    local = LocalService(tmp_path)
    for _ in range(3):
        local.post("/assess", SUBJECT)
    month = next(local.log.folder.iterdir())
    month.write_bytes(month.read_bytes().replace(b"case 17", b"case 18", 1))
    assert main(["serve", "--verify", "--log", str(local.log.folder), "--log-head", str(local.log.head)]) == 3
    assert "line 1 was altered" in capsys.readouterr().out


def test_a_service_that_is_killed_has_kept_every_query_it_answered(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "ledger")
    answered: list[str] = []

    def client(number: int) -> None:
        for n in range(10_000):
            name = f"K{number}-{n}"
            try:
                status, _ = service.post("/score", {**ENVELOPE, "rows": [ROW | {"subject_id": name}]})
            except (OSError, http.client.HTTPException):  # cut off before or in the midst of an answer
                return
            assert status == 200
            answered.append(name)

    with running(CARD.save(tmp_path / "card.json"), ledger.path, tmp_path) as service:
        clients = [threading.Thread(target=client, args=(number,)) for number in range(4)]
        for thread in clients:
            thread.start()
        while len(answered) < 40:
            time.sleep(0.01)
        service.process.send_signal(signal.SIGKILL)
        for thread in clients:
            thread.join()
    log = QueryLog(service.log, service.head)
    assert log.verify().holds
    assert set(answered) <= {entry["subject_ids"][0] for entry in log.entries()}
    log.record(Query("agency-07", "/score", 200, "answered"))
    assert log.verify().holds


def test_told_to_stop_it_ends_well(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "ledger")
    found: list[int] = []

    def client() -> None:
        while True:
            try:
                found.append(service.post("/score", {**ENVELOPE, "rows": [ROW]})[0])
            except OSError:  # it listens no more
                return

    with running(CARD.save(tmp_path / "card.json"), ledger.path, tmp_path) as service:
        clients = [threading.Thread(target=client) for _ in range(3)]
        for thread in clients:
            thread.start()
        while len(found) < 9:
            time.sleep(0.01)
        service.process.terminate()
        assert service.process.wait(timeout=20) == 0
        for thread in clients:
            thread.join()
    assert set(found) == {200}
    assert QueryLog(service.log, service.head).verify().lines >= len(found)


def test_what_keeps_it_from_starting_is_one_line_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = small_ledger(tmp_path / "ledger")
    card = CARD.save(tmp_path / "card.json")
    log = ["--log", str(tmp_path / "log"), "--log-head", str(tmp_path / "elsewhere" / "head")]
    beside = ["--log", str(tmp_path / "log"), "--log-head", str(tmp_path / "log" / "head")]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments, told in (
            (
                [str(card), "--ledger", str(ledger.path), *log, "--port", port],
                f"cannot listen on 127.0.0.1 port {port}: ",
            ),
            ([str(card), "--ledger", str(ledger.path), *beside], "Keep the head elsewhere"),
            ([str(card), "--ledger", str(tmp_path / "none"), *log], "there is no ledger"),
            ([str(tmp_path / "none.json"), "--ledger", str(ledger.path), *log], "no card at"),
            (log, "nothing to serve"),
        ):
            assert main(["serve", *arguments]) == 2
            error = capsys.readouterr().err
            assert told in error
            assert error.count("\n") == 1


def test_without_the_extra_one_line_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['starlette'] = sys.modules['uvicorn'] = None\n"
        "from credit_model.cli.main import main\n"
        "sys.exit(main(['serve', 'x', '--ledger', 'l', '--log', 'a', '--log-head', 'b']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is not installed. Install it with: pip install 'credit-model[serve]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_and_the_log_load_no_web_framework() -> None:
    program = (
        "import sys\n"
        "from credit_model.cli.main import main\n"
        "main(['serve', '--help'])\n"
        "from credit_model.service.query_log import QueryLog\n"
        "from credit_model.service.settings import load_settings\n"
        "assert not {'starlette', 'uvicorn', 'fastapi', 'mlflow', 'pandas', 'pyarrow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


# ---------------------------------------------------------------------- an API tester against the page


ACCEPTANCE, REJECTION = "positive_data_acceptance", "negative_data_rejection"


def _past_by_digits(value: Any) -> bool:
    """Whether a whole number in it is read as the greatest double, though its digits go a little further."""
    if isinstance(value, dict | list):
        return any(map(_past_by_digits, value.values() if isinstance(value, dict) else value))
    return isinstance(value, int) and 17976931348623157 * 10**292 < abs(value) < 2**1024 - 2**970


def _fuzz(local: LocalService, examples: int) -> int:
    """Bodies that fit the page and bodies that do not, for every operation of it; how many were sent."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", local.app)
    sent = 0
    for operation in (found.ok() for found in schema.get_all_operations()):
        modes = schemathesis.GenerationMode
        for mode in modes if operation.method == "post" else [modes.POSITIVE]:  # nothing to get wrong where one gets

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(max_examples=examples, suppress_health_check=list(HealthCheck), database=None)
            def check(case: Any) -> None:
                nonlocal sent
                sent += 1
                # What only a person's own records, or columns of unlike length, can be refused for is not on the page.
                says_less = case.path == "/assess" or "columns" in (case.body if isinstance(case.body, dict) else {})
                names = [ACCEPTANCE] * says_less + [REJECTION] * _past_by_digits(case.body)
                case.call_and_validate(excluded_checks=[schemathesis.checks.CHECKS.get_one(name) for name in names])

            check()
    return sent


def test_bodies_made_from_the_page_get_what_the_page_says(tmp_path: Path) -> None:
    local = LocalService(tmp_path, rows=3)
    assert _fuzz(local, 15) > 60
    assert local.log.verify().holds


@pytest.mark.soak
def test_two_thousand_bodies_made_from_the_page_get_what_the_page_says(tmp_path: Path) -> None:
    local = LocalService(tmp_path, rows=20)
    assert _fuzz(local, 500) > 2_000
    assert local.log.verify().holds
