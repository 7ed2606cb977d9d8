"""What is found in one IFU of a sky exposure: its stars, and its sky without them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.sky._clean_mask import NOTHING, Excess, excess_light, find_stars, sky_level
from napari_kmos.sky._clean_model import (
    MeanSky,
    mean_sky,
    mean_without_starlight,
    no_sky,
    scatter_of,
    sky_of_spaxels,
)
from napari_kmos.sky._level_spectra import SpaxelSpectra, gather_spectra, spaxels_with_data
from napari_kmos.spectral.nan import nan_median
from napari_kmos.spectral.noise import ensure_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.sky.cleaning_parameters import CleaningParameters

    Bools = NDArray[np.bool_]
    Floats = NDArray[np.float64]


#: So many spaxels tell a scatter.
_LEAST_SCATTER = 10


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What is kept of an IFU when its cube is no longer in memory.

    Parameters
    ----------
    used : ndarray of bool, shape (n_y, n_x)
        Spaxels with data.
    sky_mask : ndarray of bool, shape (n_y, n_x)
        Those that show sky.
    mean : MeanSky
        Sky of the IFU.
    excess : Excess
        Light of the spaxels that is not sky.
    level : float
        Excess of spaxels that show sky.
    crowded : bool
        Whether so few spaxels show sky that the mean was taken from spaxels with starlight.
    given : bool
        Whether the mask was given.
    scale_arcsec : float
        Side of a spaxel.
    """

    used: Bools
    sky_mask: Bools
    mean: MeanSky
    excess: Excess
    level: float
    crowded: bool
    given: bool
    scale_arcsec: float

    @property
    def has_data(self) -> bool:
        """Whether there is any sky in it."""
        return bool(np.isfinite(self.mean.flux).any())

    @property
    def typical_starlight(self) -> float:
        """Starlight of the spaxels, median."""
        return float(np.nanmedian(self.excess.light)) - self.level

    def spaxels(self) -> Bools:
        """Return which of the spaxels with data show sky, shape (n_spaxels,)."""
        return self.sky_mask[self.used]

    def starlight(self) -> Floats:
        """Return the light above the level of the sky as an image, shape (n_y, n_x); NaN in spaxels without data."""
        image = np.full(self.used.shape, np.nan)
        image[self.used] = self.excess.light - self.level
        return image

    def compared(self, other: Survey, light: float, error: float, p: CleaningParameters) -> Survey:
        """Return what is found when another IFU tells how much starlight there is even in the darkest spaxels.

        Where that is not enough, the sky is that of the other IFU.
        """
        light = max(0.0, light)
        mean, limit = self.mean.without(light, error), p.max_error * self.excess.voxel_noise
        if not np.nanmedian(mean.error) <= limit and not other.crowded:
            mean = other.mean
        found = dataclasses.replace(self, mean=mean, level=self.level - light)
        if self.given:
            return found
        stars = find_stars(self.excess, found.level, self.used, self.scale_arcsec, p)
        return dataclasses.replace(found, sky_mask=self.used & ~stars)


def load_spectra(cube: Cube) -> SpaxelSpectra:
    """Read the spaxels of a cube that have data; noise is estimated where there is none."""
    flux = np.asarray(cube.flux)
    noise = None if cube.noise is None else np.asarray(cube.noise)
    cube = ensure_noise(dataclasses.replace(cube, flux=flux, noise=noise))
    return gather_spectra(cube, spaxels_with_data(cube))


def survey_ifu(cube: Cube, spectra: SpaxelSpectra, sky_mask: Bools | None, p: CleaningParameters) -> Survey:
    """Find the stars of an IFU, unless its mask is given, and the mean of its sky.

    Both are found in turn: the gain of a spaxel must come from lines of the sky without features of stars.
    """
    used, scale = spectra.used, pixel_scale_arcsec(cube.wcs)
    if not used.any():
        return Survey(used, used, no_sky(cube.shape[0]), NOTHING, 0.0, True, sky_mask is not None, scale)
    found = used if sky_mask is None else used & sky_mask
    mean = mean_sky(spectra, found[used] if found.any() else used[used], p)
    for _ in range(p.rounds + 1):
        sky = sky_of_spaxels(spectra, mean, p)
        excess = excess_light(spectra, sky, p)
        level = sky_level(excess)
        if sky_mask is None:
            found = used & ~find_stars(excess, level, used, scale, p)
        chosen = found[used]
        crowded = bool(np.count_nonzero(chosen) < max(1, p.least_sky * chosen.size))
        if crowded:
            light = excess.light - level
            dark = light <= np.nanquantile(light, p.least_sky)
            means = [mean_without_starlight(spectra, sky, light, one, p) for one in (np.isfinite(light), dark)]
            mean = means[0].with_continuum_of(means[1], p.smooth_knots)
        else:
            mean = mean_sky(spectra, chosen, p)
    return Survey(used, found, mean, excess, level, crowded, sky_mask is not None, scale)


def starlight_in(mean: MeanSky, reference: MeanSky, p: CleaningParameters) -> tuple[float, float]:
    """Return how much brighter one mean is than another beside equal lines, and the error of that."""
    one = SpaxelSpectra(mean.flux[:, None], mean.error[:, None], np.ones((1, 1), dtype=bool))
    excess = excess_light(one, sky_of_spaxels(one, reference, p), p)
    return float(excess.light[0]), float(np.hypot(excess.noise[0], excess.flat))


def fill_values(spectra: SpaxelSpectra, survey: Survey, p: CleaningParameters) -> tuple[Floats, Floats]:
    """Return the sky of every spaxel and its error, shape (n_planes, n_spaxels)."""
    if not survey.has_data:
        return np.full_like(spectra.flux, np.nan), np.full_like(spectra.flux, np.nan)
    sky = sky_of_spaxels(spectra, survey.mean, p)
    variance = sky.variance()
    if np.count_nonzero(survey.spaxels()) >= _LEAST_SCATTER:
        variance += scatter_of(spectra, sky, survey.spaxels())[:, None]
    return sky.flux(), np.sqrt(variance)


def good_voxels(spectra: SpaxelSpectra, fill: Floats, error: Floats, p: CleaningParameters) -> Bools:
    """Return which voxels agree with the sky of their spaxel, shape (n_planes, n_spaxels).

    Whatever light a spaxel has besides, which a given mask may leave in it, its voxels have in common.
    """
    left = spectra.flux - fill
    left = np.abs(left - nan_median(left))
    return np.asarray(left <= p.bad_sigma * np.maximum(np.hypot(spectra.noise, error), 1.4826 * nan_median(left)))
