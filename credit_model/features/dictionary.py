"""Read and write definitions of features, and check them against a catalogue.

In: TOML, one ``[[feature]]`` a definition (the package's own ``dictionary.toml``, or any other file); a catalogue.
Out: a tuple of ``FeatureDefinition`` in the order of the file, or one ``DefinitionErrors`` with every fault of all.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from credit_model.catalogue.catalogue import Catalogue
from credit_model.catalogue.kinds import Kind
from credit_model.features.conditions import MEMBERSHIP, NUMBERS, POLARITIES, TIERS, Condition
from credit_model.features.definition import DefinitionErrors, FeatureDefinition
from credit_model.features.facts import BY_KIND, Facts, RecordColumns
from credit_model.foundation.calendar import to_day
from credit_model.foundation.decimals import decimal_units
from credit_model.foundation.errors import UserError, did_you_mean
from credit_model.foundation.toml_reader import load_toml
from credit_model.visibility.tables import ROLES

_COUNTABLE = (*NUMBERS, "tier", "case", "kind", "field")


def check_definitions(
    definitions: Sequence[FeatureDefinition],
    catalogue: Catalogue,
    *,
    max_look_back_months: int | None = None,
    for_card: bool = False,
    record_monotone: bool = False,
) -> None:
    """Hold definitions against a catalogue.

    Parameters
    ----------
    definitions : sequence of FeatureDefinition
    catalogue : Catalogue
    max_look_back_months : int, optional
        The longest look-back allowed; a present state (``role``) has none.
    for_card : bool
        Also demand what a card is learned by: a trend (of organisations it may be left to the data). What it prints,
        labels and a reason code, is demanded when a version is promoted.
    record_monotone : bool
        Also demand that one more adverse record can never help, and one more positive record never harm.

    Raises
    ------
    DefinitionErrors
        With every fault of every definition.

    Examples
    --------
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> wrong = FeatureDefinition(name="n", aggregate="count", where={"kinds": ["adm_penalti"]})
    >>> check_definitions([wrong], load_catalogue())
    Traceback (most recent call last):
    credit_model.features.definition.DefinitionErrors: feature definitions: 1 fault: feature 'n': where: unknown kind
    'adm_penalti'; did you mean 'adm_penalty'?
    """
    faults = [f"feature {name!r}: {n} definitions share the name" for name, n in Counter(
        d.name for d in definitions).items() if n > 1]  # fmt: skip
    for d in definitions:
        definition_faults = list(_vocabulary_faults(d, catalogue))
        longest = d.look_back_months
        if max_look_back_months is not None and (longest is None or longest > max_look_back_months):
            definition_faults.append(
                f"window {d.window!r} reaches beyond the longest look-back of {max_look_back_months} months"
            )
        if for_card:
            definition_faults += _card_faults(d, catalogue)
        if record_monotone:
            definition_faults += _monotone_faults(d, catalogue)
        faults += [f"feature {d.name!r}: {fault}" for fault in definition_faults]
    if faults:
        raise DefinitionErrors(faults)


def matching_kinds(conditions: Iterable[Condition], catalogue: Catalogue) -> list[Kind]:
    """Return the kinds whose records can meet the conditions, by code, polarity, dimension and field.

    A kind without a field of its own takes the field of each record (attribute ``field_code``).
    """
    kinds = list(catalogue.kinds.values())
    facts = Facts(RecordColumns(tuple(catalogue.kinds), {}, {"kind": np.arange(len(kinds))}), catalogue)
    matching = np.ones(len(kinds), np.bool_)
    for condition in conditions:
        if condition.key in BY_KIND:
            matching &= facts.meets(condition)
        elif condition.key == "severity":
            matching &= [any((kind.severity_of(tier) or 0) >= condition.value for tier in TIERS) for kind in kinds]
        elif condition.key == "field":
            by_record = [not kind.field and "field_code" in kind.attributes for kind in kinds]
            matching &= facts.meets(condition) | by_record
    return [kind for kind, matches in zip(kinds, matching, strict=True) if matches]


def _vocabulary_faults(d: FeatureDefinition, catalogue: Catalogue) -> Iterator[str]:
    for clause, conditions in (("where", d.conditions), ("numerator", d.sides[0]), ("denominator", d.sides[1])):
        unknown = [fault for c in conditions for fault in _condition_faults(c, catalogue)]
        yield from (f"{clause}: {fault}" for fault in unknown)
        both = (*d.conditions, *conditions)
        if not unknown and (clause == "where" or conditions) and not matching_kinds(both, catalogue):
            yield f"{clause}: no kind of catalogue {catalogue.name!r} can meet these conditions together"
    if d.span.kind and d.span.kind not in catalogue.kinds:
        yield f"window: unknown kind {d.span.kind!r}{did_you_mean(d.span.kind, catalogue.kinds)}"
    if d.of is not None and d.of not in _COUNTABLE:
        yield from _attribute_faults(d.of, catalogue, "of")
    if d.of is not None and d.aggregate != "count_distinct":
        stored = catalogue.attribute_types.get(d.of, "int" if d.of in (*NUMBERS, "tier") else "text")
        if stored != "int" and (d.of in _COUNTABLE or d.of in catalogue.attribute_types):
            yield f"of: {d.aggregate} needs a number, and {d.of} is a {'date' if stored == 'date' else 'text'}"


def _condition_faults(c: Condition, catalogue: Catalogue) -> Iterator[str]:
    vocabularies: dict[str, Iterable[str]] = {
        "kinds": catalogue.kinds, "polarity": POLARITIES, "tier": TIERS, "dimension": catalogue.dimensions,
        "field": catalogue.fields, "role": [role for role in ROLES if role],
    }  # fmt: skip
    values = c.value if c.comparison == "in" else (c.value,)
    if c.key == "severity":
        if c.comparison != "ge" or type(c.value) is not int or not 1 <= c.value <= 5:
            yield f"severity_at_least takes a class from 1 to 5, not {c.value!r}"
        return
    if c.key in MEMBERSHIP:
        called = "kind" if c.key == "kinds" else c.key
        for value in values:
            if value not in vocabularies[c.key]:
                yield f"unknown {called} {value!r}{did_you_mean(value, vocabularies[c.key])}"
        return
    if c.key not in NUMBERS:
        absent = list(_attribute_faults(c.key, catalogue, "condition"))
        yield from absent
        if absent:
            return
    if c.key in catalogue.decimal_places:
        yield from _decimal_faults(c.key, values, catalogue.decimal_places[c.key])
        return
    stored = catalogue.attribute_types.get(c.key, "int")
    if stored == "text" and c.comparison != "in":
        yield f"{c.key} is a text: compare it with 'eq' or 'in'"
    elif not all(_is_a(stored, value) for value in values):
        yield f"{c.key} must be compared with a {'number' if stored == 'int' else stored}"
    listed = [k.attributes[c.key].values for k in catalogue.kinds.values() if c.key in k.attributes]
    if stored == "text" and listed and all(v is not None for v in listed):
        open_to = {v for vocabulary in listed for v in vocabulary or ()}
        for value in values:
            if value not in open_to:
                yield f"{c.key} never holds {value!r}{did_you_mean(value, sorted(open_to))}"


def _decimal_faults(key: str, values: Iterable[object], places: int) -> Iterator[str]:
    for value in values:
        try:
            decimal_units(value, places)
        except ValueError as error:
            yield f"{key} must be compared with a number of at most {places} decimal places: {error}"


def _attribute_faults(name: str, catalogue: Catalogue, where: str) -> Iterator[str]:
    if forbidden := catalogue.denied(name):
        yield f"{where}: {name!r} is on the deny-list ({forbidden}): no feature may use it"
    elif name not in catalogue.attribute_types:
        keys = [*catalogue.attribute_types, *(MEMBERSHIP if where == "condition" else _COUNTABLE), "tier_at_least"]
        yield f"{where}: unknown attribute {name!r}{did_you_mean(name, keys)}"


def _is_a(stored: str, value: object) -> bool:
    if stored == "date":
        try:
            to_day(value)
        except UserError:
            return False
        return isinstance(value, str)
    return (
        isinstance(value, str) if stored == "text" else isinstance(value, int | float) and not isinstance(value, bool)
    )


def _card_faults(d: FeatureDefinition, catalogue: Catalogue) -> Iterator[str]:
    if not d.trend and catalogue.subjects == "person":
        yield "trend is missing: a card must know whether more is worse"


def _monotone_faults(d: FeatureDefinition, catalogue: Catalogue) -> Iterator[str]:
    if not d.record_monotone:
        yield "not record-monotone: one more adverse record could help; explore it, but it cannot enter this card"
        return
    sense = -d.direction if d.aggregate == "recency_days" else d.direction
    polarity = "adverse" if sense > 0 else "positive"
    part, whole = ((*d.conditions, *side) for side in d.sides)
    kinds = matching_kinds(part, catalogue)
    odd = [kind.code for kind in kinds if kind.polarity != polarity]
    codes = {kind.code for kind in kinds}
    if d.aggregate == "ratio":
        odd += [k.code for k in matching_kinds(whole, catalogue) if k.code not in codes and k.polarity == polarity]
    if odd:
        codes_listed = ", ".join(odd[:5])
        yield f"not record-monotone: under trend {d.trend!r} it must count {polarity} records, yet: {codes_listed}"


_TOP = ("schema", "feature", "template")


def load_definitions(path: str | Path) -> tuple[FeatureDefinition, ...]:
    """Read feature definitions from a TOML file.

    Parameters
    ----------
    path : path-like
        A file of ``[[feature]]`` tables; their keys are the arguments of ``FeatureDefinition``. Features of one shape
        may stand in the list ``feature`` of a ``[[template]]``, whose other keys hold unless a feature says otherwise;
        the conditions of both ``where`` hold together. They come after the others, in their order.

    Returns
    -------
    tuple of FeatureDefinition

    Raises
    ------
    DefinitionErrors
        If the file cannot be read, or with every fault of every definition at once.

    Examples
    --------
    >>> path = Path(__file__).with_name("dictionary.toml")
    >>> load_definitions(path) == library()
    True
    """
    content = load_toml(path, "the file", lambda fault: DefinitionErrors([fault]))
    tables = content.get("feature")
    faults = [f"{path}: unknown key {key!r}{did_you_mean(key, _TOP)}" for key in content if key not in _TOP]
    if content.get("schema", 1) != 1:
        faults.append(f"{path}: schema {content['schema']!r} is not known; this version reads schema 1")
    templates = content.get("template", [])
    if not all(_is_tables(part) for part in (tables or [], templates)) or not (tables or templates):
        raise DefinitionErrors([*faults, f"{path}: there is no [[feature]] in it"])
    tables = list(tables or [])
    for number, template in enumerate(templates, 1):
        if not _is_tables(template.get("feature")):
            faults.append(f"{path}: template {number}: feature must be a list of tables")
        else:
            tables += [_fill(template, table) for table in template["feature"]]
    definitions = []
    for table in tables:
        try:
            definitions.append(FeatureDefinition.from_dict(table))
        except DefinitionErrors as errors:
            faults += errors.faults
    if faults:
        raise DefinitionErrors(faults)
    return tuple(definitions)


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(table, dict) for table in value)


def _fill(template: Mapping[str, object], table: Mapping[str, object]) -> dict[str, object]:
    """Return a feature of a template: what it says itself, and the rest from the template."""
    filled = {key: value for key, value in {**template, **table}.items() if key != "feature"}
    common, own = template.get("where"), table.get("where")
    if isinstance(common, dict) and isinstance(own, dict):
        filled["where"] = {**common, **own}
    return filled


def save_definitions(definitions: Iterable[FeatureDefinition], path: str | Path) -> Path:
    """Write feature definitions as a TOML file that ``load_definitions`` reads back; returns the path.

    Examples
    --------
    >>> import tempfile
    >>> path = save_definitions(library(), tempfile.mkdtemp() + "/features.toml")
    >>> load_definitions(path) == library()
    True
    """
    lines = ["schema = 1"]
    for definition in definitions:
        lines += ["", "[[feature]]"]
        lines += [f"{key} = {_toml(value)}" for key, value in definition.to_dict().items()]
    path = Path(path)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _toml(value: object) -> str:
    """Write a plain value as TOML. JSON's texts, numbers and lists are TOML's; tables are written inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


