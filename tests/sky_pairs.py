"""Object and sky cubes made of a comb of lines whose factors are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from factories import make_wcs

from napari_kmos.cube import Cube
from napari_kmos.instrument import BANDS
from napari_kmos.sky._bands import GROUPS_UM, covered_bands
from napari_kmos.spectral.thermal import planck_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

N_PLANES = 2048
SHAPE = (9, 11)
SIGMA_PIX = 1.0
#: Lines of no group stand this far from those of a group, in pixels: out of reach of the groups' windows.
_CLEAR_PIX = 20
_SPACING_PIX = 29


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Object and sky, and what the object's lines were multiplied by."""

    target: Cube
    sky: Cube
    bands: Mapping[str, float]


def make_pair(
    *,
    band: str = "K",
    factors: tuple[float, ...] = (1.1, 0.9, 1.2, 0.95),
    groups: Mapping[str, float] | None = None,
    shift: float | NDArray[np.float64] = 0.0,
    thermal: tuple[float, float] = (0.0, 0.0),
    without: tuple[str, ...] = (),
    sigma: float = 0.0,
    star: float = 0.0,
    seed: int = 1,
) -> Pair:
    """Return an object and a sky of 2048 planes.

    Parameters
    ----------
    band : str
        Grating.
    factors : tuple of float
        Of the object's lines in the vibrational bands, one after the other and again.
    groups : mapping, optional
        Factors of the low and medium group on top.
    shift : float or ndarray of shape (2048,)
        The object's lines lie this many pixels further.
    thermal : tuple of float
        Thermal background of 280 K, at its maximum, in object and sky.
    without : tuple of str
        Vibrational bands without lines.
    sigma : float
        Noise of a voxel.
    star : float
        Light of a star at (2, 8) per plane, in the object.
    """
    limits = BANDS[band]
    wave = limits.start_um + (limits.end_um - limits.start_um) / N_PLANES * np.arange(N_PLANES)
    bands = {name: factors[k % len(factors)] for k, (name, _) in enumerate(covered_bands(wave))}
    rng = np.random.default_rng(seed)
    position, strength, scale = _comb(wave, bands, groups or {}, without, rng)
    moved = position + np.interp(position, np.arange(N_PLANES), np.broadcast_to(shift, N_PLANES))
    light = planck_shape(wave, 280.0) / np.max(planck_shape(wave, 280.0))
    spectra = [
        5 + level * light + _lines(where, height)
        for where, height, level in zip((moved, position), (strength * scale, strength), thermal, strict=True)
    ]
    gain = 1 + 0.02 * rng.standard_normal(SHAPE)
    cubes = [spectrum[:, None, None] * gain + sigma * rng.standard_normal((N_PLANES, *SHAPE)) for spectrum in spectra]
    y, x = np.indices(SHAPE)
    cubes[0] += star * np.exp(-((y - 2) ** 2 + (x - 8) ** 2) / 2) / (2 * np.pi)
    return Pair(target=_cube(cubes[0], wave, sigma), sky=_cube(cubes[1], wave, sigma), bands=bands)


def _comb(
    wave: NDArray[np.float64],
    bands: Mapping[str, float],
    groups: Mapping[str, float],
    without: tuple[str, ...],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], ...]:
    """Positions in pixels, strengths in the sky, and factors in the object: lines of the groups and others between."""
    step = wave[1] - wave[0]
    listed = {name: (np.array(lines) - wave[0]) / step for name, lines in GROUPS_UM.items()}
    grouped = np.concatenate(list(listed.values()))
    others = np.arange(15.3, N_PLANES - 10, _SPACING_PIX)
    others = others[np.min(np.abs(others[:, None] - grouped), axis=1) > _CLEAR_PIX]
    position = np.concatenate([others, *listed.values()])
    kind = np.repeat(["high", *listed], [len(others), *(len(lines) for lines in listed.values())])
    strength = rng.uniform(300, 900, position.size)
    scale = np.array([groups.get(name, 1.0) for name in kind])
    inside = (position > 5) & (position < N_PLANES - 6)
    for name, planes in covered_bands(wave):
        here = (position >= planes.start) & (position < planes.stop)
        scale[here] = bands[name] * (1.0 if name == "O2" else scale[here])
        inside &= ~here if name in without else True
    return position[inside], strength[inside], scale[inside]


def _lines(position: NDArray[np.float64], strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spectrum of Gaussian lines."""
    distance = (np.arange(N_PLANES)[:, None] - position) / SIGMA_PIX
    return np.exp(-0.5 * distance**2) @ strength


def _cube(flux: NDArray[np.float64], wave: NDArray[np.float64], sigma: float) -> Cube:
    return Cube(
        flux=flux.astype(np.float32),
        noise=np.full(flux.shape, sigma or 1.0, dtype=np.float32),
        wavelength=wave * u.um,
        wcs=make_wcs(),
        unit=u.adu / u.s,
        name="target",
        ifu=5,
    )
