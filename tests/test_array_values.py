"""Values that hold arrays can be compared: the comparison of arrays gives an array, which has no truth value."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

from credit_model import learning, metrics, scorecard
from credit_model.evaluation.comparison import Judged
from credit_model.evaluation.fairness_cutoffs import Grouping
from credit_model.evaluation.scored_rows import Sample
from credit_model.monitoring.snapshot import Snapshot
from credit_model.sample.development import DevelopmentSample

ARRAYS = ("NDArray", "Real", "Floats", "Flags", "Codes", "Float32", "Index")


def classes_with_arrays() -> list[type]:
    modules = [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for package in (learning, metrics, scorecard)
        for module in pkgutil.iter_modules(package.__path__)
    ]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and is_dataclass(value) and value.__module__ == module.__name__
        if any(alias in str(field.type) for field in fields(value) for alias in ARRAYS)
    ]


def public_values() -> list[type]:
    return [Sample, Judged, Grouping, Snapshot, DevelopmentSample]


def value_of(cls: type, number: float) -> object:
    value = object.__new__(cls)
    for place, field in enumerate(fields(cls)):  # type: ignore[arg-type]
        array = np.array([number, np.nan, place])
        object.__setattr__(value, field.name, {"one": array} if place % 2 else array)
    return value


@pytest.mark.parametrize("cls", public_values(), ids=lambda cls: cls.__name__)
def test_public_values_are_equal_where_what_they_hold_is_equal(cls: type) -> None:
    assert value_of(cls, 1.0) == value_of(cls, 1.0)
    assert value_of(cls, 1.0) != value_of(cls, 2.0)
    assert value_of(cls, 1.0) != "another kind"
    with pytest.raises(TypeError, match="unhashable"):
        hash(value_of(cls, 1.0))


@pytest.mark.parametrize("cls", classes_with_arrays(), ids=lambda cls: cls.__name__)
def test_two_values_that_hold_arrays_can_be_compared(cls: type) -> None:
    first, second = object.__new__(cls), object.__new__(cls)
    for value in (first, second):
        for field in fields(cls):  # type: ignore[arg-type]
            object.__setattr__(value, field.name, np.arange(3.0))
    assert first == first
    assert first != second
    assert len({first, second}) == 2
