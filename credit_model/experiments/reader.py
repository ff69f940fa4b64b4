"""Reader of experiment files: every key is read once, all faults are reported together.

In: the parsed TOML of an experiment. Out: an ``Experiment``, or one ``ExperimentErrors`` with every fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from credit_model.catalogue.catalogue import Catalogue, load_catalogue
from credit_model.evaluation.gates import read_gates
from credit_model.evaluation.measures import Limit
from credit_model.experiments.experiment import (
    CardPlan,
    ChallengerPlan,
    Experiment,
    ExperimentErrors,
    LedgerPlan,
    PolicyPoints,
    RawTables,
    SamplePlan,
    SyntheticCity,
    located,
)
from credit_model.experiments.single_record import order_check, read_caps
from credit_model.experiments.toml_table import Table, faults_of
from credit_model.features.definition import FeatureDefinition
from credit_model.features.dictionary import check_definitions, library, load_definitions
from credit_model.foundation.calendar import from_days, to_day
from credit_model.foundation.digests import sha256_file
from credit_model.foundation.errors import UserError, did_you_mean
from credit_model.foundation.toml_reader import load_toml
from credit_model.ledger.ingest_report import MAX_REJECTED_SHARE
from credit_model.ledger.ledger import Ledger
from credit_model.sample.observation import Event, EventDay
from credit_model.sample.outcome import OUTCOMES, Y12, Outcome
from credit_model.sample.split import check_gap, development_dates
from credit_model.scorecard.bins import BinEdits, NumericBins
from credit_model.scorecard.scale import load_profile

METHODS: Final = ("woe_logistic", "additive")
CHALLENGERS: Final = ("lightgbm",)
FOLDS: Final = ("time", "stratified")
OBJECTIVES: Final = ("gini", "stability", "characteristics")
CITIES: Final = ("R", "L")
SOURCES: Final = ("synthetic", "folder", "files")
EXTENDS: Final = ("default",)
TRAIN_REPAIRED: Final = ("asof", "drop")
_SEEDS: Final = 2**31 - 1  # the greatest that every generator takes
PERSONS_MODEL: Final = "personal-credit"


def load_experiment(path: str | Path) -> Experiment:
    """Read and check an experiment.

    Parameters
    ----------
    path : path-like
        A TOML file; its stem is the experiment's name.

    Raises
    ------
    ExperimentErrors
        If the file cannot be read or parsed, or with every fault of its content at once.
    """
    path = Path(path)
    return read_experiment(load_toml(path, "experiment", ExperimentErrors), path.stem, path.parent)


def read_experiment(raw: Mapping[str, Any], name: str, folder: Path = Path()) -> Experiment:
    """Check a parsed file; ``name`` and ``folder`` are those of the file."""
    faults: list[str] = []
    top = Table(raw, "", faults)
    if top.take("schema", int, 1) != 1:
        faults.append("schema: this version of the package reads schema 1")
    top.known.append("challenger")
    question, seed = top.take("question", str), top.whole("seed", 0, _SEEDS)
    ledger, catalogue = _ledger(top.table("ledger"), seed, folder)
    max_rejected_share = _max_rejected_share(top.table("ingest", {}))
    outcome = _outcome(top.table("outcome"), catalogue)
    sample = _sample(top.table("sample"), outcome, ledger, catalogue)
    features, left_out, monotone, definitions = _features(
        top.table("features"), catalogue, folder, order_check(raw.get("card"), catalogue)
    )
    card = _card(top.table("card"), name, features, catalogue, monotone)
    gates = _gates(top.table("gates", {}))
    attainable = _attainable(top.table("evaluation", {}), folder)
    challenger = _challenger(top.table("challenger", {})) if "challenger" in raw else None
    top.close()
    if faults or ledger is None or outcome is None or sample is None or card is None:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise ExperimentErrors(f"experiment {name!r}: {count}: " + "; ".join(faults), tuple(faults))
    return Experiment(
        name, question, seed, ledger, outcome, sample, features, card, gates, attainable, challenger, left_out, folder,
        max_rejected_share, definitions,
    )  # fmt: skip


def _ledger(table: Table, seed: int | None, folder: Path) -> tuple[LedgerPlan | None, Catalogue | None]:
    """Where records come from, and the catalogue they are of."""
    sources = [key for key in SOURCES if key in table.raw]
    if len(sources) != 1:
        table.faults.append(
            f"[ledger] needs exactly one of {', '.join(SOURCES)}; it has {', '.join(sources) or 'none'}"
        )
    source: SyntheticCity | RawTables | str | None = None
    read: Callable[[], Catalogue] = load_catalogue
    if "synthetic" in table.raw:
        city = table.table("synthetic")
        source = SyntheticCity(
            city.take("profile", str, "R", CITIES),
            city.whole("people", 1, 100_000_000, 1),
            city.whole("seed", 0, _SEEDS, seed or 0),
        )
        city.close()
    if "folder" in table.raw:
        source = table.take("folder", str, "")
        read = lambda: Ledger.open(folder / str(source)).catalogue  # noqa: E731
    if "files" in table.raw:
        source, read = _files(table.table("files"), folder)
    policy, day_of_use = table.take("policy", str, "tier"), table.day("day_of_use", date.today())
    known_through = table.day("known_through", None)
    for other in SOURCES:
        table.known.append(other)
    table.close()
    catalogue, plan = None, None
    try:
        catalogue = read()
        catalogue.policy(policy, day_of_use or 0)
        if source is not None and day_of_use is not None:
            plan = LedgerPlan(source, policy, day_of_use, known_through)
    except UserError as error:
        table.faults += [f"[ledger] {fault}" for fault in faults_of(error)]
    return plan, catalogue


def _files(table: Table, folder: Path) -> tuple[RawTables, Callable[[], Catalogue]]:
    """Raw tables that a ledger is built from."""
    catalogue, mapping = table.take("catalogue", str, ""), table.take("mapping", str, None)
    tables = {key: table.texts(key) for key in ("records", "amendments", "subjects", "audit")}
    table.close()
    if not tables["records"]:
        table.fault("records", "names no file")
    for file in (mapping, *(path for paths in tables.values() for path in paths)):
        if file is not None and not located(folder, file).is_file():
            table.faults.append(f"{table.where}no file {file!r}; paths start at the experiment's own folder")
    return RawTables(catalogue, mapping, **tables), lambda: load_catalogue(located(folder, catalogue))


def _max_rejected_share(table: Table) -> float:
    """Read the largest share of raw rows that may have been refused."""
    share = float(table.take("max_rejected_share", float, MAX_REJECTED_SHARE))
    table.close()
    if not 0 <= share <= 1:
        table.fault("max_rejected_share", f"must be a share from 0 to 1, not {share:g}")
    return share


def _outcome(table: Table, catalogue: Catalogue | None) -> Outcome | None:
    """Read the outcome: a known one by name, or a table."""
    definition = table.raw.get("definition")
    try:
        if isinstance(definition, dict):
            own = table.table("definition")
            outcome = Outcome(
                own.take("name", str, "outcome"), own.take("window", str, "12m"),
                own.whole("maturity_months", 0, 1200, 0),
                own.take("where", dict, None), own.take("observed_by", dict, None),
            )  # fmt: skip
            own.close()
        else:
            outcome = OUTCOMES[table.take("definition", str, Y12.name, OUTCOMES)]
        if catalogue is not None:
            outcome.check(catalogue)
    except UserError as error:
        table.faults += [f"[outcome] {fault}" for fault in faults_of(error)]
        return None
    finally:
        table.close()
    return outcome


def _sample(
    table: Table, outcome: Outcome | None, ledger: LedgerPlan | None, catalogue: Catalogue | None
) -> SamplePlan | None:
    """Observation dates and cohort; dates that were given must leave the gap that would have been derived."""
    out_of_time, event = table.day("out_of_time"), _event(table, catalogue)
    dates, n = table.take("development", list, None), table.whole("development_dates", 1, 1200, 1)
    every, start = table.whole("every_months", 1, 1200, 12), table.day("development_from", None)
    cohort = table.take("cohort", dict, None)
    repaired = table.take("train_repaired", str, "asof", TRAIN_REPAIRED)
    share = table.take("goods_share", float, 1.0)
    table.close()
    faults = len(table.faults)
    if not 0 < share <= 1:
        table.fault("goods_share", "must be above 0 and at most 1")
    if table.raw.keys() & {"observe_after", "observe_on"}:
        for key in ("development", "development_dates", "every_months"):
            if key in table.raw:
                table.fault(key, "goes with dates for all; observations of an event have days of their own")
        if start is None:
            table.fault("development_from", "is missing: the first day of development; the last is derived")
    elif "development_from" in table.raw:
        table.fault("development_from", "goes with observe_after or observe_on")
    if dates is not None and "development_dates" in table.raw:
        table.fault("development", "give the dates or their number, not both")
    if dates is not None and not (dates and all(type(day) is date for day in dates)):
        table.fault("development", "must be a list of dates")
    if cohort is not None and catalogue is not None:
        try:
            check_definitions([FeatureDefinition(name="cohort", aggregate="any", where=cohort)], catalogue)
        except UserError as error:
            table.faults += [f"[sample] {fault}" for fault in faults_of(error)]
    if out_of_time is None or outcome is None or len(table.faults) > faults:
        return None
    development: tuple[int, ...]
    if event is not None and start is not None:
        development = start, outcome.latest_mature(out_of_time)
        if start > development[1]:
            table.fault("development_from", f"no label is mature by out_of_time after {from_days(development[1])}")
    elif dates is None:
        development = development_dates(out_of_time, outcome, n, every)
    else:
        development = tuple(sorted({to_day(day) for day in dates}))
    try:
        check_gap(development if event is None else development[1:], out_of_time, outcome)
    except UserError as error:
        table.faults.append(f"[sample] {error}")
    if ledger is not None and outcome.mature_on(out_of_time) > ledger.day_of_use + 1:
        latest = from_days(outcome.latest_mature(ledger.day_of_use + 1))
        table.fault("out_of_time", f"its labels are not mature on the day of use; the latest date is {latest}")
    after, on = event if isinstance(event, Event) else None, event if isinstance(event, EventDay) else None
    return SamplePlan(out_of_time, development, cohort, repaired, float(share), after, on)


def _event(table: Table, catalogue: Catalogue | None) -> Event | EventDay | None:
    """Read the event after which, or on whose day, somebody is observed."""
    faults = len(table.faults)
    after, on = table.table("observe_after", {}), table.table("observe_on", {})
    event: Event | EventDay
    if after.raw and "observe_on" in table.raw:
        table.fault("observe_on", "give observe_after or observe_on, not both")
        return None
    if after.raw:
        event = Event(after.texts("kinds"), after.take("action", str, None))
    elif "observe_on" in table.raw:
        event = EventDay(on.take("kind", str), on.take("column", str))
    else:
        return None
    (after if after.raw else on).close()
    if len(table.faults) > faults:
        return None
    try:
        if catalogue is not None:
            event.check(catalogue)
    except UserError as error:
        table.faults += [f"[sample] {'observe_after' if after.raw else 'observe_on'}: {f}" for f in faults_of(error)]
        return None
    return event


def _features(
    table: Table, catalogue: Catalogue | None, folder: Path, order: Callable[[FeatureDefinition], str]
) -> tuple[tuple[FeatureDefinition, ...], dict[str, str], bool, str]:
    """Definitions that are used, why others that a pattern includes are not, and in words where they come from.

    A name that is written out must be usable as it is; of what a pattern finds, the unusable is left out and told.
    """
    include, exclude = table.texts("include", ["*"]), table.texts("exclude")
    longest, monotone = table.whole("max_look_back_months", 1, 1200, None), table.take("record_monotone", bool, True)
    definitions, origin = _definitions(table, folder, persons=catalogue is None or catalogue.subjects == "person")
    table.close()
    if not definitions:
        return (), {}, monotone, origin
    names, selection, left_out = [d.name for d in definitions], [], {}
    for pattern in (*include, *exclude):
        if not any(fnmatchcase(name, pattern) for name in names):
            forbidden = catalogue.denied(pattern) if catalogue is not None else ""
            why = f"is on the deny-list ({forbidden}): no feature may use it" if forbidden else "no such feature"
            table.fault("include", f"{pattern!r} {why}{'' if forbidden else did_you_mean(pattern, names)}")
    for definition in definitions:
        by_name = definition.name in include
        if any(fnmatchcase(definition.name, pattern) for pattern in exclude) or not any(
            fnmatchcase(definition.name, pattern) for pattern in include
        ):
            continue
        why = "" if by_name else _unusable(definition, longest, monotone) or order(definition)
        if why:
            left_out[definition.name] = why
        else:
            selection.append(definition)
    if not selection:
        table.faults.append("[features] no feature is left")
    if catalogue is not None:
        try:
            check_definitions(
                selection, catalogue, max_look_back_months=longest, for_card=True,
                record_monotone=monotone and catalogue.subjects == "person",
            )  # fmt: skip
        except UserError as error:
            table.faults += [f"[features] {fault}" for fault in faults_of(error)]
    return tuple(selection), left_out, monotone, origin


def _definitions(table: Table, folder: Path, persons: bool) -> tuple[tuple[FeatureDefinition, ...], str]:
    """Definitions to choose from, and in words where they come from; none where the file's own cannot be read."""
    path, extends = table.take("definitions", str, None), table.take("extends", str, None, EXTENDS)
    if path is None:
        if extends is not None:
            table.fault("extends", "goes with definitions: it adds those of a file to the default dictionary")
        return library(), f"the default dictionary ({len(library())} definitions)"
    try:
        own = load_definitions(located(folder, path))
    except UserError as error:
        table.faults += [f"[features] {fault}" for fault in faults_of(error)]
        return (), ""
    if extends is None:
        count = "1 definition" if len(own) == 1 else f"{len(own)} definitions"
        hint = ' (extends = "default" under [features] would add them to it)' if persons else ""
        return own, f"{count} of {path} alone, without the default dictionary{hint}"
    names = {definition.name for definition in library()}
    for name in [definition.name for definition in own if definition.name in names]:
        table.fault("definitions", f"{name!r} is in the default dictionary already; rename it, or leave out extends")
    return (*library(), *own), f"the default dictionary ({len(names)} definitions) and {len(own)} of {path}"


