"""Spectra of simulated stars: continua with the features one looks for in each band.

Vacuum wavelengths. Hydrogen from the Rydberg formula; CO in K and H from the levels of the molecule; bands of others in
YJ and IZ at heads like those of TiO and FeH; atomic lines from NIST, rounded. Depths are typical, not those of a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u

from napari_kmos.spectral.carbon_monoxide import co_absorption
from napari_kmos.spectral.lines import rydberg_wavelength

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

KINDS = ("late", "early")

_PASCHEN, _BRACKETT = 3, 4

#: Band heads: wavelength, depth, length of the tail to the red; micron.
_HEADS = (
    (0.84350, 0.15, 0.012),
    (0.88620, 0.12, 0.012),
    (0.98990, 0.08, 0.008),
    (1.09250, 0.06, 0.010),
)
#: What saturated lines of CO take of the light: the equivalent width from 2.2924 to 2.2977 um is 11 angstrom, and from
#: 1.6175 to 1.6220 um 5, about those of a giant of type M0 (Origlia et al. 1993, A&A 280, 536).
_CO = 0.4
#: Lines of late-type stars: wavelength, depth.
_LATE = (
    (0.85004, 0.25),
    (0.85444, 0.35),
    (0.86645, 0.30),
    (1.16934, 0.12),
    (1.17761, 0.14),
    (1.24357, 0.10),
    (1.25256, 0.12),
    (1.31270, 0.15),
    (1.31543, 0.12),
    (1.50291, 0.20),
    (1.57450, 0.10),
    (1.58927, 0.15),
    (1.67235, 0.12),
    (1.71133, 0.12),
    (2.20624, 0.12),
    (2.20897, 0.10),
    (2.26141, 0.08),
    (2.26311, 0.08),
    (2.26573, 0.08),
)
#: Helium lines of early-type stars.
_HELIUM = ((1.08333, 0.12), (1.70072, 0.10), (2.05869, 0.06), (2.11258, 0.08))
_LATE_SIGMA_UM, _EARLY_SIGMA = 0.0004, 1.0e-3


def absorption(kind: str, wavelength_um: Floats) -> Floats:
    """Return the absorbed share of the continuum of a ``"late"`` or ``"early"`` star, in [0, 1)."""
    depth = np.zeros_like(wavelength_um)
    if kind == "late":
        depth += _CO * co_absorption(wavelength_um)
        for head, strength, length in _HEADS:
            behind = np.maximum(wavelength_um - head, 0)
            depth += strength * np.exp(-behind / length) * (1 - np.exp(-behind / 0.0004))
        for centre, strength in _LATE:
            depth += strength * np.exp(-0.5 * ((wavelength_um - centre) / _LATE_SIGMA_UM) ** 2)
        return np.minimum(depth, 0.9)
    series = [
        (float(rydberg_wavelength(n, low).to_value(u.um)), 0.30 * (low + 1) / n)
        for low in (_PASCHEN, _BRACKETT)
        for n in range(low + 1, 15)
    ]
    for centre, strength in (*series, *_HELIUM):
        depth += strength * np.exp(-0.5 * ((wavelength_um - centre) / (_EARLY_SIGMA * centre)) ** 2)
    return np.minimum(depth, 0.9)
