"""Draw people who do not exist, and the hazards that decide who has an event: the truth of the synthetic city.

Two latent traits, conduct and hardship, give every person a monthly hazard for each of five kinds of event. An event
raises all of the person's hazards for a while; the four kinds that are labels do so at once, a minor event after a
year. So the chance of a label event in the next twelve months, as long as none has come, depends on the past alone,
and ``Hazards.risk`` states it exactly.

In: ``profiles.toml``, a profile, a number of people, a seed. Out: ``People``, ``Hazards``, ``Events``.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.calendar import FOREVER, NO_DAY, Days, add_months
from credit_model.foundation.json_values import JsonObject

Column = NDArray[Any]
Reals = NDArray[np.float64]

RECIPE: dict[str, Any] = tomllib.loads((files("credit_model.synthetic") / "profiles.toml").read_text(encoding="utf-8"))
EVENTS = ("minor", "general", "serious", "listing", "breach")
MINOR, GENERAL, SERIOUS, LISTING, BREACH = range(5)


def _by_event(table: Mapping[str, float]) -> Reals:
    return np.array([table[event] for event in EVENTS])


MONTHS: int = RECIPE["timeline"]["months"]
FIRST_MONTH = np.datetime64(RECIPE["timeline"]["start"], "M")
MONTH_START = (FIRST_MONTH + np.arange(MONTHS + 1)).astype("datetime64[D]").astype(np.int64)
START, END = int(MONTH_START[0]), int(MONTH_START[-1])  # the timeline as days, end exclusive
DELAY = _by_event(RECIPE["hazard"]["delay_months"]).astype(np.int64)
FADE = 0.5 ** (1 / RECIPE["hazard"]["half_life_months"])
MONTHLY_CAP = 1 - (1 - RECIPE["hazard"]["risk_cap"]) ** (1 / 12)


@dataclass(frozen=True)
class Draws:
    """Random draws from a stream of their own, all mapped from uniform numbers here.

    Examples
    --------
    >>> draws = Draws.for_stream(seed=1, name="example")
    >>> draws.between(4, (1, 6)).tolist() == Draws.for_stream(seed=1, name="example").between(4, (1, 6)).tolist()
    True
    """

    rng: np.random.Generator

    @classmethod
    def for_stream(cls, seed: int, name: str) -> Draws:
        """Return the stream of a name: a new table takes a new stream and moves no other."""
        return cls(np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=tuple(name.encode())))))

    def chance(self, n: int, share: float | Reals) -> NDArray[np.bool_]:
        """Draw True for a share of n."""
        return np.asarray(self.rng.random(n) < share)

    def normal(self, n: int) -> Reals:
        """Draw standard normal numbers (Box and Muller)."""
        u = self.rng.random((2, n))
        return np.asarray(np.sqrt(-2 * np.log1p(-u[0])) * np.cos(2 * np.pi * u[1]))

    def days(self, n: int, median_and_sd: Sequence[float]) -> NDArray[np.int64]:
        """Draw log-normal whole days, from the median and the sd of the logarithm."""
        median, sd = median_and_sd
        return np.floor(median * np.exp(sd * self.normal(n))).astype(np.int64)

    def between(self, n: int, ends: Sequence[float]) -> NDArray[np.int64]:
        """Draw uniform whole numbers, both ends included."""
        low, high = ends
        return np.floor(low + self.rng.random(n) * (high - low + 1)).astype(np.int64)

    def stay(self, n: int, mean_months: float) -> NDArray[np.int64]:
        """Draw exponential whole days, at least one."""
        return 1 + np.floor(-np.log1p(-self.rng.random(n)) * mean_months * 30.44).astype(np.int64)

    def yuan(self, n: int, ends: Sequence[float]) -> NDArray[np.int64]:
        """Draw whole yuan, uniform in the logarithm."""
        low, high = ends
        return np.floor(low * (high / low) ** self.rng.random(n)).astype(np.int64)

    def pick(self, n: int, shares: Mapping[str, float] | Mapping[int, float]) -> Column:
        """Draw names, or numbers, by their shares."""
        names, edges = np.array(list(shares), dtype=object), np.cumsum(list(shares.values()))
        return np.asarray(names[np.searchsorted(edges / edges[-1], self.rng.random(n), side="right")])

    def above(self, trait: Reals, correlation: float, share: float) -> Reals:
        """Draw a score correlated with a trait, less the threshold that a share of people passes."""
        score = correlation * trait + np.sqrt(1 - correlation**2) * self.normal(len(trait))
        return np.asarray(score - NormalDist().inv_cdf(1 - share))

    def some_day(self, n: int, share: float, otherwise: int) -> NDArray[np.int64]:
        """Draw a uniform day of the timeline for a share of n; another day for the rest."""
        u = self.rng.random(n)
        return np.where(u < share, START + np.floor(u / share * (END - START)), otherwise).astype(np.int64)

    def day_in(self, month: NDArray[np.int64]) -> NDArray[np.int64]:
        """Draw a uniform day of each month of the timeline."""
        start = MONTH_START[month]
        return start + np.floor(self.rng.random(len(month)) * (MONTH_START[month + 1] - start)).astype(np.int64)


@dataclass(frozen=True)
class People:
    """One entry a person; days since 1970-01-01, months since the start of the timeline."""

    born: Days
    adult_on: Days
    arrives: NDArray[np.int64]  # NO_DAY: has always lived here
    leaves: NDArray[np.int64]  # FOREVER: stays
    ending: Column  # why the person leaves: "" | "moved" | "deceased" | "incapable"
    district: NDArray[np.int64]
    later_district: NDArray[np.int64]
    moves_house: NDArray[np.int64]  # FOREVER: never
    occupation: NDArray[np.int64]  # -1: none of the key occupations
    second_occupation: NDArray[np.int64]
    male: NDArray[np.bool_]  # of no influence on anything
    conduct: Reals  # standard normal; higher is worse
    hardship: Reals
    commits: NDArray[np.bool_]
    first: NDArray[np.int64]  # months in which the person can have events: first <= month < last
    last: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.born)

    def present(self, person: NDArray[np.int64], month: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return whether each person is an adult resident through each month."""
        return np.asarray((self.first[person] <= month) & (month < self.last[person]))

    def frailty(self, conduct: float, hardship: float) -> Reals:
        """Return a log-normal factor with the given loadings; its mean over people is one."""
        exponent = conduct * self.conduct + hardship * self.hardship
        return np.asarray(np.exp(exponent - (conduct**2 + hardship**2) / 2))

    def commitment_exposure(self) -> Reals:
        """Return the exposure to broken commitments, one on average: more for those who make many."""
        share, times = RECIPE["commitment"]["share"], RECIPE["commitment"]["exposure"]
        return np.asarray(np.where(self.commits, times, (1 - share * times) / (1 - share)))

    def inspection(self) -> Reals:
        """Return the intensity of inspection by district and occupation, one on average."""
        key, share = RECIPE["people"]["key_occupation"], np.array(RECIPE["people"]["district_share"])
        by_district = np.array(RECIPE["people"]["district_inspection"])
        mean = (share @ by_district / share.sum()) * (1 + key["share"] * (key["inspection"] - 1))
        return np.asarray(by_district[self.district] * np.where(self.occupation >= 0, key["inspection"], 1.0) / mean)


