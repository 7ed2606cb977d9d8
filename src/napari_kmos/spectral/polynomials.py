"""Polynomials through spectra, with outliers left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import legendre

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_POINTS_PER_TERM = 8
_CLIP_PASSES = 3
_MAD = 1.4826


def fit_polynomial(
    x: Floats, y: Floats, degree: int, *, clip: tuple[float, float], weight: Floats | None = None
) -> tuple[NDArray[np.bool_], Floats]:
    """Fit Legendre polynomials by least squares, leaving out outliers three times over.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Ascending, finite.
    degree : int
        Lowered where there are fewer than eight points a term.
    clip : (float, float)
        Points this many robust standard deviations below and above the fit are left out.
    weight : ndarray, shape (n,), optional
        Square root of the statistical weight of each point, such as 1 over its noise.

    Returns
    -------
    tuple
        Which points were kept, and the coefficients on x scaled to [-1, 1] by `scaled`.
    """
    w = np.ones(x.size, dtype=float) if weight is None else weight
    terms = max(0, min(degree, x.size // _POINTS_PER_TERM - 1)) + 1
    basis = np.asarray(legendre.legvander(scaled(x, x), terms - 1), dtype=float)
    kept = np.ones(x.size, dtype=bool)
    for _ in range(_CLIP_PASSES):
        residual = w * (y - basis @ _solve(basis, y, w, kept))
        now = within(residual, kept, clip)
        if now is None or np.count_nonzero(now) <= 2 * terms or np.array_equal(now, kept):
            break
        kept = now
    return kept, _solve(basis, y, w, kept)


def evaluate_polynomial(x: Floats, coefficients: Floats, reference: Floats) -> Floats:
    """Return the values at ``x`` of a polynomial that was fitted on ``reference``."""
    return np.asarray(legendre.legval(scaled(x, reference), coefficients), dtype=float)


def scaled(x: Floats, reference: Floats) -> Floats:
    """Map the range of the reference, ascending, to [-1, 1]."""
    centre, half = 0.5 * (reference[0] + reference[-1]), 0.5 * (reference[-1] - reference[0])
    return np.asarray((x - centre) / (half or 1.0))


def within(residual: Floats, kept: NDArray[np.bool_], clip: tuple[float, float]) -> NDArray[np.bool_] | None:
    """Return which residuals lie within so many robust standard deviations of those kept; None if these are all 0."""
    sigma = _MAD * float(np.median(np.abs(residual[kept])))
    if sigma == 0:
        return None
    return np.asarray((residual > -clip[0] * sigma) & (residual < clip[1] * sigma))


def _solve(basis: Floats, y: Floats, w: Floats, kept: NDArray[np.bool_]) -> Floats:
    """Weighted least squares."""
    return np.asarray(np.linalg.lstsq(basis[kept] * w[kept, None], y[kept] * w[kept], rcond=None)[0], dtype=float)
