"""The absorption of the atmosphere, and the way from counts to flux."""

from __future__ import annotations

from napari_kmos.telluric.applying import correct_cube, correct_spectrum, scale_cube, scale_spectrum
from napari_kmos.telluric.flux import (
    FLUX_UNIT,
    band_mean,
    check_counts,
    flux_factor,
    magnitude_of,
    measure_magnitude,
    zero_point_of,
)
from napari_kmos.telluric.molecfit import model_transmission
from napari_kmos.telluric.parameters import StandardParameters, TelluricParameters
from napari_kmos.telluric.scaling import Correction, WindowFit, scale_throughput
from napari_kmos.telluric.species import water_share
from napari_kmos.telluric.standard import Throughput, measure_throughput

__all__ = [
    "FLUX_UNIT",
    "Correction",
    "StandardParameters",
    "TelluricParameters",
    "Throughput",
    "WindowFit",
    "band_mean",
    "check_counts",
    "correct_cube",
    "correct_spectrum",
    "flux_factor",
    "magnitude_of",
    "measure_magnitude",
    "measure_throughput",
    "model_transmission",
    "scale_cube",
    "scale_spectrum",
    "scale_throughput",
    "water_share",
    "zero_point_of",
]
