"""Measure an emission line in every spaxel, in one pass over the planes of its window and of the continuum."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy import constants
from astropy import units as u

from napari_kmos.errors import GeometryError, KmosWarning
from napari_kmos.lazy import plane_blocks, read_piece
from napari_kmos.progress import Progress, silent
from napari_kmos.spectral._line_sums import Profile, WindowSums, fit_straight
from napari_kmos.spectral.collapse import image_of, plane_range
from napari_kmos.spectral.line_maps import LineMaps, MapParameters
from napari_kmos.spectral.nan import divide
from napari_kmos.spectral.noise import estimate_noise
from napari_kmos.spectral.windows import Window, check_windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube, Image

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

#: Planes of a mosaic read at a time: with their sums in double precision about ten times this is held.
_BLOCK_BYTES = 16 * 2**20
_KMS = float(constants.c.to_value(u.km / u.s))


def make_maps(
    cube: Cube,
    *,
    line_um: Window,
    continuum_um: Sequence[Window] = (),
    parameters: MapParameters | None = None,
    progress: Progress = silent,
) -> LineMaps:
    """Map an emission line: flux above the continuum, moments and signal to noise of each spaxel.

    Parameters
    ----------
    cube : Cube
        Arrays of shape (n_wavelength, n_y, n_x), in memory or lazy. Only planes in the windows are read, each once and
        a few at a time: on top of the images, some 200 MB are held, whatever the size of the cube. Where it has no
        noise, that is estimated from the planes between the first and the last window.
    line_um : tuple of float
        First and last wavelength of the line window in micron; planes count whose centre lies in it.
    continuum_um : sequence of tuple of float
        Windows of the continuum in micron. None: nothing is subtracted. One: a constant. Several: a straight line in
        wavelength. Planes in the line window do not count, so that a continuum window may surround it.
    parameters : MapParameters, optional
        The defaults if not given.
    progress : Progress
        Told the planes read.

    Returns
    -------
    LineMaps
        Computed. NaN where a spaxel has too few planes with data in a window; planes it lacks count as the mean of
        the others.

    Raises
    ------
    KmosError
        If a window does not go upwards.
    GeometryError
        If a window holds no plane of its own.

    Warns
    -----
    KmosWarning
        If the line window reaches beyond the cube.

    Notes
    -----
    The continuum is fitted by least squares to each spaxel, all planes weighted alike, so that the result is linear in
    the flux. Noise is that of independent planes: the planes of the line, and the covariance of the continuum's
    coefficients, both carried through to the second moment. Moments of noise are unbounded; hence ``min_snr``.
    """
    chosen = parameters or MapParameters()
    windows = check_windows((line_um, *continuum_um))
    ranges = [plane_range(cube, u.Quantity(window, u.um)) for window in windows]
    owner = _owners(cube, ranges, windows)
    _warn_of_edges(cube, windows[0])
    grid = _Grid.of(cube.wavelength_um, ranges[0])
    return _maps(cube, _sum(cube, owner, grid, progress), grid, chosen)


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """Wavelengths as t, zero at the middle of the line window and one at its end, and the widths of the planes."""

    t: Floats
    width: Floats
    middle_um: float
    half_um: float
    line_um: float

    @classmethod
    def of(cls, wavelength_um: Floats, line: slice) -> _Grid:
        """Make it for a cube and the planes of a line."""
        width = np.gradient(wavelength_um) if wavelength_um.size > 1 else np.ones(1)
        first, last = wavelength_um[line][0], wavelength_um[line][-1]
        middle, half = (first + last) / 2, max(last - first, width[line][0]) / 2
        return cls((wavelength_um - middle) / half, width, middle, half, float(np.sum(width[line])))


def _owners(cube: Cube, ranges: Sequence[slice], windows: Sequence[Window]) -> NDArray[np.int_]:
    """Return the window of each plane, the line being 0, and -1 where there is none; the line's planes are its own."""
    owner = np.full(cube.shape[0], -1)
    for number, planes in reversed(list(enumerate(ranges))):
        owner[planes] = number
    for number, (start, end) in enumerate(windows):
        if number not in owner:
            msg = (
                f"{cube.label}: the continuum window {start:g}-{end:g} holds no plane of its own; "
                "choose it beside the line and the other windows"
            )
            raise GeometryError(msg)
    return owner


def _warn_of_edges(cube: Cube, line_um: Window) -> None:
    """Warn of a line that the cube does not cover whole."""
    first, last = cube.wavelength_um[0], cube.wavelength_um[-1]
    if line_um[0] < first or line_um[1] > last:
        text = (
            f"{cube.label}: the line window reaches beyond the cube, {first:.4f}-{last:.4f} um; its flux is cut there"
        )
        warnings.warn(text, KmosWarning, stacklevel=3)


