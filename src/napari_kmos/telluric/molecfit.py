"""The atmosphere modelled line by line, by the optional package pymolfit: a thin adapter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.errors import EngineError
from napari_kmos.telluric.scaling import Correction, WindowFit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.spectrum import StarSpectrum

_PARANAL = {"latitude_deg": -24.6272, "longitude_deg": -70.4048, "altitude_m": 2635.0}
_MISSING = (
    "pymolfit is not installed; `pip install 'napari-kmos[molecfit]'`, or correct by a standard star (--standard)"
)
_NO_DATA = "it needs the AER line catalogue, which you obtain under its own licence: see docs/telluric.md"


def model_transmission(
    spectrum: StarSpectrum, *, airmass: float, resolution: float, min_transmission: float = 0.2
) -> Correction:
    """Fit a model of the atmosphere to the spectrum of a bright star.

    Parameters
    ----------
    spectrum : StarSpectrum
        Wavelengths in vacuum, shape (n_wavelength,); its date is needed.
    airmass : float
        Of the observation.
    resolution : float
        Resolving power.
    min_transmission : float
        Where less of the light comes through there is no data.

    Returns
    -------
    Correction
        On the star's planes.

    Raises
    ------
    EngineError
        If pymolfit or its data are missing, or its fit fails. Nothing is fetched from the net.
    """
    try:
        import pymolfit
    except ImportError as err:
        raise EngineError(_MISSING) from err
    try:
        result = pymolfit.correct(
            _as_pymolfit(pymolfit, spectrum, airmass, resolution),
            min_transmission=min_transmission,
            cache=pymolfit.CacheConfig(aer_offline=True),
            report=False,
        )
    except Exception as err:
        reason = str(err).splitlines()[0] if str(err) else type(err).__name__
        hint = f"; {_NO_DATA}" if isinstance(err, getattr(pymolfit, "ExternalDataError", ())) else ""
        msg = f"pymolfit: {reason}{hint}"
        raise EngineError(msg) from err
    return _correction(spectrum.wavelength_um, result, min_transmission)


def _as_pymolfit(pymolfit: Any, spectrum: StarSpectrum, airmass: float, resolution: float) -> Any:
    """Return the spectrum as pymolfit wants it."""
    from astropy.time import Time

    mjd = spectrum.middle_mjd
    observation = pymolfit.Observation(
        time=None if mjd is None else Time(mjd, format="mjd"),
        airmass=airmass,
        resolving_power=resolution,
        wavelength_frame="observatory",
        instrument="KMOS",
        **_PARANAL,
    )
    usable = ~spectrum.mask & np.isfinite(spectrum.flux)
    known = np.isfinite(spectrum.noise) & (spectrum.noise > 0)
    return pymolfit.Spectrum(
        wavelength=spectrum.wavelength_um,
        flux=np.where(usable, spectrum.flux, 0.0),
        uncertainty=np.where(known, spectrum.noise, np.median(spectrum.noise[known])) if known.any() else None,
        mask=usable,
        wavelength_unit="micron",
        wavelength_medium=spectrum.medium,
        observation=observation,
    )


def _correction(wave: NDArray[np.float64], result: Any, min_transmission: float) -> Correction:
    """Return what was fitted."""
    through = np.array(result.transmission, dtype=float)
    error = result.transmission_uncertainty
    relative = np.zeros(through.size) if error is None else np.nan_to_num(np.asarray(error, dtype=float) / through)
    through[through < min_transmission] = np.nan
    scales = result.species_scales
    fit = WindowFit(
        start_um=float(wave[0]),
        end_um=float(wave[-1]),
        airmass=math.nan,
        water=float(scales.get("H2O", math.nan)),
        note="pymolfit: " + ", ".join(f"{name} {value:.3f}" for name, value in sorted(scales.items())),
    )
    return Correction(
        wavelength_um=wave, transmission=through, relative_noise=relative, windows=(fit,), standard="pymolfit"
    )
