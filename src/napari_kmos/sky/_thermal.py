"""The thermal background of telescope and sky in the mean spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, optimize

from napari_kmos.sky._resample import fill_gaps
from napari_kmos.sky.result import ThermalFit
from napari_kmos.spectral.thermal import planck_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky._lines import MeanSpectra
    from napari_kmos.sky.parameters import SkyParameters

#: A cube that ends before this shows no thermal background that could be told from the airglow continuum.
_VISIBLE_FROM_UM = 2.2
#: The temperature is looked for within this of the first guess. It is that of the shape: the falling sensitivity at the
#: end of a grating changes it by tens of kelvin.
_TEMPERATURE_RANGE_K = 120.0
_MIN_PIXELS = 50
#: The slope of starlight over the range, as a share, may differ by this.
_SLOPE = 0.3
#: The change between sky and object is fitted from here on, where it rises from nothing.
_CHANGE_FROM_UM = 2.0


def fit_thermal(spectra: MeanSpectra, starlight: NDArray[np.float64], p: SkyParameters) -> ThermalFit | None:
    """Fit A + B f(T) to the continuum of the sky, and B' f(T) + starlight to object minus sky; f is Planck's law.

    The sky has no stars, so that it tells the temperature. Object and sky differ by starlight as well: its spectra are
    known from the brighter spaxels, ``starlight`` of shape (n_wavelength, n), the brightest first and each as bright as
    there. What there is of them, the first with a slope, is told apart from the thermal change B' and is not
    subtracted. The change is expected to be small. None where the range ends before the thermal background shows, or
    where there is too little continuum.
    """
    wavelength = spectra.wavelength_um
    known = np.isfinite(spectra.target) & np.isfinite(spectra.sky)
    continuum = spectra.continuum & known & np.isfinite(starlight).all(axis=1) & (wavelength >= _CHANGE_FROM_UM)
    if wavelength[-1] < _VISIBLE_FROM_UM or np.count_nonzero(continuum) < _MIN_PIXELS:
        return None
    sky = _prefiltered(spectra.sky, p)
    temperature, level = _fit_sky(wavelength, sky, known, p)
    slope = np.interp(wavelength, wavelength[continuum][[0, -1]], (-1, 1))
    columns = np.column_stack([thermal_shape(wavelength, temperature), starlight[:, 0] * slope, starlight])
    expected = np.array([p.thermal_change * level, _SLOPE, *[1.0] * starlight.shape[1]])
    change = _clipped_fit(columns, expected, spectra.target - spectra.sky, continuum, p)[0]
    return ThermalFit(temperature_k=temperature, object_level=max(0.0, level + float(change)), sky_level=level)


def thermal_shape(wavelength_um: NDArray[np.float64], temperature_k: float) -> NDArray[np.float64]:
    """Return Planck's law over its maximum in the range; wavelengths in micron, temperature in kelvin."""
    law = planck_shape(wavelength_um, temperature_k)
    return np.asarray(law / law.max())


def _prefiltered(spectrum: NDArray[np.float64], p: SkyParameters) -> NDArray[np.float64]:
    """Spectrum without gaps after a running median, which takes away the narrowest lines."""
    return np.asarray(ndimage.median_filter(fill_gaps(spectrum[:, None])[:, 0], p.sky_bkg_filter_width, mode="nearest"))


def _fit_sky(
    wavelength_um: NDArray[np.float64], sky: NDArray[np.float64], known: NDArray[np.bool_], p: SkyParameters
) -> tuple[float, float]:
    """Temperature and level of the sky, fitted again without what lies too far above until nothing changes."""
    used, temperature, level = known, p.thermal_temperature, 0.0
    for _ in range(p.thermal_iterations):
        temperature = _best_temperature(wavelength_um, sky, used, p.thermal_temperature)
        model, level = _linear(wavelength_um, sky, used, temperature)
        residual = sky - model
        limit = np.median(residual[used]) + p.thermal_sigma * np.std(residual[used])
        new = known & (residual <= limit)
        if np.array_equal(new, used) or np.count_nonzero(new) < _MIN_PIXELS:
            break
        used = new
    return temperature, level


def _best_temperature(
    wavelength_um: NDArray[np.float64], sky: NDArray[np.float64], used: NDArray[np.bool_], guess: float
) -> float:
    """Temperature of the least squares; level and constant follow from it."""

    def misfit(temperature: float) -> float:
        model, _ = _linear(wavelength_um, sky, used, temperature)
        return float(np.sum((sky - model)[used] ** 2))

    bounds = (guess - _TEMPERATURE_RANGE_K, guess + _TEMPERATURE_RANGE_K)
    return float(optimize.minimize_scalar(misfit, bounds=bounds, method="bounded", options={"xatol": 0.1}).x)


def _linear(
    wavelength_um: NDArray[np.float64], sky: NDArray[np.float64], used: NDArray[np.bool_], temperature: float
) -> tuple[NDArray[np.float64], float]:
    """Model A + |B| f at one temperature, and B."""
    shape = thermal_shape(wavelength_um, temperature)
    x, y = shape[used], sky[used]
    spread = float(np.var(x))
    level = max(0.0, float(np.mean((x - x.mean()) * (y - y.mean()))) / spread) if spread > 0 else 0.0
    return y.mean() + level * (shape - x.mean()), level


def _clipped_fit(
    columns: NDArray[np.float64],
    expected: NDArray[np.float64],
    values: NDArray[np.float64],
    used: NDArray[np.bool_],
    p: SkyParameters,
) -> NDArray[np.float64]:
    """Coefficients of a linear least squares without outliers; ``expected`` is how large they may be, 1 sigma."""
    scale = np.diag(1 / np.maximum(expected, np.finfo(float).tiny ** 0.25))
    coefficients = np.linalg.lstsq(columns[used], values[used], rcond=None)[0]
    for _ in range(p.thermal_iterations):
        sigma = 1.4826 * np.median(np.abs(values[used] - columns[used] @ coefficients))
        rows = np.vstack([columns[used], sigma * scale])
        coefficients = np.linalg.lstsq(rows, np.append(values[used], np.zeros(expected.size)), rcond=None)[0]
        residual = np.abs(values - columns @ coefficients)
        new = used & (residual <= p.clip_sigma * 1.4826 * np.median(residual[used]))
        if np.array_equal(new, used) or np.count_nonzero(new) < _MIN_PIXELS:
            break
        used = new
    return np.asarray(coefficients)
