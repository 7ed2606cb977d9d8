"""The line in a window that was chosen by eye."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_kmos.errors import KmosError
from napari_kmos.measure.line_fits import LineFit, LineParameters, fit_lines
from napari_kmos.spectral.lines import LIGHT_KMS
from napari_kmos.spectrum import SpectralLine

if TYPE_CHECKING:
    from napari_kmos.spectral.windows import Window
    from napari_kmos.spectrum import StarSpectrum

_DEFAULTS = LineParameters()


def fit_window(
    spectrum: StarSpectrum,
    window: Window,
    *,
    lines: Sequence[SpectralLine] = (),
    velocity_kms: float = 0.0,
    parameters: LineParameters = _DEFAULTS,
) -> LineFit:
    """Fit one line and the continuum about it in a window.

    Parameters
    ----------
    spectrum : StarSpectrum
        See `fit_lines`.
    window : (float, float)
        In micron, about the line, with continuum on both sides.
    lines : sequence of SpectralLine
        Known lines, at rest: the fit has the name of the one nearest to the middle of the window, of those that are
        marked if there is one; of a window without any its own wavelength is the name.
    velocity_kms : float
        By which the known lines are moved.
    parameters : LineParameters
        Profile and least significance; the window says the rest.

    Returns
    -------
    LineFit
        ``reason`` says why there is no result.

    Raises
    ------
    KmosError
        If the window does not go upwards.
    """
    start, end = window
    if not 0 < start < end:
        msg = f"window {start:g}-{end:g} does not go upwards; expected micron, as in 2.10-2.15"
        raise KmosError(msg)
    middle, half = 0.5 * (start + end), 0.5 * (end - start)
    factor = 1 + velocity_kms / LIGHT_KMS
    inside = [line for line in lines if line.kind != "head" and start <= line.wavelength_um * factor <= end]
    unnamed = SpectralLine(name=f"{middle:.4f}", wavelength_um=middle / factor)
    line = min(
        [one for one in inside if one.marked] or inside,
        key=lambda one: abs(one.wavelength_um * factor - middle),
        default=unnamed,
    )
    how = dataclasses.replace(
        parameters,
        half_width_um=half,
        velocity_kms=(middle / line.wavelength_um - 1) * LIGHT_KMS,
        reach_kms=half / middle * LIGHT_KMS,
    )
    (fit,) = fit_lines(spectrum, [line], parameters=how)
    return fit
