"""Pairs of exposures of crowded fields whose true offset is known, and what was measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_kmos.cube import Image
from napari_kmos.simulate.psf import moffat_images
from napari_kmos.spatial.wcs import make_wcs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: An offset that is farther off, in spaxels, is wrong.
RIGHT_PIX = 0.5
RA, DEC = 266.41, -28.93
SHAPE, SPAXEL = (14, 14), 0.2
#: Stars also lie this far outside the field, in spaxels; headers are wrong by at most so much in each axis.
MARGIN, SHIFT = 8.0, 3.5
#: Seeing of an exposure in arcsec, and by how much its throughput may differ from 1.
SEEING, GAIN = (0.6, 0.9), 0.13


class Sky(NamedTuple):
    """What fields look like.

    Parameters
    ----------
    depth : float
        Magnitudes from the brightest to the faintest star.
    slope : float
        With each magnitude the number of stars grows by 10 to this power.
    faintest : float
        Peak of the faintest star over the noise of white light.
    slitlet_gain : float
        By how much the throughput of the rows differs, rms.
    """

    depth: float = 6.0
    slope: float = 0.25
    faintest: float = 3.0
    slitlet_gain: float = 0.0


class Stars(NamedTuple):
    """Where stars are, in spaxels of a field whose header is right, and their flux."""

    y: Floats
    x: Floats
    flux: Floats


@dataclass(frozen=True)
class Pair:
    """Two exposures: the second one's header is wrong by ``shift``, (dRA, dDec) in arcsec; NaN if no shift is right."""

    reference: Image
    moving: Image
    shift: tuple[float, float]


def draw_stars(sky: Sky, density: float, rng: np.random.Generator) -> Stars:
    """Return a field with ``density`` stars in 14 x 14 spaxels on average."""
    side = np.array(SHAPE) + 2 * MARGIN
    number = rng.poisson(density * side.prod() / np.prod(SHAPE))
    y, x = rng.uniform(-MARGIN - 0.5, side - MARGIN - 0.5, (number, 2)).T
    low, high = 1.0, 10 ** (sky.slope * sky.depth)
    magnitude = np.log10(rng.uniform(low, high, number)) / sky.slope
    return Stars(y, x, 10 ** (-0.4 * magnitude))


def expose(sky: Sky, stars: Stars, rng: np.random.Generator, shift: tuple[float, float] = (0.0, 0.0)) -> Image:
    """Return an exposure whose field lies ``shift`` (y, x) spaxels further than its header says, an edge without data.

    Seeing, throughput, background and the gains of the rows are its own.
    """
    fwhm = rng.uniform(*SEEING) / SPAXEL
    images = moffat_images(stars.y - shift[0], stars.x - shift[1], SHAPE, fwhm_pix=fwhm)
    gain = rng.uniform(1 - GAIN, 1 + GAIN) * rng.normal(1, sky.slitlet_gain, (SHAPE[0], 1))
    peak = 0.88 / np.mean(np.square(SEEING)) * SPAXEL**2
    noise = 10 ** (-0.4 * sky.depth) * peak / sky.faintest
    data = gain * np.tensordot(stars.flux, images, 1) + rng.uniform(0, 10) * noise
    data += noise * rng.standard_normal(SHAPE)
    edge = rng.integers(4)
    np.rot90(data, edge)[0] = np.nan
    wcs = make_wcs(RA, DEC, crpix=(7.5, 7.5), scale_arcsec=SPAXEL)
    return Image(data=data, noise=np.full(SHAPE, noise), wcs=wcs)


def exposures(sky: Sky, density: float, number: int, rng: np.random.Generator) -> tuple[list[Image], Floats]:
    """Return exposures of one field, and the corrections (dRA, dDec) in arcsec against the first, shape (number, 2)."""
    stars = draw_stars(sky, density, rng)
    shifts = rng.uniform(-SHIFT / 2, SHIFT / 2, (number, 2))
    images = [expose(sky, stars, rng, tuple(one)) for one in shifts]
    return images, np.array([_on_sky(one) for one in shifts - shifts[0]])


def related(sky: Sky, density: float, rng: np.random.Generator) -> Pair:
    """Return two exposures of one field."""
    stars, shift = draw_stars(sky, density, rng), rng.uniform(-SHIFT, SHIFT, 2)
    return Pair(expose(sky, stars, rng), expose(sky, stars, rng, tuple(shift)), _on_sky(shift))


def unrelated(sky: Sky, density: float, rng: np.random.Generator) -> Pair:
    """Return exposures of two fields."""
    return Pair(*(expose(sky, draw_stars(sky, density, rng), rng) for _ in range(2)), (np.nan, np.nan))


def apart(sky: Sky, density: float, rng: np.random.Generator) -> Pair:
    """Return two exposures that overlap without a star in common: each has only those that the other does not see."""
    shift = rng.uniform(-SHIFT, SHIFT, 2)
    here, there = draw_stars(sky, density, rng), draw_stars(sky, density, rng)
    here, there = _outside(here, shift), _outside(there, np.zeros(2))
    return Pair(expose(sky, here, rng), expose(sky, there, rng, tuple(shift)), (np.nan, np.nan))


#: By name in the table.
KINDS = {"one field": related, "two fields": unrelated, "no common star": apart}


def _outside(stars: Stars, shift: Floats) -> Stars:
    """Return the stars outside a field."""
    y, x = stars.y - shift[0], stars.x - shift[1]
    is_in = (np.abs(y - (SHAPE[0] - 1) / 2) < SHAPE[0] / 2) & (np.abs(x - (SHAPE[1] - 1) / 2) < SHAPE[1] / 2)
    return Stars(*(one[~is_in] for one in stars))


def _on_sky(shift: Floats) -> tuple[float, float]:
    """Return (dRA, dDec) in arcsec of a shift (y, x) in spaxels of the right WCS: east is to the left."""
    return float(-shift[1] * SPAXEL), float(shift[0] * SPAXEL)
