"""Along the wavelength: collapse, noise, lines, signal to noise."""

from __future__ import annotations

from napari_kmos.spectral.collapse import collapse_mean, collapse_median
from napari_kmos.spectral.line_maps import LineMaps, MapParameters
from napari_kmos.spectral.lines import air_to_vacuum, lines_between, rydberg_wavelength, vacuum_to_air
from napari_kmos.spectral.maps import make_maps
from napari_kmos.spectral.noise import ensure_noise, estimate_noise
from napari_kmos.spectral.oh import SkyLines, level_population, sky_lines
from napari_kmos.spectral.snr import Snr, default_windows, der_snr, measure_snr
from napari_kmos.spectral.thermal import planck_shape, thermal_background

__all__ = [
    "LineMaps",
    "MapParameters",
    "SkyLines",
    "Snr",
    "air_to_vacuum",
    "collapse_mean",
    "collapse_median",
    "default_windows",
    "der_snr",
    "ensure_noise",
    "estimate_noise",
    "level_population",
    "lines_between",
    "make_maps",
    "measure_snr",
    "planck_shape",
    "rydberg_wavelength",
    "sky_lines",
    "thermal_background",
    "vacuum_to_air",
]
