"""Lines to plot: their colours, their names, and the range that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from napari_kmos._napari.schemes import Scheme

_UNUSUAL = 2.5


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve:
    """A line to plot.

    Parameters
    ----------
    name : str
        For the legend.
    x, y : ndarray, shape (n,)
        NaN is a gap.
    err : ndarray, same shape, optional
        1 sigma; where it is far above the usual, the range that is shown is not set by the curve.
    has_band : bool
        Whether the error is drawn.
    colour : int, optional
        Place in the colours of the scheme; by default that of the curve in the list.
    is_faint : bool
        Drawn half through.
    unit : str
        Of y, for the axis of a plot that holds nothing else; empty if it is not known.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    err: NDArray[np.float64] | None = None
    has_band: bool = True
    colour: int | None = None
    is_faint: bool = False
    unit: str = ""


def colour_in(scheme: Scheme, curves: Sequence[Curve], number: int) -> str:
    """Return the colour of one of some curves."""
    place = curves[number].colour
    return scheme.curves[(number if place is None else place) % len(scheme.curves)]


def names_in_colours(scheme: Scheme, curves: Sequence[Curve]) -> str:
    """Return the names of curves for a label, each in its colour."""
    colours = [colour_in(scheme, curves, number) for number in range(len(curves))]
    names = [escape(curve.name) for curve in curves]
    return " &nbsp;".join(
        f'<span style="color: {colour}">{name}</span>' for name, colour in zip(names, colours, strict=True)
    )


def shown_range(curves: Sequence[Curve]) -> tuple[float, float] | None:
    """Return the range along y that shows the lines of the source but not the noise under bright sky lines.

    Where the error is much larger than usual, values do not count, nor do spikes of a single pixel.
    """
    values = [_without_spikes(curve.y[np.isfinite(curve.y) & _is_usual(curve)]) for curve in curves]
    together = np.concatenate(values) if values else np.empty(0)
    if not together.size:
        return None
    low, high = float(together.min()), float(together.max())
    return (low, high) if high > low else (low - 1.0, low + 1.0)


def _is_usual(curve: Curve) -> NDArray[np.bool_]:
    """Where the error of a curve is not far above its median; everywhere if it is not known."""
    if curve.err is None or not np.isfinite(curve.err).any():
        return np.ones(curve.y.shape, dtype=bool)
    return ~(curve.err > _UNUSUAL * np.nanmedian(curve.err))


def _without_spikes(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of each value and its two neighbours."""
    if values.size < 3:
        return values
    before, here, after = values[:-2], values[1:-1], values[2:]
    return np.maximum(np.minimum(before, here), np.minimum(np.maximum(before, here), after))
