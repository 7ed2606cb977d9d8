"""The stars of a simulated field."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.instrument import BANDS, FIELD_ARCSEC
from napari_kmos.simulate.field import Target, make_targets, moved
from napari_kmos.simulate.psf import BETA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.simulate.parameters import SimulationParameters

    Floats = NDArray[np.float64]

_MARGIN_ARCSEC = 1.5
_BRIGHTEST, _FAINTEST = 11.0, 17.0
_SLOPE = 0.25
#: ADU per second and plane of a star of magnitude 0.
_ZERO = {"IZ": 3.5e7, "YJ": 2.1e7, "H": 1.2e7, "K": 7.6e6, "HK": 1.9e7}
_LATE_SHARE = 0.7
#: A star is isolated where its neighbours add less than this share to its light in an aperture.
ISOLATED_SHARE = 0.05
#: One star of each arm is made so: its magnitude, how far from the target it may lie, and the share of its neighbours.
_KEPT_MAGNITUDES, _KEPT_ARCSEC, _KEPT_SHARE = (11.8, 12.6), 0.4, 0.048
_APERTURE_ARCSEC, _TYPICAL_FWHM_ARCSEC = 0.5, 0.75


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stars:
    """The stars of a night, one entry of each array a star.

    Parameters
    ----------
    id : ndarray of str
        Identity.
    ifu : ndarray of int
        Arm in whose field it lies.
    on_sky : ndarray of bool
        True in the sky field.
    ra, dec : ndarray
        Degrees, true.
    magnitude : ndarray
        In the band of the night.
    flux : ndarray
        Total flux of the continuum at the band's centre, ADU per second and plane.
    kind : ndarray of str
        ``"late"`` or ``"early"``.
    velocity_kms : ndarray
        Radial velocity.
    slope : ndarray
        Power of the wavelength in the continuum.
    depth : ndarray
        Strength of its features over that of the template.
    contamination : ndarray
        Light of its neighbours within 0.5 arcsec of it over its own there, at a seeing of 0.75 arcsec.
    isolated : ndarray of bool
        Contamination below 0.05.
    """

    id: NDArray[np.str_]
    ifu: NDArray[np.int_]
    on_sky: NDArray[np.bool_]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    flux: NDArray[np.float64]
    kind: NDArray[np.str_]
    velocity_kms: NDArray[np.float64]
    slope: NDArray[np.float64]
    depth: NDArray[np.float64]
    contamination: NDArray[np.float64]
    isolated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.id)


def select_stars(stars: Stars, which: NDArray[Any]) -> Stars:
    """Return some of the stars, by index or mask."""
    return Stars(**{field.name: getattr(stars, field.name)[which] for field in dataclasses.fields(Stars)})


def make_stars(parameters: SimulationParameters) -> Stars:
    """Return all stars of the night: those around every target, and those of the sky field."""
    parts = [_stars_around(parameters, target) for target in make_targets(parameters)]
    if parameters.sky_stars:
        parts += [_sky_stars_around(parameters, target) for target in make_targets(parameters, on_sky=True)]
    return Stars(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(Stars)
        }
    )


def _stars_around(parameters: SimulationParameters, target: Target) -> Stars:
    """Draw the stars of one arm: a crowded field, and one star that is isolated and near the centre."""
    rng = np.random.default_rng([parameters.seed, 1, target.ifu])
    reach = FIELD_ARCSEC + 2 * (_MARGIN_ARCSEC + parameters.dither_arcsec + parameters.pointing_arcsec)
    side = min(reach, parameters.spacing_arcsec)
    number = rng.poisson(parameters.density * side**2 / 9)
    east, north = rng.uniform(-side / 2, side / 2, (2, number))
    low, high = 10 ** (_SLOPE * _BRIGHTEST), 10 ** (_SLOPE * _FAINTEST)
    magnitude = np.log10(rng.uniform(low, high, number)) / _SLOPE
    place = rng.uniform(-_KEPT_ARCSEC, _KEPT_ARCSEC, 2)
    east, north = np.insert(east, 0, place[0]), np.insert(north, 0, place[1])
    magnitude = np.insert(magnitude, 0, rng.uniform(*_KEPT_MAGNITUDES))
    kept = _clear_first(east, north, 10 ** (-0.4 * magnitude))
    return _finish(parameters, target, (east[kept], north[kept], magnitude[kept]), rng)


def _clear_first(east: Floats, north: Floats, flux: Floats) -> NDArray[np.int_]:
    """Return the stars that stay when those that disturb the first one most are taken away."""
    shares = _shares(east[:1], north[:1], flux[:1], (east[1:], north[1:], flux[1:]))[0]
    order = np.argsort(shares)
    quiet = order[np.cumsum(shares[order]) < _KEPT_SHARE] + 1
    return np.concatenate([[0], np.sort(quiet)])


def _sky_stars_around(parameters: SimulationParameters, target: Target) -> Stars:
    rng = np.random.default_rng([parameters.seed, 2, target.ifu])
    east, north = rng.uniform(-FIELD_ARCSEC / 2, FIELD_ARCSEC / 2, (2, parameters.sky_stars))
    magnitude = rng.uniform(13.0, 16.0, parameters.sky_stars)
    return _finish(parameters, target, (east, north, magnitude), rng, on_sky=True)


def _finish(
    parameters: SimulationParameters,
    target: Target,
    drawn: tuple[Floats, Floats, Floats],
    rng: np.random.Generator,
    *,
    on_sky: bool = False,
) -> Stars:
    """Give stars at (east, north) arcsec of a target their spectra and names."""
    east, north, magnitude = drawn
    number = len(magnitude)
    ra, dec = moved(target.ra, target.dec, east, north)
    flux = _ZERO[parameters.band] * 10 ** (-0.4 * magnitude)
    contamination = _contamination(east, north, flux)
    prefix = "sky" if on_sky else "star"
    return Stars(
        id=np.array([f"{prefix}{target.ifu:02d}_{k + 1:03d}" for k in range(number)], dtype=str),
        ifu=np.full(number, target.ifu),
        on_sky=np.full(number, on_sky),
        ra=ra,
        dec=dec,
        magnitude=magnitude,
        flux=flux,
        kind=np.where(rng.random(number) < _LATE_SHARE, "late", "early").astype("U5"),
        velocity_kms=rng.normal(0, 80, number),
        slope=rng.normal(-1.0, 0.7, number),
        depth=rng.uniform(0.8, 1.2, number),
        contamination=contamination,
        isolated=contamination < ISOLATED_SHARE,
    )


def _contamination(east: Floats, north: Floats, flux: Floats) -> Floats:
    """Return how much of the others' light an aperture on each star holds, over its own."""
    shares = _shares(east, north, flux, (east, north, flux))
    np.fill_diagonal(shares, 0.0)
    return np.asarray(shares.sum(axis=1))


def _shares(east: Floats, north: Floats, flux: Floats, others: tuple[Floats, Floats, Floats]) -> Floats:
    """Return the light of others in an aperture on each star over its own, shape (stars, others)."""
    alpha = _TYPICAL_FWHM_ARCSEC / (2 * np.sqrt(2 ** (1 / BETA) - 1))
    squared = (east[:, None] - others[0]) ** 2 + (north[:, None] - others[1]) ** 2
    brightness = (BETA - 1) / (np.pi * alpha**2) * (1 + squared / alpha**2) ** -BETA
    inside = 1 - (1 + (_APERTURE_ARCSEC / alpha) ** 2) ** (1 - BETA)
    return np.asarray(others[2] / flux[:, None] * brightness * np.pi * _APERTURE_ARCSEC**2 / inside)


def band_centre_um(band: str) -> float:
    """Return the middle of a band, where the flux of a star is stated."""
    return 0.5 * (BANDS[band].start_um + BANDS[band].end_um)
