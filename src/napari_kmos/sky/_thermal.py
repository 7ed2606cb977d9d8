"""The thermal background of telescope and sky in the mean spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, optimize

from napari_kmos.sky._resample import fill_gaps
from napari_kmos.sky.result import ThermalFit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky.parameters import SkyParameters

#: Second radiation constant in micron kelvin.
_C2_UM_K = 14387.7
#: A cube that ends before this shows no thermal background that could be told from the airglow continuum.
_VISIBLE_FROM_UM = 2.2
#: The temperature is looked for within this of the first guess.
_TEMPERATURE_RANGE_K = 50.0


def fit_thermal(
    wavelength_um: NDArray[np.float64], target: NDArray[np.float64], sky: NDArray[np.float64], p: SkyParameters
) -> ThermalFit | None:
    """Fit A + B f(T) to the continuum of the sky, and A + B of the same temperature to that of the object.

    f is the Planck law over its maximum in the range. The sky has no stars, so that it tells the temperature; the
    constant A takes up zero level and faint star light and is never subtracted. None where the range ends before the
    thermal background shows.
    """
    if wavelength_um[-1] < _VISIBLE_FROM_UM:
        return None
    spectra = [_prefiltered(spectrum, p) for spectrum in (target, sky)]
    known = np.isfinite(target) & np.isfinite(sky)
    if np.count_nonzero(known) <= 3:
        return None
    temperature, sky_level = _fit(wavelength_um, spectra[1], known, p, None)
    _, object_level = _fit(wavelength_um, spectra[0], known, p, temperature)
    return ThermalFit(temperature_k=temperature, object_level=object_level, sky_level=sky_level)


def thermal_shape(wavelength_um: NDArray[np.float64], temperature_k: float) -> NDArray[np.float64]:
    """Return x^-5 / (exp(14387.7 / (x T)) - 1) over its maximum in the range; x in micron, T in kelvin."""
    law = wavelength_um**-5.0 / np.expm1(_C2_UM_K / (wavelength_um * temperature_k))
    return np.asarray(law / law.max())


def _prefiltered(spectrum: NDArray[np.float64], p: SkyParameters) -> NDArray[np.float64]:
    """Spectrum without gaps after a running median, which takes away the narrowest lines."""
    return np.asarray(ndimage.median_filter(fill_gaps(spectrum[:, None])[:, 0], p.sky_bkg_filter_width, mode="nearest"))


def _fit(
    wavelength_um: NDArray[np.float64],
    spectrum: NDArray[np.float64],
    known: NDArray[np.bool_],
    p: SkyParameters,
    temperature: float | None,
) -> tuple[float, float]:
    """Temperature (given or fitted) and level, fitted again without what lies too far above until nothing changes."""
    used = known
    kelvin = temperature or p.thermal_temperature
    level = 0.0
    for _ in range(p.thermal_iterations):
        if temperature is None:
            kelvin = _best_temperature(wavelength_um, spectrum, used, p.thermal_temperature)
        model, level = _linear(wavelength_um, spectrum, used, kelvin)
        residual = spectrum - model
        limit = np.median(residual[used]) + p.thermal_sigma * np.std(residual[used])
        new = known & (residual <= limit)
        if np.array_equal(new, used) or np.count_nonzero(new) <= 3:
            break
        used = new
    return kelvin, level


def _best_temperature(
    wavelength_um: NDArray[np.float64], spectrum: NDArray[np.float64], used: NDArray[np.bool_], guess: float
) -> float:
    """Temperature of the least squares; amplitude and constant follow from it."""

    def misfit(temperature: float) -> float:
        model, _ = _linear(wavelength_um, spectrum, used, temperature)
        return float(np.sum((spectrum - model)[used] ** 2))

    bounds = (guess - _TEMPERATURE_RANGE_K, guess + _TEMPERATURE_RANGE_K)
    return float(optimize.minimize_scalar(misfit, bounds=bounds, method="bounded", options={"xatol": 0.1}).x)


def _linear(
    wavelength_um: NDArray[np.float64], spectrum: NDArray[np.float64], used: NDArray[np.bool_], temperature: float
) -> tuple[NDArray[np.float64], float]:
    """Model A + |B| f at one temperature, and B."""
    shape = thermal_shape(wavelength_um, temperature)
    x, y = shape[used], spectrum[used]
    spread = float(np.var(x))
    level = max(0.0, float(np.mean((x - x.mean()) * (y - y.mean()))) / spread) if spread > 0 else 0.0
    return y.mean() + level * (shape - x.mean()), level