def _unusable(definition: FeatureDefinition, longest: int | None, monotone: bool) -> str:
    """Why a definition that a pattern includes cannot be used; empty if it can."""
    reach = definition.look_back_months
    if longest is not None and (reach is None or reach > longest):
        return f"looks back further than {longest} months"
    return "is not record-monotone" if monotone and not definition.record_monotone else ""


def _card(
    table: Table, name: str, features: Sequence[FeatureDefinition], catalogue: Catalogue | None, monotone: bool
) -> CardPlan | None:
    """How the card is made."""
    persons = catalogue is None or catalogue.subjects == "person"
    method, profile = table.take("method", str, METHODS[0], METHODS), table.take("profile", str, "zhejiang_1000")
    model = table.take("model", str, PERSONS_MODEL if persons else name.replace("_", "-"))
    settings = {
        "max_characteristics": table.setting("max_characteristics", int, 20),
        "max_bins": table.setting("max_bins", int, 6),
        "penalty": table.setting("penalty", float, 1.0),
    }
    trials = table.whole("trials", 1, 100_000, 30)
    points = tuple(filter(None, [_policy_points(own, features) for own in table.tables("policy_points")]))
    folds = table.take("tuning_folds", str, FOLDS[0], FOLDS)
    objectives = table.texts("objectives", OBJECTIVES[:1])
    give_up = table.take("give_up", float, 0.005)
    if not objectives or objectives[0] != "gini" or len({*objectives} & {*OBJECTIVES}) < len(objectives):
        table.fault("objectives", f"must be of {', '.join(OBJECTIVES)}, each once, gini first")
        objectives = OBJECTIVES[:1]
    if not 0 <= give_up < 1:
        table.fault("give_up", "must be a Gini from 0 to below 1")
    caps = read_caps(table, features, points, catalogue)
    bins, stable = _bins(table.table("bins", {}), features), table.take("stable", bool, False)
    table.close()
    if method == "additive":
        if caps is not None:
            table.fault("single_record", "is for the method woe_logistic")
        edits = [name for name, edit in bins.items() if isinstance(edit, BinEdits)]
        for key, wrong in (("stable", stable), ("bins", edits)):
            if wrong:
                table.fault(key, "is for the method woe_logistic; additive takes whole bins and no periods")
    for name in sorted({own.characteristic for own in points} & set(bins)):
        table.fault("bins", f"{name!r} has policy points, whose cuts are its bins")
    try:
        most = load_profile(profile).addable_points
    except UserError as error:
        table.fault("profile", str(error))
        return None
    total = sum(max(own.points) for own in points)
    if total > most:
        table.fault("policy_points", f"add up to {total} points, profile {profile!r} allows {most:g}")
    return CardPlan(
        profile,
        model,
        **settings,
        record_monotone=monotone,
        trials=trials,
        method=method,
        policy_points=points,
        bins=bins,
        stable=stable,
        single_record=caps,
        tuning_folds=folds,
        objectives=tuple(objectives),
        give_up=float(give_up),
    )


