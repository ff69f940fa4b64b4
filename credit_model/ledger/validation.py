"""Raw rows against the catalogue: typed and accepted, or refused with every reason at once.

Columns are judged first, all sources together, before a row is read or a byte written: a forbidden or undeclared
column refuses the whole ingest. Rows are then judged one batch at a time in whole columns; a row is refused on its
own, with all its reasons, and no fault of one row touches another.

In: Arrow batches in the columns of ingest, values as they came. Out: typed batches, and masks of refusal by reason.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import EPOCH, Catalogue
from credit_model.catalogue.identity import looks_like_id_number, pseudonyms
from credit_model.catalogue.kind_rules import TIERS, RowRule
from credit_model.catalogue.kinds import PROCEDURES, RESERVED_ATTRIBUTES
from credit_model.catalogue.subject_ids import canonical_ids, canonical_text
from credit_model.foundation.arrow_columns import Mask, as_mask, read_dates, read_decimals, read_numbers, read_text
from credit_model.foundation.calendar import NO_VALUE
from credit_model.foundation.errors import UserError
from credit_model.visibility.amendments import (
    ACTIONS,
    DECEIT,
    DISPUTE_ACTIONS,
    LONGEST_STATEMENT,
    PAID,
    RESULTS,
    UPHELD_BY,
    parse_correction,
)
from credit_model.visibility.tables import AMENDMENT_TYPES, RECORD_TYPES, SUBJECT_TYPES

TABLE_NAMES = ("records", "amendments", "subjects", "audit")
REQUIRED = {
    "records": ("subject_id", "kind", "decided_on", "known_on"),
    "amendments": ("record_id", "action", "effective_on", "known_on"),
    "subjects": ("subject_id",),
    "audit": ("subject_id",),
}
ID_COLUMNS = ("id_number", "id_type")  # instead of subject_id
STANDINGS = ("adult", "incapable", "deceased", "moved_away", "unmatched")
LARGEST = 10**13  # yuan, tenths of hours: beyond it a number is something else

REASONS: dict[str, tuple[str, str]] = {
    "missing_required": ("必填项缺失", "a required value is missing"),
    "unreadable_date": ("日期无法识别", "not a date like 2024-01-31"),
    "unreadable_number": ("不是整数", "not a whole number"),
    "too_many_places": ("小数位数超过规定", "a decimal has more places than the catalogue declares"),
    "number_out_of_range": ("数值超出范围", "the number is too large to be true"),
    "negative_value": ("金额或时长为负", "an amount or a duration is negative"),
    "unknown_kind": ("目录中没有该类信息", "the kind is not in the catalogue"),
    "kind_disabled": ("目录未启用该类信息", "the catalogue does not enable this kind"),
    "kind_not_lawful": ("归集之日法律已不许归集该类信息", "the law does not allow this kind on the day of receipt"),
    "excluded": (
        "目录依法排除此类行(见该类信息的 exclude_if)",
        "the catalogue excludes such rows by law: see exclude_if of the kind",
    ),
    "bad_tier": ("失信程度不是 minor/general/serious", "the tier is not minor, general or serious"),
    "tier_missing": ("该类信息须载明失信程度", "this kind needs the tier of each record"),
    "tier_not_allowed": ("只有不良信息有失信程度", "only adverse records have a tier"),
    "occurred_after_decided": ("行为日晚于认定日", "occurred after it was decided"),
    "final_before_decided": ("生效日早于认定日", "final before it was decided"),
    "final_after_known": (
        "生效日晚于归集日，应以更正信息补报",
        "final after it was known: send finality as an amendment",
    ),
    "after_source_drawn": ("日期晚于数据提取日", "dated after the day the source was drawn"),
    "attribute_not_declared": ("目录未为该类信息规定此属性", "the catalogue declares no such attribute for this kind"),
    "attribute_value": ("属性值不在目录列举范围内", "the value is not one the catalogue lists"),
    "unreadable_subject_id": ("主体标识不是文本或整数", "the subject_id is neither text nor a whole number"),
    "subject_id_is_id_number": ("主体标识疑似证件号码", "the subject_id looks like an identity number: use id_number"),
    "id_number_in_text": ("文本中疑似含有证件号码", "a text looks like it holds an identity number"),
    "unknown_id_type": ("证件类型未知", "the identity type is unknown"),
    "id_number_length": ("证件号码长度错误", "the identity number has a wrong length"),
    "id_number_characters": ("证件号码字符错误", "the identity number has characters it cannot have"),
    "id_number_birth_date": ("证件号码出生日期错误", "the birth date in the identity number cannot be"),
    "id_number_check_digit": ("证件号码校验码错误", "the check digit of the identity number is wrong"),
    "unknown_action": ("变更类型未知", "the action of the amendment is unknown"),
    "opt_out_not_positive": (
        "只能对守信信息选择不予记录",
        "only a record that speaks for the person may be opted out of",
    ),
    "amendment_value": ("变更内容不符合该变更类型", "the value does not fit the action of the amendment"),
    "resident_to_before_from": ("居住结束日早于开始日", "residence ends before it begins"),
    "unknown_occupation": ("职业代码未知", "an occupation is not in the catalogue"),
    "unknown_standing": ("主体状态未知", "the standing is not adult, incapable, deceased, moved_away or unmatched"),
    "ambiguous_date": ("日期可按两种格式读成不同的日子", "two of the formats read this date as different days"),
    "unmatched_join": ("关联表中没有对应的行", "the joined table has no row with this key"),
    "ambiguous_join": ("关联表中该键不止一行", "the joined table has this key more than once"),
    "unmapped_value": ("映射文件未规定该取值", "the mapping says nothing of this value"),
    "conflict": ("同一编号内容不同", "the same record_id was already recorded with other content: send an amendment"),
    "expired": ("该信息已满保存期限并已删除", "the record was deleted at the end of its retention"),
    "forgotten": ("主体已被遗忘", "the subject was forgotten: Ledger.readmit comes first"),
    "unbalanced_quote": ("引号不成对", "a quotation mark is not closed in its line"),
    "unreadable_row": ("列数与表头不符", "the row has another number of columns than the header"),
}
_ARROW = {"text": pa.string(), "date": pa.date32(), "int": pa.int64(), "tier": pa.string()}


class ColumnErrors(UserError):
    """Columns that refuse the whole ingest; ``faults`` names every one. Nothing was written."""


@dataclass(frozen=True)
class ValidatedBatch:
    """One batch, typed: every row in the full schema of its table, the refused ones by (reason, column).

    ``findings`` are rows that are odd under a rule of the catalogue, by code; they are taken in as they are.
    """

    table: pa.Table
    faults: dict[tuple[str, str], Mask]
    findings: dict[str, Mask] = field(default_factory=dict)

    @property
    def is_refused(self) -> Mask:
        """Mask of the rows with any fault; shape (n,)."""
        return _any(self.table.num_rows, self.faults.values())


def column_types(table: str, catalogue: Catalogue) -> dict[str, str]:
    """Columns of a table of the ledger and their types: ``text``, ``date``, ``int`` or ``tier``."""
    return {
        "records": {**RECORD_TYPES, **catalogue.attribute_types},
        "amendments": {**AMENDMENT_TYPES, "source": "text"},
        "subjects": SUBJECT_TYPES,
        "audit": {"subject_id": "text", **dict.fromkeys(sorted(catalogue.audit_attributes), "text")},
    }[table]


def arrow_schema(table: str, catalogue: Catalogue) -> pa.Schema:
    """Return the Arrow schema of a table of the ledger."""
    return pa.schema([(name, _ARROW[type]) for name, type in column_types(table, catalogue).items()])


def column_faults(columns: Iterable[str], table: str, catalogue: Catalogue, label: str) -> list[str]:
    """Return the faults of the columns sent for a table; ``label`` names the source in each."""
    columns = list(columns)
    identified = table != "amendments"
    declared = [*column_types(table, catalogue), *(ID_COLUMNS if identified else ())]
    faults = []
    for name in columns:
        if name in declared:
            continue
        denied = catalogue.denied(name)
        if name == "received_on":
            faults.append(f"{label}: column 'received_on' is stamped by the ledger at delivery: leave it out")
        elif denied and table == "audit" and denied in catalogue.audit_attributes:
            faults.append(f"{label}: column {name!r} must be named {denied!r}")
        elif denied:
            faults.append(f"{label}: column {name!r} holds what may never be kept ({denied}): leave it out")
        else:
            near = difflib.get_close_matches(name, declared, n=3, cutoff=0.6)
            hint = f"; did you mean {' or '.join(near)}?" if near else ": leave it out, or use a mapping"
            faults.append(f"{label}: column {name!r} is not declared{hint}")
    for name in REQUIRED[table]:
        if name not in columns and not (name == "subject_id" and identified and "id_number" in columns):
            faults.append(f"{label}: column {name!r} is missing")
    if "subject_id" in columns and "id_number" in columns:
        faults.append(f"{label}: give subject_id or id_number, not both")
    return faults


def validate(
    raw: pa.Table,
    table: str,
    catalogue: Catalogue,
    *,
    received_on: date,
    drawn_on: date | None = None,
    key: bytes | None = None,
    faults: Mapping[tuple[str, str], Mask] | None = None,
) -> ValidatedBatch:
    """Type a batch and judge every row of it.

    Parameters
    ----------
    raw : pyarrow.Table
        Columns of ingest for this table, values of any type.
    table : {"records", "amendments", "subjects", "audit"}
    catalogue : Catalogue
    received_on : date
        The day of the delivery: the law of that day says what may be taken in.
    drawn_on : date, optional
        The day the source was drawn: nothing in it can be later. Without it any day may be.
    key : bytes, optional
        For ``id_number``.
    faults : dict, optional
        Refusals already found, by the mapping.

    Returns
    -------
    ValidatedBatch
    """
    rows = _Rows(raw, column_types(table, catalogue), catalogue, dict(faults or {}))
    if "id_number" in raw.column_names:
        rows.identify(key or b"", drawn_on)
    for name in REQUIRED[table]:
        rows.refuse("missing_required", name, rows.null(name) & ~rows.at_fault(name))
    if table == "records":
        _records(rows, (received_on - EPOCH).days)
    else:
        {"amendments": _amendments, "subjects": _subjects, "audit": _audit}[table](rows)
    if drawn_on is not None:
        for name in ("decided_on", "known_on"):
            if name in rows.columns:
                rows.refuse("after_source_drawn", name, rows.days(name) > (drawn_on - EPOCH).days)
    rows.find_id_numbers()
    typed = pa.table(rows.columns, schema=arrow_schema(table, catalogue))
    return ValidatedBatch(typed, rows.faults, rows.findings)


def _records(rows: _Rows, received_on: int) -> None:
    catalogue, kinds = rows.catalogue, list(rows.catalogue.kinds.values())
    kind = rows.codes("kind", list(catalogue.kinds))

    def of_kinds(flags: Iterable[bool]) -> Mask:
        """Return a mask of the rows whose kind has its flag set, one flag for each kind of the catalogue."""
        mask: Mask = np.array([*flags, False])[kind]  # the last for an unknown kind
        return mask

    rows.refuse("unknown_kind", "kind", (kind < 0) & ~rows.null("kind"))
    rows.refuse("kind_disabled", "kind", of_kinds(not k.enabled for k in kinds))
    rows.refuse("kind_not_lawful", "kind", of_kinds(k.enabled and not k.is_lawful(received_on) for k in kinds))
    for code, excluding in enumerate(kinds):
        for condition in excluding.exclude_if:
            if condition.is_in_force(received_on):
                rows.refuse("excluded", "kind", (kind == code) & rows.meet(condition))
    _find_oddities(rows, kind, received_on)
    has_tier = ~rows.null("tier")
    rows.refuse("bad_tier", "tier", has_tier & (rows.codes("tier", TIERS) < 0))
    rows.refuse("tier_missing", "tier", ~has_tier & of_kinds(k.tier == "by_record" for k in kinds))
    rows.refuse("tier_not_allowed", "tier", has_tier & of_kinds(k.polarity != "adverse" for k in kinds))
    for name in ("amount", "hours"):
        rows.refuse("negative_value", name, ~rows.null(name) & (rows.numbers(name) < 0))
    rows.refuse("occurred_after_decided", "occurred_on", rows.later("occurred_on", "decided_on"))
    rows.refuse("final_before_decided", "final_on", rows.later("decided_on", "final_on"))
    rows.refuse("final_after_known", "final_on", rows.later("final_on", "known_on"))
    rows.refuse("attribute_value", "procedure", ~rows.null("procedure") & (rows.codes("procedure", PROCEDURES) < 0))
    for name in catalogue.attribute_types.keys() - RESERVED_ATTRIBUTES.keys():
        has_value = ~rows.null(name)
        if not has_value.any():
            continue
        specs = [k.attributes.get(name) for k in kinds]
        rows.refuse("attribute_not_declared", name, has_value & of_kinds(spec is None for spec in specs))
        for spec in set(specs):
            if spec is not None and spec.values is not None:
                unlisted = rows.codes(name, spec.values) < 0
                rows.refuse(
                    "attribute_value", name, has_value & unlisted & of_kinds([other == spec for other in specs])
                )


def _find_oddities(rows: _Rows, kind: NDArray[np.int64], received_on: int) -> None:
    """Note tiers that the act does not allow, and sentences without an end."""
    tier = rows.codes("tier", TIERS)
    for code, own in enumerate(rows.catalogue.kinds.values()):
        of_kind = kind == code
        if own.prison:
            rows.note("sentence_end_missing", of_kind & rows.null("sentence_ends_on"))
        rule = own.tier_by
        if rule is None or not rule.is_in_force(received_on):
            continue
        for finding, limits, is_beyond in (
            ("tier_above_act", rule.most, np.greater),
            ("tier_below_act", rule.least, np.less),
        ):
            limit = np.array([*map(TIERS.index, limits.values()), 0])
            act = rows.codes(rule.attribute, limits)
            rows.note(finding, of_kind & (tier >= 0) & (act >= 0) & is_beyond(tier, limit[act]))


def _amendments(rows: _Rows) -> None:
    action = rows.codes("action", ACTIONS)
    rows.refuse("unknown_action", "action", (action < 0) & ~rows.null("action"))
    rows.refuse("amendment_value", "dispute_id", ~rows.null("dispute_id") & (rows.codes("action", DISPUTE_ACTIONS) < 0))
    is_move = action == ACTIONS.index("moved_to_subject")
    if is_move.any():
        value = rows.columns["value"]
        rows.columns["value"] = pc.if_else(pa.array(is_move), canonical_text(value), value)
    pairs = pc.binary_join_element_wise(
        pc.fill_null(rows.columns["action"], ""), pc.fill_null(rows.columns["value"], ""), "\x1f"
    ).dictionary_encode()
    split = (pair.partition("\x1f") for pair in pairs.dictionary.to_pylist())
    fits = [_fits(action, value, rows.catalogue) for action, _, value in split]
    rows.refuse("amendment_value", "value", ~np.array(fits, np.bool_)[pairs.indices.to_numpy()])


def _fits(action: str, value: str, catalogue: Catalogue) -> bool:
    """Return whether a value fits the action."""
    if action == "corrected":
        try:
            facts = parse_correction(value, catalogue.attribute_types, catalogue.decimal_places)
        except UserError:
            return False
        amounts = [facts.get(name) or 0 for name in ("amount", "hours")]
        listed = {name: _listed(name, catalogue) for name in facts}
        amounts += [abs(facts.get(name) or 0) for name in catalogue.decimal_places if facts.get(name) != NO_VALUE]
        return all(0 <= amount < LARGEST for amount in amounts) and all(
            facts[name] is None or facts[name] in values for name, values in listed.items() if values
        )
    if action == "partly_performed":
        payment = PAID.fullmatch(value)
        number = payment[1] if payment else value
        return not value or (number.isascii() and number.isdigit() and int(number) < LARGEST)
    if action == "dispute_closed":
        return value in ("", *RESULTS)
    if action == "upheld":
        return value in ("", *UPHELD_BY)
    if action == "repair_revoked":
        return value in ("", DECEIT)
    if action == "statement":
        return 0 < len(value) <= LONGEST_STATEMENT
    if action == "moved_to_subject":
        return bool(value)
    return not value or action not in ACTIONS


def _listed(attribute: str, catalogue: Catalogue) -> set[str]:
    """Return the values some kind lists for an attribute; none if it is open in another, or no attribute."""
    if attribute == "procedure":
        return set(PROCEDURES)
    specs = [kind.attributes[attribute] for kind in catalogue.kinds.values() if attribute in kind.attributes]
    return set() if any(s.values is None for s in specs) else {value for s in specs for value in s.values or ()}


def _subjects(rows: _Rows) -> None:
    rows.refuse("resident_to_before_from", "resident_to", rows.later("resident_from", "resident_to"))
    rows.default("valid_from", "known_on")
    rows.refuse("unknown_standing", "standing", ~rows.null("standing") & (rows.codes("standing", STANDINGS) < 0))
    groups = rows.columns["occupations"].dictionary_encode()
    allowed = set(rows.catalogue.occupations)
    unknown = [bool({part.strip() for part in group.split(";")} - allowed) for group in groups.dictionary.to_pylist()]
    codes = groups.indices.fill_null(len(unknown)).to_numpy()
    rows.refuse("unknown_occupation", "occupations", np.array([*unknown, False])[codes])


def _audit(rows: _Rows) -> None:
    has_value = _any(len(rows.none), [~rows.null(name) for name in rows.columns if name != "subject_id"])
    rows.refuse("missing_required", "", ~has_value)


@dataclass
class _Rows:
    """A batch while it is judged: typed columns, and the faults of each row."""

    raw: pa.Table
    types: Mapping[str, str]
    catalogue: Catalogue
    faults: dict[tuple[str, str], Mask]
    columns: dict[str, pa.Array] = field(default_factory=dict)
    findings: dict[str, Mask] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.none = np.zeros(self.raw.num_rows, np.bool_)
        for name, type in self.types.items():
            if name not in self.raw.column_names:
                self.columns[name] = pa.nulls(self.raw.num_rows, _ARROW[type])
                continue
            column = self.raw.column(name).combine_chunks()
            if name == "subject_id":
                self.columns[name], unreadable = canonical_ids(column)
                self.refuse("unreadable_subject_id", name, unreadable)
            elif type == "date":
                self.columns[name], unreadable = read_dates(column)
                self.refuse("unreadable_date", name, unreadable)
            elif type == "int":
                if places := self.catalogue.decimal_places.get(name):
                    self.columns[name], unreadable, finer = read_decimals(column, places)
                    self.refuse("too_many_places", name, finer)
                else:
                    self.columns[name], unreadable = read_numbers(column)
                self.refuse("unreadable_number", name, unreadable)
                beyond = pc.greater_equal(pc.abs(self.columns[name]), LARGEST)
                self.refuse("number_out_of_range", name, as_mask(beyond))
            else:
                self.columns[name] = read_text(column)

    def refuse(self, reason: str, column: str, rows: Mask) -> None:
        if rows.any():
            self.faults[reason, column] = self.faults.get((reason, column), self.none) | rows

    def note(self, finding: str, rows: Mask) -> None:
        if rows.any():
            self.findings[finding] = self.findings.get(finding, self.none) | rows

    def at_fault(self, column: str) -> Mask:
        """Return a mask of rows whose value in this column was refused already: it is not missing as well."""
        return _any(len(self.none), [mask for (_, name), mask in self.faults.items() if name == column])

    def null(self, name: str) -> Mask:
        return as_mask(self.columns[name].is_null())

    def days(self, name: str) -> NDArray[np.int32]:
        """Return days since 1970-01-01; a null is before every day."""
        days: NDArray[np.int32] = self.columns[name].cast(pa.int32()).fill_null(-(2**31)).to_numpy()
        return days

    def numbers(self, name: str) -> NDArray[np.int64]:
        numbers: NDArray[np.int64] = self.columns[name].fill_null(0).to_numpy()
        return numbers

    def later(self, one: str, other: str) -> Mask:
        """Return a mask of rows with both dates, the one after the other."""
        return ~self.null(one) & ~self.null(other) & (self.days(one) > self.days(other))

    def codes(self, name: str, values: Iterable[str]) -> NDArray[np.int64]:
        """Return the index of each value in the list; -1 where it is not in it."""
        places = pc.index_in(self.columns[name], value_set=pa.array(list(values), pa.string()))
        codes: NDArray[np.int64] = places.fill_null(-1).to_numpy().astype(np.int64)
        return codes

    def meet(self, condition: RowRule) -> Mask:
        """Return a mask of the rows of which a condition holds."""
        masks = [self.codes(name, words) >= 0 for name, words in condition.values.items()]
        if condition.amount_at_most is not None:
            masks.append(~self.null("amount") & (self.numbers("amount") <= condition.amount_at_most))
        if condition.source_contains:
            words = "|".join(map(re.escape, condition.source_contains))
            masks.append(as_mask(pc.match_substring_regex(self.columns["source"], words, ignore_case=True)))
        mask: Mask = np.logical_and.reduce(masks)
        return mask

    def default(self, name: str, other: str) -> None:
        self.columns[name] = pc.coalesce(self.columns[name], self.columns[other])

    def identify(self, key: bytes, on: date | None) -> None:
        """Replace identity numbers by pseudonyms."""
        numbers = read_text(self.raw.column("id_number").combine_chunks())
        has_types = "id_type" in self.raw.column_names
        types = (
            read_text(self.raw.column("id_type").combine_chunks()) if has_types else pa.nulls(len(numbers), pa.string())
        )
        self.columns["subject_id"], refusals = pseudonyms(numbers, types, key, on)
        for reason, rows in refusals.items():
            self.refuse(reason, "id_type" if reason == "unknown_id_type" else "id_number", rows)

    def find_id_numbers(self) -> None:
        for name, type in self.types.items():
            if type != "text" or self.columns[name].null_count == self.raw.num_rows:
                continue
            reason = "subject_id_is_id_number" if name == "subject_id" else "id_number_in_text"
            self.refuse(reason, name, looks_like_id_number(self.columns[name]))


def _any(n: int, masks: Iterable[Mask]) -> Mask:
    result: Mask = np.logical_or.reduce([np.zeros(n, np.bool_), *masks])
    return result
