"""How far the lines that are left lie beside those of the model, band by band: P Cygni residuals."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import legendre
from scipy import ndimage
from scipy.interpolate import CubicSpline

from napari_kmos.errors import KmosWarning
from napari_kmos.sky._bands import covered_bands
from napari_kmos.sky._lines import beside_lines
from napari_kmos.spectral.nan import divide

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky.parameters import SkyParameters
    from napari_kmos.sky.result import BandFit, SkyResult

    Floats = NDArray[np.float64]

#: Lines are told apart by minima of the model that are the lowest within so many planes.
_APART = 3
#: A line has at least so many planes, and its place an error of no more than this, in planes.
_LEAST_PLANES, _LEAST_TOLD = 4, 0.2
#: Line and slope that are alike but for this part cannot be told apart: a line that is cut off.
_LEAST_APART = 0.01
#: Beyond this, in planes, a residual is no line that was moved.
_LARGEST = 2.0
#: A line that should have been multiplied by less than this is another one.
_LEAST_FACTOR = 0.3
#: Lines without which a band has no misfit, and with which its misfit may be curved along the band.
_LEAST_LINES, _CURVED_LINES = 5, 10
#: Scatter of lines, in planes, that is tried on top of their errors: blends that changed in themselves look moved.
_SCATTER = np.concatenate([[0.0], np.geomspace(1e-4, 1.0, 60)])
_HUBER, _ROUNDS = 1.5, 15


def with_misfit(result: SkyResult) -> SkyResult:
    """Return a result with the misfit of its bands.

    Notes
    -----
    What is left of each line is fitted by the line of the model and its slope by wavelength: a wrong factor leaves the
    one, a wrong wavelength the other. Through the shifts of the lines of a band goes a straight line, with ten lines a
    parabola, robustly, as the misfit may change its sign within the band; reported is the end or the middle where it
    stands out most. Its error is propagated, with the scatter of the lines about the curve where that is larger.
    """
    lines, slope = _model_lines(result)
    places, shifts, errors = _line_shifts(result, lines, slope)
    bands = []
    for band, (_, planes) in zip(result.bands, covered_bands(result.wavelength_um), strict=True):
        here = (places >= planes.start) & (places < planes.stop)
        bands.append(_measured(band, result, (places[here], shifts[here], errors[here]), (planes, slope[planes])))
    return dataclasses.replace(result, bands=tuple(bands))


def warn_of_misfit(result: SkyResult, p: SkyParameters) -> None:
    """Warn if lines lie so far beside those of the model that it pays to mend it; `plain` is not meant to move any."""
    bad = [band for band in result.bands if abs(band.misfit_pix) >= p.misfit_sigma * band.misfit_error_pix]
    gain = _gain(result.bands, bad)
    if result.method == "plain" or not gain >= p.misfit_gain:
        return
    first, *others = sorted(bad, key=lambda band: -abs(band.misfit_pix))
    more = f" (less in {', '.join(band.name for band in others)})" if others else ""
    msg = (
        f"{result.cube.label}: lines lie {first.misfit_pix:+.3f} ± {first.misfit_error_pix:.3f} planes beside those of "
        f"the model in band {first.name}{more}; without that {result.method} would leave {gain:.0%} less on lines: "
        f"{_advice(result.method, p)}"
    )
    warnings.warn(msg, KmosWarning, stacklevel=3)


def _advice(method: str, p: SkyParameters) -> str:
    """Tell what helps against a misfit."""
    if method == "davies" and not p.shift:
        return "set shift (--shift)"
    if not p.stretch:
        return "set stretch (--stretch)"
    return f"raise stretch_degree ({p.stretch_degree}) or give a sky nearer in time"


def _gain(bands: tuple[BandFit, ...], bad: list[BandFit]) -> float:
    """Return by which share the residual on all line pixels would shrink without the misfit of some bands."""
    total = sum(_power(band) for band in bands)
    rest = total - sum(band.misfit_share * _power(band) for band in bad)
    return 1.0 - float(np.sqrt(rest / total)) if total > 0 else 0.0


def _power(band: BandFit) -> float:
    return band.n_line_pixels * band.rms_after**2 if np.isfinite(band.rms_after) else 0.0


def _model_lines(result: SkyResult) -> tuple[Floats, Floats]:
    """Return the lines of the model, and their change if they lie a plane further."""
    model = result.model_spectrum
    lines = np.nan_to_num(model - beside_lines(model, result.line_mask))
    place = np.arange(lines.size)
    return lines, -CubicSpline(place, lines)(place, 1)


def _line_shifts(result: SkyResult, lines: Floats, slope: Floats) -> tuple[Floats, Floats, Floats]:
    """Return place, shift and its error, in planes, of each line that tells: least squares of line and slope."""
    used = result.line_mask & np.isfinite(result.left_spectrum) & (result.error_spectrum > 0)
    left = np.where(used, result.left_spectrum, 0.0)
    weight = np.where(used, result.error_spectrum, np.inf) ** -2.0
    lowest = lines == ndimage.minimum_filter1d(lines, 2 * _APART + 1)
    starts = np.union1d([0], np.flatnonzero(lowest))

    def total(values: Floats) -> Floats:
        return np.asarray(np.add.reduceat(values * weight, starts))

    both, own, power = total(lines * slope), total(slope**2), total(lines**2)
    determinant = own * power - both**2
    told = (np.add.reduceat(used.astype(int), starts) >= _LEAST_PLANES) & (determinant > _LEAST_APART * own * power)
    determinant = np.where(told, determinant, 0.0)
    by_slope, by_line = total(left * slope), total(left * lines)
    factor = 1 + divide(own * by_line - both * by_slope, determinant)  # what the line should have been multiplied by
    shifts = divide(power * by_slope - both * by_line, determinant) / factor
    errors = np.sqrt(divide(power, determinant))
    places = divide(total(np.arange(left.size) * slope**2), own)
    told &= (errors < _LEAST_TOLD) & (factor > _LEAST_FACTOR) & (np.abs(shifts) < _LARGEST)
    return places[told], shifts[told], errors[told]


def _measured(
    band: BandFit, result: SkyResult, found: tuple[Floats, Floats, Floats], of_band: tuple[slice, Floats]
) -> BandFit:
    """Return a band with its misfit, as `with_misfit` describes it, and its share in what is left on the lines."""
    places, shifts, errors = found
    if places.size < _LEAST_LINES:
        return band
    middle, half = 0.5 * (places.max() + places.min()), 0.5 * np.ptp(places)
    degree = 2 if places.size >= _CURVED_LINES else 1
    curve, covariance = _fit_curve((places - middle) / half, shifts, errors, degree)
    ends = legendre.legvander([-1.0, 0.0, 1.0], degree)
    values, sigmas = ends @ curve, np.sqrt(np.sum((ends @ covariance) * ends, axis=1))
    most = int(np.argmax(np.abs(values) / sigmas))
    planes, slope = of_band
    along = np.clip((np.arange(planes.start, planes.stop) - middle) / half, -1, 1)
    moved = slope * legendre.legval(along, curve)
    used = result.line_mask[planes] & np.isfinite(result.left_spectrum[planes])
    whole = result.residual_spectrum - beside_lines(result.residual_spectrum, result.line_mask)
    share, share_of_whole = (_share(moved[used], each[planes][used]) for each in (result.left_spectrum, whole))
    if share_of_whole < -1:  # more is left without it: it came with the features of stars that were taken off
        return band
    return dataclasses.replace(
        band, misfit_pix=float(values[most]), misfit_error_pix=float(sigmas[most]), misfit_share=max(share, 0.0)
    )


def _share(part: Floats, whole: Floats) -> float:
    """Return the share of the squares of the whole that are gone without a part of it."""
    return 1.0 - float(np.sum((whole - part) ** 2)) / max(float(np.sum(whole**2)), 1e-300)


def _fit_curve(u: Floats, shifts: Floats, errors: Floats, degree: int) -> tuple[Floats, Floats]:
    """Return a polynomial through shifts, by Huber's estimator, and its covariance."""
    columns = legendre.legvander(u, degree)
    curve, weight = np.zeros(degree + 1), errors**-2.0
    for _ in range(_ROUNDS):
        covariance = np.linalg.inv((columns.T * weight) @ columns)
        curve = covariance @ (columns.T @ (weight * shifts))
        off = np.abs(shifts - columns @ curve)
        sigmas = np.hypot(errors, _SCATTER[:, None])
        enough = 1.4826 * np.median(off / sigmas, axis=1) <= 1
        sigma = sigmas[np.argmax(enough)] if enough.any() else sigmas[-1]
        weight = np.minimum(1.0, _HUBER * sigma / np.maximum(off, 1e-12)) / sigma**2
    scatter = float(np.sum(weight * off**2)) / (u.size - degree - 1)
    return np.asarray(curve), np.asarray(covariance * max(1.0, scatter))
