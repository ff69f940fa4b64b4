"""Decimals as whole numbers of their last place: 74.08 with two places is 7408 units. No float takes part.

In: texts and numbers as sources, corrections and conditions write them. Out: units, and decimals to show.
"""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from typing import Final

MOST_PLACES: Final = 9
_LONGEST: Final = 40  # characters: what is longer is no number of a record
_DECIMAL: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,2})?")


class TooManyPlacesError(ValueError):
    """A number with more decimal places than there may be."""


def decimal_units(value: object, places: int) -> int:
    """Return how many units of the last place a decimal is, exactly.

    Parameters
    ----------
    value : str, int, float or Decimal
        A float is what it is written as: its shortest text that reads back as the same float.
    places : int
        Decimal places.

    Raises
    ------
    TooManyPlacesError
        If it has more decimal places that are not 0.
    ValueError
        If it is no number.

    Examples
    --------
    >>> decimal_units("74.08", 2), decimal_units(-74.5, 2), decimal_units(74, 2)
    (7408, -7450, 7400)
    >>> decimal_units("74.083", 2)
    Traceback (most recent call last):
    credit_model.foundation.decimals.TooManyPlacesError: 74.083 has more than 2 decimal places
    """
    text = str(value)
    if isinstance(value, bool) or len(text) > _LONGEST or not _DECIMAL.fullmatch(text):
        raise ValueError(f"{text[:_LONGEST]!r} is no decimal number")
    with localcontext() as exact:
        exact.prec = 4 * _LONGEST
        units = Decimal(text).scaleb(places)
        if units != units.to_integral_value():
            raise TooManyPlacesError(f"{text} has more than {places} decimal places")
        return int(units)


def decimal_of(units: int, places: int) -> Decimal:
    """Return the decimal of a number of units, with all its places.

    Examples
    --------
    >>> str(decimal_of(7408, 2)), str(decimal_of(-50, 2))
    ('74.08', '-0.50')
    """
    return Decimal(units).scaleb(-places)
