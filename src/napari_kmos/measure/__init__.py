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
from napari_kmos.measure.frames import FRAMES, add_velocities, barycentric_correction, lsr_correction
from napari_kmos.measure.line_fits import PROFILES, LineFit, LineParameters, fit_lines
from napari_kmos.measure.smoothing import smooth_spectrum
from napari_kmos.measure.templates import Template, late_template
from napari_kmos.measure.velocities import Velocity, sky_zero_point, velocity_by_line, velocity_by_template

__all__ = [
    "CONTINUUM_METHODS",
    "FRAMES",
    "LATE_WINDOWS",
    "PROFILES",
    "ContinuumParameters",
    "Correlation",
    "CorrelationParameters",
    "LineFit",
    "LineParameters",
    "NormalisedSpectrum",
    "Template",
    "Velocity",
    "add_velocities",
    "barycentric_correction",
    "correlate",
    "fit_continuum",
    "fit_lines",
    "late_template",
    "lsr_correction",
    "normalise",
    "sky_zero_point",
    "smooth_spectrum",
    "velocity_by_line",
    "velocity_by_template",
]
