"""Which of two labels means bad: said by the caller, or beyond doubt.

Labels are sorted, as everywhere in scikit-learn, and their order says nothing: "bad" comes before "good".

In: two sorted labels, and what the caller says of them. Out: the place of the one that means bad.
"""

from __future__ import annotations

from typing import Any, Final

import numpy.typing as npt

from credit_model import UserError

# The bad word of each pair that has one meaning only, by its good word.
_WORDS: Final = {
    "good": "bad",
    "paid": "default",
    "performing": "default",
    "non-default": "default",
    "好": "坏",
    "正常": "违约",
}


def bad_place(classes: npt.NDArray[Any], bad: Any = None) -> int:
    """Return the place of the label that means bad.

    Parameters
    ----------
    classes : ndarray, shape (2,)
        The labels, sorted.
    bad : label, optional
        The one that means bad. Without it, 1 of 0 and 1, True of False and True, and the bad word of a known pair
        (good and bad, paid, performing or non-default and default, 好 and 坏, 正常 and 违约, in any case).

    Returns
    -------
    int
        0 or 1.

    Raises
    ------
    UserError
        If ``bad`` is no label, or if it is not given and the labels do not say which is bad.

    Examples
    --------
    >>> import numpy as np
    >>> bad_place(np.array(["bad", "good"])), bad_place(np.array([1, 2]), bad=2)
    (0, 1)
    """
    labels = classes.tolist()
    shown = f"{labels[0]!r} and {labels[1]!r}"
    if bad is not None:
        for place, label in enumerate(labels):
            if label == bad:
                return place
        raise UserError(f"fit: bad={bad!r} is no label of y, which has {shown}. Give the one of them that means bad.")
    if not any(isinstance(label, str) for label in labels):
        if labels == [0, 1]:  # False and True as well
            return 1
    elif all(isinstance(label, str) for label in labels):
        words = [label.strip().casefold().replace("_", "-").replace(" ", "-") for label in labels]
        for place in (0, 1):
            if _WORDS.get(words[1 - place]) == words[place]:
                return place
    raise UserError(f"fit: the labels {shown} do not say which means bad. Give bad={labels[0]!r} or bad={labels[1]!r}.")
