"""The dictionary of features, and how a file of definitions is read and written.

In: TOML, one ``[[feature]]`` a definition (the package's own ``dictionary.toml``, or any other file).
Out: a tuple of ``FeatureDefinition``, in the order of the file.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from credit_model.definitions.conditions import nearest
from credit_model.definitions.definition import DefinitionErrors, FeatureDefinition
from credit_model.foundation.toml_reader import parse_toml

_TOP = ("schema", "feature")


def load_definitions(path: str | Path) -> tuple[FeatureDefinition, ...]:
    """Read feature definitions from a TOML file.

    Parameters
    ----------
    path : path-like
        A file of ``[[feature]]`` tables; their keys are the arguments of ``FeatureDefinition``.

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
    try:
        content = parse_toml(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DefinitionErrors([f"{path}: cannot be read as TOML ({error})"]) from None
    tables = content.get("feature")
    faults = [f"{path}: unknown key {key!r}{nearest(key, _TOP)}" for key in content if key not in _TOP]
    if content.get("schema", 1) != 1:
        faults.append(f"{path}: schema {content['schema']!r} is not known; this version reads schema 1")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise DefinitionErrors([*faults, f"{path}: there is no [[feature]] in it"])
    definitions = []
    for table in tables:
        try:
            definitions.append(FeatureDefinition.from_dict(table))
        except DefinitionErrors as errors:
            faults += errors.faults
    if faults:
        raise DefinitionErrors(faults)
    return tuple(definitions)


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


def _toml(value: Any) -> str:
    """A plain value as TOML. JSON's texts, numbers and lists are TOML's; tables are written inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


@cache
def library() -> tuple[FeatureDefinition, ...]:
    """The package's own dictionary: about forty features of natural persons, all record-monotone.

    Examples
    --------
    >>> all(definition.record_monotone for definition in library())
    True
    """
    return load_definitions(Path(__file__).with_name("dictionary.toml"))