def _bins(table: Table, features: Sequence[FeatureDefinition]) -> dict[str, NumericBins | BinEdits]:
    """Bins somebody decided on, by characteristic: ``cuts``, or ``edits`` of those that are learned."""
    bins_by_name: dict[str, NumericBins | BinEdits] = {}
    names = [d.name for d in features]
    for name in table.raw:
        own = table.table(name)
        cuts, edits = own.take("cuts", list, None), own.take("edits", list, None)
        own.close()
        if name not in names:
            table.fault(name, f"no such feature in this experiment{did_you_mean(name, names)}")
        elif (cuts is None) == (edits is None):
            own.fault("cuts", 'give cuts, or edits like [["merge", 1], ["split", 2.5]]; not both')
        elif cuts is not None and not all(type(cut) in (int, float) for cut in cuts):
            own.fault("cuts", "must be numbers")
        elif edits is not None and not all(isinstance(step, list) for step in edits):
            own.fault("edits", "must be lists, each the name of an edit and what it is given")
        else:
            try:
                bins_by_name[name] = NumericBins.of(cuts) if cuts is not None else BinEdits(tuple(map(tuple, edits)))
            except UserError as error:
                own.faults.append(f"{own.where}{error}")
    return bins_by_name


def _policy_points(table: Table, features: Sequence[FeatureDefinition]) -> PolicyPoints | None:
    """Points somebody declares: they follow the trend of the feature, and absence has none."""
    before = len(table.faults)
    name = table.take("characteristic", str, None, [d.name for d in features])
    points, cuts = table.take("points", list, []), table.take("cuts", list, None)
    texts = {key: table.take(key, str, "") for key in ("approver", "ground")}
    table.close()
    for key, text in texts.items():
        if not text.strip():
            table.fault(key, "must say who answers for the points, and on what ground")
    if len(points) < 2 or not all(type(p) is int for p in points):
        table.fault("points", "must be at least two whole numbers, one an attribute, absence first")
    elif points[0] != 0:
        table.fault("points", "absence (the first) must have 0 points")
    elif cuts is not None and len(cuts) != len(points) - 1:
        table.fault("cuts", f"{len(points)} points need {len(points) - 1} cuts")
    else:
        direction = next((d.direction for d in features if d.name == name), 0)
        if any((high - low) * direction > 0 for low, high in pairwise(points)):
            better = "add, never take: it may only rise" if direction < 0 else "take, never add: it may only fall"
            table.fault("points", f"a feature of this trend can {better}")
    if len(table.faults) > before or name is None:
        return None
    return PolicyPoints(name, tuple(points), **texts, cuts=None if cuts is None else tuple(map(float, cuts)))


def _gates(table: Table) -> dict[str, Limit]:
    """Limits set before the run."""
    gates, faults = read_gates(table.raw)
    for name, fault in faults.items():
        table.fault(name, fault)
    return gates


def _attainable(table: Table, folder: Path) -> str | None:
    """Read the path of the stored model of the attainable; the ``SHA256SUMS`` beside it must name it."""
    file: str | None = table.take("attainable", str, None)
    table.close()
    if file is None:
        return None
    model = folder / file
    sums = model.with_name("SHA256SUMS")
    if not model.is_file():
        table.fault("attainable", f"no file {file!r}; paths start at the experiment's own folder")
        return file
    listed = sums.read_text(encoding="ascii").splitlines() if sums.is_file() else []
    if f"{sha256_file(model)}  {model.name}" not in listed:
        table.fault("attainable", f"{file!r} is not the model that SHA256SUMS beside it names; restore it")
    return file


def _challenger(table: Table) -> ChallengerPlan:
    """Read the plan of the challenger."""
    plan = ChallengerPlan(table.take("method", str, CHALLENGERS[0], CHALLENGERS))
    table.close()
    return plan
