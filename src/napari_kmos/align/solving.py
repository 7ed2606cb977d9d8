"""World coordinates that are wrong: shift, rotation and scale from stars whose places are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import least_squares

from napari_kmos.errors import AlignmentError
from napari_kmos.spatial.fields import centre_of
from napari_kmos.spatial.wcs import offset_arcsec, pixel_to_sky, shift_wcs, turn_wcs

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray
    from scipy.optimize import OptimizeResult

    from napari_kmos.spatial.fields import Field

    Floats = NDArray[np.float64]

LEAST_PAIRS = 3
#: Pairs off by more than so many times the scatter of the others are left out.
_CLIP = 4.0
_ROUNDS = 10
#: Where distances begin to count less, and what no catalogue is better than.
_ROBUST_ARCSEC, _LEAST_SCATTER_ARCSEC = 0.1, 1e-3
#: Stars closer together than this, in arcsec, tell nothing of rotation and scale.
_LEAST_SPREAD_ARCSEC = 0.5
#: Pairs that leave more than this, in arcsec, are mixed up: a star pointed at is right to a spaxel or two.
_MOST_RMS_ARCSEC = 0.5


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StarPairs:
    """Stars of an image, and where they are on the sky.

    Parameters
    ----------
    y, x : ndarray, shape (n,)
        Pixels, 0-based.
    ra, dec : ndarray, shape (n,)
        Degrees, ICRS.
    ids : tuple of str
        Names.
    """

    y: Floats
    x: Floats
    ra: Floats
    dec: Floats
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.y)

    def at(self, which: NDArray[np.bool_]) -> StarPairs:
        """Return some of the pairs."""
        ids = tuple(name for name, kept in zip(self.ids, which, strict=True) if kept)
        return StarPairs(y=self.y[which], x=self.x[which], ra=self.ra[which], dec=self.dec[which], ids=ids)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Solution:
    """World coordinates that fit the stars.

    Parameters
    ----------
    wcs : WCS
        The corrected ones.
    shift_arcsec : tuple of float
        How far (east, north) the centre of the field moved.
    rotation_deg : float
        By how much the position angle of the y axis grew.
    scale : float
        Size of a pixel over what the header said.
    errors : tuple of float
        1 sigma of shift (each axis, arcsec), rotation (deg) and scale, from the scatter of the stars.
    pairs : StarPairs
        All that were given.
    residuals_arcsec : ndarray, shape (n, 2)
        (east, north) of the catalogue's places from those of the corrected coordinates.
    used : ndarray of bool, shape (n,)
        False for those that were left out of the fit.
    """

    wcs: WCS
    shift_arcsec: tuple[float, float]
    rotation_deg: float
    scale: float
    errors: tuple[float, float, float]
    pairs: StarPairs
    residuals_arcsec: Floats
    used: NDArray[np.bool_]

    @property
    def rms_arcsec(self) -> float:
        """Root mean square of the residuals of the stars used, in two dimensions."""
        return float(np.sqrt(np.mean(np.sum(self.residuals_arcsec[self.used] ** 2, axis=1))))


def solve_wcs(field: Field, pairs: StarPairs) -> Solution:
    """Fit shift, rotation and scale of world coordinates to stars whose places are known.

    Parameters
    ----------
    field : (WCS, (n_y, n_x))
        Coordinates as they are, and the size of the image.
    pairs : StarPairs
        Three or more.

    Returns
    -------
    Solution
        Pairs that contradict the rest are left out, as long as there are more than three.

    Raises
    ------
    AlignmentError
        If there are fewer than three pairs, their stars lie in one place, or no coordinates fit them to 0.5 arcsec.

    Notes
    -----
    Least squares of the distances on the sky, at first such that large ones count less; pairs beyond four times the
    scatter are left out, and all again.
    """
    _check(field[0], pairs)
    used = agreeing(_left(_corrected(field[0], _fit(field[0], pairs, robust=True).x), pairs))
    for _ in range(_ROUNDS):
        found = _fit(field[0], pairs.at(used))
        left = _left(_corrected(field[0], found.x), pairs)
        before, used = used, agreeing(left, used)
        if np.array_equal(before, used):
            break
    wcs = _corrected(field[0], found.x)
    there = centre_of(field), centre_of((wcs, field[1]))
    solution = Solution(
        wcs=wcs,
        shift_arcsec=offset_arcsec(*there[0], *there[1]),
        rotation_deg=float(found.x[2]),
        scale=float(found.x[3]),
        errors=_errors(field, found.x, found.jac, left[:, used]),
        pairs=pairs,
        residuals_arcsec=left.T,
        used=used,
    )
    if solution.rms_arcsec > _MOST_RMS_ARCSEC:
        msg = f"the {used.sum()} pairs of stars contradict each other: shift, rotation and scale fit them no better "
        raise AlignmentError(msg + f"than {solution.rms_arcsec:.1f} arcsec rms; see which star is which, or add pairs")
    return solution


def _check(wcs: WCS, pairs: StarPairs) -> None:
    """Refuse pairs that do not tell shift, rotation and scale."""
    if len(pairs) < LEAST_PAIRS:
        msg = f"{len(pairs)} pairs of stars are too few for shift, rotation and scale; {LEAST_PAIRS} or more are needed"
        raise AlignmentError(msg)
    east, north = offset_arcsec(float(pairs.ra[0]), float(pairs.dec[0]), pairs.ra, pairs.dec)
    seen = np.array(pixel_to_sky(wcs, pairs.y, pairs.x))
    if not np.isfinite([*east, *north, *seen.ravel()]).all():
        msg = "a pair has no place in the image or on the sky; expected finite pixels, and positions near the image"
        raise AlignmentError(msg)
    apart = offset_arcsec(float(seen[0, 0]), float(seen[1, 0]), *seen)
    spread = [np.hypot(np.std(one), np.std(other)) for one, other in ((east, north), apart)]
    if min(spread) < _LEAST_SPREAD_ARCSEC:
        msg = f"the {len(pairs)} stars lie in one place: they tell nothing of rotation and scale; take others too"
        raise AlignmentError(msg)


def _corrected(wcs: WCS, parameters: Floats) -> WCS:
    """Coordinates turned, scaled and shifted: east and north in arcsec, degrees, scale."""
    east, north, rotation_deg, scale = (float(value) for value in parameters)
    return shift_wcs(turn_wcs(wcs, rotation_deg, scale), east, north)


def _left(wcs: WCS, pairs: StarPairs) -> Floats:
    """How far (east, north, arcsec) the stars are from where the coordinates have them, shape (2, n)."""
    ra, dec = pixel_to_sky(wcs, pairs.y, pairs.x)
    return np.array(offset_arcsec(ra, dec, pairs.ra, pairs.dec))


def agreeing(left: Floats, used: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Tell which distances, shape (2, n), are not much larger than most; all if too few would be left."""
    size = np.hypot(*left)
    most = size if used is None else size[used]
    kept = size <= _CLIP * max(float(np.sqrt(np.median(most**2) / np.log(2))), _LEAST_SCATTER_ARCSEC)
    return kept if kept.sum() > max(LEAST_PAIRS, len(size) // 2) else np.ones(len(size), dtype=bool)


def _fit(wcs: WCS, pairs: StarPairs, *, robust: bool = False) -> OptimizeResult:
    """Least squares; large distances count less in one that is robust."""
    start = np.median(_left(wcs, pairs), axis=1)
    return least_squares(
        lambda p: _left(_corrected(wcs, p), pairs).ravel(),
        [*start, 0.0, 1.0],
        x_scale=[0.1, 0.1, 0.1, 1e-3],
        loss="cauchy" if robust else "linear",
        f_scale=_ROBUST_ARCSEC,
    )


def _errors(field: Field, parameters: Floats, jacobian: Floats, left: Floats) -> tuple[float, float, float]:
    """1 sigma of the shift of the centre, of rotation and scale."""
    scatter = float(np.sum(left**2)) / max(left.size - len(parameters), 1)
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * scatter
    steps = np.diag([1e-3, 1e-3, 1e-3, 1e-6])
    here = centre_of((_corrected(field[0], parameters), field[1]))
    moved = [
        np.divide(offset_arcsec(*here, *centre_of((_corrected(field[0], parameters + step), field[1]))), step.sum())
        for step in steps
    ]
    place = np.transpose(moved) @ covariance @ np.array(moved)
    return float(np.sqrt(np.trace(place) / 2)), float(np.sqrt(covariance[2, 2])), float(np.sqrt(covariance[3, 3]))
