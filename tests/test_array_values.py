"""Values that hold arrays can be compared: the comparison of arrays gives an array, which has no truth value."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

from credit_model import learning, metrics, scorecard

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


@pytest.mark.parametrize("cls", classes_with_arrays(), ids=lambda cls: cls.__name__)
def test_two_values_that_hold_arrays_can_be_compared(cls: type) -> None:
    first, second = object.__new__(cls), object.__new__(cls)
    for value in (first, second):
        for field in fields(cls):  # type: ignore[arg-type]
            object.__setattr__(value, field.name, np.arange(3.0))
    assert first == first
    assert first != second
    assert len({first, second}) == 2
