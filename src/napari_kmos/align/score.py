"""How well two images agree at any offset, in a few milliseconds: what is seen while one of them is moved.

`PairScore` is prepared once for a pair of images, in a thread; then `PairScore.at` and `PairScore.curve` answer at any
offset, however often. An offset is what is added to the WCS of the moving image, (east, north) in arcsec.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter

from napari_kmos.align.images import cut_near, with_noise
from napari_kmos.align.parameters import AlignParameters
from napari_kmos.align.star_pairs import StarSearch, pair_stars, star_places
from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.spatial.filling import fill_missing
from napari_kmos.spatial.smoothing import diffuse
from napari_kmos.spatial.wcs import offset_arcsec, pixel_to_pixel, pixel_to_sky

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from napari_kmos.cube import Image

    Floats = NDArray[np.float64]

_MIN_COVERAGE, _MIN_PIXELS, _DARK_PERCENT = 0.8, 12, 20.0
#: Star light of an image, as percentiles: two images of one field are brought to one flux scale by it.
_LIGHT_PERCENTS = (25.0, 95.0)
#: Flux scales further from that than this are not of one field.
_GAIN_RANGE = (0.3, 3.0)
#: Variances, in arcsec squared, by which the sharper image is smoothed to the seeing of the other; between them images
#: are interpolated, in so many steps, which is good to 2 % of a star's peak.
_SEEING_ARCSEC2 = (0.0, 0.02, 0.04, 0.08, 0.16)
_STEPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well two images agree at an offset.

    Parameters
    ----------
    residual : float
        Root mean square, over the overlap, of (moving - gain * reference - background) over its noise, the model error
        included: about 1 where all is as it should be. NaN if too little overlaps.
    n_matched : int
        Stars found in both, matched one to one.
    n_stars : int
        Stars of the moving image that lie on data of the reference: so many could have been matched.
    rms_arcsec : float
        Root mean square of the distances of the matched stars; NaN without one.
    gain, background : float
        Moving = gain * reference + background; NaN if too little overlaps.
    """

    residual: float
    n_matched: int
    n_stars: int
    rms_arcsec: float
    gain: float
    background: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ScoreCurve:
    """The residual on a cross through an offset, with the seeing as matched in its middle.

    Parameters
    ----------
    steps_arcsec : ndarray, shape (n,)
        From the offset; 0 is in the middle if n is odd.
    east, north : ndarray, shape (n,)
        `Score.residual` at so many arcsec further east, and further north; NaN where too little overlaps.
    """

    steps_arcsec: Floats
    east: Floats
    north: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """The moving image by gain * model + background: an element each for many models, or that of one."""

    residual: Floats
    gain: Floats
    background: Floats


