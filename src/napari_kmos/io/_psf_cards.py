"""What the fit of the point spread function tells of a star, in the header of its spectrum."""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.io._cards import escaped, unescaped
from napari_kmos.spectrum import PsfFit

if TYPE_CHECKING:
    from astropy.io import fits

#: Keywords of each fact, more than one of those with parts.
_PSF = {
    "ra": (("PSFRA", "[deg] where the star was found"),),
    "dec": (("PSFDEC", "[deg] where the star was found"),),
    "error_arcsec": (("PSFPOSER", "[arcsec] 1 sigma of that in each axis"),),
    "fwhm_arcsec": (("PSFFWHM", "[arcsec] full width at half maximum at PSFWAVE"),),
    "fwhm_error_arcsec": (("PSFFWER", "[arcsec] 1 sigma of it"),),
    "exponent": (("PSFEXPO", "the width goes as wavelength to this power"),),
    "beta": (("PSFBETA", "power of the Moffat profile"),),
    "wave_um": (("PSFWAVE", "[um] middle of the band"),),
    "drift_arcsec": (("PSFDRA", "[arcsec] drift over the band, east"), ("PSFDDEC", "[arcsec] the same, north")),
    "chi2": (("PSFCHI2", "per degree of freedom, all planes of the field"),),
    "psf_chi2": (("PSFBCHI2", "the same of the bins the profile was fitted to"),),
    "misfit": (("PSFMISF", "part of light by which a spaxel is off"),),
    "noise_factor": (("PSFNOISE", "noise with correlation of spaxels over without"),),
}


def psf_cards(fit: PsfFit | None) -> Iterator[tuple[str, Any, str]]:
    """Yield what the fit of the point spread function tells, if there was one."""
    if fit is None:
        return
    for name, keys in _PSF.items():
        values = np.atleast_1d(getattr(fit, name)).tolist()
        for (key, comment), value in zip(keys, values, strict=True):
            yield key, value, comment
    for number, (other, correlation) in enumerate(fit.blended.items(), start=1):
        yield f"BLEND{number}", escaped(other), "a star too close to be told apart"
        yield f"BLENDC{number}", correlation, "correlation of the errors of both fluxes"


def psf_fit(header: fits.Header) -> PsfFit | None:
    """Read what `psf_cards` wrote."""
    if "PSFFWHM" not in header:
        return None
    parts = {name: tuple(float(header.get(key, math.nan)) for key, _ in keys) for name, keys in _PSF.items()}
    facts: dict[str, Any] = {name: values if len(values) > 1 else values[0] for name, values in parts.items()}
    blended: dict[str, float] = {}
    while f"BLEND{len(blended) + 1}" in header:
        number = len(blended) + 1
        blended[unescaped(header[f"BLEND{number}"])] = float(header.get(f"BLENDC{number}", math.nan))
    return PsfFit(**facts, blended=MappingProxyType(blended))
