"""Absorption by CO, from the levels of the molecule: first and second overtone, 1.5 to 2.5 micron.

Terms by Dunham coefficients of 12C16O (after Farrenq et al. 1991, J. Mol. Spec. 149, 375); their band heads agree with
those of the packaged list of lines to 0.6 km/s. Populations are thermal; strengths go as for a nearly harmonic
oscillator with the rotation factors of a parallel band. One layer absorbs: shapes of bands, not abundances.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.spectral.lines import LIGHT_KMS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Coefficients in 1/cm by powers of v + 1/2 and of J (J + 1).
_DUNHAM = MappingProxyType(
    {
        (1, 0): 2169.813460,
        (2, 0): -13.28790597,
        (3, 0): 1.04109e-2,
        (4, 0): 7.6e-5,
        (0, 1): 1.931280985,
        (1, 1): -1.750439e-2,
        (2, 1): 5.4868e-7,
        (0, 2): -6.1215e-6,
        (1, 2): 1.1526e-9,
        (2, 2): -1.805e-10,
        (0, 3): 5.885e-12,
    }
)
_HIGHEST_V, _HIGHEST_J = 8, 110
#: hc/k in cm K.
_SECOND_RADIATION = 1.438777
#: Square of the transition moment over that of the first overtone, from the ground state: the bands 2-0 and 3-0 have
#: 7.5e-20 and 4.9e-22 cm a molecule (Zou & Varanasi 2002, JQSRT 75, 63; HITRAN), the wavenumber included.
_OVERTONES = MappingProxyType({2: 1.0, 3: 0.0044})
#: Lines are summed on a grid of so many points a Doppler width.
_SAMPLES = 3.0
_REACH = 4.0


def co_absorption(
    wavelength_um: Floats, *, temperature_k: float = 3800.0, depth: float = 300.0, doppler_kms: float = 4.0
) -> Floats:
    """Return the share of light that a layer of CO absorbs.

    Parameters
    ----------
    wavelength_um : ndarray, shape (n,)
        Vacuum, in micron, two or more; the result is the mean over bins that reach half way to the neighbours.
    temperature_k : float
        Of the levels.
    depth : float
        Optical depth in the middle of the strongest line of the first overtone: well above 1 the lines are saturated.
    doppler_kms : float
        Half width of the lines at 1/e, turbulence included.

    Returns
    -------
    ndarray, shape (n,)
        In [0, 1).
    """
    lines_um, strength = co_lines(temperature_k)
    step = doppler_kms / LIGHT_KMS / _SAMPLES
    halves = 0.5 * np.abs(np.gradient(wavelength_um))
    low, high = np.log(wavelength_um - halves), np.log(wavelength_um + halves)
    grid = np.arange(low.min() - step, high.max() + 2 * step, step)
    place = (np.log(lines_um) - grid[0]) / step
    near = np.round(place).astype(int)[:, None] + np.arange(-int(_REACH * _SAMPLES), int(_REACH * _SAMPLES) + 1)
    profile = strength[:, None] * np.exp(-(((near - place[:, None]) / _SAMPLES) ** 2))
    inside = (near >= 0) & (near < grid.size)
    optical = np.bincount(near[inside], weights=profile[inside], minlength=grid.size)
    sums = np.concatenate([[0.0], np.cumsum(1 - np.exp(-depth * optical))])
    edges = np.append(grid, grid[-1] + step) - 0.5 * step
    return np.asarray((np.interp(high, edges, sums) - np.interp(low, edges, sums)) / (high - low) * step)


def co_lines(temperature_k: float) -> tuple[Floats, Floats]:
    """Return wavelengths in micron (vacuum) of the lines of CO, and relative optical depths, 1 for the strongest.

    These are those in the middle of lines of one width in km/s: a band's strength over its wavenumber.
    """
    j = np.arange(_HIGHEST_J)
    numbers, strengths = [], []
    for jump, relative in _OVERTONES.items():
        for v in range(_HIGHEST_V):
            ground = _term(v, j)
            population = np.exp(-_SECOND_RADIATION * ground / temperature_k)
            share = relative * np.prod([v + k for k in range(1, jump + 1)]) / np.prod(np.arange(1, jump + 1))
            for upper, factor in ((j + 1, j + 1), (j - 1, j)):  # R and P branch
                number = _term(v + jump, upper) - ground
                numbers.append(number[factor > 0])
                stimulated = 1 - np.exp(-_SECOND_RADIATION * number / temperature_k)
                strengths.append((share * factor * population * stimulated)[factor > 0])
    strength = np.concatenate(strengths)
    return 1e4 / np.concatenate(numbers), strength / strength.max()


def _term(v: int, j: NDArray[np.int_]) -> Floats:
    """Energy of levels in 1/cm."""
    rotation = (j * (j + 1)).astype(float)
    return np.asarray(sum(value * (v + 0.5) ** a * rotation**b for (a, b), value in _DUNHAM.items()))