class PairScore:
    """Scores of two images over their offset.

    Parameters
    ----------
    reference : Image
        Shape (n_y, n_x), of any size, rotation and spaxel size, in any unit; NaN is no data. Its WCS is taken to be
        right: one that was itself moved comes with its corrected WCS. Without noise, it is estimated where it is dark.
    moving : Image
        Another one, with its WCS as its header has it.
    parameters : AlignParameters, optional
        ``model_error`` and ``min_overlap`` are used; the defaults if not given.
    stars : StarSearch, optional
        How stars are found and matched; the defaults if not given.
    reach_arcsec : float
        How far, in each axis, the moving image can be moved: of a large reference only so much around it is used.
    most_pixels : int
        Of a moving image with more, so many are scored, chosen at random and always the same.

    Raises
    ------
    AlignmentError
        If one has no data, or the two lie further apart than that.

    Notes
    -----
    At each offset, gain and background are fitted by weighted least squares, for a grid of differences in seeing, the
    best of which counts. The weights depend neither on the offset nor on the fit, so that no wrong offset is rewarded.
    """

    def __init__(
        self,
        reference: Image,
        moving: Image,
        *,
        parameters: AlignParameters | None = None,
        stars: StarSearch | None = None,
        reach_arcsec: float = 5.0,
        most_pixels: int = 1500,
    ) -> None:
        self._parameters = parameters or AlignParameters()
        self._search = stars or StarSearch()
        moving = with_noise(moving)
        reference = with_noise(cut_near(reference, moving, reach_arcsec=reach_arcsec))
        self._to_pixels = np.linalg.inv(_step_arcsec(reference.wcs, reference.data.shape))
        known = np.flatnonzero(np.isfinite(moving.data))
        chosen = np.random.default_rng(1).choice(known, min(len(known), most_pixels), replace=False)
        self._pixels = np.unravel_index(np.sort(chosen), moving.data.shape)
        self._at = np.asarray(pixel_to_pixel(moving.wcs, reference.wcs, *self._pixels), dtype=float)
        self._everywhere = np.asarray(pixel_to_pixel(moving.wcs, reference.wcs, *np.indices(moving.data.shape)))
        self._reference_is_known = np.isfinite(reference.data).astype(float)
        self._prepare_fluxes(reference, moving)
        self._prepare_stars(reference, moving)

    def at(self, dra_arcsec: float, ddec_arcsec: float) -> Score:
        """Return the score at an offset (east, north)."""
        fit, _ = self._best(dra_arcsec, ddec_arcsec)
        offset = np.array([dra_arcsec, ddec_arcsec])
        is_covered = self._covered(self._stars_at + (self._to_pixels @ offset)[:, None])
        moved = self._moving_stars[is_covered] + offset
        pairs = pair_stars(moved, self._stars, radius=self._search.match_arcsec)
        squares = np.sum((moved[pairs[:, 0]] - self._stars[pairs[:, 1]]) ** 2, axis=1)
        return Score(
            residual=float(fit.residual),
            n_matched=len(pairs),
            n_stars=len(moved),
            rms_arcsec=float(np.sqrt(np.mean(squares))) if len(pairs) else float("nan"),
            gain=float(fit.gain * self._unit),
            background=float(fit.background),
        )

    def curve(self, dra_arcsec: float, ddec_arcsec: float, *, reach_arcsec: float = 0.6, n: int = 21) -> ScoreCurve:
        """Return the residual along east and along north through an offset, ``reach_arcsec`` to either side."""
        _, seeing = self._best(dra_arcsec, ddec_arcsec)
        steps = np.linspace(-reach_arcsec, reach_arcsec, n)
        cross = np.zeros((2, 2 * n))
        cross[0, :n] = cross[1, n:] = steps
        at = self._moved(np.array([[dra_arcsec], [ddec_arcsec]]) + cross)
        model = _sample(_between(self._splines, max(seeing, 0.0)), at)
        residual = self._fit(model, _between(self._moving, max(-seeing, 0.0)), self._covered(at)).residual
        return ScoreCurve(steps_arcsec=steps, east=residual[:n], north=residual[n:])

    def best_near(self, dra_arcsec: float, ddec_arcsec: float, *, reach_arcsec: float = 0.7, n: int = 8) -> Score:
        """Return the best of the scores at n x n offsets about one: its flux scale is good enough to begin with."""
        steps = np.linspace(-reach_arcsec, reach_arcsec, n)
        places = [(dra_arcsec, ddec_arcsec)] + [(dra_arcsec + dx, ddec_arcsec + dy) for dx in steps for dy in steps]
        residuals = [float(self._best(*place)[0].residual) for place in places]
        known = np.where(np.isfinite(residuals), residuals, np.inf)
        return self.at(*places[int(np.argmin(known))])

    def difference(self, dra_arcsec: float, ddec_arcsec: float) -> Floats:
        """Return moving - gain * reference - background at an offset, the seeing of the two matched.

        Returns
        -------
        ndarray, shape (n_y, n_x) of the moving image
            In its unit; NaN where one of the two has no data, or too little overlaps.
        """
        fit, seeing = self._best(dra_arcsec, ddec_arcsec)
        at = self._everywhere + (self._to_pixels @ (dra_arcsec, ddec_arcsec))[:, None, None]
        model = _sample(_between(self._splines, max(seeing, 0.0)), at)
        difference = _between(self._smooth, max(-seeing, 0.0)) - fit.gain * model - fit.background
        return np.where(self._covered(at) & self._is_known, difference, np.nan)

    def _prepare_fluxes(self, reference: Image, moving: Image) -> None:
        """Smooth each by all variances: the reference as spline coefficients, in the unit of the moving image."""
        smooth = [_smoothed(one) for one in (reference, moving)]
        self._unit = _light(smooth[1][-1], moving) / _light(smooth[0][-1], reference)
        self._splines = self._unit * np.stack([spline_filter(one, order=3, mode="mirror") for one in smooth[0]])
        self._smooth, self._is_known = smooth[1], np.isfinite(moving.data)
        self._moving = self._smooth[:, self._pixels[0], self._pixels[1]]
        data = np.asarray(moving.data, dtype=float)[self._pixels]
        finer = min(1.0, pixel_scale_arcsec(reference.wcs) / pixel_scale_arcsec(moving.wcs))  # many are averaged
        noise = [_noise(reference) * finer, _noise(moving)]
        light = data - np.percentile(data, _DARK_PERCENT)
        sigma2 = (self._unit * noise[0]) ** 2 + noise[1] ** 2 + (self._parameters.model_error * light) ** 2
        self._weight = 1 / sigma2
        self._needed = max(_MIN_PIXELS, self._parameters.min_overlap * data.size)

    def _prepare_stars(self, reference: Image, moving: Image) -> None:
        """Find the stars of both, as (east, north) arcsec from the centre of the moving image."""
        centre = [(size - 1) / 2 for size in moving.data.shape]
        origin = pixel_to_sky(moving.wcs, *centre)
        self._stars, self._moving_stars = (star_places(one, origin, self._search) for one in (reference, moving))
        middle = np.array(pixel_to_pixel(moving.wcs, reference.wcs, *centre))
        self._stars_at = middle[:, None] + self._to_pixels @ self._moving_stars.T

    def _best(self, east: float, north: float) -> tuple[_Fit, float]:
        """Fit at an offset, and the seeing: the level of smoothing of the reference, or minus that of the other."""
        at = self._moved(np.array([[east], [north]]))[:, 0]
        models = np.stack([_sample(spline, at) for spline in self._splines])
        last = len(models) - 1
        levels = np.linspace(-last, last, 2 * _STEPS * last + 1)
        fits = self._fit(
            _between(models, np.maximum(levels, 0)), _between(self._moving, np.maximum(-levels, 0)), self._covered(at)
        )
        best = int(np.argmin(fits.residual))
        return _Fit(fits.residual[best], fits.gain[best], fits.background[best]), float(levels[best])

    def _fit(self, model: Floats, data: Floats, used: NDArray[np.bool_]) -> _Fit:
        """Fit models, shape (..., n_pixels), by gain and background; NaN where too few pixels are used."""
        weight = self._weight * used
        count, total = used.sum(axis=-1), weight.sum(axis=-1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            x = model - (weight * model).sum(axis=-1, keepdims=True) / total
            mean = (weight * data).sum(axis=-1, keepdims=True) / total
            gain = (weight * x * data).sum(axis=-1) / (weight * x**2).sum(axis=-1)
            gain = np.where(count >= self._needed, np.clip(gain, *_GAIN_RANGE), np.nan)
            misfit = data - mean - gain[..., None] * x
            residual = np.sqrt((weight * misfit**2).sum(axis=-1) / count)
        return _Fit(residual, gain, mean[..., 0] - gain * (model - x)[..., 0])

    def _moved(self, offsets: Floats) -> Floats:
        """Where the pixels lie on the reference at offsets (east, north), shape (2, n): (2, n, n_pixels)."""
        return self._at[:, None] + (self._to_pixels @ offsets)[:, :, None]

    def _covered(self, at: Floats) -> NDArray[np.bool_]:
        """Tell which places rest on data of the reference."""
        share = map_coordinates(self._reference_is_known, at, order=1, mode="constant", cval=0.0)
        return np.asarray(share > _MIN_COVERAGE)


def _step_arcsec(wcs: WCS, shape: tuple[int, ...]) -> Floats:
    """Return the matrix from steps (y, x) in pixels to (east, north) in arcsec at the centre of an image."""
    y, x = ((size - 1) / 2 for size in shape)
    origin = pixel_to_sky(wcs, y, x)
    steps = [offset_arcsec(*origin, *pixel_to_sky(wcs, *place)) for place in ((y + 1, x), (y, x + 1))]
    return np.array(steps).T


def _light(smooth: Floats, image: Image) -> float:
    """Star light of an image, as a range of its values in wide seeing: sharp stars fill few pixels."""
    low, high = np.percentile(smooth[np.isfinite(image.data)], _LIGHT_PERCENTS)
    return max(float(high - low), _noise(image))


def _noise(image: Image) -> float:
    return float(np.nanmedian(np.asarray(image.noise)))


def _smoothed(image: Image) -> Floats:
    """Return an image smoothed to each seeing, shape (n, n_y, n_x), no data filled."""
    data = np.asarray(image.data, dtype=float)
    filled = fill_missing(data[None], np.isfinite(data)[None])[0]
    scale = pixel_scale_arcsec(image.wcs)
    return np.stack([diffuse(filled, variance / scale**2) for variance in _SEEING_ARCSEC2])


def _sample(spline: Floats, at: Floats) -> Floats:
    return np.asarray(map_coordinates(spline, at, order=3, prefilter=False, mode="mirror"))


def _between(stack: Floats, level: float | Floats) -> Floats:
    """Interpolate in a stack of arrays, shape (n, ...); of many levels, each gives one."""
    below = np.clip(np.floor(level).astype(int), 0, len(stack) - 2)
    share = (level - below).reshape(np.shape(level) + (1,) * (stack.ndim - 1))
    return np.asarray((1 - share) * stack[below] + share * stack[below + 1])
