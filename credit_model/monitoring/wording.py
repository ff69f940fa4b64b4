"""The monitoring of a card as a value, with alarms in words: one sentence on what moved, one on why, in both languages.

A cause comes before its effect: decisions before characteristics, these before the score. A characteristic that moved
is traced to the kinds of decision it is made of, and a kind that moved to the characteristics that will show it.

In: comparisons of one day with the reference. Out: a `Monitoring` as plain values; alarms, texts.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from credit_model.texts.words import text_of

if TYPE_CHECKING:
    from credit_model.metrics.stability import Movement, Stability
    from credit_model.monitoring.intake import Episode, Intake
    from credit_model.monitoring.realised import Realised


@dataclass(frozen=True)
class Alarm:
    """One thing that moved: its kind, its name, and its text."""

    kind: str
    name: str
    text_en: str
    text_zh: str


@dataclass(frozen=True)
class Migration:
    """People scored on both days: shares whose grade is better, the same, worse; None where fewer than ten."""

    since: str
    people: int
    better: float | None
    same: float | None
    worse: float | None
    mean_points: float


@dataclass(frozen=True)
class Monitoring:
    """A card on one day, against its reference and what came in.

    Attributes
    ----------
    card_id : str
    as_of : str
    stability : Stability
    intake : tuple of Intake
        By kind, for the last whole month and the one before.
    episodes : tuple of Episode
        When, in the last two years, decisions were out of the usual.
    reads : dict of str to tuple of str
        Kinds of decision each characteristic is made of, and each pair.
    migration : Migration or None
        Against a month before; None where fewer than ten people are scored on both days.
    realised : Realised or None
        None while no outcome since development is known.
    """

    card_id: str
    as_of: str
    stability: Stability
    intake: tuple[Intake, ...]
    episodes: tuple[Episode, ...]
    reads: dict[str, tuple[str, ...]]
    migration: Migration | None
    realised: Realised | None

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Return the alarms in words, the cause before the effect."""
        return alarms_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return nested dicts, lists, texts, numbers and None; the alarms among them."""
        plain = dataclasses.asdict(self) | {"alarms": [dataclasses.asdict(alarm) for alarm in self.alarms]}
        document: dict[str, Any] = json.loads(json.dumps(plain, allow_nan=False))
        return document


_text = partial(text_of, "monitoring")


def alarms_of(monitoring: Monitoring) -> tuple[Alarm, ...]:
    """Return an alarm for everything that moved, the cause before the effect."""
    return (
        *_of_intake(monitoring),
        *(_of_movement(movement, monitoring) for movement in reversed(monitoring.stability.out_of_limit)),
        *_of_outcomes(monitoring),
    )


def quiet(lang: str) -> str:
    """Return the text for a day on which nothing has moved."""
    return _text("quiet.what", lang)


def _of_intake(monitoring: Monitoring) -> Iterator[Alarm]:
    labels = {m.name: m for m in monitoring.stability.movements if m.kind == "characteristic"}
    out_of_limit = {m.name for m in monitoring.stability.out_of_limit}
    newest: dict[str, Intake] = {}
    for one in monitoring.intake:
        if one.moved and (one.kind not in newest or one.month > newest[one.kind].month):
            newest[one.kind] = one
    for one in newest.values():
        readers = [name for name, kinds in monitoring.reads.items() if one.kind in kinds and name in labels]
        affected = [name for name in readers if name in out_of_limit]
        effect = "shown" if affected else "to_come" if readers else "unread"
        texts = []
        for lang in ("en", "zh"):
            names = _listed([getattr(labels[name], f"label_{lang}") for name in affected or readers], lang)
            sentences = [
                _text(
                    "intake.what", lang,
                    times="0" if one.times is None else f"{one.times:.1f}", kind=getattr(one, f"label_{lang}"),
                    month=one.month, usual=f"{one.usual:g}", age=_text(f"intake.age_{one.months_after}", lang),
                    decisions=_text("intake.few", lang) if one.decisions is None else f"{one.decisions:,}",
                ),
                _text("intake.more" if (one.times or 0) > 1 else "intake.less", lang),
                _text(f"intake.{effect}", lang, names=names),
            ]  # fmt: skip
            texts.append((" " if lang == "en" else "").join(sentences))
        yield Alarm("intake", one.kind, *texts)


def _of_movement(movement: Movement, monitoring: Monitoring) -> Alarm:
    kinds = monitoring.reads.get(movement.name, ())
    causes = [episode for episode in monitoring.episodes if episode.kind in kinds]
    texts = []
    for lang in ("en", "zh"):
        points = movement.points.value if movement.points is not None else None
        text = _text(
            f"{movement.kind}.what", lang,
            label=getattr(movement, f"label_{lang}"), value=_number(movement.value), limit=_number(movement.limit),
            then=_percent(movement.then), now=_percent(movement.now),
            points="–" if points is None else f"{points:+.2f}",
        )  # fmt: skip
        if movement.kind == "characteristic" and monitoring.reads:
            why = [
                _text(
                    "characteristic.cause", lang, kind=getattr(one, f"label_{lang}"), times=f"{one.times:.1f}",
                    months=one.first if one.first == one.last else f"{one.first} – {one.last}",
                )
                for one in causes
            ]  # fmt: skip
            text += (" " if lang == "en" else "") + _text(
                "characteristic.why" if causes else "characteristic.why_not", lang, causes=_listed(why, lang)
            )
        texts.append(text)
    return Alarm(movement.kind, movement.name, *texts)


def _of_outcomes(monitoring: Monitoring) -> Iterator[Alarm]:
    realised = monitoring.realised
    if realised is None:
        return
    bads = "–" if realised.bads is None else f"{realised.bads:,}"
    level = {name: f"{getattr(realised.observed_to_expected, name) or 0:.2f}" for name in ("value", "low", "high")}
    rank = {name: f"{getattr(realised.auc, name) or 0:.3f}" for name in ("value", "high")}
    expected = f"{realised.expected_auc.value or 0:.3f}"
    if realised.off_level:
        values = {"as_of": realised.as_of, "bads": bads, "limit": f"{realised.limit:.2f}", **level}
        yield Alarm("level", "", *(_text("level.what", lang, **values) for lang in ("en", "zh")))
    if realised.off_ranking:
        values = {"as_of": realised.as_of, "expected": expected, **rank}
        yield Alarm("ranking", "", *(_text("ranking.what", lang, **values) for lang in ("en", "zh")))
    for one in realised.turned:
        yield Alarm(
            "turned", one.name,
            *(
                _text(
                    "turned.what", lang, as_of=realised.as_of, label=getattr(one, f"label_{lang}"),
                    better=getattr(one, f"better_{lang}"), worse=getattr(one, f"worse_{lang}"),
                )
                for lang in ("en", "zh")
            ),
        )  # fmt: skip


def _listed(names: list[str], lang: str) -> str:
    return ("; " if lang == "en" else "、").join(names)


def _percent(share: float | None) -> str:
    return "<10" if share is None else f"{100 * share:.3g} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
