"""The gates of a version: limits set before the run, held against its evidence when somebody would promote it.

The evidence is what was recorded with the version: its evaluation, its card, the files of its run. Figures are read
from the evaluation document, whose digest the history knows; a verdict somebody wrote into a tag counts for nothing. A
figure the evaluation does not hold has not passed.

In: limits as ``[gates]`` of an experiment declares them, an :class:`Evidence`. Out: a :class:`Check` for each.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from credit_model.scorecard import Card

_TIMED: Final = 1_000  # single scores
UNMEASURED: Final = "not measured"
_ABSENT: Final = "not in the evaluation"
_SMALL: Final = "not shown (a small cell)"


@dataclass(frozen=True)
class Check:
    """A gate, what was found, the limit."""

    name: str
    value: str
    limit: str
    passed: bool

    def __str__(self) -> str:
        return f"{self.name} {'was' if self.value == UNMEASURED else 'is'} {self.value}, limit {self.limit}"


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
class Gate:
    """How a gate is declared and judged: what a limit looks like, whether a value is one, what is found."""

    form: str
    reads: Callable[[Any], Any]
    judge: Callable[[str, Any, Evidence], Iterable[Check]]
    measured: bool = False  # by ``evaluation.evaluate``, which takes its limit


def check(declared: Mapping[str, Any], evidence: Evidence) -> tuple[Check, ...]:
    """Hold the evidence against every declared limit.

    Examples
    --------
    >>> found = {"gates": [{"name": "gini", "segment": "all", "value": 0.41, "low": 0.5, "high": None, "passed": True}]}
    >>> [str(check) for check in check({"gini": 0.5}, Evidence(None, found))]
    ['gini (all) is 0.41, limit at least 0.5']
    """
    return tuple(one for name, limit in declared.items() for one in GATES[name].judge(name, limit, evidence))


def read_limit(name: str, raw: Any) -> Any:
    """A declared limit as it is kept, or None where it is none of this gate's form."""
    return GATES[name].reads(raw)


# ---------------------------------------------------------------------------------------------------- what is found


def _measured(name: str, limit: Any, evidence: Evidence) -> Iterator[Check]:
    """A limit the evaluation was given: the verdict is drawn anew from the value it found."""
    rows = [row for row in evidence.evaluation.get("gates", ()) if row["name"] == name]
    if not rows:
        yield Check(name, _ABSENT, _limit(limit), False)
    for row in rows:
        value, low, high = row["value"], row["low"], row["high"]
        named = f"{name} ({row['segment']})"
        if low is None and high is None:  # the cell is small: the evaluation tells the verdict only
            yield Check(named, _SMALL, _limit(limit), row["passed"])
        else:
            yield Check(named, _number(value), _limits(low, high), _within(value, low, high))


def _record_monotone(name: str, limit: Any, evidence: Evidence) -> Iterator[Check]:
    faults = evidence.card.monotone_faults()
    yield Check(name, f"broken ({faults[0]})" if faults else "proved", "true", not faults)


def _reasons(name: str, limit: Any, evidence: Evidence) -> Iterator[Check]:
    """Whoever loses points must be told why, in both languages."""
    silent = [
        c.name
        for c in evidence.card.characteristics
        if c.definition is None or not (c.definition.reason and c.definition.label_zh and c.definition.label_en)
    ]
    found = f"missing for {', '.join(silent)}" if silent else "complete"
    yield Check(name, found, "a code and a text in both languages for every characteristic", not silent)


def _latency(name: str, limit: float, evidence: Evidence) -> Iterator[Check]:
    """The 99th percentile of single scores with their reasons, on the machine that promotes."""
    card = evidence.card
    rows = [dict(zip(card.columns, row.values, strict=True)) for row in card.golden]
    took = []
    for turn in range(_TIMED if rows else 0):
        began = time.perf_counter()
        card.score_one(rows[turn % len(rows)])
        took.append(1_000 * (time.perf_counter() - began))
    value = sorted(took)[int(0.99 * len(took))] if took else None
    yield Check(name, _number(value), _limits(None, limit), _within(value, None, limit))


def _documents(name: str, limit: Iterable[str], evidence: Evidence) -> Iterator[Check]:
    wanted = sorted(limit)
    missing = [file for file in wanted if file not in evidence.files]
    found = f"without {', '.join(missing)}" if missing else "complete"
    yield Check(name, found, ", ".join(wanted), not missing)


def _impact_assessment(name: str, limit: Any, evidence: Evidence) -> Iterator[Check]:
    attached = evidence.impact_assessment
    yield Check(name, attached[:12] or "not attached", "attached (--impact-assessment FILE)", bool(attached))


