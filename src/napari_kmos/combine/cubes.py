"""Combine cubes of one target, or of all IFUs, on a common grid."""

from __future__ import annotations

import dataclasses
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.combine.agreement import check_data, check_wavelengths, common_unit
from napari_kmos.combine.methods import can_reject
from napari_kmos.combine.parameters import CombineParameters
from napari_kmos.combine.parts import Part, area_of, own_field, resample_part
from napari_kmos.combine.placing import place
from napari_kmos.combine.stack import combine_lazily, make_stack, scale_noise
from napari_kmos.combine.streaming import CombinePass, measure_scatter
from napari_kmos.cube import Cube, Image
from napari_kmos.errors import GeometryError, KmosError, KmosWarning
from napari_kmos.instrument import ARMS, KEY_IFU, KEY_N_COMBINED, key_arm
from napari_kmos.spatial.covariance import noise_correlation
from napari_kmos.spatial.wcs import image_grid
from napari_kmos.spectral import collapse_median, ensure_noise

if TYPE_CHECKING:
    from astropy.io import fits
    from astropy.wcs import WCS

    from napari_kmos.combine.scatter import Scatter
    from napari_kmos.combine.stack import Stack
    from napari_kmos.offset import Offset
    from napari_kmos.spatial.resample import Resampler

_log = logging.getLogger(__name__)
#: Fields that fill less of their common grid than this are probably not meant for one mosaic.
_MIN_FILLING = 0.05


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CombineResult:
    """Combined cube and what it was made from.

    Parameters
    ----------
    cube : Cube
        Lazy: computed in blocks of planes, flux and noise of a block together.
    cubes : tuple of Cube
        The exposures, with their noise.
    wcs : tuple of WCS
        Corrected WCS of each exposure.
    n_overlapping : int
        Exposures whose fields overlap at most.
    stack : Stack
        The exposures on their grid, for `CombinePass`.
    scaled_by : Scatter, optional
        What the noise of the exposures was multiplied by, if it was to be scaled.
    """

    cube: Cube
    cubes: tuple[Cube, ...]
    wcs: tuple[WCS, ...] = field(repr=False)
    n_overlapping: int
    stack: Stack = field(repr=False)
    scaled_by: Scatter | None = None

    @property
    def exposure_map(self) -> Image:
        """Number of exposures (int32) that have data in a spaxel in any plane, rejected values included.

        Counted anew each time, in a pass over the exposures; `CombinePass` counts it along with other things.
        """
        counted = CombinePass(self)
        for _ in counted:
            pass
        return counted.exposure_map

    @property
    def image(self) -> Image:
        """Median over the wavelengths; computed anew each time, as it takes the whole cube."""
        return collapse_median(self.cube)


