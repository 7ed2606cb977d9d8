"""The wavelength zero point of a cube: how far its airglow lines lie from where they are in vacuum.

Lines that lie together are fitted together, with the ratios that the list has. Where these would matter, since lines of
other levels blend, the group is left out. What counts is the shift in the middle of the spectrum, or where it is asked
for, by a robust straight line through those of the groups: the flexure of a spectrograph changes along it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from scipy.special import ndtr

from napari_kmos.errors import KmosError
from napari_kmos.lazy import plane_blocks, read_piece
from napari_kmos.spectral.oh import sky_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.spectral.oh import SkyLines

    Floats = NDArray[np.float64]
    _Fitted = tuple[float, float, float, float, float]

#: Planes of which the brightness of the spaxels is told.
_N_WHITE = 128
_CONTINUUM_PIX = 61
#: Lines count as one group if they lie nearer than this, in FWHM; the fit reaches so far beyond them.
_BLEND_FWHM, _REACH_FWHM = 1.6, 1.6
#: Ratios of levels vary by this part; a group whose centre that moves by more, in planes, is left out.
_RATIO_ERROR, _MOST_MOVED_PIX = 0.3, 0.05
_FAINTEST = 0.02
_COARSE_PIX = 0.1
_ROUNDS = 5
_MIN_SIGNIFICANCE = 5.0
_MIN_GROUPS = 5
#: Half of the groups must stand out, or this many: what a subtraction of the sky leaves is no spectrum of the sky.
_ENOUGH_GROUPS = 10
_CLIP_SIGMA = 3.0
#: First, groups further from the median than this times the scatter are left out.
_FAR = 5.0
_LEAST_SCATTER_PIX = 1e-3
#: Groups over less than this part of the spectrum, of which each half counts 1, tell no slope.
_LONG_ENOUGH = 1.0
_FWHM = 2.354820045
_MAD = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroPoint:
    """How far the airglow lines of a cube lie from where they should be.

    Parameters
    ----------
    shift_pix : float
        In planes, positive towards longer wavelengths; NaN where it could not be measured.
    err_pix : float
        1 sigma.
    n_groups : int
        Groups of lines that it rests on.
    """

    shift_pix: float
    err_pix: float = float("nan")
    n_groups: int = 0

    @property
    def is_known(self) -> bool:
        """Whether it could be measured."""
        return bool(np.isfinite(self.shift_pix))


_UNKNOWN = ZeroPoint(shift_pix=float("nan"))


def measure_zero_point(
    cube: Cube, *, share: float = 0.5, fwhm_pix: float = 1.9, max_shift_pix: float = 3.0
) -> ZeroPoint:
    """Measure the zero point of a cube that still has its sky.

    Parameters
    ----------
    cube : Cube
        Shape (n_wavelength, n_y, n_x), in memory or lazy; wavelengths in vacuum.
    share : float
        Part of the spaxels that are taken: the darkest, where there are no stars.
    fwhm_pix : float
        FWHM of the lines in planes, about.
    max_shift_pix : float
        The shift is looked for up to this.

    Returns
    -------
    ZeroPoint
        Of NaN where too few lines stand out, as where the sky is subtracted.

    Raises
    ------
    KmosError
        If the wavelengths are in air, or a parameter makes no sense.
    """
    if cube.medium != "vacuum":
        msg = f"{cube.label}: its wavelengths are in {cube.medium}; expected vacuum, in which the sky lines are listed"
        raise KmosError(msg)
    if not (0 < share <= 1 and fwhm_pix > 0 and max_shift_pix > 0):
        msg = f"share {share:g}, fwhm_pix {fwhm_pix:g}, max_shift_pix {max_shift_pix:g}: expected positive numbers, "
        raise KmosError(msg + "and a share of 1 at most")
    return zero_point_of(dark_spectrum(cube, share), cube.wavelength_um, fwhm_pix=fwhm_pix, max_shift_pix=max_shift_pix)


def dark_spectrum(cube: Cube, share: float) -> Floats:
    """Return the mean spectrum of the darkest spaxels, shape (n_wavelength,); NaN where a plane has no data."""
    step = max(1, cube.shape[0] // _N_WHITE)
    white = _mean(np.concatenate([read_piece(cube.flux, (slice(k, k + 1),)) for k in range(0, cube.shape[0], step)]))
    known = np.isfinite(white)
    if not known.any():
        return np.full(cube.shape[0], np.nan)
    dark = known & (white <= np.quantile(white[known], share))
    pieces = [read_piece(cube.flux, (planes,))[:, dark] for planes in plane_blocks(cube.flux)]
    return np.concatenate([_mean(piece.T) for piece in pieces])


def zero_point_of(
    spectrum: Floats,
    wavelength_um: Floats,
    *,
    at_um: float | None = None,
    fwhm_pix: float = 1.9,
    max_shift_pix: float = 3.0,
) -> ZeroPoint:
    """Measure the zero point of a spectrum of the sky, shape (n_wavelength,); see `measure_zero_point`.

    It is that at a wavelength, ``at_um`` in micron; in the middle of the spectrum if None.
    """
    known = np.isfinite(spectrum)
    if np.count_nonzero(known) < _CONTINUUM_PIX:
        return _UNKNOWN
    filled = np.interp(np.arange(spectrum.size), np.flatnonzero(known), spectrum[known])
    above = filled - ndimage.median_filter(filled, _CONTINUUM_PIX, mode="nearest")
    above[~known] = np.nan
    lines = sky_lines((float(wavelength_um[0]), float(wavelength_um[-1])), faintest=1e-4)
    place = np.interp(lines.wavelength_um, wavelength_um, np.arange(spectrum.size))
    groups = _groups(lines, place, fwhm_pix)
    if len(groups) < _MIN_GROUPS:
        return _UNKNOWN
    shift = _coarse_shift(above, place, lines.strength, fwhm_pix, max_shift_pix)
    fits = [_fit(above, place[group], lines.strength[group], (shift, fwhm_pix / _FWHM)) for group in groups]
    found = [fit for fit in fits if fit is not None and abs(fit[1]) <= max_shift_pix]
    start, end = wavelength_um[0], wavelength_um[-1]
    at = 0.0 if at_um is None else (2 * at_um - start - end) / (end - start)
    return _robust(found, len(groups), at)


def _groups(lines: SkyLines, place: Floats, fwhm_pix: float) -> list[NDArray[np.int_]]:
    """Return which lines are fitted together: bright groups whose centre does not depend on ratios of levels."""
    breaks = np.flatnonzero(np.diff(place) > _BLEND_FWHM * fwhm_pix) + 1
    every = np.split(np.arange(place.size), breaks)
    strength = np.array([lines.strength[group].sum() for group in every])
    if not strength.size:
        return []
    kept = []
    for group, total in zip(every, strength, strict=True):
        if total <= 0:
            continue
        lever = lines.strength[group] * (place[group] - np.average(place[group], weights=lines.strength[group])) / total
        levels = 100_000 * lines.v_upper[group] + 10 * lines.n_upper[group] + lines.f_upper[group]
        moved = [lever[levels == level].sum() for level in np.unique(levels)]
        if total >= _FAINTEST * strength.max() and _RATIO_ERROR * np.linalg.norm(moved) <= _MOST_MOVED_PIX:
            kept.append(group)
    return kept


def _coarse_shift(above: Floats, place: Floats, strength: Floats, fwhm_pix: float, most: float) -> float:
    """Return the shift at which the spectrum is most like the list; square roots, so that no line rules."""
    planes = np.arange(above.size)
    spectrum = np.sqrt(np.maximum(np.nan_to_num(above), 0))
    steps = np.arange(-np.ceil(most / _COARSE_PIX), np.ceil(most / _COARSE_PIX) + 1) * _COARSE_PIX
    expected = np.sqrt(np.maximum(_profile(planes, place, strength, fwhm_pix / _FWHM), 0))
    likeness = [np.dot(spectrum, np.interp(planes - step, planes, expected)) for step in steps]
    return float(steps[int(np.argmax(likeness))])


def _profile(planes: NDArray[Any], place: Floats, strength: Floats, sigma: float) -> Floats:
    """Return the light of lines in planes, shape of these."""
    light = np.zeros(len(planes))
    reach = int(np.ceil(6 * sigma)) + 1
    for one, bright in zip(place, strength, strict=True):
        near = slice(*np.searchsorted(planes, (one - reach, one + reach)))
        edges = (planes[near] - one) / sigma
        light[near] += bright * (ndtr(edges + 0.5 / sigma) - ndtr(edges - 0.5 / sigma))
    return light


def _fit(above: Floats, place: Floats, strength: Floats, start: tuple[float, float]) -> _Fitted | None:
    """Return where a group of lines is, from -1 to 1, and its shift; None if it cannot be fitted.

    Then the noise by what the fit leaves, and the errors of the relative strength and of the shift for a noise of 1.
    """
    shift, sigma = start
    reach = _REACH_FWHM * _FWHM * sigma
    strength = strength / strength.sum()
    for _ in range(_ROUNDS):
        first, last = int(place[0] + shift - reach), int(np.ceil(place[-1] + shift + reach))
        planes = np.arange(max(first, 0), min(last + 1, above.size))
        values = above[planes]
        if first < 0 or last >= above.size or not np.isfinite(values).all():
            return None
        profile, narrower, wider = (
            _profile(planes, place + shift, strength, width) for width in (sigma, 0.95 * sigma, 1.05 * sigma)
        )
        slope = (
            _profile(planes, place + shift + 0.05, strength, sigma)
            - _profile(planes, place + shift - 0.05, strength, sigma)
        ) / 0.1
        columns = np.stack([profile, slope, wider - narrower, np.ones(len(planes))], axis=1)
        found, *_ = np.linalg.lstsq(columns, values, rcond=None)
        if found[0] <= 0:
            return None
        step = float(np.clip(found[1] / found[0], -0.5, 0.5))
        shift += step
    if abs(step) > _COARSE_PIX:
        return None
    spread = np.sqrt(np.sum((values - columns @ found) ** 2) / max(len(planes) - columns.shape[1], 1))
    errors = np.sqrt(np.diag(np.linalg.pinv(columns.T @ columns)))[:2] / found[0]
    along = 2 * float(np.average(place, weights=strength)) / (above.size - 1) - 1
    return along, shift, float(spread), float(errors[0]), float(errors[1])


def _robust(fits: list[_Fitted], n_groups: int, at: float) -> ZeroPoint:
    """Return the shift at a place from -1 to 1: that of a straight line through the groups, without outliers."""
    if len(fits) < _MIN_GROUPS:
        return _UNKNOWN
    along, shifts, spread, weakness, errors = np.array(fits).T
    # what a few planes leave tells little of their noise: it is no less than elsewhere
    noise = np.maximum(spread, np.median(spread))
    clear = weakness * noise < 1 / _MIN_SIGNIFICANCE
    if np.count_nonzero(clear) < max(_MIN_GROUPS, min(n_groups // 2, _ENOUGH_GROUPS)):
        return _UNKNOWN
    along, shifts, errors = along[clear], shifts[clear], (errors * noise)[clear]
    # a slope that the groups do not tell from zero is not asked for: they may all lie at one end
    design = np.stack([np.ones(len(along)), along - at], axis=1)[:, : 1 + bool(np.ptp(along) > _LONG_ENOUGH)]
    off = np.abs(shifts - np.median(shifts))
    weights = (off <= _FAR * np.maximum(_MAD * np.median(off), errors)) / (errors**2 + _LEAST_SCATTER_PIX**2)
    for _ in range(_ROUNDS):
        line, covariance = _line(design, shifts, weights)
        left = shifts - design @ line
        total = np.hypot(errors, _scatter(left[weights > 0], errors[weights > 0]))
        weights = (np.abs(left) <= _CLIP_SIGMA * total) / total**2
    line, covariance = _line(design, shifts, weights)
    return ZeroPoint(
        shift_pix=float(line[0]), err_pix=float(np.sqrt(covariance[0, 0])), n_groups=int(np.count_nonzero(weights))
    )


def _line(design: Floats, shifts: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the coefficients of a straight line, and their covariance."""
    covariance = np.asarray(np.linalg.inv(design.T @ (weights[:, None] * design)), dtype=float)
    return covariance @ (design.T @ (weights * shifts)), covariance


def _scatter(left: Floats, errors: Floats) -> float:
    """Return the scatter that lines have beside their noise: what brings their residuals to one standard deviation."""
    tried = np.concatenate([[_LEAST_SCATTER_PIX], np.geomspace(2 * _LEAST_SCATTER_PIX, 1, 40)])
    ratios = [_MAD * np.median(np.abs(left) / np.hypot(errors, one)) for one in tried]
    return float(tried[int(np.argmax(np.array(ratios) <= 1))])


def _mean(values: NDArray[Any]) -> Floats:
    """Return the mean over the first axis of what there is; NaN where there is nothing."""
    there = np.isfinite(values)
    count = there.sum(axis=0)
    total = np.where(there, values, 0).sum(axis=0, dtype=float)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))
