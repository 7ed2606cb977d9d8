"""Radial velocities: by a line or a template, with the cube's own zero point, in the frame asked for."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import KmosError
from napari_kmos.measure.correlation import CorrelationParameters, correlate
from napari_kmos.measure.frames import FRAMES, add_velocities, barycentric_corrections, lsr_correction
from napari_kmos.spectral.lines import LIGHT_KMS
from napari_kmos.spectral.zero_points import ZeroPoint, zero_point_of
from napari_kmos.times import shares_of

if TYPE_CHECKING:
    from napari_kmos.measure.correlation import Correlation
    from napari_kmos.measure.line_fits import LineFit
    from napari_kmos.spectrum import StarSpectrum, Template

#: Slitlets agree to about 0.03 planes after calibration. The shares of them that an aperture of 0.6 arcsec and a ring
#: about it have differ by 0.4, in quadrature.
SLITLET_ERR_PIX = 0.012
#: Corrections of a combined cube's exposures that differ by more than this part of the error, 1 sigma, are told.
NOTED_SPREAD = 0.3
_UNKNOWN = ZeroPoint(shift_pix=math.nan)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Velocity:
    """A radial velocity, and what it is made of.

    Parameters
    ----------
    kms, err_kms : float
        Velocity in ``frame`` and 1 sigma, those of the zero point, of the rest wavelength and, of a combined cube, the
        spread of the exposures' corrections included; NaN without.
    frame : str
        ``"topocentric"``, ``"barycentric"`` or ``"lsr"``.
    method : str
        The line or the template.
    zero_kms, zero_err_kms : float
        What was taken off for the zero point of the cube, and 1 sigma; 0 and NaN if it is not known.
    apparent_kms : float
        As the wavelengths have it, with nothing taken off or added.
    correction_kms : float
        What was added for the observer's motion; of a combined cube the mean of its exposures' by their lengths.
    spread_kms : float
        Standard deviation of the exposures' corrections: how far the cube's wavelengths are from being those of one
        frame. Which share each exposure has in a star is not known, so all of it is part of the error.
    correlation : Correlation, optional
        With a template.
    reason : str
        Why there is no velocity; empty if there is one.
    note : str
        What to know of it.
    """

    kms: float = math.nan
    err_kms: float = math.nan
    frame: str = "topocentric"
    method: str = ""
    zero_kms: float = 0.0
    zero_err_kms: float = math.nan
    apparent_kms: float = math.nan
    correction_kms: float = 0.0
    spread_kms: float = 0.0
    correlation: Correlation | None = None
    reason: str = ""
    note: str = ""


def sky_zero_point(spectrum: StarSpectrum, *, at_um: float | None = None) -> ZeroPoint:
    """Return the zero point of the wavelengths of a spectrum's cube.

    That which the file tells, else that of the sky lines in what was subtracted from the aperture, at ``at_um`` if
    given, in the middle of the spectrum if not; of NaN if neither tells any, as where the sky had been subtracted from
    the cube.
    """
    if math.isfinite(spectrum.zero_pix):
        return ZeroPoint(shift_pix=spectrum.zero_pix, err_pix=spectrum.zero_err_pix)
    if spectrum.medium != "vacuum":
        return _UNKNOWN
    return zero_point_of(spectrum.sky, spectrum.wavelength_um, at_um=at_um)


def velocity_by_template(
    spectrum: StarSpectrum,
    template: Template,
    *,
    zero_point: ZeroPoint | None = None,
    frame: str = "barycentric",
    slitlet_err_pix: float = SLITLET_ERR_PIX,
    parameters: CorrelationParameters | None = None,
) -> Velocity:
    """Measure the velocity of a star by cross-correlation with a template.

    Parameters
    ----------
    spectrum : StarSpectrum
        Wavelengths in vacuum.
    template : Template
        At rest.
    zero_point : ZeroPoint, optional
        Of the cube; `sky_zero_point` of the spectrum if None, none if of NaN.
    frame : str
        One of `FRAMES`. Where the spectrum has no date the velocity stays topocentric, and ``note`` says so.
    slitlet_err_pix : float
        How far, 1 sigma, the wavelengths of a star may lie from those of the cube's sky, in planes: they fall on
        different slitlets. Part of the error where the zero point is known.
    parameters : CorrelationParameters, optional
        See `correlate`.

    Returns
    -------
    Velocity
        Without a velocity ``reason`` says why. Where the zero point is not known the error is that of the fit alone:
        wavelengths may be off by far more than slitlets differ, and ``note`` says that they are not known.

    Raises
    ------
    KmosError
        If the frame is unknown, or a window does not go upwards.
    """
    check_frame(frame)
    velocity = Velocity(method=f"template {template.name}")
    if spectrum.medium != "vacuum":
        reason = f"its wavelengths are in {spectrum.medium}, those of the template in vacuum"
        return dataclasses.replace(velocity, reason=reason)
    found = correlate(
        spectrum.wavelength_um,
        spectrum.flux,
        template,
        noise=spectrum.noise,
        parameters=parameters or CorrelationParameters(),
    )
    if found.reason:
        return dataclasses.replace(velocity, correlation=found, reason=found.reason)
    measured = (found.velocity_kms, found.err_kms, found.middle_um)
    zero = sky_zero_point(spectrum, at_um=found.middle_um) if zero_point is None else zero_point
    zero = _with_slitlets(zero, slitlet_err_pix)
    return dataclasses.replace(_in_frame(spectrum, measured, zero, frame), method=velocity.method, correlation=found)


def velocity_by_line(
    spectrum: StarSpectrum,
    fit: LineFit,
    *,
    zero_point: ZeroPoint | None = None,
    frame: str = "barycentric",
    slitlet_err_pix: float = SLITLET_ERR_PIX,
) -> Velocity:
    """Return the velocity that a fitted line tells; the rest is as in `velocity_by_template`.

    Raises
    ------
    KmosError
        If the frame is unknown.
    """
    check_frame(frame)
    velocity = Velocity(method=f"line {fit.line.name}")
    if fit.reason:
        return dataclasses.replace(velocity, reason=fit.reason)
    rest = fit.line.wavelength_um
    known = fit.line.err_um if math.isfinite(fit.line.err_um) else 0.0
    err_kms = LIGHT_KMS * math.hypot(fit.centre_err_um, known) / rest
    measured = (LIGHT_KMS * (fit.centre_um / rest - 1), err_kms, fit.centre_um)
    zero = sky_zero_point(spectrum, at_um=fit.centre_um) if zero_point is None else zero_point
    zero = _with_slitlets(zero, slitlet_err_pix)
    return dataclasses.replace(_in_frame(spectrum, measured, zero, frame), method=velocity.method)


def check_frame(frame: str) -> None:
    """Raise `KmosError` if a frame is unknown."""
    if frame not in FRAMES:
        msg = f"frame {frame!r} is unknown; expected {', '.join(FRAMES)}"
        raise KmosError(msg)


def _with_slitlets(zero: ZeroPoint, error_pix: float) -> ZeroPoint:
    """Return a zero point with the error that it has for a star."""
    return dataclasses.replace(zero, err_pix=math.hypot(0.0 if math.isnan(zero.err_pix) else zero.err_pix, error_pix))


def _in_frame(spectrum: StarSpectrum, measured: tuple[float, float, float], zero: ZeroPoint, frame: str) -> Velocity:
    """Return a velocity in the frame asked for, of one that the wavelengths have, its error, and about where."""
    apparent, err_kms, at_um = measured
    per_um = LIGHT_KMS / at_um
    kms = add_velocities(apparent, -per_um * _shift_um(spectrum, zero))
    zero_err = per_um * _step_um(spectrum) * zero.err_pix if zero.is_known else math.nan
    notes = [] if zero.is_known else ["zero point of the wavelengths unknown"]
    if frame != "topocentric" and not spectrum.times:
        notes.append("no date: topocentric")
        frame = "topocentric"
    correction, spread = correction_of(spectrum, frame)
    err_kms = math.hypot(err_kms, zero_err if math.isfinite(zero_err) else 0.0)
    notes += _date_notes(spectrum, frame, spread, err_kms)
    return Velocity(
        kms=add_velocities(kms, correction),
        err_kms=math.hypot(err_kms, spread),
        frame=frame,
        zero_kms=per_um * _shift_um(spectrum, zero),
        apparent_kms=apparent,
        zero_err_kms=zero_err,
        correction_kms=correction,
        spread_kms=spread,
        note="; ".join(notes),
    )


def correction_of(spectrum: StarSpectrum, frame: str) -> tuple[float, float]:
    """Return what to add to a topocentric velocity of a spectrum that has a date, in km/s, with `add_velocities`.

    Of a combined cube the mean over its exposures by their lengths, and the standard deviation of that.
    """
    if frame == "topocentric" or not spectrum.times:
        return 0.0, 0.0
    ra, dec = spectrum.aperture.ra, spectrum.aperture.dec
    motion = lsr_correction(ra, dec) if frame == "lsr" else 0.0
    each = barycentric_corrections(ra, dec, [one.middle_mjd for one in spectrum.times])
    shares = np.asarray(shares_of(spectrum.times))
    mean = float(shares @ each)
    return mean + motion, math.sqrt(float(shares @ (each - mean) ** 2))


def _date_notes(spectrum: StarSpectrum, frame: str, spread_kms: float, err_kms: float) -> list[str]:
    """Say where the correction is not that of one date."""
    if frame == "topocentric":
        return []
    if spectrum.n_combined > 1 and not spectrum.exposures:
        return [f"date of the first of {spectrum.n_combined} exposures: the correction is of that one"]
    if spread_kms <= NOTED_SPREAD * err_kms:
        return []
    days = np.ptp([one.middle_mjd for one in spectrum.times])
    text = (
        f"corrections of {len(spectrum.times)} exposures in {days:.1f} days differ by {spread_kms:.1f} km/s (1 sigma)"
    )
    return [f"{text}, part of the error; combine by epoch"]


def _shift_um(spectrum: StarSpectrum, zero: ZeroPoint) -> float:
    """By how much the wavelengths are too long."""
    return _step_um(spectrum) * zero.shift_pix if zero.is_known else 0.0


def _step_um(spectrum: StarSpectrum) -> float:
    """Distance of the planes."""
    return float(np.median(np.diff(spectrum.wavelength_um)))
