"""Where stars were found in a sky exposure: one figure of all IFUs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_COLUMNS, _PANEL_INCH = 6, 1.9
_COLOUR, _TINT = "tab:orange", 0.25
#: Faint starlight must be seen beside bright: up to this quantile the stretch is linear, logarithmic beyond.
_DARK = 0.25


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MaskPanel:
    """What is shown of an IFU.

    Parameters
    ----------
    title : str
        Its name.
    starlight : ndarray, shape (n_y, n_x)
        Light that is not sky; NaN without data.
    sky_mask : ndarray of bool, shape (n_y, n_x)
        True = sky.
    """

    title: str
    starlight: NDArray[np.float64]
    sky_mask: NDArray[np.bool_]


def sky_mask_figure(panels: Sequence[MaskPanel], *, title: str) -> Figure:
    """Draw the starlight of every IFU with its masked spaxels outlined and tinted.

    Parameters
    ----------
    panels : sequence of MaskPanel
        At least one.
    title : str
        Of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Without a window; y is up.
    """
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    size = (max(columns, 3) * _PANEL_INCH, rows * (_PANEL_INCH + 0.3) + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for one, panel in zip(axes, panels, strict=False):
        _draw(one, panel)
    for one in axes[len(panels) :]:
        one.set_axis_off()
    figure.suptitle(title, fontsize="medium")
    figure.supxlabel("light that is not sky; tinted where masked", fontsize="small")
    return figure


def _draw(axes: Axes, panel: MaskPanel) -> None:
    """Draw the starlight, and a line around what is masked."""
    known = np.isfinite(panel.starlight)
    masked = known & ~panel.sky_mask
    axes.imshow(panel.starlight, origin="lower", cmap="gray", norm=_stretch(panel.starlight[known]))
    # An outline alone does not say which side of it is masked.
    edges = (np.arange(n + 1) - 0.5 for n in masked.shape[::-1])
    axes.pcolormesh(*edges, np.where(masked, 1.0, np.nan), cmap="Oranges", vmin=0, vmax=1.6, alpha=_TINT, linewidth=0)
    for y, x in np.argwhere(masked):
        for (dy, dx), line in _SIDES.items():
            if not _inside(masked, y + dy, x + dx):
                axes.plot(x + line[0], y + line[1], color=_COLOUR, linewidth=1.2, solid_capstyle="projecting")
    axes.set_title(f"{panel.title}\n{np.count_nonzero(masked)} of {np.count_nonzero(known)} masked", fontsize="x-small")
    axes.set_xticks([])
    axes.set_yticks([])


def _stretch(light: NDArray[np.float64]) -> Normalize:
    """Return a stretch that shows the scatter of the darker half, and bright stars as well."""
    from matplotlib.colors import AsinhNorm, Normalize

    if not light.size:
        return Normalize(0, 1)
    dark = float(np.quantile(light, _DARK))
    spread = dark - float(light.min())
    return AsinhNorm(spread, light.min(), light.max()) if spread > 0 else Normalize(dark - 1, dark + 1)


#: Steps (y, x) to the neighbours of a spaxel, and the side between: x and y of its ends.
_SIDES = {
    (-1, 0): (np.array([-0.5, 0.5]), np.array([-0.5, -0.5])),
    (1, 0): (np.array([-0.5, 0.5]), np.array([0.5, 0.5])),
    (0, -1): (np.array([-0.5, -0.5]), np.array([-0.5, 0.5])),
    (0, 1): (np.array([0.5, 0.5]), np.array([-0.5, 0.5])),
}


def _inside(mask: NDArray[np.bool_], y: int, x: int) -> bool:
    """Tell whether a place, which may lie beyond the edge, is masked."""
    n_y, n_x = mask.shape
    return 0 <= y < n_y and 0 <= x < n_x and bool(mask[y, x])
