"""What a spectrum's header tells of the exposures behind it: dates, lengths, the zero point of the wavelengths."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from napari_kmos import instrument
from napari_kmos.io.exposure_times import n_combined, read_exposure_times, time_cards

if TYPE_CHECKING:
    from astropy.io import fits

    from napari_kmos.spectrum import StarSpectrum

_ZERO_KEY = instrument.key_quality(instrument.key_zero_point(None))
_DATES = ("mjd", "exposures", "n_combined")
_ZERO_POINT = ("zero_pix", "zero_err_pix")


def exposure_facts(primary: fits.Header, ifu: int | None) -> dict[str, Any]:
    """Return what the primary header of a cube's file tells of its spectra: dates and zero point.

    `dataclasses.replace` puts them into a `StarSpectrum` that was extracted in memory; `write_spectrum` does so itself.

    Returns
    -------
    dict
        ``mjd``, ``exposures``, ``n_combined``, ``zero_pix``, ``zero_err_pix``.
    """
    keys = [instrument.key_quality(instrument.key_zero_point(one)) for one in (ifu, None)]
    key = next((one for one in keys if one in primary), keys[-1])
    zero, error = (float(primary.get(one, math.nan)) for one in (key, f"{key} ERROR"))
    mjd = primary.get(instrument.KEY_MJD)
    dates = (None if mjd is None else float(mjd), read_exposure_times(primary), n_combined(primary))
    return dict(zip((*_DATES, *_ZERO_POINT), (*dates, zero, error), strict=True))


def with_facts(spectrum: StarSpectrum, primary: fits.Header | None) -> StarSpectrum:
    """Return a spectrum with what the file of its cube tells, where it does not know."""
    told = {} if primary is None else exposure_facts(primary, spectrum.ifu)
    known = {
        **dict.fromkeys(_DATES, spectrum.mjd is not None),
        **dict.fromkeys(_ZERO_POINT, math.isfinite(spectrum.zero_pix)),
    }
    return dataclasses.replace(spectrum, **{name: value for name, value in told.items() if not known[name]})


def fact_cards(spectrum: StarSpectrum) -> list[tuple[str, Any, str]]:
    """Return the cards of a spectrum's header that `exposure_facts` reads."""
    combined = spectrum.n_combined if spectrum.n_combined > 1 else None
    return [
        (instrument.KEY_EXPTIME, spectrum.exptime, "[s] exposure time of the cube"),
        (instrument.KEY_MJD, spectrum.mjd, "start of the exposure"),
        (instrument.KEY_N_COMBINED, combined, "Number of combined cubes"),
        *time_cards(spectrum.exposures),
        (_ZERO_KEY, spectrum.zero_pix, "[planes] sky lines beyond their place"),
        (f"{_ZERO_KEY} ERROR", spectrum.zero_err_pix, "[planes] 1 sigma"),
    ]