def _champion(name: str, limit: float, evidence: Evidence) -> Iterator[Check]:
    """Both cards on the same rows; the lower end of the interval counts, and the rival must be the one in force."""
    rival = evidence.evaluation.get("context", {}).get("champion") or {}
    compared, least = rival.get("card", ""), _limits(limit, None)
    if compared != evidence.in_force:
        found = f"measured against card {compared[:12] or 'none'}"
        yield Check(name, found, f"{least} against card {evidence.in_force[:12] or 'none'}, in force now", False)
    elif not compared:
        yield Check(name, "without a champion to compare with", least, True)
    else:
        rows = [row for row in evidence.evaluation.get("rankings", ()) if row["role"] == "champion"]
        found = rows[0]["measures"].get("card_minus_this", {}) if rows else {}
        value = found.get("low")
        yield Check(f"{name} (lower end of the interval)", _number(value), least, _within(value, limit, None))


def _stability(kind: str) -> Callable[[str, float, Evidence], Iterator[Check]]:
    """How far a distribution had moved, as the evaluation tells it."""

    def judge(name: str, limit: float, evidence: Evidence) -> Iterator[Check]:
        movements = evidence.evaluation.get("stability", {}).get("movements", ())
        values = [movement["value"] for movement in movements if movement["kind"] == kind]
        if not values:
            yield Check(name, _ABSENT, _limits(None, limit), False)
        for value in values:
            yield Check(name, _number(value), _limits(None, limit), _within(value, None, limit))

    return judge


def _eligibility(name: str, limit: float, evidence: Evidence) -> Iterator[Check]:
    """The least eligible group of every audited attribute: it fails where its whole interval lies below the limit."""
    attributes = evidence.evaluation.get("fairness", {}).get("attributes", ())
    if not attributes:
        yield Check(name, _ABSENT, _limits(limit, None), False)
    for attribute in attributes:
        groups = [
            (group["ratio"]["high"], group["ratio"]["value"], group["group"], cutoff["cutoff"])
            for cutoff in attribute["cutoffs"]
            for group in cutoff["groups"]
            if group["verdict"] != "reference" and group["ratio"]["high"] is not None
        ]
        if not groups:
            yield Check(f"{name} ({attribute['name']})", UNMEASURED, _limits(limit, None), False)
            continue
        high, value, group, cutoff = min(groups)
        found = f"{value:.4g} (interval to {high:.4g}) for {group} from {cutoff:g} points"
        yield Check(f"{name} ({attribute['name']})", found, _limits(limit, None), high >= limit)


# ---------------------------------------------------------------------------------------------------- words


def _limits(low: float | None, high: float | None) -> str:
    return f"at least {low:g}" if high is None else f"at most {high:g}" if low is None else f"{low:g} to {high:g}"


def _limit(limit: Any) -> str:
    """A declared limit of a measured gate, where the evaluation shows none."""
    return _limits(*limit) if isinstance(limit, tuple | list) else f"{limit:g}" if isinstance(limit, float) else "set"


def _number(value: float | None) -> str:
    return UNMEASURED if value is None else f"{value:.4g}"


def _within(value: float | None, low: float | None, high: float | None) -> bool:
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


# ---------------------------------------------------------------------------------------------------- what is declared


def _a_number(raw: Any) -> float | None:
    return float(raw) if isinstance(raw, int | float) and type(raw) is not bool and math.isfinite(raw) else None


def _above_nought(raw: Any) -> float | None:
    number = _a_number(raw)
    return number if number is not None and number > 0 else None


def _a_band(raw: Any) -> tuple[float, float] | None:
    ends = [_a_number(end) for end in raw] if isinstance(raw, list | tuple) else []
    if len(ends) != 2 or ends[0] is None or ends[1] is None or not ends[0] < ends[1]:
        return None
    return ends[0], ends[1]


def _number_or_band(raw: Any) -> float | tuple[float, float] | None:
    number = _a_number(raw)
    return _a_band(raw) if number is None else number


def _true(raw: Any) -> bool | None:
    return True if raw is True else None


def _texts(raw: Any) -> tuple[str, ...] | None:
    good = isinstance(raw, list | tuple) and raw and all(isinstance(text, str) and text.strip() for text in raw)
    return tuple(raw) if good else None


_LEAST = Gate("a least value", _a_number, _measured, measured=True)

GATES: Final[Mapping[str, Gate]] = {
    **dict.fromkeys(("gini", "ks", "soft_gini", "soft_gini_to_attainable"), _LEAST),
    "slope": Gate("[low, high]", _a_band, _measured, measured=True),
    "observed_to_expected": Gate("a tolerance or [low, high]", _number_or_band, _measured, measured=True),
    "gini_minus_champion": Gate("a least value", _a_number, _champion),
    "psi_of_grades": Gate("a greatest value above 0", _above_nought, _stability("grades")),
    "psi_of_tail": Gate("a greatest value above 0", _above_nought, _stability("tail")),
    "eligibility_ratio": Gate("a least value above 0", _above_nought, _eligibility),
    "record_monotone": Gate("true", _true, _record_monotone),
    "reasons": Gate("true", _true, _reasons),
    "latency_ms": Gate("a greatest value above 0", _above_nought, _latency),
    "documents": Gate("a list of files of the run", _texts, _documents),
    "impact_assessment": Gate("true", _true, _impact_assessment),
}
