"""A synthetic city: public credit records of people who do not exist, with the risk that made them.

It is what the package is tried on when no real records may be used. Because the hazards are known, so is the true
risk of a new serious event in the next twelve months: tests, benchmarks and notebooks may compare a card with it,
nothing else may read it. Who has an event is decided in ``people``, what an office knows of it in ``history``,
and every rate stands in ``profiles.toml``.

In: a profile (``R`` realistic, ``L`` learnable), a number of people, a seed.
Out: a ``City``: frames of records, amendments, subject versions and audit attributes as a ledger takes them in, and
``true_risk(as_of)`` beside them. Same seed, same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue, load_catalogue
from credit_model.foundation.calendar import FOREVER, NO_DAY, NO_VALUE, DateLike, from_day, to_day
from credit_model.foundation.digests import sha256_file
from credit_model.foundation.errors import UserError
from credit_model.synthetic.amendments import make_amendments
from credit_model.synthetic.history import DATES, NUMBERS, TEXTS, Rows, make_records, select_rows
from credit_model.synthetic.people import (
    END,
    FIRST_MONTH,
    MONTHS,
    RECIPE,
    Column,
    Draws,
    Events,
    Hazards,
    People,
    make_people,
)

OBSERVATION_DATES = ("2022-09-01", "2023-09-01", "2025-04-01")  # development, development, out-of-time


@dataclass(frozen=True)
class City:
    """Raw tables of a synthetic city, and the truth behind them.

    Parameters
    ----------
    records, amendments, subjects, audit : DataFrame
        In the form a ledger takes in: dates as datetime64, missing values null. The person's sex stands in `audit`
        alone.
    profile : str
    people : int
    seed : int
    """

    records: pd.DataFrame
    amendments: pd.DataFrame
    subjects: pd.DataFrame
    audit: pd.DataFrame
    profile: str
    people: int
    seed: int
    _subject_ids: pa.Array
    _hazards: Hazards
    _events: Events

    def true_risk(self, as_of: DateLike) -> pd.Series[float]:
        """Return the chance of a new serious event in the 12 months from a date, given all that happened before it.

        Parameters
        ----------
        as_of : date or ISO text
            The first day of a month of the timeline.

        Returns
        -------
        Series of float, one entry a person
            Indexed by ``subject_id``; 0 for who is gone by then. It supposes that the person stays for the 12 months.

        Raises
        ------
        UserError
            If the date is not the first of a month of the timeline.

        Notes
        -----
        ``1 - prod(1 - p)`` over the 12 monthly chances of a label event; the excitation in them fades as it would
        if nothing came, which is exact because minor events excite only after 12 months.
        """
        day = to_day(as_of)
        month = np.datetime64(day, "D").astype("datetime64[M]")
        number = int((month - FIRST_MONTH).astype(np.int64))
        if month.astype("datetime64[D]").astype(np.int64) != day or not 0 <= number <= MONTHS:
            raise UserError(
                f"The true risk of the synthetic city was asked as of {from_day(day)}: it is known on the first day of "
                f"a month from {FIRST_MONTH} to {FIRST_MONTH + MONTHS} only. Ask for such a day."
            )
        index = pd.Index(self._subject_ids.to_pandas(), name="subject_id", dtype="str")
        return pd.Series(self._hazards.risk(number, self._events), index=index, name="true_risk")

    def write(
        self, folder: str | Path, *, csv: bool = False, true_risk_on: Iterable[DateLike] = OBSERVATION_DATES
    ) -> dict[str, str]:
        """Write the raw tables, the truth in a folder of its own, and ``SHA256SUMS``.

        Parameters
        ----------
        folder : path
            Made where missing; files of an earlier city are overwritten.
        csv : bool
            Text to read instead of Parquet.
        true_risk_on : iterable of dates
            Dates of ``truth/true_risk``.

        Returns
        -------
        dict of str to str
            File name -> SHA-256.
        """
        # nine decimals: the last bits of an exponential differ between processors, the files must not
        risks = (self.true_risk(day).round(9).reset_index().assign(as_of=pd.Timestamp(day)) for day in true_risk_on)
        truth = pd.concat(risks)
        tables = {
            "records": self.records,
            "amendments": self.amendments,
            "subjects": self.subjects,
            "audit": self.audit,
            "truth/true_risk": truth[["subject_id", "as_of", "true_risk"]],
        }
        digests = {}
        for name, frame in tables.items():
            path = Path(folder) / f"{name}.{'csv' if csv else 'parquet'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            table = _without_time(frame)
            if csv:
                pyarrow.csv.write_csv(table, path, pyarrow.csv.WriteOptions(quoting_style="needed"))
            else:
                pyarrow.parquet.write_table(table, path, compression="zstd")
            digests[str(path.relative_to(folder))] = sha256_file(path)
        sums = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
        (Path(folder) / "SHA256SUMS").write_text(sums, encoding="ascii")
        return digests


def synthesise(
    profile: str = "R", people: int = 100_000, seed: int = 20261124, *, with_id_numbers: bool = False
) -> City:
    """Create a synthetic city.

    Parameters
    ----------
    profile : {"R", "L"}
        Realistic, or learnable (the past says more of the future).
    people : int
        Subjects on file; some are minors, arrive, leave or die within the timeline.
    seed : int
        Same seed, same bytes; another seed, other people.
    with_id_numbers : bool
        Name people by made-up ID numbers of the county 999999, which does not exist, with a valid check digit: column
        ``id_number`` instead of ``subject_id``; no record is moved to another subject. For trials of ingest.

    Returns
    -------
    City
        2015-11-01 to 2026-10-31: five years to fill the registers, six to observe.

    Raises
    ------
    UserError
        If the profile is unknown or nobody is asked for.

    Examples
    --------
    >>> city = synthesise(people=200, seed=1)
    >>> city.subjects["subject_id"].iloc[0], len(city.audit)
    ('S0000001', 200)
    >>> bool((city.true_risk("2025-04-01") < 0.51).all())
    True
    """
    if profile not in RECIPE["profile"]:
        raise UserError(
            f"A city of profile {profile!r} was asked for; there are {', '.join(RECIPE['profile'])}. Name one of them."
        )
    if people < 1:
        raise UserError(f"A city of {people} people was asked for. Ask for at least one person.")
    recipe, population = RECIPE["profile"][profile], make_people(people, seed)
    hazards = Hazards.of(population, recipe)
    events = hazards.draw(Draws.for_stream(seed, "events"))
    who = _id_numbers(population) if with_id_numbers else _numbered("S", np.arange(people) + 1, 7)
    key = "id_number" if with_id_numbers else "subject_id"
    rows = make_records(population, events, recipe, seed)
    catalogue = load_catalogue()
    amended = make_amendments(rows, population, who, catalogue, seed)
    number = _deliverable(rows["kind"], catalogue)
    amended = select_rows(amended, np.isin(amended["record"], number))
    if with_id_numbers:
        amended = select_rows(amended, amended["action"] != "moved_to_subject")
    sex = pa.array(np.where(population.male, "M", "F"), pa.string())
    return City(
        records=_records_frame(rows, number, who, key),
        amendments=_amendments_frame(amended),
        subjects=_subjects_frame(population, who, key, seed),
        audit=_frame({key: who, "sex": sex}),
        profile=profile,
        people=people,
        seed=seed,
        _subject_ids=who,
        _hazards=hazards,
        _events=events,
    )


# ------------------------------------------------------------------------------------------------ names
def _numbered(letter: str, numbers: NDArray[np.int64], width: int) -> pa.Array:
    """Return S0000001, S0000002, ...: visibly invented; null where the number is negative."""
    digits = pc.utf8_lpad(pa.array(numbers, mask=numbers < 0).cast(pa.string()), width, "0")
    return pc.binary_join_element_wise(letter, digits, "")


def _id_numbers(people: People) -> pa.Array:
    """Return ID numbers of county 999999: birth date, sequence number (odd for men), check digit (MOD 11-2)."""
    frame = pd.DataFrame({"born": people.born, "male": people.male})
    sequence = frame.groupby(["born", "male"]).cumcount().to_numpy() * 2 + people.male
    if sequence.max() > 999:
        raise UserError(
            f"ID numbers for {len(people)} people were asked for: too many share a birthday. Ask for fewer people."
        )
    born = people.born.astype("datetime64[D]").astype(str)
    texts = [f"999999{day.replace('-', '')}{number:03d}" for day, number in zip(born, sequence, strict=True)]
    digits = np.array(texts, dtype="S17").view(np.uint8).reshape(len(texts), 17).astype(np.int64) - ord("0")
    check = digits @ np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11
    return pa.array([text + "10X98765432"[rest] for text, rest in zip(texts, check, strict=True)])


# ------------------------------------------------------------------------------------------------ frames
def _dates(days: Column) -> pa.Array:
    return pa.array(days.astype(np.int32), mask=(days == NO_DAY) | (days == FOREVER)).view(pa.date32())


def _numbers(values: Column) -> pa.Array:
    return pa.array(values.astype(np.int64), mask=values == NO_VALUE)


def _frame(columns: dict[str, pa.Array]) -> pd.DataFrame:
    """Return a frame: dates as datetime64, whole numbers as nullable Int64, text as str."""
    table = pa.table(columns)
    frame: pd.DataFrame = table.to_pandas(
        date_as_object=False, types_mapper={pa.int64(): pd.Int64Dtype()}.get, self_destruct=True
    )
    return frame


def _deliverable(kind: Column, catalogue: Catalogue) -> NDArray[np.int64]:
    """Return the rows that may still be taken in; the others were drawn all the same, and so move no other draw."""
    code, kinds = pd.factorize(kind)
    return np.flatnonzero(np.array([catalogue.kinds[name].is_lawful(END) for name in kinds], np.bool_)[code])


def _records_frame(rows: Rows, number: NDArray[np.int64], who: pa.Array, key: str) -> pd.DataFrame:
    """Move the numbered rows into a frame column by column, which keeps a large city small."""
    columns = {
        "record_id": _numbered("R", number + 1, 8),
        key: who.take(pa.array(rows["person"][number])),
        "kind": pa.array(rows["kind"][number], pa.string()),
        "case_id": _numbered("C", rows["case"][number], 8),
    }
    for names, as_array in ((DATES, _dates), (NUMBERS, _numbers), (TEXTS, lambda text: pa.array(text, pa.string()))):
        columns |= {name: as_array(rows.pop(name)[number]) for name in names if name not in columns}
    return _frame(columns)


def _amendments_frame(rows: Rows) -> pd.DataFrame:
    return _frame(
        {
            "record_id": _numbered("R", rows["record"] + 1, 8),
            "action": pa.array(rows["action"], pa.string()),
            "effective_on": _dates(rows["effective_on"]),
            "known_on": _dates(rows["known_on"]),
            "value": pa.array(rows["value"], pa.string()),
        }
    )


def _subjects_frame(people: People, who: pa.Array, key: str, seed: int) -> pd.DataFrame:
    """Return the versions of each person: at registration, after a move within the city, and on leaving."""
    n, recipe, draws = len(people), RECIPE["people"], Draws.for_stream(seed, "subjects")
    movers = np.flatnonzero((people.arrives < people.moves_house) & (people.moves_house < people.leaves))
    leavers = np.flatnonzero(people.leaves != FOREVER)
    person = np.concatenate([np.arange(n), movers, leavers])
    valid_from = np.concatenate([people.arrives, people.moves_house[movers], people.leaves[leavers]])
    known_on = np.where(valid_from == NO_DAY, NO_DAY, valid_from + draws.days(len(person), RECIPE["delay"]["version"]))
    ending = np.concatenate([np.full(n + len(movers), "", object), people.ending[leavers]])
    district_at_end = np.where(people.moves_house < people.leaves, people.later_district, people.district)
    district = np.concatenate([people.district, people.later_district[movers], district_at_end[leavers]])
    titles = np.array([*recipe["occupations"], ""], dtype=object)  # no occupation is -1, the last
    first, second = titles[people.occupation[person]], titles[people.second_occupation[person]]
    versions = {
        key: who.take(pa.array(person)),
        "born_on": _dates(people.born[person]),
        "resident_from": _dates(people.arrives[person]),
        "resident_to": _dates(np.where(ending == "moved", valid_from, NO_DAY)),
        "occupations": pa.array(first + np.where(second == "", "", ";") + second, pa.string()),
        "district": pa.array(np.array(recipe["districts"], dtype=object)[district], pa.string()),
        "standing": pa.array(np.where(ending == "moved", "", ending), pa.string()),
        "valid_from": _dates(valid_from),
        "known_on": _dates(known_on),
    }
    rows = np.flatnonzero(known_on < END)
    order = rows[np.argsort(known_on[rows], kind="stable")]
    return _frame({name: column.take(pa.array(order)) for name, column in versions.items()})


def _without_time(frame: pd.DataFrame) -> pa.Table:
    """Return the frame as a table: dates as date32, nothing of pandas left."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    fields = [field.with_type(pa.date32()) if pa.types.is_timestamp(field.type) else field for field in table.schema]
    return table.cast(pa.schema(fields)).replace_schema_metadata(None)
