"""Where the known lines lie in a spectrum of the sky, and how bright they are in it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, sparse
from scipy.special import ndtr

from napari_kmos.sky._banded import solve_ridge
from napari_kmos.sky._comb import DENSITY, FWHM_PER_SIGMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky._level_groups import LevelGroups
    from napari_kmos.sky.parameters import SkyParameters

    Floats = NDArray[np.float64]

#: A line is followed this many sigma to either side.
_REACH_SIGMA = 4.0
#: A round changes the logarithm of a strength, and a place in planes, by no more than this.
_LARGEST_STEP = np.array([1.0, 0.5])
#: Lines whose place the spectrum tells this many times better than the list tell how good the list is, if there are
#: so many; in the first rounds the lines are still on their way.
_TELLING, _LEAST_LINES, _FIRST_ROUNDS = 5.0, 10, 3
#: No list is better than this, in planes.
_BEST_LIST = 0.03


def measure_lines(groups: LevelGroups, spectrum: Floats, noise: Floats, fwhm: float, p: SkyParameters) -> LevelGroups:
    """Return the same lines at the places and with the strengths that they have in a spectrum.

    The list tells which lines there are and about where: all together may lie some planes further, each by itself a
    little. How far it is off is told by the lines that stand alone, and then expected of those that are blended.

    Parameters
    ----------
    groups : LevelGroups
        The lines of the list.
    spectrum, noise : ndarray, shape (n_planes,)
        Spectrum above its continuum, and 1 sigma; no gaps.
    fwhm : float
        Of the lines, in planes.
    p : SkyParameters
        How far the list may be off.
    """
    state, common = np.zeros((2, groups.strength.size)), np.zeros(2)
    expected = np.array([p.list_strength, p.list_error])
    groups = _moved_and_scaled(groups, spectrum, fwhm, p)
    for number in range(p.list_rounds):
        lines, slopes = _spectrum(groups, state, spectrum.size, fwhm)
        error = np.hypot(noise, p.list_model_error * np.maximum(lines, spectrum))
        left = (spectrum - lines) / error
        weight = np.sqrt(np.minimum(1.0, p.list_huber / np.maximum(np.abs(left), 1e-12)))
        slopes = slopes.multiply((weight / error)[:, None]).tocsr()
        telling = slopes.multiply(slopes).sum(axis=0)[1::2] > (_TELLING / p.list_error) ** 2
        if np.count_nonzero(telling) >= _LEAST_LINES:
            common = np.median(state[:, telling], axis=1)
            if number >= _FIRST_ROUNDS:
                spread = 1.4826 * float(np.median(np.abs(state[1, telling] - common[1])))
                expected[1] = max(spread, _BEST_LIST)
        precision = np.tile(expected**-2.0, groups.strength.size)
        gradient = slopes.T @ (left * weight) - precision * (state.T - common).ravel()
        step = solve_ridge(slopes, precision, gradient).reshape(-1, 2).T
        state += np.clip(step, -_LARGEST_STEP[:, None], _LARGEST_STEP[:, None])
    return _changed(groups, state)


def _changed(groups: LevelGroups, state: Floats) -> LevelGroups:
    """Return lines with logarithms of factors and shifts in planes, shape (2, n_lines)."""
    return dataclasses.replace(
        groups, strength=groups.strength * np.exp(state[0]), position_pix=groups.position_pix + state[1]
    )


def _moved_and_scaled(groups: LevelGroups, spectrum: Floats, fwhm: float, p: SkyParameters) -> LevelGroups:
    """Return the lines all moved by as many tenths of a plane, and scaled, as fits the spectrum best."""
    above = np.maximum(spectrum, 0)
    usual, _ = _spectrum(groups, np.zeros((2, groups.strength.size)), spectrum.size, fwhm)
    steps = np.arange(-p.list_shift, p.list_shift + 0.05, 0.1)
    moved = [np.maximum(ndimage.shift(usual, step, order=1), 0) for step in steps]
    # Square roots, so that not the brightest line alone decides.
    best = int(np.argmax([np.sqrt(above) @ np.sqrt(lines) for lines in moved]))
    overlap = float(above @ moved[best])
    if overlap <= 0:
        return groups
    scale = np.log(overlap / float(moved[best] @ moved[best]))
    return _changed(groups, np.array([[scale], [float(steps[best])]]))


def _spectrum(groups: LevelGroups, state: Floats, n_planes: int, fwhm: float) -> tuple[Floats, sparse.csr_array]:
    """Return the spectrum of the lines, and its slopes by logarithm of strength and place of each in turn."""
    lines, sigma = _changed(groups, state), fwhm / FWHM_PER_SIGMA
    reach = int(np.ceil(_REACH_SIGMA * sigma)) + 1
    planes = np.rint(lines.position_pix).astype(int)[:, None] + np.arange(-reach, reach + 2)
    v = (planes - 0.5 - lines.position_pix[:, None]) / sigma
    by_strength = lines.strength[:, None] * np.diff(ndtr(v), axis=1)
    by_place = -lines.strength[:, None] * np.diff(DENSITY * np.exp(-0.5 * v**2), axis=1) / sigma
    planes = planes[:, :-1]
    inside = (planes >= 0) & (planes < n_planes)
    number = np.broadcast_to(2 * np.arange(lines.strength.size)[:, None], planes.shape)[inside]
    values = np.concatenate([by_strength[inside], by_place[inside]])
    places = (np.tile(planes[inside], 2), np.concatenate([number, number + 1]))
    slopes = sparse.coo_array((values, places), shape=(n_planes, 2 * lines.strength.size)).tocsr()
    spectrum = np.bincount(planes[inside], weights=by_strength[inside], minlength=n_planes)
    return np.asarray(spectrum, dtype=float), slopes
