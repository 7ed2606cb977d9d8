"""The methods of sky subtraction by name, and the function that runs one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import dask.array as da
import numpy as np
from dask.delayed import delayed

from napari_kmos.errors import GeometryError, SkyError
from napari_kmos.sky._likeness import warn_of_unlike
from napari_kmos.sky._misfit import warn_of_misfit, with_misfit
from napari_kmos.sky._sampling import warn_of_sampling
from napari_kmos.sky.davies import subtract_davies
from napari_kmos.sky.levels import subtract_levels
from napari_kmos.sky.parameters import SkyParameters
from napari_kmos.sky.plain import subtract_plain
from napari_kmos.spectral.noise import ensure_noise
from napari_kmos.threads import one_blas_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.sky.result import SkyResult

#: Two wavelength grids are the same if they agree to this part of a pixel.
_GRID_TOLERANCE_PIX = 0.01


class SkyMethod(Protocol):
    """A way to subtract the sky: cubes of equal shape, grid and unit, both with noise; neither is modified."""

    def __call__(self, cube: Cube, sky: Cube, parameters: SkyParameters) -> SkyResult:
        """Return the object cube without sky, and the evidence."""


SKY_METHODS: Mapping[str, SkyMethod] = MappingProxyType(
    {"plain": subtract_plain, "davies": subtract_davies, "levels": subtract_levels}
)
#: What is taken where nobody chooses.
DEFAULT_METHOD = "levels"


def subtract_sky(
    cube: Cube, sky_cube: Cube, *, method: str = DEFAULT_METHOD, parameters: SkyParameters | None = None
) -> SkyResult:
    """Subtract the sky from the cube of one IFU.

    Parameters
    ----------
    cube : Cube
        Object, shape (n_wavelength, n_y, n_x), in memory or lazy; it is not modified.
    sky_cube : Cube
        Sky of the same shape, wavelengths and unit: of the same IFU, or of another one of the same detector.
    method : str
        A key of `SKY_METHODS`.
    parameters : SkyParameters, optional
        Thresholds and choices; defaults if None.

    Returns
    -------
    SkyResult
        The cube without sky (float32, same unit) with the evidence: computed if the object is in memory, lazy if it is
        lazy; then it holds the model alone, and reads object and sky again to subtract it. NaN in the object is NaN,
        and NaN in the sky, too, except with `levels`, which minds only planes without any data. Noise is that of
        object and scaled sky in quadrature, with `levels` that of object and model; where a cube has none it is
        estimated first.

    Warns
    -----
    KmosWarning
        Where the lines of the object are much fainter or brighter than those of the sky, as if one of the two had none
        or were in another unit; where lines still lie beside those of the model and it pays to mend it
        (``misfit_sigma``, ``misfit_gain``); where the cube is finer than what the detectors sample, as more is left
        then; and as the method says.

    Raises
    ------
    SkyError
        If the method is not known, or a cube has no data.
    GeometryError
        If shapes, wavelengths or units differ.
    """
    p = parameters or SkyParameters()
    warn_of_sampling(cube)
    result = match_sky(cube, sky_cube, method=method, parameters=p)
    warn_of_unlike(result)
    warn_of_misfit(result, p)
    return result


def match_sky(cube: Cube, sky_cube: Cube, *, method: str, parameters: SkyParameters) -> SkyResult:
    """Return what `subtract_sky` does, without a word about how good it is."""
    if method not in SKY_METHODS:
        msg = f"sky method {method!r} is not known; choose one of {', '.join(SKY_METHODS)}"
        raise SkyError(msg)
    check_pair(cube, sky_cube)
    given = cube, sky_cube
    cube, sky_cube = in_memory(cube), in_memory(sky_cube)
    for role, each in (("object", cube), ("sky", sky_cube)):
        if not has_data(each):
            msg = f"{_origin(each)}: the {role} cube has no data (all NaN); leave this IFU out or give another sky"
            raise SkyError(msg)
    with one_blas_thread():
        result = SKY_METHODS[method](ensure_noise(cube), ensure_noise(sky_cube), parameters)
    result = with_misfit(result)
    return dataclasses.replace(result, cube=_lazy(result, *given)) if isinstance(given[0].flux, da.Array) else result


def _lazy(result: SkyResult, cube: Cube, sky: Cube) -> Cube:
    """Return the cube without sky as lazy arrays of one piece each, which subtract the model when they are computed."""

    def subtract(*arrays: Any) -> tuple[Any, Any]:
        pair = [
            ensure_noise(dataclasses.replace(each, flux=flux, noise=noise))
            for each, flux, noise in zip((cube, sky), arrays[::2], arrays[1::2], strict=True)
        ]
        found = result.subtraction(*pair)
        return found.flux, found.noise

    pieces = delayed(subtract, nout=2)(cube.flux, cube.noise, sky.flux, sky.noise)
    flux, noise = (da.from_delayed(piece, cube.shape, np.float32) for piece in pieces)
    return dataclasses.replace(result.cube, flux=flux, noise=noise)


def has_data(cube: Cube) -> bool:
    """Tell whether any voxel of a cube is finite."""
    return bool(np.isfinite(np.asarray(cube.flux)).any())


def check_pair(cube: Cube, sky: Cube) -> None:
    """Check that shapes, wavelengths and units of object and sky agree.

    Raises
    ------
    GeometryError
        If they do not; it names both.
    """
    names = f"object {_origin(cube)}", f"sky {_origin(sky)}"
    if cube.shape != sky.shape:
        msg = f"{names[0]} has shape {cube.shape} and {names[1]} {sky.shape}; they must be equal"
        raise GeometryError(msg)
    mine, other = cube.wavelength_um, sky.wavelength_um
    if not same_wavelengths(mine, other):
        msg = (
            f"{names[0]} covers {mine[0]:.5f}-{mine[-1]:.5f} um and {names[1]} {other[0]:.5f}-{other[-1]:.5f} um; "
            "give a sky reconstructed on the same wavelength grid"
        )
        raise GeometryError(msg)
    if cube.unit is not None and sky.unit is not None and cube.unit != sky.unit:
        msg = f"{names[0]} is in {cube.unit} and {names[1]} in {sky.unit}; give a sky in the same unit"
        raise GeometryError(msg)


def same_wavelengths(mine: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Tell whether two wavelength axes are the same, to a part of a pixel."""
    pixel = float(np.ptp(mine)) / max(mine.size - 1, 1)
    close = mine.shape == other.shape and np.allclose(mine, other, rtol=0, atol=_GRID_TOLERANCE_PIX * pixel)
    return bool(close)


def in_memory(cube: Cube) -> Cube:
    """Return the same cube with computed arrays."""
    noise = None if cube.noise is None else np.asarray(cube.noise)
    return dataclasses.replace(cube, flux=np.asarray(cube.flux), noise=noise)


def _origin(cube: Cube) -> str:
    """Source and name of a cube, to find it by."""
    return f"{cube.source} ({cube.label})" if cube.source and cube.source != cube.label else cube.label
