"""Gates: the form of a limit, and the verdict on it, in the run and when somebody would promote.

The reader of experiments, ``evaluate``, the run and the promotion all take their gates from :func:`gate_rules`: what
one of them accepts, the others can judge. A measure is a gate where its declaration says so. The evidence is what was
recorded with the version: its evaluation, its card, the files of its run. Figures are read from the evaluation
document, whose digest the history knows; a verdict somebody wrote into a tag counts for nothing. A figure the
evaluation does not hold has not passed.

In: limits as ``[gates]`` of an experiment declares them, an :class:`Evidence`. Out: a :class:`GateVerdict` for each
gate in the run, a :class:`Check` for each value at promotion.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from typing import TYPE_CHECKING, Any, Final

from credit_model.evaluation.measures import MEASURES, GateForm, Limit, read_number
from credit_model.foundation.errors import did_you_mean

if TYPE_CHECKING:
    from credit_model.scorecard.card import Card

_TIMED: Final = 1_000  # single scores
UNMEASURED: Final = "not measured"
_UNMEASURED_ZH: Final = "未能测得"
_ABSENT: Final = "not in the evaluation"
_ABSENT_ZH: Final = "评价中没有此项"
_COMPLETE: Final = ("complete", "完整")
_SMALL: Final = "not shown (a small cell)"


@dataclass(frozen=True)
class Check:
    """A gate, what was found, the limit; ``_zh`` is given where the Chinese text is another one."""

    name: str
    value: str
    limit: str
    passed: bool
    value_zh: str = ""
    limit_zh: str = ""

    def __str__(self) -> str:
        return f"{self.name} {'was' if self.value == UNMEASURED else 'is'} {self.value}, limit {self.limit}"


@dataclass(frozen=True)
class GateVerdict:
    """What a run says of one declared gate.

    Parameters
    ----------
    name : str
        As it was declared.
    checks : tuple of Check
        One for each value that was held against the limit; empty where the gate is judged at promotion only.
    reason_en, reason_zh : str
        Why it is not judged in the run; empty where it is.
    """

    name: str
    checks: tuple[Check, ...] = ()
    reason_en: str = ""
    reason_zh: str = ""

    def part(self, check: Check) -> str:
        """Return whom or what a check is of: a segment, an attribute; empty where the gate has one check."""
        return check.name.removeprefix(self.name).strip(" ()")

    @property
    def passed(self) -> bool | None:
        """Return whether every check passed; None where nothing was judged."""
        return all(one.passed for one in self.checks) if self.checks else None


@dataclass(frozen=True)
class Evidence:
    """What is known of a version when somebody would promote it.

    Parameters
    ----------
    card : Card
        The registered card.
    evaluation : mapping
        The evaluation document as JSON.
    files : collection of str
        Paths of the files kept with the run.
    impact_assessment : str
        Digest of the assessment that was attached; empty without one.
    in_force : str
        Digest of the card in force behind the alias; empty where none is.
    """

    card: Card
    evaluation: Mapping[str, Any]
    files: frozenset[str] = frozenset()
    impact_assessment: str = ""
    in_force: str = ""


@dataclass(frozen=True)
class GateRule:
    """How a gate is declared and judged.

    Parameters
    ----------
    form : str
        Form of a limit, in words.
    read : callable
        Returns a declared limit as it is used, or None where it has another form.
    judge : callable
        Takes name, limit and evidence; yields a check for each value.
    measure : GateForm, optional
        Form of the gate of a measure of the out-of-time rows, which ``evaluate`` judges.
    pending_en, pending_zh : str
        Why a run cannot judge it, so that it is judged at promotion only; empty where a run can.
    """

    form: str
    read: Callable[[Any], Limit | None]
    judge: Callable[[str, Any, Evidence], Iterable[Check]]
    measure: GateForm | None = None
    pending_en: str = ""
    pending_zh: str = ""


def gate_rules() -> dict[str, GateRule]:
    """Return every gate by name: those of the measures, and those of the card and its run."""
    rules = {
        measure.name: GateRule(measure.gate.form, measure.gate.read, _judge_measure, measure.gate)
        for measure in MEASURES.values()
        if measure.gate is not None
    }
    return rules | _OTHER_GATES


def check(declared: Mapping[str, Any], evidence: Evidence) -> tuple[Check, ...]:
    """Hold the evidence against every declared limit.

    Examples
    --------
    >>> found = {"gates": [{"name": "gini", "segment": "all", "value": 0.41, "low": 0.5, "high": None, "passed": True}]}
    >>> [str(check) for check in check({"gini": 0.5}, Evidence(None, found))]
    ['gini (all) is 0.41, limit at least 0.5']
    """
    rules = gate_rules()
    return tuple(one for name, limit in declared.items() for one in rules[name].judge(name, limit, evidence))


def verdicts_of(declared: Mapping[str, Any], evidence: Evidence) -> tuple[GateVerdict, ...]:
    """Judge every declared gate that a run can judge, and say of the others why it cannot.

    Examples
    --------
    >>> (only,) = verdicts_of({"impact_assessment": True}, Evidence(None, {}))
    >>> only.passed, only.reason_en
    (None, 'attached at promotion')
    """
    rules = gate_rules()
    return tuple(
        GateVerdict(name, reason_en=rule.pending_en, reason_zh=rule.pending_zh)
        if (rule := rules[name]).pending_en
        else GateVerdict(name, tuple(rule.judge(name, limit, evidence)))
        for name, limit in declared.items()
    )


def read_gates(raw: Mapping[str, Any]) -> tuple[dict[str, Limit], dict[str, str]]:
    """Read declared limits: those that can be judged, as they are kept, and by name what is wrong with the others.

    Examples
    --------
    >>> read_gates({"gini": 1, "slope": 0.9})
    ({'gini': 1.0}, {'slope': 'the limit must be [low, high]'})
    """
    rules = gate_rules()
    limits: dict[str, Limit] = {}
    faults: dict[str, str] = {}
    for name, value in raw.items():
        if name not in rules:
            faults[name] = f"is no gate{did_you_mean(name, rules)}"
        elif (limit := rules[name].read(value)) is None:
            faults[name] = f"the limit must be {rules[name].form}"
        else:
            limits[name] = limit
    return limits, faults


# ---------------------------------------------------------------------------------------------------- what is found


def checks_of_rows(name: str, limit: Any, rows: Iterable[Mapping[str, Any]]) -> Iterator[Check]:
    """Yield a check for each row of a measured gate; the verdict is drawn anew from the value that was found."""
    own = [row for row in rows if row["name"] == name]
    if not own:
        yield Check(name, _ABSENT, _limit(limit), False, _ABSENT_ZH)
    for row in own:
        label = f"{name} ({row['segment']})"
        if row["low"] is None and row["high"] is None:  # the cell is small: the evaluation tells the verdict only
            yield Check(label, _SMALL, _limit(limit), row["passed"], "不显示（人数过少）")
        else:
            yield _check_value(label, row["value"], row["low"], row["high"])


def _judge_measure(name: str, limit: Any, evidence: Evidence) -> Iterator[Check]:
    yield from checks_of_rows(name, limit, evidence.evaluation.get("gates", ()))


def _record_monotone(name: str, limit: Any, evidence: Evidence) -> Iterator[Check]:
    faults = evidence.card.monotone_faults()
    value = (f"broken ({faults[0]})", f"不成立（{faults[0]}）") if faults else ("proved", "已证明")
    yield Check(name, value[0], "true", not faults, value[1], "须成立")


def _reasons(name: str, limit: Any, evidence: Evidence) -> Iterator[Check]:
    """Whoever loses points must be told why, in both languages."""
    silent = [
        c.name
        for c in evidence.card.characteristics
        if c.definition is None or not (c.definition.reason and c.definition.label_zh and c.definition.label_en)
    ]
    value = (f"missing for {', '.join(silent)}", f"缺少：{'、'.join(silent)}") if silent else _COMPLETE
    limit_en, limit_zh = "a code and a text in both languages for every characteristic", "每项特征均有代码和中英文文本"
    yield Check(name, value[0], limit_en, not silent, value[1], limit_zh)


def _severity_order(name: str, limit: float, evidence: Evidence) -> Iterator[Check]:
    """Count single records that cost more than one of a higher severity class, as the evaluation tells it."""
    order = evidence.evaluation.get("severity_order")
    words = _limits(None, limit), _limits_zh(None, limit)
    if not order or not order["pairs"]:
        yield Check(name, _ABSENT, words[0], False, _ABSENT_ZH, words[1])
        return
    pairs, violations = order["pairs"], order["violations"]
    value_en = f"{violations:,} of {pairs:,} pairs out of order"
    yield Check(name, value_en, words[0], violations <= limit, f"{pairs:,}对中有{violations:,}对次序颠倒", words[1])


def _latency(name: str, limit: float, evidence: Evidence) -> Iterator[Check]:
    """Judge the 99th percentile of single scores with their reasons, on the machine that promotes."""
    card = evidence.card
    rows = [dict(zip(card.columns, row.values, strict=True)) for row in card.golden]
    took = []
    for turn in range(_TIMED if rows else 0):
        began = time.perf_counter()
        card.score_one(rows[turn % len(rows)])
        took.append(1_000 * (time.perf_counter() - began))
    value = sorted(took)[int(0.99 * len(took))] if took else None
    yield _check_value(name, value, None, limit)


def _documents(name: str, limit: Iterable[str], evidence: Evidence) -> Iterator[Check]:
    files = sorted(limit)
    missing = [file for file in files if file not in evidence.files]
    value = (f"without {', '.join(missing)}", f"缺少{'、'.join(missing)}") if missing else _COMPLETE
    yield Check(name, value[0], ", ".join(files), not missing, value[1])


def _impact_assessment(name: str, limit: Any, evidence: Evidence) -> Iterator[Check]:
    attached = evidence.impact_assessment
    yield Check(name, attached[:12] or "not attached", "attached (--impact-assessment FILE)", bool(attached))


def _champion(name: str, limit: float, evidence: Evidence) -> Iterator[Check]:
    """Both cards on the same rows; the lower end of the interval counts, and the rival must be the one in force."""
    rival = evidence.evaluation.get("context", {}).get("champion") or {}
    compared, least = rival.get("card", ""), _limits(limit, None)
    if compared != evidence.in_force:
        estimate = f"measured against card {compared[:12] or 'none'}"
        yield Check(name, estimate, f"{least} against card {evidence.in_force[:12] or 'none'}, in force now", False)
    elif not compared:
        nobody = "without a champion to compare with", "没有可比较的现行模型"
        yield Check(name, nobody[0], least, True, nobody[1], _limits_zh(limit, None))
    else:
        rows = [row for row in evidence.evaluation.get("rankings", ()) if row["role"] == "champion"]
        estimate = rows[0]["measures"].get("card_minus_this", {}) if rows else {}
        value = estimate.get("low")
        yield _check_value(f"{name} (lower end of the interval)", value, limit, None)


def _stability(kind: str) -> Callable[[str, float, Evidence], Iterator[Check]]:
    """How far a distribution had moved, as the evaluation tells it."""

    def judge(name: str, limit: float, evidence: Evidence) -> Iterator[Check]:
        movements = evidence.evaluation.get("stability", {}).get("movements", ())
        values = [movement["value"] for movement in movements if movement["kind"] == kind]
        if not values:
            yield Check(name, _ABSENT, _limits(None, limit), False, _ABSENT_ZH, _limits_zh(None, limit))
        for value in values:
            yield _check_value(name, value, None, limit)

    return judge


def _eligibility(name: str, limit: float, evidence: Evidence) -> Iterator[Check]:
    """Judge the least eligible group of every attribute: it fails where its whole interval lies below the limit."""
    attributes = evidence.evaluation.get("fairness", {}).get("attributes", ())
    words = _limits(limit, None), _limits_zh(limit, None)
    if not attributes:
        yield Check(name, _ABSENT, words[0], False, _ABSENT_ZH, words[1])
    for attribute in attributes:
        groups = [
            (group["ratio"]["high"], group["ratio"]["value"], group["group"], cutoff["cutoff"])
            for cutoff in attribute["cutoffs"]
            for group in cutoff["groups"]
            if group["verdict"] != "reference" and group["ratio"]["high"] is not None
        ]
        if not groups:
            yield Check(f"{name} ({attribute['name']})", UNMEASURED, words[0], False, _UNMEASURED_ZH, words[1])
            continue
        high, value, group, cutoff = min(groups)
        upper = _number(high, limit)
        value_en = f"{value:.4g} (interval to {upper}) for {group} from {cutoff:g} points"
        value_zh = f"{group}在{cutoff:g}分处为{value:.4g}（区间上限{upper}）"
        yield Check(f"{name} ({attribute['name']})", value_en, words[0], high >= limit, value_zh, words[1])


# ---------------------------------------------------------------------------------------------------- words


def _limits(low: float | None, high: float | None) -> str:
    return (
        f"at least {low:.4g}" if high is None else f"at most {high:.4g}" if low is None else f"{low:.4g} to {high:.4g}"
    )


def _limit(limit: Any) -> str:
    """Write the declared limit of a measure, where the evaluation shows none."""
    return _limits(*limit) if isinstance(limit, tuple | list) else f"{limit:g}" if isinstance(limit, float) else "set"


def _limits_zh(low: float | None, high: float | None) -> str:
    return f"不低于{low:.4g}" if high is None else f"不高于{high:.4g}" if low is None else f"{low:.4g}至{high:.4g}"


def _check_value(name: str, value: float | None, low: float | None, high: float | None) -> Check:
    text, passes = _number(value, low, high), _within(value, low, high)
    return Check(
        name, text, _limits(low, high), passes, _UNMEASURED_ZH if value is None else text, _limits_zh(low, high)
    )


def _number(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """Write four figures, rounded so that the verdict on what is written is the verdict on the value."""
    if value is None:
        return UNMEASURED
    text, passes = f"{value:.4g}", _within(value, low, high)
    if passes == _within(float(text), low, high):
        return text
    down = high is not None and float(text) > high if passes else low is not None and value < low
    rounding = ROUND_FLOOR if down else ROUND_CEILING
    return f"{float(Context(prec=4, rounding=rounding).create_decimal_from_float(value)):.4g}"


def _within(value: float | None, low: float | None, high: float | None) -> bool:
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


# ---------------------------------------------------------------------------------------------------- what is declared


def _above_nought(raw: Any) -> float | None:
    number = read_number(raw)
    return number if number is not None and number > 0 else None


def _count(raw: Any) -> float | None:
    return raw if type(raw) is int and raw >= 0 else None


def _true(raw: Any) -> bool | None:
    return True if raw is True else None


def _texts(raw: Any) -> tuple[str, ...] | None:
    good = isinstance(raw, list | tuple) and raw and all(isinstance(text, str) and text.strip() for text in raw)
    return tuple(raw) if good else None


_OTHER_GATES: Final[dict[str, GateRule]] = {
    "gini_minus_champion": GateRule("a least value", read_number, _champion),
    "psi_of_grades": GateRule("a greatest value above 0", _above_nought, _stability("grades")),
    "psi_of_tail": GateRule("a greatest value above 0", _above_nought, _stability("tail")),
    "eligibility_ratio": GateRule("a least value above 0", _above_nought, _eligibility),
    "record_monotone": GateRule("true", _true, _record_monotone),
    "reasons": GateRule("true", _true, _reasons),
    "severity_order": GateRule("a greatest number of pairs, 0 or more", _count, _severity_order),
    "latency_ms": GateRule(
        "a greatest value above 0",
        _above_nought,
        _latency,
        pending_en="timed on the machine that promotes",
        pending_zh="在执行启用的机器上计时",
    ),
    "documents": GateRule("a list of files of the run", _texts, _documents),
    "impact_assessment": GateRule(
        "true", _true, _impact_assessment, pending_en="attached at promotion", pending_zh="在启用时附上"
    ),
}
