"""What the public is told of the catalogue: every kind in plain words, with its degree, use, repair and law."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import credit_model as cm
from credit_model.catalogue.kind_rules import AppealPeriod
from credit_model.catalogue.public_notice import KindNotice, kind_notices
from credit_model.cli.main import main

CATALOGUE = cm.load_catalogue()
DAY = cm.to_day("2026-11-24")


def notices(
    policy: str = "tier", day: str = "2026-11-24", catalogue: cm.Catalogue = CATALOGUE
) -> dict[str, KindNotice]:
    return {notice.code: notice for notice in kind_notices(catalogue, policy, cm.to_day(day))}


def test_a_kind_that_may_not_be_taken_in_on_the_day_is_not_told() -> None:
    assert "public_security_violation" in notices(day="2025-12-31")
    assert {"public_security_violation", "blood_donation"}.isdisjoint(notices())


def test_a_penalty_is_told_with_its_degrees_windows_repair_and_law() -> None:
    penalty = notices()["adm_penalty"]
    assert penalty.act == ("受到行政处罚", "a penalty by an authority")
    assert penalty.degree[1] == "stated by the decision: minor (class 1), general (class 2), serious (class 3)"
    assert penalty.use == ("自决定起3、12、36个月（轻微、一般、严重）",
                           "3, 12 or 36 months from the decision: minor, general, serious")  # fmt: skip
    assert penalty.final[1] == "once final: 6 months after service if not challenged"
    assert penalty.repair[1] == "0, 3 or 12 months after the decision, with every duty performed"
    assert "行政处罚法 第51条" in penalty.grounds


@pytest.mark.parametrize(
    ("code", "use", "repair"),
    [
        ("dishonest_executee", "while on the list; on some grounds 24 months at most", ""),
        ("severe_list", "while on the list", ""),
        ("judgment_unperformed", "until performed, at most 60 months from the decision", ""),
        ("criminal_judgment", "36 months from the decision", ""),
        ("housing_fund_overdue", "3 months from the decision", "as soon as every duty is performed"),
        ("commitment_breach", "12 months from the decision",
         "3 months after the decision, with every duty performed"),
        ("honour", "as long as it is valid", ""),
    ],
)  # fmt: skip
def test_how_long_a_kind_is_used_and_when_it_may_be_repaired(code: str, use: str, repair: str) -> None:
    assert (notices()[code].use[1], notices()[code].repair[1]) == (use, repair)


def test_the_policy_and_the_edition_of_the_day_say_how_long() -> None:
    assert notices("retention")["adm_penalty"].use[1] == "60 months from the decision"
    assert notices(day="2026-03-31")["adm_penalty"].use[1] == "60 months from the decision"
    assert not any("第36号" in ground for ground in notices(day="2026-03-31")["adm_penalty"].grounds)


def test_an_appeal_in_days_is_told_in_days() -> None:
    kind = replace(CATALOGUE.kinds["adm_penalty"], appeal=AppealPeriod(days=60))
    told = notices(catalogue=replace(CATALOGUE, kinds={**CATALOGUE.kinds, "adm_penalty": kind}))["adm_penalty"]
    assert told.final == (
        "生效后方可使用；未提出争议的，送达满60天生效",
        "once final: 60 days after service if not challenged",
    )


def test_every_text_stands_in_both_languages_and_every_kind_has_its_law() -> None:
    for notice in notices().values():
        texts = (notice.act, notice.degree, notice.final, notice.use, notice.repair)
        assert all(bool(zh) == bool(en) for zh, en in texts), notice.code
        assert all((notice.act[0], notice.use[0], notice.grounds)), notice.code


def test_the_command_prints_the_same_for_people_and_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalogue", "--day-of-use", "2026-11-24", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["catalogue"], value["policy"], value["day"]) == ("zhejiang_persons", "tier", "2026-11-24")
    assert [kind["code"] for kind in value["kinds"]] == list(notices())
    assert value["kinds"][0]["act_en"] == "a penalty by an authority"
    assert main(["catalogue", "--day-of-use", "2026-11-24"]) == 0
    text = capsys.readouterr().out
    assert "受到行政处罚" in text
    assert "a penalty by an authority" in text
    assert main(["catalogue", "--policy", "never"]) == 2
    assert "policy 'never' is not in catalogue" in capsys.readouterr().err
