"""Where the sky disturbs: ranges of bright airglow lines, and of absorption by the atmosphere."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.spectral.lines import LIGHT_KMS
from napari_kmos.spectral.oh import sky_lines

if TYPE_CHECKING:
    from napari_kmos.spectral.windows import Window

#: Where the bands of H2O, O2, CO2 and CH4 lie in the KMOS bands, in micron: set by hand from where they are known
#: to lie, and not computed from a model of the atmosphere. Between H and K they are wider by 0.015 to 0.05 micron than
#: where more than a tenth is lost at airmass 1.5 and 1.6 mm of water. Weak lines between them are left out, and how
#: much is absorbed varies from night to night; what stars saw is measured by a standard (`telluric`).
TELLURIC_RANGES: tuple[Window, ...] = (
    (0.8120, 0.8360),
    (0.8920, 0.9900),
    (1.1060, 1.1660),
    (1.2560, 1.2800),
    (1.3000, 1.5050),
    (1.5670, 1.5860),
    (1.5960, 1.6180),
    (1.6330, 1.7000),
    (1.7300, 2.0250),
    (2.0460, 2.0800),
    (2.3000, 2.5200),
)
#: So many ranges are kept as they were found.
_KEPT = 64


def telluric_ranges(start_um: float, end_um: float) -> tuple[Window, ...]:
    """Return the parts of a range of wavelengths, in micron, where the atmosphere absorbs: see `TELLURIC_RANGES`.

    Examples
    --------
    >>> telluric_ranges(2.05, 2.2)
    ((2.05, 2.08),)
    """
    clipped = ((max(first, start_um), min(last, end_um)) for first, last in TELLURIC_RANGES)
    return tuple((first, last) for first, last in clipped if first < last)


@functools.lru_cache(maxsize=_KEPT)
def airglow_ranges(
    start_um: float, end_um: float, *, faintest: float = 0.03, half_width_kms: float = 110.0
) -> tuple[Window, ...]:
    """Return the ranges about bright lines of OH and O2.

    Parameters
    ----------
    start_um, end_um : float
        Between which wavelengths, in micron.
    faintest : float
        Lines fainter than this times the brightest of that range are left out.
    half_width_kms : float
        How far a range reaches from its line to both sides; the default is 1.5 of the resolution of 4000.

    Returns
    -------
    tuple of (start, end) in micron
        Ascending; those that touch are one.
    """
    lines = sky_lines((start_um, end_um), faintest=faintest).wavelength_um
    if not lines.size:
        return ()
    reach = half_width_kms / LIGHT_KMS
    starts, ends = lines * (1 - reach), np.maximum.accumulate(lines * (1 + reach))
    is_new = np.concatenate([[True], starts[1:] > ends[:-1]])
    firsts = np.flatnonzero(is_new)
    lasts = np.append(firsts[1:], lines.size) - 1
    return tuple((float(starts[first]), float(ends[last])) for first, last in zip(firsts, lasts, strict=True))
