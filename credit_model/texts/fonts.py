"""Fonts of plots, so that Chinese labels are letters and not boxes.

In: the fonts of this machine.
Out: families for matplotlib.
"""

from __future__ import annotations

# In order of preference; those of Linux, Windows and macOS.
_CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "STHeiti",
    "Arial Unicode MS",
    "Noto Sans CJK JP",
    "Noto Serif CJK SC",
    "SimSun",
)


def font_families() -> list[str]:
    """Return the font families for text in plots: those set in matplotlib, then a Chinese one where there is one.

    Letters that the first families lack are taken from the last, so Latin text looks as before.

    Returns
    -------
    list of str
        Families for ``fontfamily=`` of a text, or for all plots: ``plt.rcParams["font.family"] = font_families()``.
    """
    import matplotlib as mpl
    from matplotlib.font_manager import fontManager

    families = list(mpl.rcParams["font.family"])
    installed = {font.name for font in fontManager.ttflist}
    chinese = next((name for name in _CHINESE if name in installed), None)
    return families if chinese is None or chinese in families else [*families, chinese]