def _sum(cube: Cube, owner: NDArray[np.int_], grid: _Grid, progress: Progress) -> list[WindowSums]:
    """Return the sums of each window, in one pass over the planes that belong to one."""
    sums = [WindowSums(cube.shape[1:]) for _ in range(owner.max() + 1)]
    done, total = 0, int(np.count_nonzero(owner >= 0))
    cube, first = _with_noise(cube, np.flatnonzero(owner >= 0))
    for run in _runs(owner):
        for block in plane_blocks(cube.flux, slice(run.start - first, run.stop - first), n_bytes=_BLOCK_BYTES):
            progress(done, total, f"maps of {cube.label}")
            planes = slice(block.start + first, block.stop + first)
            pieces = [read_piece(array, (block,)) for array in (cube.flux, cube.noise) if array is not None]
            sums[owner[run.start]].add(*pieces, t=grid.t[planes], width=grid.width[planes])
            done += block.stop - block.start
    progress(done, total, f"maps of {cube.label}")
    return sums


def _with_noise(cube: Cube, used: NDArray[np.int_]) -> tuple[Cube, int]:
    """Return a cube with noise and the number of its first plane: without noise, the part used with an estimate."""
    if cube.noise is not None:
        return cube, 0
    first, stop = int(used[0]), int(used[-1]) + 1
    part = dataclasses.replace(cube, flux=cube.flux[first:stop], wavelength=cube.wavelength[first:stop])
    return estimate_noise(part), first


def _runs(owner: NDArray[np.int_]) -> Iterator[slice]:
    """Yield slices of consecutive planes of one window."""
    edges = np.flatnonzero(np.diff(owner)) + 1
    for start, stop in itertools.pairwise([0, *edges.tolist(), owner.size]):
        if owner[start] >= 0:
            yield slice(start, stop)


def _maps(cube: Cube, sums: Sequence[WindowSums], grid: _Grid, parameters: MapParameters) -> LineMaps:
    """Return the maps that follow from the sums."""
    line, *beside = sums
    covered = line.is_covered(parameters.min_coverage)
    complete = np.all([one.is_covered(parameters.min_coverage) for one in sums], axis=0)
    profile = Profile(line, fit_straight(beside, cube.shape[1:]))
    mean, noise = profile.mean()
    snr = np.where(complete, divide(mean, noise), np.nan)
    moments = _moments(cube, profile, grid, parameters, (complete, complete & (snr >= parameters.min_snr)))
    return LineMaps(
        line=_image(cube, mean, noise, used=complete, unit=cube.unit),
        band=_image(cube, *profile.band(), used=covered, unit=cube.unit),
        continuum=_image(cube, *profile.level(), used=complete, unit=cube.unit) if beside else None,
        moments={order: moments[order] for order in sorted(set(parameters.moments))},
        snr=_image(cube, snr, used=complete, unit=u.dimensionless_unscaled),
    )


def _moments(
    cube: Cube, profile: Profile, grid: _Grid, parameters: MapParameters, used: tuple[Mask, Mask]
) -> dict[int, Image]:
    """Return the moments; ``used`` tells where there is an integral, and where it is sure enough for the others."""
    mean, noise = profile.mean()
    unit = None if cube.unit is None else cube.unit * u.um
    centre, centre_noise = (one * grid.half_um for one in profile.centre())
    width, width_noise = (one * grid.half_um for one in profile.width())
    centre, scale, axis_unit = centre + grid.middle_um, 1.0, u.um
    if (rest_um := parameters.rest_um) is not None:
        centre, scale, axis_unit = centre - rest_um, _KMS / rest_um, u.km / u.s
    return {
        0: _image(cube, mean * grid.line_um, noise * grid.line_um, used=used[0], unit=unit),
        1: _image(cube, centre * scale, centre_noise * scale, used=used[1], unit=axis_unit),
        2: _image(cube, width * scale, width_noise * scale, used=used[1], unit=axis_unit),
    }


def _image(cube: Cube, data: Floats, noise: Floats | None = None, *, used: Mask, unit: u.UnitBase | None) -> Image:
    """Image of a cube's sky, NaN where it is not to be used."""
    masked = [np.where(used, one, np.nan).astype(np.float32) for one in (data, noise) if one is not None]
    return dataclasses.replace(image_of(cube, masked[0], masked[1] if len(masked) == 2 else None), unit=unit)