@cache
def library() -> tuple[FeatureDefinition, ...]:
    """Return the package's own dictionary: about sixty features of natural persons, all record-monotone.

    Examples
    --------
    >>> all(definition.record_monotone for definition in library())
    True
    """
    return load_definitions(Path(__file__).with_name("dictionary.toml"))


def select_definitions(
    features: Sequence[str | FeatureDefinition] | str | Path | None, catalogue: Catalogue
) -> tuple[FeatureDefinition, ...]:
    """Return the definitions that are meant (names, definitions, a file; all of them), checked against a catalogue."""
    if isinstance(features, Path) or (isinstance(features, str) and features.endswith(".toml")):
        definitions = load_definitions(features)
    elif features is None:
        definitions = library()
    else:
        listed = [features] if isinstance(features, str | FeatureDefinition) else list(features)
        by_name = {definition.name: definition for definition in library()}
        unknown = [f for f in listed if not isinstance(f, FeatureDefinition) and f not in by_name]
        if unknown:
            faults = [f"{f!r} is no feature of the dictionary{did_you_mean(f, by_name)}" for f in unknown]
            raise DefinitionErrors(faults)
        definitions = tuple(f if isinstance(f, FeatureDefinition) else by_name[f] for f in listed)
    if not definitions:
        raise UserError("features were asked for, but none is named; leave 'features' out for the whole dictionary")
    check_definitions(definitions, catalogue)
    return definitions
