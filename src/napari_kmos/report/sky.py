"""How well the sky was subtracted: one figure an IFU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.report.sky_panels import (
    draw_factors,
    draw_images,
    draw_levels,
    draw_marks,
    draw_over_noise,
    draw_residuals,
    draw_spectra,
    shade_bands,
)
from napari_kmos.sky.views import line_marks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_kmos.sky.result import SkyResult

_SIZE_INCH = (14.0, 8.4)
#: Where the panels lie, in parts of the figure: a layout that has to be found takes longer than the drawing.
_LEFT, _IMAGES, _LEVELS = (0.082, 0.71), (0.735, 0.955), (0.765, 0.985)
#: Of the labels of the axes of flux, in parts of these.
_LABEL_X = -0.06
_BOTTOM, _TOP = 0.06, 0.93
#: A shift that changes by no more than this along the spectrum is one number.
_STRETCHED_PIX = 0.005
#: Of marks, spectra, residuals, factors, residual over noise.
_HEIGHTS = (0.9, 2.2, 2.6, 1.8, 1.0)


def sky_figure(result: SkyResult) -> Figure:
    """Draw what tells how well the sky was subtracted.

    Parameters
    ----------
    result : SkyResult
        Of `subtract_sky`.

    Returns
    -------
    matplotlib.figure.Figure
        Without a window. Over the wavelength: mean spectra of the sky spaxels with the bright lines marked; residuals
        with their expected noise; factor of the sky lines, by band; residual over noise, by band. Beside them the
        field before and after: light, and what is left on line pixels over the noise; below, the factors of the
        levels if there are any.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCH)
    figure.text(_LEFT[0], 0.98, _title(result), va="top")
    if result.note:
        figure.text(_LEFT[0], 0.953, result.note, va="top", color="tab:red")
    _draw_spectral(figure, result)
    _draw_images(figure, result)
    if result.levels:
        below = figure.add_gridspec(1, 1, left=_LEVELS[0], right=_LEVELS[1], bottom=_BOTTOM, top=0.36)
        axes = figure.add_subplot(below[0, 0])
        axes.tick_params(labelsize="small")
        draw_levels(axes, result.levels)
    return figure


def _draw_spectral(figure: Figure, result: SkyResult) -> None:
    """Panels over the wavelength."""
    grid = figure.add_gridspec(
        len(_HEIGHTS), 1, left=_LEFT[0], right=_LEFT[1], bottom=_BOTTOM, top=_TOP, hspace=0.06, height_ratios=_HEIGHTS
    )
    panels = [figure.add_subplot(grid[row, 0]) for row in range(len(_HEIGHTS))]
    for axes in panels:
        shade_bands(axes, result.bands)
        axes.set_xlim(result.wavelength_um[0], result.wavelength_um[-1])
        axes.tick_params(labelsize="small")
        axes.yaxis.set_label_coords(_LABEL_X, 0.5)
        axes.yaxis.label.set_fontsize("small")
    for axes in panels[:-1]:
        axes.set_xticks([])  # those of the last serve all, and ticks take time
    draw_marks(panels[0], line_marks(result.cube))
    for draw, axes in zip((draw_spectra, draw_residuals, draw_factors, draw_over_noise), panels[1:], strict=True):
        draw(axes, result)


def _draw_images(figure: Figure, result: SkyResult) -> None:
    """Draw images before and after: of the light with the sky spaxels dotted, and of what is left on lines."""
    grid = figure.add_gridspec(2, 2, left=_IMAGES[0], right=_IMAGES[1], bottom=0.43, top=_TOP - 0.02, wspace=0.06)
    above, below = ([figure.add_subplot(grid[row, column]) for column in range(2)] for row in range(2))
    found = result.images
    draw_images(above, (found.white_before, found.white_after), ("object - sky", "object - model"))
    draw_images(below, (found.left_before, found.left_after), ("left on lines / noise, before", "after"))
    y, x = np.nonzero(result.sky_mask)
    above[1].plot(x, y, ".", markersize=1.5, color="white")


def _title(result: SkyResult) -> str:
    """Name, method and the main numbers."""
    least, most = result.shift_range_pix
    along = f" ({least:+.3f} to {most:+.3f})" if most - least > _STRETCHED_PIX else ""
    parts = [result.cube.label, result.method, f"shift {result.shift_pix:+.3f}{along} pix"]
    parts += [f"{group.name} rotation {group.factor:.3f}" for group in result.groups]
    if result.thermal is not None and result.thermal.sky_level > 0:
        parts.append(f"thermal x{result.thermal.object_level / result.thermal.sky_level:.3f}")
    if np.isfinite(result.rms_after):
        parts.append(f"line residual {result.rms_before:.3g} to {result.rms_after:.3g}")
    if np.isfinite(result.residual_over_noise):
        parts.append(f"{result.residual_over_noise:.2f} times the noise")
    return "   ".join(parts)
