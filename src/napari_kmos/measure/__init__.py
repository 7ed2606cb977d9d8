"""Measuring spectra: continuum, lines, velocities, indices."""

from __future__ import annotations

from napari_kmos.measure.continuum import (
    CONTINUUM_METHODS,
    ContinuumParameters,
    NormalisedSpectrum,
    fit_continuum,
    normalise,
)
from napari_kmos.measure.correlation import LATE_WINDOWS, Correlation, CorrelationParameters, correlate
from napari_kmos.measure.frames import (
    FRAMES,
    add_velocities,
    barycentric_correction,
    barycentric_corrections,
    lsr_correction,
)
from napari_kmos.measure.indices import (
    CLASSES,
    INDICES,
    ClassParameters,
    Index,
    IndexDefinition,
    classify,
    measure_index,
)
from napari_kmos.measure.line_fits import PROFILES, LineFit, LineParameters, fit_lines
from napari_kmos.measure.pairs import PairComparison, compare_pair
from napari_kmos.measure.smoothing import smooth_spectrum
from napari_kmos.measure.star import MeasureParameters, StarMeasurement, measure_star
from napari_kmos.measure.templates import late_template
from napari_kmos.measure.velocities import Velocity, sky_zero_point, velocity_by_line, velocity_by_template

__all__ = [
    "CLASSES",
    "CONTINUUM_METHODS",
    "FRAMES",
    "INDICES",
    "LATE_WINDOWS",
    "PROFILES",
    "ClassParameters",
    "ContinuumParameters",
    "Correlation",
    "CorrelationParameters",
    "Index",
    "IndexDefinition",
    "LineFit",
    "LineParameters",
    "MeasureParameters",
    "NormalisedSpectrum",
    "PairComparison",
    "StarMeasurement",
    "Velocity",
    "add_velocities",
    "barycentric_correction",
    "barycentric_corrections",
    "classify",
    "compare_pair",
    "correlate",
    "fit_continuum",
    "fit_lines",
    "late_template",
    "lsr_correction",
    "measure_index",
    "measure_star",
    "normalise",
    "sky_zero_point",
    "smooth_spectrum",
    "velocity_by_line",
    "velocity_by_template",
]