def combine_cubes(
    cubes: Sequence[Cube],
    *,
    offsets: Sequence[Offset] | None = None,
    parts: Sequence[Part] | None = None,
    parameters: CombineParameters | None = None,
    name: str | None = None,
) -> CombineResult:
    """Combine cubes on the grid of the first one, extended to hold all.

    Parameters
    ----------
    cubes : sequence of Cube
        Exposures of one target, or fields of a mosaic, shape (n_wavelength, n_y, n_x) each with its own n_y and n_x,
        in memory or lazy. One alone is legal. Cubes without noise get an estimate.
    offsets : sequence of Offset, optional
        One for each cube, for method ``user``.
    parts : sequence of Part, optional
        What is taken of each cube; all of it, with its wavelengths as they are, if not given.
    parameters : CombineParameters, optional
        How to place and merge; the defaults if not given.
    name : str, optional
        Name of the result; that of the first cube if not given.

    Returns
    -------
    CombineResult
        The cube has the first one's corrected WCS, extended in whole spaxels, its unit and header. NaN where no
        exposure has data. Noise is that of single voxels: neighbours are correlated by the interpolation, and
        ``correlation`` tells how.

    Raises
    ------
    GeometryError
        If wavelength grids or units do not fit together, the fields do not fit on one grid, or (`NoDataError`) no
        cube has data.
    AlignmentError
        If offsets are missing or superfluous, or ``center`` finds no star.
    KmosError
        If min_max would drop all values there are.

    Notes
    -----
    Every exposure is resampled once, from its own spaxels, by the kernel of the parameters (`napari_kmos.spatial`).
    Exposures of another rotation are turned onto the grid.
    """
    parameters = parameters or CombineParameters()
    if not cubes:
        msg = "no cube to combine: give at least one"
        raise GeometryError(msg)
    for cube in cubes[1:]:
        check_wavelengths(cubes[0], cube)
    unit = common_unit(cubes)
    corrected = place(parameters.method, cubes, offsets)
    grid, shape, resamplers = _common_grid(cubes, corrected, parameters, parts)
    full = (cubes[0].shape[0], *shape)
    _warn_if_empty(full, resamplers)
    check_data(cubes)
    n_overlapping = _count_overlapping(shape, resamplers)
    _check_number(parameters, n_overlapping)
    noisy = _with_noise(cubes)
    arrays = [(cube.flux, cube.noise) for cube in noisy if cube.noise is not None]
    areas = [area_of(part, cube.shape[1:]) for part, cube in zip(parts or [Part()] * len(cubes), cubes, strict=True)]
    stack = make_stack(arrays, resamplers, full, parameters, areas=areas, weights=_weights(cubes, parameters))
    scatter = _measured_scatter(stack, noisy) if parameters.scale_noise else None
    if scatter is not None:
        stack = scale_noise(stack, [scatter.factor(cube.ifu) for cube in noisy])
    flux, noise = combine_lazily(stack)
    facts = _facts(noisy, parameters, unit, name)
    weights = [layer.weight for layer in stack.layers]
    facts["correlation"] = noise_correlation(resamplers, weights, inputs=[cube.correlation for cube in cubes])
    result = Cube(flux=flux, noise=noise, wavelength=cubes[0].wavelength, wcs=grid, medium=cubes[0].medium, **facts)
    return CombineResult(
        cube=result,
        cubes=noisy,
        wcs=tuple(corrected),
        n_overlapping=n_overlapping,
        stack=stack,
        scaled_by=scatter,
    )


def _with_noise(cubes: Sequence[Cube]) -> tuple[Cube, ...]:
    """Cubes with noise; that of cubes of the same flux, parts of which are combined, is estimated once."""
    known = {id(cube.flux): cube for cube in cubes}
    known = {key: ensure_noise(cube) for key, cube in known.items()}
    found = ((cube, known[id(cube.flux)]) for cube in cubes)
    return tuple(
        dataclasses.replace(cube, noise=same.noise, noise_estimated=same.noise_estimated) for cube, same in found
    )


def _common_grid(
    cubes: Sequence[Cube],
    corrected: Sequence[WCS],
    parameters: CombineParameters,
    parts: Sequence[Part] | None = None,
) -> tuple[WCS, tuple[int, int], list[Resampler]]:
    """Grid that holds all cubes, and the way of each onto it."""
    parts = parts or [Part()] * len(cubes)
    shapes = [(cube.shape[1], cube.shape[2]) for cube in cubes]
    fields = [own_field(*field) for field in zip(corrected, shapes, parts, strict=True)]
    grid, shape = image_grid(fields, scale_arcsec=parameters.pix_scale)
    resamplers = []
    for cube, wcs, own, part in zip(cubes, corrected, shapes, parts, strict=True):
        how = {"flux": parameters.flux, "kernel": parameters.interpolation}
        resampler = resample_part((wcs, own), (grid, shape), part, n_planes=cube.shape[0], **how)
        if resampler is None:
            msg = f"{cube.source or cube.label}: its field holds no centre of a spaxel of the common grid"
            raise GeometryError(msg)
        resamplers.append(resampler)
    return grid, shape, resamplers