def make_people(n: int, seed: int) -> People:
    """Draw n people: age, home, occupation, traits, and when they arrive and leave."""
    recipe, draws = RECIPE["people"], Draws.for_stream(seed, "people")
    age = recipe["youngest"] + draws.rng.random(n) * (recipe["oldest"] - recipe["youngest"])
    born = (START - np.floor(age * 365.2425)).astype(np.int32)
    level, slope = recipe["mortality"]["level"], recipe["mortality"]["slope"]
    years_left = np.log1p(-np.log1p(-draws.rng.random(n)) * slope / (level * np.exp(slope * age))) / slope
    arrives = draws.some_day(n, recipe["arrive"], NO_DAY)
    ends = np.stack(
        [
            draws.some_day(n, recipe["leave"], FOREVER),
            START + np.floor(years_left * 365.2425).astype(np.int64),
            draws.some_day(n, recipe["incapable"], FOREVER),
        ]
    )
    leaves = ends.min(axis=0)
    leaves[(leaves >= END) | (leaves <= arrives)] = FOREVER
    why = np.array(["moved", "deceased", "incapable"], dtype=object)[ends.argmin(axis=0)]
    adult_on = add_months(born, 216)
    month_of_leaving = (leaves.astype("datetime64[D]").astype("datetime64[M]") - FIRST_MONTH).astype(np.int64)

    districts = dict(zip(range(len(recipe["districts"])), recipe["district_share"], strict=True))
    key = draws.chance(n, recipe["key_occupation"]["share"])
    first, second = draws.between(2 * n, (0, len(recipe["occupations"]) - 1)).reshape(2, n)
    has_second = key & draws.chance(n, recipe["key_occupation"]["second"]) & (first != second)
    conduct = draws.normal(n)
    return People(
        born=born,
        adult_on=adult_on,
        arrives=arrives,
        leaves=leaves,
        ending=np.where(leaves == FOREVER, "", why),
        district=draws.pick(n, districts).astype(np.int64),
        later_district=draws.pick(n, districts).astype(np.int64),
        moves_house=draws.some_day(n, recipe["move_district"], FOREVER),
        occupation=np.where(key, first, -1),
        second_occupation=np.where(has_second, second, -1),
        male=draws.chance(n, 0.5),
        conduct=conduct,
        hardship=draws.normal(n),
        commits=draws.above(conduct, RECIPE["commitment"]["conduct"], RECIPE["commitment"]["share"]) >= 0,
        first=np.searchsorted(MONTH_START, np.maximum(adult_on, arrives), side="left"),
        last=np.where(leaves == FOREVER, np.iinfo(np.int64).max, month_of_leaving),
    )


