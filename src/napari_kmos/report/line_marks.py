"""Marks of spectral lines on a figure, and how their names are kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_kmos.spectrum import SpectralLine

#: Colours of the kinds of lines, as matplotlib names them.
LINE_COLOURS = MappingProxyType({"line": "tab:blue", "blend": "tab:blue", "head": "tab:red"})
#: Of the width of the axes: labels of lines closer than this share are pulled apart.
_LABEL_GAP = 0.014


def mark_lines(axes: Axes, lines: Sequence[SpectralLine]) -> None:
    """Draw lines from bottom to top, and their names above the axes, pulled apart where they crowd.

    Parameters
    ----------
    axes : Axes
        Its limits along x are set.
    lines : sequence of SpectralLine
        Ascending, and within these limits.
    """
    low, high = axes.get_xlim()
    shares = pulled_apart([(line.wavelength_um - low) / (high - low) for line in lines], gap=_LABEL_GAP)
    for line, share in zip(lines, shares, strict=True):
        colour = LINE_COLOURS.get(line.kind, LINE_COLOURS["line"])
        axes.axvline(line.wavelength_um, color=colour, linewidth=0.5, linestyle=(0, (4, 3)), alpha=0.7, zorder=2)
        axes.annotate(
            line.name,
            (line.wavelength_um, 1),
            xytext=(share * (high - low) + low, 1.0),
            xycoords=("data", "axes fraction"),
            textcoords=("data", "axes fraction"),
            fontsize="xx-small",
            rotation=90,
            ha="center",
            va="bottom",
            color=colour,
            parse_math=False,
            annotation_clip=False,
        )


def pulled_apart(shares: Sequence[float], *, gap: float) -> list[float]:
    """Move ascending places as little as needed, so that neighbours keep a distance, or what there is room for."""
    if not shares:
        return []
    gap = min(gap, 1 / len(shares))
    # Isotonic: without the gaps the places only have to stay in order; groups that collide share their mean.
    groups: list[list[float]] = []
    for index, share in enumerate(shares):
        groups.append([share - index * gap])
        while len(groups) > 1 and np.mean(groups[-2]) > np.mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    flat = [float(np.mean(group)) for group in groups for _ in group]
    return [place + index * gap for index, place in enumerate(flat)]
