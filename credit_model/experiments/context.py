"""Say what a reader of an evaluation must know beside its figures: samples, dates, exclusions, notes, digests.

In: an experiment, its source, its card, both samples. Out: an ``EvaluationContext``; warnings of a card.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from credit_model.evaluation.evaluation import EvaluationContext
from credit_model.experiments.data_source import DataSource
from credit_model.experiments.experiment import Experiment
from credit_model.experiments.raw_rows import RawRows
from credit_model.foundation.calendar import from_days
from credit_model.sample.development import DevelopmentSample
from credit_model.sample.outcome import REASONS
from credit_model.scorecard.card import Card

if TYPE_CHECKING:
    pass


FEWEST_CHARACTERISTICS: Final = 3


class Samples(NamedTuple):
    """The two samples of an experiment: rows to learn from, and later rows to judge on."""

    development: DevelopmentSample
    out_of_time: DevelopmentSample


def context_of(experiment: Experiment, source: DataSource, card: Card, samples: Samples) -> EvaluationContext:
    """Return the context of the evaluation: question, dates, samples, exclusions, digests."""
    development, out_of_time = samples
    outcome, plan, catalogue = experiment.outcome, experiment.sample, source.ledger.catalogue
    judged_on, rows = [plan.out_of_time], RawRows.of(experiment, source)
    if plan.event is not None:
        judged_on = [int(out_of_time.as_of.min()), int(out_of_time.as_of.max())]
    names = (("Development", "开发样本", development), ("Out of time", "跨时间样本", out_of_time))
    return {
        "experiment": experiment.name,
        "question": experiment.question,
        "made_city": source.city is not None,
        "subjects": catalogue.subjects,
        "outcome_en": outcome.sentence("en"),
        "outcome_zh": outcome.sentence("zh"),
        "dates": {
            "development": iso_days(plan.development),
            "out_of_time": iso_days(judged_on),
            "window_months": outcome.window_months,
            "maturity_months": outcome.maturity_months,
            "day_of_use": iso_days([experiment.ledger.day_of_use])[0],
        },
        "samples": [
            {"name_en": en, "name_zh": zh, "observations": len(sample), "people": sample.people, "bads": sample.bads}
            for en, zh, sample in names
        ],
        "exclusions": _exclusions(samples),
        **({} if rows is None else {"ingest": rows.to_section()}),
        "notes": [
            {"text_en": en[0].upper() + en[1:], "text_zh": zh}
            for en, zh in (*card_warnings(card), *_notes(experiment, samples))
        ],
        "digests": {
            "experiment": experiment.digest,
            "ledger": source.ledger.digest,
            "catalogue": catalogue.digest,
            "development sample": development.digest,
            "out-of-time sample": out_of_time.digest,
        },
    }


def _exclusions(samples: Samples) -> list[dict[str, Any]]:
    """How many on file are not rows of a sample, by reason."""
    rows_by_reason: dict[str, dict[str, Any]] = {}
    for name, sample in samples._asdict().items():
        left_out = sample.counts[~sample.counts["outcome"].isin(["good", "bad"])]
        totals = left_out.groupby(["outcome", "reason"], as_index=False)["rows"].sum()
        for outcome, reason, rows in totals.itertuples(index=False):
            en, zh = REASONS[reason]
            if outcome == "censored":
                en, zh = f"{en} within the performance window", f"表现期内{zh}"
            row = rows_by_reason.setdefault(en, {"reason_en": en, "reason_zh": zh, "development": 0, "out_of_time": 0})
            row[name] = int(rows)
    return list(rows_by_reason.values())


def card_warnings(card: Card) -> tuple[tuple[str, str], ...]:
    """Return what is doubtful of a card whatever its figures, in English (as part of a line) and Chinese."""
    count = len(card.characteristics)
    if count >= FEWEST_CHARACTERISTICS:
        return ()
    few = "1 characteristic" if count == 1 else f"{count} characteristics"
    return (
        (
            f"the card has {few}, fewer than {FEWEST_CHARACTERISTICS}: one record decides most of a score, and people "
            "who differ in anything else get the same. Look at [features] and at max_characteristics.",
            f"评分卡仅有{count}项特征，少于{FEWEST_CHARACTERISTICS}项：一条记录即可决定大部分分数，其他方面不同的人得分相同。"
            "请检查[features]和max_characteristics。",
        ),
    )


def _notes(experiment: Experiment, samples: Samples) -> Iterable[tuple[str, str]]:
    """Yield what a reader must know to read the figures rightly."""
    escalations = [int(sample.escalation.sum()) for sample in samples]
    yield (
        f"An event of an old case is not an outcome: {escalations[0]} development and {escalations[1]} out-of-time "
        "rows met such an escalation.",
        f"旧案件的后续事件不计为结果：开发样本{escalations[0]}行、跨时间样本{escalations[1]}行出现此类升级事件。",
    )
    if (event := experiment.sample.event) is not None:
        yield (
            f"Observations have days of their own, {event.sentence('en')}; the dates named are the first and the last.",
            f"每项观察各有其日期（{event.sentence('zh')}）；所列日期为首末两日。",
        )
    if experiment.sample.train_repaired == "drop":
        yield (
            "Records repaired after the observation date were dropped from the development features (train_repaired = "
            "drop). Nobody could know them on that day; the records that remain look harsher than they are (1.27 times "
            "where it was measured), so the probabilities of people with a record are too high. Not for registration.",
            "开发样本的特征剔除了观察日之后才修复的信息（train_repaired = drop）。当日无从得知，余下信息显得更严重"
            "（实测约1.27倍），有信息人员的概率偏高，不得用于注册。",
        )
    if experiment.sample.goods_share < 1:
        yield (
            f"Of the goods of the development sample {experiment.sample.goods_share:.0%} were kept, with weights.",
            f"开发样本中的好样本按{experiment.sample.goods_share:.0%}抽样并加权。",
        )
    if (caps := experiment.card.single_record) is not None:
        points = " / ".join(map(str, caps.points))
        yield (
            f"Set, not learned: one record may cost at most {points} points by its severity class, 1 to 5, through all "
            f"learned characteristics together. Approved by {caps.approver}. Ground: {caps.ground}",
            f"政策设定（非学习所得）：一条信息通过全部学习所得特征合计扣分，按轻重等级1至5级分别不超过{points}分。"
            f"批准人：{caps.approver}。依据：{caps.ground}",
        )
    if experiment.left_out:
        yield (
            f"{len(experiment.left_out)} features that the experiment includes by a pattern were left out: "
            + "; ".join(f"{name} {why}" for name, why in experiment.left_out.items()),
            f"按通配纳入的特征中有{len(experiment.left_out)}项因回溯期或单调性未使用。",
        )


def iso_days(days: Iterable[int]) -> list[str]:
    """Return days as ISO texts."""
    return [str(day) for day in from_days(list(days))]