@dataclass(frozen=True)
class Events:
    """Events: person, month, kind (index into ``EVENTS``) and day, in the order of months."""

    person: NDArray[np.int64]
    month: NDArray[np.int64]
    kind: NDArray[np.int64]
    day: NDArray[np.int64]


@dataclass(frozen=True)
class Hazards:
    """Monthly rates at which events happen to people."""

    rate: NDArray[np.float32]  # (5, n) a month, before a change of inspections and before excitation
    people: People
    gain: Reals  # (5,) what one event of a kind adds to the multiplier

    @classmethod
    def of(cls, people: People, profile: JsonObject) -> Hazards:
        """Return the hazards of people under a profile."""
        inspection, breach_exposure = people.inspection(), people.commitment_exposure()
        rate = np.empty((len(EVENTS), len(people)), np.float32)
        for kind, event in enumerate(EVENTS):
            loading = profile["loading"][event]
            rate[kind] = people.frailty(
                loading["conduct"] * profile["conduct_sd"], loading["hardship"] * profile["hardship_sd"]
            ) * (profile["base"][event] / 12)
            if kind <= SERIOUS:
                rate[kind] *= inspection
            elif kind == BREACH:
                rate[kind] *= breach_exposure
        return cls(rate, people, _by_event(profile["gain"]))

    @staticmethod
    def inspections(month: int) -> float:
        """Return the intensity of inspections in a month of the timeline: the dated shock, else one."""
        shock, day = RECIPE["timeline"]["shock"], (FIRST_MONTH + month).astype(date)
        return float(shock["penalties"]) if shock["from"] <= day < shock["to"] else 1.0

    def monthly(self, month: int, excitation: Reals) -> tuple[Reals, Reals]:
        """Return the chance of a minor event and of a label event in one month, per person."""
        rate, inspected = self.rate, self.inspections(month)
        times = np.minimum(1 + excitation, RECIPE["hazard"]["cap"])
        times *= (self.people.first <= month) & (month < self.people.last)
        label = ((rate[GENERAL] + rate[SERIOUS]) * inspected + (rate[LISTING] + rate[BREACH])) * times
        return np.minimum(rate[MINOR] * inspected * times, MONTHLY_CAP), np.minimum(label, MONTHLY_CAP)

    def draw(self, draws: Draws) -> Events:
        """Draw the events: one uniform number a person and month against the total hazard."""
        n = len(self.people)
        excitation = np.zeros(n)
        pending: dict[int, list[tuple[Column, Reals]]] = defaultdict(list)
        months = []
        for month in range(MONTHS):
            excitation *= FADE
            for person, gain in pending.pop(month, ()):
                excitation[person] += gain
            minor, label = self.monthly(month, excitation)
            u = draws.rng.random(n)
            person = np.flatnonzero(u < minor + label)
            shock = np.array([0, *[self.inspections(month)] * 2, 1, 1])
            edges = np.cumsum(self.rate[:, person] * shock[:, None], axis=0)
            position = (u[person] - minor[person]) / label[person] * edges[-1]
            kind = np.where(position < 0, MINOR, np.clip((position >= edges).sum(axis=0), GENERAL, BREACH))
            for delay in np.unique(DELAY):
                own = DELAY[kind] == delay
                pending[month + int(delay)].append((person[own], self.gain[kind[own]]))
            months.append((person, np.full(len(person), month), kind))
        person, month_of, kind = (np.concatenate(column) for column in zip(*months, strict=True))
        return Events(person, month_of, kind, draws.day_in(month_of))

    def risk(self, month: int, events: Events) -> Reals:
        """Return the chance of a label event in the 12 months from `month`, given all events before it."""
        before = events.month < month
        person, kind, when = events.person[before], events.kind[before], events.month[before]
        clean = np.ones(len(self.people))
        for ahead in range(month, month + 12):
            since = ahead - when - DELAY[kind]
            gain = np.where(since >= 0, self.gain[kind] * FADE ** np.maximum(since, 0), 0.0)
            excitation = np.bincount(person, gain, minlength=len(clean)).astype(np.float64)
            clean *= 1 - self.monthly(ahead, excitation)[1]
        return 1 - clean
