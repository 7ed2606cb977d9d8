"""The line spread function: how a line is spread over planes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: FWHM in planes of the pipeline's default cube: KMOS undersamples its lines.
FWHM_PIX = 1.9
_SIGMA = 1 / 2.354820045
#: The wing: its width and displacement in units of the core's sigma, to the red.
_WING_WIDTH, _WING_SHIFT = 3.0, 0.6
_REACH = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Lsf:
    """A Gaussian core and a broad wing to the red, integrated over planes.

    Parameters
    ----------
    fwhm_pix : float
        FWHM of the core in planes.
    wing : float
        Share of the light in the wing.
    """

    fwhm_pix: float
    wing: float = 0.0


def spread_lines(position_pix: Floats, strength: Floats, n_planes: int, *, lsf: Lsf) -> Floats:
    """Return the spectrum of lines: their light summed over planes is ``strength``.

    Parameters
    ----------
    position_pix : ndarray, shape (n,)
        0-based, fractional; lines beyond the ends contribute what reaches in.
    strength : ndarray, shape (n,)
        Light of each line.
    n_planes : int
        Number of planes.
    lsf : Lsf
        Line spread function.

    Returns
    -------
    ndarray, shape (n_planes,)
    """
    sigma = lsf.fwhm_pix * _SIGMA
    reach = int(np.ceil(_REACH * sigma * (_WING_WIDTH if lsf.wing else 1.0))) + 1
    planes = np.round(position_pix).astype(int)[:, None] + np.arange(-reach, reach + 2)
    edges = (planes - 0.5 - position_pix[:, None]) / sigma
    share = (1 - lsf.wing) * np.diff(ndtr(edges), axis=1)
    if lsf.wing:
        share += lsf.wing * np.diff(ndtr((edges - _WING_SHIFT) / _WING_WIDTH), axis=1)
    planes = planes[:, :-1]
    inside = (planes >= 0) & (planes < n_planes)
    light = (share * strength[:, None])[inside]
    return np.asarray(np.bincount(planes[inside], weights=light, minlength=n_planes), dtype=float)


def smooth(spectrum: Floats, lsf: Lsf, oversampling: int) -> Floats:
    """Convolve a spectrum, sampled ``oversampling`` times a plane, with the line spread function and the plane."""
    sigma = lsf.fwhm_pix * _SIGMA * oversampling
    reach = int(np.ceil(_REACH * _WING_WIDTH * sigma)) + oversampling
    middle = np.array([float(reach)])
    one = spread_lines(middle, np.ones(1), 2 * reach + 1, lsf=Lsf(fwhm_pix=sigma / _SIGMA, wing=lsf.wing))
    plane = np.ones(oversampling + 1)
    plane[[0, -1]] = 0.5
    kernel = np.convolve(one, plane / oversampling, mode="same")
    padded = np.pad(spectrum, reach, mode="edge")
    return np.asarray(np.convolve(padded, kernel / kernel.sum(), mode="valid"))