def _warn_if_empty(shape: tuple[int, int, int], resamplers: Sequence[Resampler]) -> None:
    """Warn of a grid that is mostly empty sky between the fields."""
    filling = sum(int(one.inside.sum()) for one in resamplers) / (shape[1] * shape[2])
    if filling < _MIN_FILLING:
        text = (
            f"the fields fill {filling:.1%} of a grid of {shape[2]} x {shape[1]} spaxels, a product of "
            f"{8e-9 * np.prod(shape):.1f} GB: combine by target if the IFUs are scattered over the sky"
        )
        warnings.warn(text, KmosWarning, stacklevel=3)


def _count_overlapping(shape: tuple[int, int], resamplers: Sequence[Resampler]) -> int:
    """Count how many fields overlap at most."""
    counts = np.zeros(shape, dtype=int)
    for resampler in resamplers:
        counts[resampler.window] += resampler.inside
    return int(counts.max())


def _measured_scatter(stack: Stack, cubes: Sequence[Cube]) -> Scatter:
    """Scatter between the exposures, with a warning if it cannot be told."""
    scatter = measure_scatter(stack, [cube.ifu for cube in cubes])
    if not scatter.ratio > 0:
        text = "the noise cannot be scaled: it takes places where three exposures overlap; it is left as it is"
        warnings.warn(text, KmosWarning, stacklevel=3)
    return scatter


def _check_number(parameters: CombineParameters, n_overlapping: int) -> None:
    """Refuse what too few exposures make impossible, and say what they make pointless."""
    dropped = parameters.cmin + parameters.cmax
    if parameters.cmethod == "min_max" and n_overlapping <= dropped:
        msg = (
            f"min_max drops {dropped} values (cmin {parameters.cmin}, cmax {parameters.cmax}) but {n_overlapping} "
            "exposures overlap at most: nothing would be left; take another --cmethod or drop fewer"
        )
        raise KmosError(msg)
    if parameters.cmethod == "ksigma" and not can_reject(n_overlapping, parameters):
        text = "ksigma: %d exposures overlap at most, too few to reject anything: this is their average"
        _log.info(text, n_overlapping)
    elif (
        parameters.citer > 1
        and parameters.cmethod == "ksigma"
        and not can_reject(n_overlapping, parameters, later=True)
    ):
        text = "ksigma: %d exposures overlap at most, too few to reject more than the first pass does, by percentiles"
        _log.info(text, n_overlapping)


def _weights(cubes: Sequence[Cube], parameters: CombineParameters) -> list[float] | None:
    """Weights of the cubes, if they are exposure times."""
    if parameters.weight != "exptime":
        return None
    for cube in cubes:
        if not cube.exptime or cube.exptime < 0:
            name = cube.source or cube.label
            msg = f"{name}: exposure time is {cube.exptime}, expected a positive one to weight by; take another weight"
            raise KmosError(msg)
    return [float(cube.exptime or 0) for cube in cubes]


def _facts(cubes: Sequence[Cube], parameters: CombineParameters, unit: Any, name: str | None) -> dict[str, Any]:
    """Name, IFU, exposure time, header and the like of the combined cube."""
    first = cubes[0]
    header = first.header.copy()
    ifu = first.ifu if all(cube.ifu == first.ifu for cube in cubes) else None
    if ifu is None:
        _forget_arm(header)
    header[f"HIERARCH {KEY_N_COMBINED}"] = (len(cubes), "Number of combined cubes")
    times = [cube.exptime for cube in cubes if cube.exptime is not None]
    exptime = None
    if len(times) == len(cubes):
        exptime = float(np.sum(times) if parameters.cmethod == "sum" else np.mean(times))
    return {
        "name": first.name if name is None else name,
        "ifu": ifu,
        "exptime": exptime,
        "unit": unit,
        "noise_estimated": any(cube.noise_estimated for cube in cubes),
        "header": header,
    }


def _forget_arm(header: fits.Header) -> None:
    """Remove what tells the arm of the first exposure: the others used another."""
    arms = tuple(key_arm(number, "") for number in ARMS)
    for key in [key for key in header if key == KEY_IFU or key.startswith(arms)]:
        del header[key]
