"""Weight of evidence and information value, after the textbook.

In: counts of goods and bads by attribute. Out: WOE by attribute; information value.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Real = npt.NDArray[np.float64]


def weight_of_evidence(
    goods: Sequence[float] | Real,
    bads: Sequence[float] | Real,
    *,
    whole: tuple[float, float] | None = None,
    smoothing: float = 0.0,
) -> Real:
    r"""WOE of each attribute.

    Parameters
    ----------
    goods, bads : array of float
        (Weighted) counts by attribute.
    whole : (float, float), optional
        All goods and all bads, where the attributes are not all there are; default: their sums.
    smoothing : float
        Bads added to every attribute, with goods in proportion of the whole: an attribute seen little is drawn
        towards 0, one never seen has exactly 0.

    Notes
    -----
    .. math:: \mathrm{WOE}_i = \ln \left(\frac{g_i}{G} + \frac{s}{B}\right) - \ln \left(\frac{b_i + s}{B}\right)

    Examples
    --------
    >>> weight_of_evidence([80, 20], [1, 1]).round(3).tolist()
    [0.47, -0.916]
    """
    g, b = np.asarray(goods, dtype=np.float64), np.asarray(bads, dtype=np.float64)
    all_g, all_b = whole or (g.sum(), b.sum())
    with np.errstate(divide="ignore"):
        found = np.log(g / all_g + smoothing / all_b) - np.log(b / all_b + smoothing / all_b)
    return np.asarray(found, dtype=np.float64)


def information_value(goods: Sequence[float] | Real, bads: Sequence[float] | Real) -> float:
    r"""Information value of the attributes: :math:`\sum_i (g_i/G - b_i/B)\,\mathrm{WOE}_i`.

    An attribute with goods only or bads only adds infinity; an empty one adds nothing.

    Examples
    --------
    >>> round(information_value([80, 20], [1, 1]), 4)
    0.4159
    """
    g, b = np.asarray(goods, dtype=np.float64), np.asarray(bads, dtype=np.float64)
    seen = (g > 0) | (b > 0)
    g, b = g[seen], b[seen]
    return float(((g / g.sum() - b / b.sum()) * weight_of_evidence(g, b)).sum())
